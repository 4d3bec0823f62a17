"""What each user's mails may ask for in a minute, an hour and a day, counted in memory or in Redis."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from bot.guards import Counts
from core.limits import Closed, UserLimits, Window
from core.values import Trust


class UserQuotas:
    """Counts by when a mail was received, so that a service which catches up turns nobody away. Safe from any thread.

    A mail that could be somebody else's counts apart: nobody closes the door of a user but the user.
    """

    def __init__(self, limits: UserLimits, counts: Counts) -> None:
        self._limits = limits
        self._counts = counts

    @contextmanager
    def counted(
        self, user_id: int, *, trust: Trust, at: datetime, commands: int, uploads: int
    ) -> Iterator[Closed | None]:
        """Count a mail, and say what it is too much for. What raises is tried again later, and counted then."""
        who = _who(user_id, trust)
        asked = [(self._limits.commands, commands), (self._limits.uploads, uploads)]
        counted = [(window, amount) for window, amount in asked if window.most and amount]
        before = [(window, self._add(window, who, at, amount) - amount) for window, amount in counted]
        if uploads and self._limits.stored.most:
            before.append((self._limits.stored, self._add(self._limits.stored, who, at, 0)))
        full = [window for window, count in before if count >= window.most]
        try:
            yield _closed(full, who, at)
        except BaseException:
            for window, amount in counted:
                self._add(window, who, at, -amount)
            raise

    def note_stored(self, user_id: int, *, trust: Trust, at: datetime, size_bytes: int) -> None:
        if size_bytes and self._limits.stored.most:
            self._add(self._limits.stored, _who(user_id, trust), at, size_bytes)

    def _add(self, window: Window, who: str, at: datetime, amount: int) -> int:
        """How much it is then."""
        key = f"user/{who}/{window.name}/{window.began_at(at):%Y%m%dT%H%M}"
        return self._counts.add(key, amount, seconds=int(window.length.total_seconds()))


def _who(user_id: int, trust: Trust) -> str:
    return f"{user_id}" if trust >= Trust.DELIVER else f"{user_id}-unsure"


def _closed(full: list[Window], who: str, at: datetime) -> Closed | None:
    """The one that is closed for the longest."""
    if not full:
        return None
    window = max(full, key=lambda one: one.opens_at(at))
    return Closed(window, window.opens_at(at), cause=f"limit:{who}:{window.name}:{window.began_at(at):%Y%m%dT%H%M}")
