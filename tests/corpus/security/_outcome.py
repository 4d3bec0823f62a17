"""What becomes of one case of a set."""

from __future__ import annotations

import enum
from dataclasses import dataclass

NEEDED_SHARE = 0.99
"""Of the cases of a set that were run: as their source states."""


class Result(enum.Enum):
    AS_STATED = "as stated"
    DIFFERS = "differs"
    """On purpose, for a reason that docs/security.md gives."""
    SKIPPED = "skipped"
    """The set lacks what it takes to run the case."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`words` are the reason of what was skipped or differs, or what happened instead."""

    case: str
    result: Result = Result.AS_STATED
    words: str = ""


def compare(case: str, *, wanted: object, got: object, differences: dict[str, str] | None = None) -> Outcome:
    """`wanted` may be several answers that the source allows."""
    allowed = wanted if isinstance(wanted, list | tuple | set | frozenset) else [wanted]
    if got in allowed:
        return Outcome(case)
    reason = (differences or {}).get(case)
    words = f"wanted {' or '.join(map(str, allowed))}, got {got}"
    return (
        Outcome(case, Result.FAILED, words) if reason is None else Outcome(case, Result.DIFFERS, f"{words}: {reason}")
    )


def skipped(case: str, why: str) -> Outcome:
    return Outcome(case, Result.SKIPPED, why)
