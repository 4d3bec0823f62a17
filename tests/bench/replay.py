"""Thirty days of overlapping feeds, from HTTP to the outbox: `python -m tests.bench replay [--days 30] [--seed 1]`

Prints how many stories came again and how many never came; ends with 1 where it is any. See `tests.support.replay`.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bot.logs import LogSettings, set_up_logs
from tests.support.replay import Script, replay


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench replay")
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--feeds", type=int, default=6)
    parser.add_argument("--stories", type=int, default=8, help="a day")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--short", action="store_true", help="four days")
    options = parser.parse_args(argv)
    days = 4 if options.short else options.days
    script = Script(days=days, feeds=options.feeds, stories_a_day=options.stories, seed=options.seed)
    set_up_logs(LogSettings(level="warning"), stream=sys.stderr)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        outcome = asyncio.run(replay(script, Path(folder)))
    for line in (*outcome.repeats, *outcome.lost, *outcome.wrong_issues):
        print(line)
    print(
        f"TOTAL {days} days, {options.feeds} feeds, seed {options.seed}: {outcome.stories} stories, "
        f"{outcome.updates} updated, {outcome.issues} issues to 2 readers, {outcome.told} told: "
        f"{len(outcome.repeats)} repeats, {len(outcome.lost)} lost, {len(outcome.wrong_issues)} wrong issues; "
        f"{time.perf_counter() - started:.0f} s"
    )
    return 0 if outcome.is_right else 1
