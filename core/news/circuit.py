"""The circuit breaker of one host, as a value: when it may be asked again after it failed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

FAILURES_TO_OPEN = 5
FIRST_REST = timedelta(seconds=60)
LONGEST_REST = timedelta(hours=6)
PROBE = timedelta(seconds=120)  # a fetch's deadline of 30 s, and its wait for its turn


@dataclass(frozen=True, slots=True, kw_only=True)
class HostCircuit:
    """Closed: everybody may ask. Open: nobody, until `open_until`. Half open after that: one may try.

    Both fields are what a host's row keeps, so that a restart forgets nothing.
    """

    failures: int = 0
    """In a row."""
    open_until: datetime | None = None
    """None while it is closed."""

    def is_open(self, now: datetime) -> bool:
        """Nobody may ask."""
        return self.open_until is not None and now < self.open_until

    def is_half_open(self, now: datetime) -> bool:
        """One may ask, who writes `while_probed` into the row before: who finds it written lets it be."""
        return self.open_until is not None and now >= self.open_until

    def while_probed(self, now: datetime) -> HostCircuit:
        """Shut for all others while one asks; if that one dies with its process, open to the next after `PROBE`."""
        return replace(self, open_until=now + PROBE)

    def after_failure(self, now: datetime) -> HostCircuit:
        """Rests 60 s from the fifth failure on, and twice as long after each more, up to 6 hours."""
        failures = self.failures + 1
        if failures < FAILURES_TO_OPEN:
            return HostCircuit(failures=failures)
        doublings = min(failures - FAILURES_TO_OPEN, 16)  # 60 s times 2^9 is over 6 h already; larger powers overflow
        return HostCircuit(failures=failures, open_until=now + min(FIRST_REST * 2**doublings, LONGEST_REST))

    def after_success(self) -> HostCircuit:
        return HostCircuit()
