"""What a service on one machine does without: imports that only some configurations need, and that take megabytes."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from tests.support.fleet import Fleet, Ship
from tests.support.ports import free_port

ELSEWHERE = (
    *("alembic", "cashews", "redis", "cryptography", "google.cloud.storage"),
    *("PIL", "nh3", "trafilatura", "feedparser", "markdown_it", "bot.demo"),
    *("sqlalchemy.dialects.postgresql", "rich.progress", "readline"),
)
PROGRAM = f"""
import atexit, json, sys
from bot.cli import main
atexit.register(lambda: print(json.dumps([name for name in {ELSEWHERE} if name in sys.modules])))
main(["serve"])
"""


async def test_first_start_on_one_machine_loads_nothing_for_other_configurations(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM),
        env=Fleet(tmp_path, database_url="", relay_port=1).environment(port),
        cwd=Path(__file__).parents[2],
        stdout=asyncio.subprocess.PIPE,
    )
    service = Ship("intake,worker,scheduler", process, port)
    try:
        assert process.stdout is not None
        await service.answers("/healthz")
        process.terminate()
        loaded = json.loads((await process.stdout.read()).splitlines()[-1])
    finally:
        await service.kill()

    assert loaded == []
