"""What becomes of one case of kind `smtp`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """`problem` is "" where the case went as its manifest wants; `skipped` says why it was not run."""

    case: str
    problem: str = ""
    skipped: str = ""
    difference: str = ""
    """Why it went otherwise than its source has it, on purpose."""

    @property
    def words(self) -> str:
        """ "" where there is nothing to be told."""
        if self.problem:
            return self.problem
        return f"skipped, {self.skipped}" if self.skipped else self.difference and f"differs, {self.difference}"

    @property
    def result(self) -> str:
        if self.problem:
            return "not"
        return "skipped" if self.skipped else "differs" if self.difference else "as wanted"
