"""`python -m tests.bench workers [--mails N]`: mails answered a second, embedded and over PostgreSQL.

All of it in processes of their own: an intake, the workers, one scheduler; embedded it is one process on SQLite. Mails
come as fast as they are taken, from many readers, and the clock stops with the last answer in the world's mailbox.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bot.mailbox import LoopbackMailbox
from bot.opening import migrate, open_jobs
from core.db import create_engine
from core.services.accounts import Accounts
from tests.support.crash import bring_until_taken
from tests.support.fleet import Fleet, sailing
from tests.support.postgres import SAFE_OPTIONS, NoPostgres, running_postgres
from tests.support.service import DOMAIN, service_config

SENDERS, READERS = 16, 100
ANSWER_SECONDS = 600.0
EDGE = {"edge__connections": "", "edge__recipients": ""}


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench workers", description=__doc__)
    parser.add_argument("--mails", type=int, default=1000)
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2, 4])
    parser.add_argument("--short", action="store_true", help="40 mails, one worker")
    options = parser.parse_args(argv)
    mails, counts = (40, [1]) if options.short else (options.mails, options.workers)
    table = Table("engine", "workers", "mails answered a second", box=None)
    table.add_row("embedded, SQLite", "1", f"{asyncio.run(_answered(mails, '', 1)):.1f}")
    try:
        with running_postgres(SAFE_OPTIONS) as server:
            for workers in counts:
                with server.database() as url:
                    pace = asyncio.run(_answered(mails, url, workers))
                table.add_row("PostgreSQL", str(workers), f"{pace:.1f}")
    except NoPostgres as error:
        print(f"SKIPPED: {error}")
    Console().print(table)
    return 0


async def _answered(mails: int, database_url: str, workers: int) -> float:
    """Mails answered a second."""
    with tempfile.TemporaryDirectory(prefix="inkpost-workers-") as name:
        folder = Path(name)
        world = LoopbackMailbox(folder / "world")
        fleet = Fleet(folder, database_url, relay_port=await world.open(), settings=EDGE)
        rcpt_tos = _people(folder, database_url)
        roles = ["intake", *["worker"] * workers, "scheduler"] if database_url else ["intake,worker,scheduler"]
        async with sailing(fleet):
            ships = [await fleet.start(one) for one in roles]
            await asyncio.gather(*(ship.is_up() for ship in ships))
            numbers, started = iter(range(mails)), time.monotonic()
            await asyncio.gather(*(_bring(numbers, rcpt_tos, fleet.smtp_port) for _ in range(SENDERS)))
            await world.wait_for_all(mails, timeout_seconds=ANSWER_SECONDS)
            seconds = time.monotonic() - started
        await world.close()
        return mails / seconds


def _people(folder: Path, database_url: str) -> list[str]:
    (folder / "data").mkdir(exist_ok=True)
    database = create_engine(database_url or f"sqlite:///{folder / 'data' / 'inkpost.db'}")
    migrate(database)
    with open_jobs(service_config(folder, relay_port=1), database).work() as work:
        secrets = [Accounts(work).add_user(f"reader{number}@reader.test")[1] for number in range(READERS)]
    database.dispose()
    return [f"books+{secret}@{DOMAIN}" for secret in secrets]


async def _bring(numbers: Iterator[int], rcpt_tos: Sequence[str], port: int) -> None:
    for number in numbers:
        await bring_until_taken(number, rcpt_to=rcpt_tos[number % len(rcpt_tos)], port=port)
