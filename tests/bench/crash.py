"""`python -m tests.bench crash [--kills N] [--mails N] [--seed N]`: what is left after N SIGKILLs; exit 1 on a loss."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from tests.support.crash import Tally, run_kills


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--mails", type=int, default=None, help="default: twelve for each kill")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--short", action="store_true", help="three kills")
    options = parser.parse_args(argv)
    if options.short:
        options.kills = 3
    mails = options.mails or 12 * options.kills
    with Progress(console=Console(stderr=True)) as bar, tempfile.TemporaryDirectory(prefix="inkpost-crash-") as folder:
        kills, brought = bar.add_task("kills", total=options.kills), bar.add_task("mails", total=mails)

        def show(tally: Tally) -> None:
            bar.update(kills, completed=tally.kills)
            bar.update(brought, completed=tally.accepted)

        tally = asyncio.run(run_kills(Path(folder), mails=mails, kills=options.kills, seed=options.seed, progress=show))
    print(f"TOTAL {tally}")
    return 0 if tally.is_good else 1
