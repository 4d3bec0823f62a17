"""When a digest is due: its standing order, and the moments that it means in an IANA zone."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

EVERY_DAY: Final = frozenset(range(7))
WORKDAYS: Final = frozenset(range(5))
WEEKEND: Final = frozenset({5, 6})
DAY_NAMES: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
LONGEST_MINUTES = 600  # ten hours of reading: more is a slip of the finger

# Days to look at for one that is due: two weeks and a day, since a zone may skip the very weekday (Samoa, 30 December
# 2011), and one more backwards, where clocks went back over midnight: tomorrow's 00:00 may be past.
_DAYS_TO_LOOK = 16
_ONE_DAY = timedelta(days=1)


class Target(enum.StrEnum):
    """Where an issue goes."""

    MAIL = "mail"
    KINDLE = "kindle"
    BOTH = "both"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A digest's standing order. Raises `ValueError` for one that never or cannot run."""

    weekdays: frozenset[int] = EVERY_DAY
    """0 is Monday; never empty."""
    at: time = time(6, 30)
    """The wall time, to the minute, in whatever zone the reader is."""
    target: Target = Target.BOTH
    minutes: int | None = None
    """Reading time of an issue; None for no limit."""

    def __post_init__(self) -> None:
        if not self.weekdays or not self.weekdays <= EVERY_DAY:
            raise ValueError(f"not days of a week: {sorted(self.weekdays)}")
        if self.at != time(self.at.hour, self.at.minute):
            raise ValueError(f"not a wall time to the minute: {self.at!r}")
        if self.minutes is not None and not 1 <= self.minutes <= LONGEST_MINUTES:
            raise ValueError(f"not a reading time: {self.minutes} minutes")

    @classmethod
    def from_parts(cls, *, days: int, minute_of_day: int, target: str, minutes: int | None) -> Schedule:
        """The schedule that a row holds. Raises `ValueError` for a row that holds none."""
        if not 0 < days < 128:
            raise ValueError(f"not days of a week as bits: {days}")
        hour, minute = divmod(minute_of_day, 60)
        weekdays = frozenset(day for day in EVERY_DAY if days >> day & 1)
        return cls(weekdays=weekdays, at=time(hour, minute), target=Target(target), minutes=minutes)

    @property
    def days(self) -> int:
        """The weekdays as bits: 1 is Monday, 64 Sunday, 127 every day."""
        return sum(1 << day for day in self.weekdays)

    @property
    def minute_of_day(self) -> int:
        """0 to 1439."""
        return self.at.hour * 60 + self.at.minute

    def to_text(self) -> str:
        """For people, and `schedule_words` reads it back: `weekly mon, thu at 06:30 to kindle, 20 min`."""
        to = "mail and kindle" if self.target is Target.BOTH else self.target
        reading = f", {self.minutes} min" if self.minutes is not None else ""
        return f"{_days_in_words(self.weekdays)} at {self.at:%H:%M} to {to}{reading}"


def _days_in_words(weekdays: frozenset[int]) -> str:
    names = {EVERY_DAY: "daily", WORKDAYS: "weekdays", WEEKEND: "weekends"}
    return names.get(weekdays) or "weekly " + ", ".join(DAY_NAMES[day][:3] for day in sorted(weekdays))


@dataclass(frozen=True, slots=True)
class Due:
    """One issue that is due: its key, and when."""

    local_date: date
    at: datetime
    """Aware, UTC, to the minute."""


def next_due(schedule: Schedule, *, after: datetime, timezone: str) -> Due:
    """The first issue due later than `after`. Raises what `ZoneInfo` raises for a name that is no zone."""
    zone = ZoneInfo(timezone)
    first = after.astimezone(zone).date()
    days = (first + number * _ONE_DAY for number in range(_DAYS_TO_LOOK))
    return next(due for due in _dues(schedule, days, zone) if due.at > after)


def last_due(schedule: Schedule, *, now: datetime, timezone: str, since: datetime | None = None) -> Due | None:
    """The latest issue due at `now` or before: after an outage the one that stands for all that were missed.

    None if nothing has been due since `since` (the moment when the digest was ordered or changed), exclusively.
    """
    zone = ZoneInfo(timezone)
    last = now.astimezone(zone).date() + _ONE_DAY
    days = (last - number * _ONE_DAY for number in range(_DAYS_TO_LOOK))
    due = next(due for due in _dues(schedule, days, zone) if due.at <= now)
    return due if since is None or due.at > since else None


def _dues(schedule: Schedule, days: Iterator[date], zone: ZoneInfo) -> Iterator[Due]:
    for day in days:
        if day.weekday() in schedule.weekdays and (at := _moment(day, schedule.at, zone)) is not None:
            yield Due(day, at)


def _moment(day: date, at: time, zone: ZoneInfo) -> datetime | None:
    """When the clocks of a zone show a wall time: the first time if twice, the next valid minute if never. None on a
    day that the zone leaves out."""
    wall = datetime.combine(day, at, tzinfo=zone)
    first, second = wall.astimezone(UTC), wall.replace(fold=1).astimezone(UTC)
    if first <= second:
        return first
    # PEP 495: in a gap it is the other way round, fold=0 counts with the offset before it and fold=1 with that behind
    # it; the clocks are put on between the two.
    change = _change(second, first, zone)
    stopped = (change - timedelta(seconds=1)).astimezone(zone)
    if stopped.date() < day < change.astimezone(zone).date():
        return None
    return change + timedelta(seconds=-change.second % 60)


def _change(before: datetime, behind: datetime, zone: ZoneInfo) -> datetime:
    """The second between two moments in which the zone's offset changes, by halving."""
    old = before.astimezone(zone).utcoffset()
    while (apart := (behind - before) // timedelta(seconds=2)) > 0:
        middle = before + timedelta(seconds=apart)
        if middle.astimezone(zone).utcoffset() == old:
            before = middle
        else:
            behind = middle
    return behind
