"""`python -m tests.bench crash [--kills N] [--database URL]`: what is left after N SIGKILLs; exit 1 on a loss.

On SQLite it is the one process that is killed; on PostgreSQL an intake and two workers are, one at a time. `--database
wheel` starts a PostgreSQL of its own. The kills come in rounds, each with a new installation that is judged at its end,
and so many of them side by side as `--side-by-side` says. Each round prints the totals so far, so that a run that is
cut short is not lost. The last line has the totals, also after a SIGTERM or a Control-C, which ends the killing; a
second one ends the wait for what is not yet answered. The instants come from `--seed`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from tests.support.crash import Run, Tally
from tests.support.postgres import PostgresServer, running_postgres
from tests.support.warm_start import WarmStart, warm_start

KILLS_A_ROUND = (
    125  # `integrity_check` reads all of the database after each: one of 2,000 kills' mails takes it seconds
)


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--rate", type=float, default=10.0, help="mails a second")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--side-by-side", type=int, default=2, help="installations at a time")
    parser.add_argument("--database", default="", help="postgresql://… (empty), or wheel; SQLite where not given")
    parser.add_argument("--resend-unknown", action="store_true", help="relay.resends_unknown")
    parser.add_argument("--short", action="store_true", help="three kills")
    options = parser.parse_args(argv)
    rounds = [
        (number, min(KILLS_A_ROUND, left))
        for number, left in enumerate(range(3 if options.short else options.kills, 0, -KILLS_A_ROUND))
    ]
    with Progress(console=Console(stderr=True)) as bar, _server(options.database) as server:
        rounds_to_do = Rounds(options, rounds, server, bar)
        asyncio.run(rounds_to_do.all(1 if options.database not in ("", "wheel") else options.side_by_side))
    print(f"TOTAL {rounds_to_do}")
    return 0 if rounds_to_do.total.is_good and rounds_to_do.judged == rounds_to_do.begun else 1


@dataclass
class Rounds:
    """What is still to be done, and what was found."""

    options: argparse.Namespace
    to_do: list[tuple[int, int]]
    """A round's number and its kills."""
    server: PostgresServer | None
    bar: Progress
    total: Tally = field(default_factory=Tally)
    begun: int = 0
    judged: int = 0
    started: float = field(default_factory=time.monotonic)
    _stops: int = 0

    async def all(self, side_by_side: int) -> None:
        task = self.bar.add_task("kills", total=sum(kills for _, kills in self.to_do))
        for asked in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(asked, self._end)
        under_way: dict[int, Tally] = {}

        def show(number: int, tally: Tally) -> None:
            under_way[number] = tally  # the latest of each round
            kills = sum(one.kills.total() for one in under_way.values())
            mails = sum(one.accepted for one in under_way.values())
            self.bar.update(task, completed=kills, description=f"kills, {mails} mails")

        async def some(warm: WarmStart) -> None:
            while self.to_do and not self._stops:
                number, kills = self.to_do.pop(0)
                self.begun += 1
                with tempfile.TemporaryDirectory(prefix="inkpost-crash-") as folder, self._database() as url:
                    tally = await Run(
                        Path(folder),
                        kills=kills,
                        seed=self.options.seed + number,
                        database_url=url,
                        mails_per_second=self.options.rate,
                        resends_unknown=self.options.resend_unknown,
                        warm=warm,
                        progress=partial(show, number),
                        is_enough=lambda: self._stops > 0,
                        is_too_long=lambda: self._stops > 1,
                    )()
                self.total += tally
                self.judged += 1
                which = [*tally.lost, *tally.stuck, *tally.doubled, *tally.answered_twice, *tally.damaged]
                self.bar.console.print(f"round {number}: {tally} {which or ''}", markup=False)
                print(f"SO FAR {self}", flush=True)

        async with warm_start() as warm:
            results = await asyncio.gather(*(some(warm) for _ in range(side_by_side)), return_exceptions=True)
        for error in results:
            if error is not None:
                self.bar.console.print(f"a round broke off: {error!r}", markup=False)

    def __str__(self) -> str:
        name = "postgresql" if self.options.database else "sqlite"
        return (
            f"{name}, seed {self.options.seed}: {self.total}, in {self.judged} of {self.begun} rounds, "
            f"{time.monotonic() - self.started:.0f} s"
        )

    def _end(self) -> None:
        self._stops += 1

    @contextlib.contextmanager
    def _database(self) -> Iterator[str]:
        if self.server is None:
            yield "" if self.options.database == "wheel" else self.options.database
            return
        with self.server.database() as url:
            yield url


@contextlib.contextmanager
def _server(asked: str) -> Iterator[PostgresServer | None]:
    if asked != "wheel":
        yield None
        return
    with running_postgres() as server:
        yield server
