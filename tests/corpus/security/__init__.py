"""Kind `security`: hostile and conformance input, a module for each family of sets.

A module of this package whose name does not begin with an underscore says in `SETS` which folders it is about, and
its `run_set(folder)` yields an `Outcome` for each of their cases. Nothing else has to be told of it.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, cast

from rich.console import Console
from rich.table import Table

from bot.logs import LogSettings, set_up_logs
from tests.corpus.security._outcome import NEEDED_SHARE, Outcome, Result

__all__ = ["judge", "run", "run_families"]


class Family(Protocol):
    """What a module here has."""

    SETS: tuple[str, ...]
    __name__: str

    def run_set(self, folder: Path) -> Iterator[Outcome]: ...


def families() -> list[Family]:
    """The modules by name."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
    return [cast(Family, importlib.import_module(f"{__name__}.{name}")) for name in names]


def run_families(folder: Path) -> Iterator[tuple[str, dict[str, list[Outcome]]]]:
    """Each family with the outcomes of those of its sets that are there."""
    for family in families():
        sets = {name: list(family.run_set(folder / name)) for name in family.SETS if (folder / name).is_dir()}
        yield family.__name__.rpartition(".")[2], sets


def run(folder: Path) -> bool:
    """A table of the sets, a line for each case that did not go as its source states, and one of totals."""
    set_up_logs(LogSettings(level="error", style="console"), stream=sys.stderr)
    table = Table("family", "set", "cases", *(result.value for result in Result), "verdict", box=None)
    totals: Counter[Result] = Counter()
    is_good = True
    for family, sets in run_families(folder):
        verdict = judge([one for outcomes in sets.values() for one in outcomes])
        is_good &= verdict == "ok"
        for name, outcomes in sets.items():
            counts = Counter(one.result for one in outcomes)
            table.add_row(family, name, str(len(outcomes)), *(str(counts[result]) for result in Result), verdict)
            totals += counts
            for one in outcomes:
                if one.result is not Result.AS_STATED:
                    print(f"{name} {one.case}: {one.result.value}: {one.words}")
    Console(width=120).print(table)
    print(f"{totals.total()} cases: " + ", ".join(f"{totals[result]} {result.value}" for result in Result))
    return is_good and totals.total() > 0


def judge(outcomes: list[Outcome]) -> str:
    """`ok`, or what is wrong with a family: a failure, or too few of those that ran go as their sources state."""
    counts = Counter(one.result for one in outcomes)
    ran = len(outcomes) - counts[Result.SKIPPED]
    if counts[Result.FAILED]:
        return "FAILED"
    return "ok" if counts[Result.AS_STATED] >= NEEDED_SHARE * ran else f"below {NEEDED_SHARE:.0%}"
