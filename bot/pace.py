"""The pace of mails to one provider: who mails a reader's service too fast is blocked, and all users with them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class PaceSettings:
    """How fast mail goes to one provider, by its domain; a domain's rule holds for the domains below it."""

    interval_seconds: Mapping[str, float] = field(default_factory=lambda: {"kindle.com": 2.0, "pbsync.com": 2.0})
    """At least so long between two mails."""
    per_minute: Mapping[str, int] = field(default_factory=lambda: {"kindle.com": 20, "pbsync.com": 20})
    """At most so many mails in a minute."""


class Pacer:
    """Gives out turns. In memory: each process keeps its own pace. Safe from any thread."""

    def __init__(self, settings: PaceSettings, *, clock: Callable[[], float]) -> None:
        """`clock` gives monotonic seconds."""
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._turns: dict[str, deque[float]] = {}

    def take_turn(self, rcpt_to: str) -> float:
        """0.0 if a mail to this address may go now, and its turn is taken; else the seconds until the next turn."""
        provider = self._provider(rcpt_to.rpartition("@")[2].lower())
        if provider is None:
            return 0.0
        interval = self._settings.interval_seconds.get(provider, 0.0)
        most = self._settings.per_minute.get(provider)
        with self._lock:
            turns = self._turns.setdefault(provider, deque(maxlen=most or 1))
            now = self._clock()
            free_at = turns[-1] + interval if turns else now
            if most is not None and len(turns) == most:
                free_at = max(free_at, turns[0] + MINUTE)
            if free_at > now:
                return free_at - now
            turns.append(now)
            return 0.0

    def _provider(self, domain: str) -> str | None:
        """The domain itself or the nearest one above it that has a rule."""
        while domain:
            if domain in self._settings.interval_seconds or domain in self._settings.per_minute:
                return domain
            domain = domain.partition(".")[2]
        return None
