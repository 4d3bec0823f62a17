"""The pace of mails to one provider: who mails a reader's service too fast is blocked, and all users with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from core.models import Pace

MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class PaceSettings:
    """How fast mail goes to one provider, by its domain; a domain's rule holds for the domains below it."""

    interval_seconds: Mapping[str, float] = field(default_factory=lambda: {"kindle.com": 2.0, "pbsync.com": 2.0})
    """At least so long between two mails."""
    per_minute: Mapping[str, int] = field(default_factory=lambda: {"kindle.com": 20, "pbsync.com": 20})
    """At most so many mails in a minute."""


class Pacer:
    """Gives out turns, from the database: all workers keep one pace, and one that starts anew knows it."""

    def __init__(self, settings: PaceSettings) -> None:
        self._settings = settings

    def take_turn(self, session: Session, rcpt_to: str, *, now: datetime) -> float:
        """0.0 if a mail to this address may go now, and its turn is taken; else the seconds until the next turn.

        Turns to one provider are given one transaction after the other: commit soon.
        """
        provider = self._provider(rcpt_to.rpartition("@")[2].lower())
        if provider is None:
            return 0.0
        most = self._settings.per_minute.get(provider)
        pace, at = Pace.locked(session, provider), now.timestamp()
        seconds = wait_seconds(
            pace.turns, now=at, interval=self._settings.interval_seconds.get(provider, 0.0), most=most
        )
        if not seconds:
            pace.turns = [*pace.turns, at][-(most or 1) :]
        return seconds

    def _provider(self, domain: str) -> str | None:
        """The domain itself or the nearest one above it that has a rule."""
        while domain:
            if domain in self._settings.interval_seconds or domain in self._settings.per_minute:
                return domain
            domain = domain.partition(".")[2]
        return None


def wait_seconds(turns: Sequence[float], *, now: float, interval: float, most: int | None) -> float:
    """How long the next turn is away after these, `interval` apart and `most` in a minute. Pure."""
    past = [turn for turn in turns if turn < now + MINUTE]  # a clock that was set back is no reason to wait for it
    free_at = past[-1] + interval if past else now
    if most is not None and len(past) >= most:
        free_at = max(free_at, past[-most] + MINUTE)
    return max(0.0, free_at - now)
