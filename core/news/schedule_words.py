"""The times of a digest as people write them: `digest weekdays 06:30 to kindle 20 min`, `digest pause until 12 Aug`."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from typing import Final, TypeVar

from core.errors import BadRequest
from core.i18n import N_, _, dated
from core.mail.words import clean_line
from core.news.schedule import DAY_NAMES, EVERY_DAY, LONGEST_MINUTES, WEEKEND, WORKDAYS, Schedule, Target
from core.news.schedule_tongues import clock_in_digits, date_in_english, schedule_in_english

T = TypeVar("T")

LONGEST_PAUSE_YEARS = 5  # who wants no paper for longer has done with it
EXAMPLE = "digest weekdays 06:30 to kindle 20 min"
_ONE_DAY = timedelta(days=1)


class Unclear(BadRequest):
    """Words for a schedule or a date that cannot be read, or that mean two things."""

    code = "digest.unclear"


_MONTHS: Final = tuple(name.lower() for name in (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
))  # fmt: skip

_DAY = r"(?:mo|tu|we|th|fr|sa|su)[a-z]*\.?"
_AT = r"(?:at |@ ?)?"
_HALF = r"a\.?m\b\.?|p\.?m\b\.?|in the (?:morning|afternoon|evening)"
# In this order: what is longer, or more telling, comes first.
_PARTS: Final = tuple(
    (name, re.compile(rf"(?:{pattern})(?!\w)"))
    for name, pattern in (
        ("daily", r"daily|every ?day|each day|all days|7 days a week"),
        ("workdays", r"(?:every |each )?(?:week|work(?:ing)? ?)days?"),
        ("weekend", r"(?:every |each )?week-?ends?"),
        ("weekly", r"weekly|once a week|every week"),
        ("range", rf"(?P<first>{_DAY})\s?(?:-|to|through|thru|till|until)\s?(?P<last>{_DAY})"),
        ("often", r"(?:every|each|all) (?:\d{1,4}|two|three|few|half)? ?(?:hours?|hrs?|minutes?|mins?)|hourly"),
        ("kindle", r"kindle|e-?reader|reader|device|epub"),
        ("mail", r"e-?mail|mail|inbox"),
        ("both", r"both"),
        ("unlimited", r"(?:no|without(?: a)?) (?:time )?limit|unlimited|any length"),
        ("minutes", r"(?P<minutes>\d{1,4})\s?-?(?:minutes?|mins?\b\.?|m|')"),
        ("hours", r"(?P<hours>\d{1,2}|an|one|two|half an)\s?(?:hours?|hrs?)"),
        ("time", rf"{_AT}(?:noon|midday|(?P<midnight>midnight))"),
        ("time", rf"{_AT}(?P<hour>\d{{1,2}})\s?[:.h]\s?(?P<minute>\d\d)(?:\s?(?P<half>{_HALF})|\s?h|\s?uhr)?"),
        ("time", rf"{_AT}(?P<hour>\d{{1,2}})\s?(?:(?:o'?clock|uhr|h)\s)?(?P<half>{_HALF})"),
        ("time", rf"{_AT}(?P<hour>\d{{1,2}})\s?(?:h|o'?clock|uhr)"),
        ("time", rf"{_AT}(?P<hour>[012]\d)(?P<minute>[0-5]\d)"),
        ("time", r"(?:at|@)\s?(?P<hour>\d{1,2})"),
        ("day", _DAY),
    )
)
_NOISE: Final = re.compile(
    "a|about|and|as|at|by|digest|each|every|for|from|good|in|it|just|long|me|my|of|on|only|please|read|reading|send|the"
    "|then|to|via|with|worth|@|-|"
)
_GAP = re.compile(r"[\s,;&+/]*")
_WORD = re.compile(r"[^\s,;&+/]+")


@dataclass(slots=True)
class _Parts:
    """What has been read of a line."""

    days: set[int] = field(default_factory=set)
    rhythm: str | None = None
    times: list[time] = field(default_factory=list)
    targets: set[Target] = field(default_factory=set)
    lengths: list[int | None] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def parse_schedule(words: str, *, current: Schedule | None) -> Schedule:
    """What the words behind `digest` order, in any order; what they do not say stays as it is in `current`.

    Raises `Unclear`, which names the words that were not understood.
    """
    return _in_either(clock_in_digits(clean_line(words)), schedule_in_english, lambda line: _schedule(line, current))


def _in_either(line: str, translate: Callable[[str], str], read: Callable[[str], T]) -> T:
    """What is read of a line as it stands, or else of the line in English: so no foreign word hides an English one."""
    try:
        return read(line)
    except Unclear:
        if (translated := translate(line)) == line:
            raise
        with suppress(Unclear):
            return read(translated)
        raise


def _schedule(line: str, current: Schedule | None) -> Schedule:
    parts = _read(line)
    if parts.unknown:
        raise _unclear(
            _("I do not understand “{unknown}” in the times of a digest.").format(unknown=" ".join(parts.unknown))
        )
    if len(set(parts.times)) > 1 or len(set(parts.lengths)) > 1:
        raise _unclear(_("A digest has one time of day and one reading time."))
    start = current or Schedule()
    weekdays = frozenset(parts.days) or (EVERY_DAY if parts.rhythm == "daily" else start.weekdays)
    if parts.rhythm == "weekly" and not parts.days and len(weekdays) > 1:
        raise _unclear(_("On which day of the week?"), fix=_("Name it: digest weekly mon 06:30"))
    target = Target.BOTH if len(parts.targets) > 1 else next(iter(parts.targets), start.target)
    return Schedule(
        weekdays=weekdays,
        at=parts.times[0] if parts.times else start.at,
        target=target,
        minutes=parts.lengths[0] if parts.lengths else start.minutes,
    )


def _unclear(text: str, *, fix: str = "") -> Unclear:
    return Unclear(text, fix=fix or _("Write it as in: {example}").format(example=EXAMPLE))


def _read(line: str) -> _Parts:
    """The line in parts. It is only folded for matching, so that a word can be shown as it was written."""
    folded = line.lower()
    parts = _Parts()
    place = _end(_GAP, folded, 0)
    while place < len(folded):
        end = _read_part(folded, place, parts)
        if end is None:
            end = _end(_WORD, folded, place)
            if not _NOISE.fullmatch(folded[place:end].strip(".!?'\"()")):
                parts.unknown.append(line[place:end])
        place = _end(_GAP, folded, end)
    return parts


def _end(pattern: re.Pattern[str], text: str, place: int) -> int:
    match = pattern.match(text, place)
    return match.end() if match else len(text)


def _read_part(line: str, place: int, parts: _Parts) -> int | None:
    """Where the part ends that begins at `place`; None if none does."""
    for name, pattern in _PARTS:
        if (match := pattern.match(line, place)) is not None and _take(name, match, parts):
            return match.end()
    return None


def _take(name: str, match: re.Match[str], parts: _Parts) -> bool:
    """Adds what was read to the parts; whether it means anything."""
    match name:
        case "daily" | "weekly":
            parts.rhythm = name
        case "workdays" | "weekend":
            parts.days |= WORKDAYS if name == "workdays" else WEEKEND
        case "often":
            parts.unknown.append(match[0])  # and not a reading time
        case "kindle" | "mail" | "both":
            parts.targets.add(Target(name))
        case "unlimited" | "minutes" | "hours":
            parts.lengths.append(length := _length(match))
            return length is None or 1 <= length <= LONGEST_MINUTES
        case "time":
            if (at := _time(match)) is None:
                return False
            parts.times.append(at)
        case _:
            days = _days(match)
            parts.days |= days
            return bool(days)
    return True


def _length(match: re.Match[str]) -> int | None:
    """Minutes; None for no limit."""
    groups = match.groupdict()
    if written := groups.get("minutes"):
        return int(written)
    if written := groups.get("hours"):
        return {"half an": 30, "an": 60, "one": 60, "two": 120}.get(written) or 60 * int(written)
    return None


def _time(match: re.Match[str]) -> time | None:
    groups = match.groupdict()
    if groups.get("hour") is None:
        return time(0) if groups["midnight"] else time(12)
    hour, minute = int(groups["hour"]), int(groups.get("minute") or 0)
    if half := groups.get("half"):
        is_morning = half.startswith("a") or half.endswith("morning")
        if is_morning and hour > 12:
            return None
        if 1 <= hour <= 12:  # "17:00 pm" is plain all the same
            hour = hour % 12 + (0 if is_morning else 12)
    return time(hour, minute) if hour < 24 and minute < 60 else None


def _days(match: re.Match[str]) -> set[int]:
    groups = match.groupdict()
    if "first" not in groups:
        day = _weekday(match[0])
        return set() if day is None else {day}
    first, last = _weekday(groups["first"]), _weekday(groups["last"])
    if first is None or last is None:
        return set()
    return {day % 7 for day in range(first, (last if last >= first else last + 7) + 1)}


def _weekday(word: str) -> int | None:
    """0 for `mo`, `Mon.`, `mondays`."""
    return next(
        (day for form in (word, word.rstrip(".").removesuffix("s")) if (day := _nth(form, DAY_NAMES)) != -1), None
    )


def _nth(word: str, names: Sequence[str], *, least: int = 2) -> int:
    """Which of the names begins so, -1 for none."""
    word = word.rstrip(".")
    return next((nth for nth, name in enumerate(names) if len(word) >= least and name.startswith(word)), -1)


# In the reader's language -----------------------------------------------------------------------------------------


def in_words(schedule: Schedule) -> str:
    """A standing order as its reader says it; `Schedule.to_text` is what commands are made of."""
    text = _("{days} at {time} to {target}").format(
        days=_days_in_words(schedule.weekdays), time=f"{schedule.at:%H:%M}", target=_(_TARGETS[schedule.target])
    )
    reading = _(", {minutes} min").format(minutes=schedule.minutes) if schedule.minutes is not None else ""
    return text + reading


_TARGETS: Final = {Target.MAIL: N_("mail"), Target.KINDLE: N_("kindle"), Target.BOTH: N_("mail and kindle")}
_NAMED_DAYS: Final = {EVERY_DAY: N_("daily"), WORKDAYS: N_("weekdays"), WEEKEND: N_("weekends")}
_MONDAY: Final = date(2024, 1, 1)


def _days_in_words(weekdays: frozenset[int]) -> str:
    if weekdays in _NAMED_DAYS:
        return _(_NAMED_DAYS[weekdays])
    names = (dated(_MONDAY + day * _ONE_DAY, "EEE").lower() for day in sorted(weekdays))
    return _("weekly {days}").format(days=", ".join(name.rstrip(".") for name in names))


# A pause ---------------------------------------------------------------------------------------------------------

_YEAR = r"(?:,? ?(?P<year>\d{4}))?"
_UNTIL: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?P<year>\d{4})-(?P<month>\d\d?)-(?P<day>\d\d?)",
        r"(?P<day>\d\d?)\. ?(?P<month>\d\d?)(?:\.? ?(?P<year>\d{4}))?",
        rf"(?P<day>\d\d?)(?:st|nd|rd|th|\.)? ?(?:of )?(?P<month>[a-z]{{3,}})\.?{_YEAR}",
        rf"(?P<month>[a-z]{{3,}})\.? (?P<day>\d\d?)(?:st|nd|rd|th)?{_YEAR}",
        r"(?:in |for )?(?P<count>\d{1,3}|an?|one|two|three) (?P<unit>day|week|month)s?",
        r"next (?P<unit>week|month)",
        r"(?P<tomorrow>tomorrow)",
        r"(?:next |this )?(?P<weekday>[a-z]{2,}\.?)",
    )
)
_FIX = N_("Write it as in: digest pause until 12 Aug")
_COUNTS: Final = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3}


def parse_until(text: str, *, today: date) -> date:
    """The day that `until 12 Aug` means, later than `today` (the reader's own date), at most five years.

    Raises `Unclear`: nothing is guessed at, since a paper that stays away on the wrong day is noticed late.
    """
    return _in_either(clean_line(text), date_in_english, lambda line: _date(line, today))


def _date(line: str, today: date) -> date:
    words = re.sub(r"^(?:until|till|to|on|the|\s)*\b", "", line.lower().strip(" .,;!"))
    for pattern in _UNTIL:
        if (match := pattern.fullmatch(words)) is not None and (day := _until(match.groupdict(), today)) is not None:
            if today < day <= date(today.year + LONGEST_PAUSE_YEARS, 12, 31):
                return day
            text = _("{day} is not to come.") if day <= today else _("{day} is too far away.")
            raise Unclear(text.format(day=dated(day, _("d MMM yyyy"))), fix=_(_FIX))
    raise Unclear(
        _("I do not understand the date “{words}”.").format(words=words) if words else _("Until when?"), fix=_FIX
    )


def _until(groups: Mapping[str, str | None], today: date) -> date | None:
    """The day that one of the forms means, None if it is no day at all."""
    match groups:
        case {"tomorrow": str()}:
            return today + _ONE_DAY
        case {"weekday": str(name)}:
            weekday = _weekday(name)
            return None if weekday is None else today + ((weekday - today.weekday() - 1) % 7 + 1) * _ONE_DAY
        case {"unit": str(unit), "count": str(count)}:
            return _later(today, _COUNTS.get(count) or int(count), unit)
        case {"unit": "week"}:
            return today + (7 - today.weekday()) * _ONE_DAY
        case {"unit": "month"}:
            return _later(today.replace(day=1), 1, "month")
        case {"day": str(day), "month": str(month), "year": year}:
            number = int(month) if month.isdigit() else _nth(month, _MONTHS, least=3) + 1
            return _on(int(day), number, year=year, today=today)
    return None


def _later(today: date, count: int, unit: str) -> date:
    if unit != "month":
        return today + count * (7 if unit == "week" else 1) * _ONE_DAY
    years, month = divmod(today.month - 1 + count, 12)
    year = today.year + years
    return date(year, month + 1, min(today.day, calendar.monthrange(year, month + 1)[1]))


def _on(day: int, month: int, *, year: str | None, today: date) -> date | None:
    """That day in the year, or the next time that there is one (29 February)."""
    for each in (int(year),) if year else range(today.year, today.year + LONGEST_PAUSE_YEARS):
        try:
            found = date(each, month, day)
        except ValueError:
            continue
        if year or found > today:
            return found
    return None
