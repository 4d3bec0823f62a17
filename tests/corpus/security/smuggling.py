"""Ends of data that are none, commands before their time, and words in the clear behind STARTTLS; on both sides."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.corpus.security._outcome import Outcome, Result
from tests.corpus.smtp import run_case

SETS = ("smuggling", "starttls")


def run_set(folder: Path) -> Iterator[Outcome]:
    """One mail from one end of data; nothing that was said before TLS is heard inside of it."""
    for file in sorted(folder.glob("*.json")):
        found = run_case(file)
        result = Result.FAILED if found.problem else Result.SKIPPED if found.skipped else Result.AS_STATED
        yield Outcome(found.case, result, found.words)
