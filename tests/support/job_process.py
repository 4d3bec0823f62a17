"""A process that does jobs until it is killed: `python -m tests.support.job_process <database URL> <log file>`.

Its one task, `note`, appends "<number>\n" to the log when it ends.
"""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import UTC, datetime

from bot.jobs import Backoff, JobEngine, JobSettings
from core.db import create_engine
from core.events import EventBus

JOB_SECONDS = 0.02
SETTINGS = JobSettings(concurrency=4, poll_seconds=0.1, heartbeat_seconds=0.2, stalled_seconds=1.0)


async def main(url: str, log_path: str) -> None:
    engine = JobEngine(create_engine(url), clock=lambda: datetime.now(UTC), bus=EventBus(), settings=SETTINGS)
    log = os.open(log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    @engine.task("note", retry=Backoff(base_seconds=0, cap_seconds=0, attempts=None))
    async def note(number: int) -> None:
        await asyncio.sleep(JOB_SECONDS)
        os.write(log, f"{number}\n".encode())

    await engine.open()
    await engine.run_worker()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
