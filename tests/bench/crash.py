"""`python -m tests.bench crash [--kills N] [--database URL]`: what is left after N SIGKILLs; exit 1 on a loss.

On SQLite it is the one process that is killed; on PostgreSQL an intake and two workers are, one at a time. `--database
wheel` starts a PostgreSQL of its own. The last line has the totals.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from tests.support.crash import Run, Tally
from tests.support.postgres import running_postgres


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--rate", type=float, default=10.0, help="mails a second")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--database", default="", help="postgresql://… (empty), or wheel; SQLite where not given")
    parser.add_argument("--resend-unknown", action="store_true", help="relay.resends_unknown")
    parser.add_argument("--short", action="store_true", help="three kills")
    options = parser.parse_args(argv)
    kills = 3 if options.short else options.kills
    with (
        Progress(console=Console(stderr=True)) as bar,
        tempfile.TemporaryDirectory(prefix="inkpost-crash-") as folder,
        _database(options.database) as url,
    ):
        task = bar.add_task("kills", total=kills)

        def show(tally: Tally) -> None:
            bar.update(task, completed=tally.kills.total(), description=f"kills, {tally.accepted} mails")

        run = Run(
            Path(folder),
            kills=kills,
            seed=options.seed,
            database_url=url,
            mails_per_second=options.rate,
            resends_unknown=options.resend_unknown,
            progress=show,
        )
        tally = asyncio.run(run())
    print(f"TOTAL {'postgresql' if url else 'sqlite'}: {tally}")
    return 0 if tally.is_good else 1


@contextlib.contextmanager
def _database(asked: str) -> Iterator[str]:
    if asked != "wheel":
        yield asked
        return
    with running_postgres() as server, server.database() as url:
        yield url
