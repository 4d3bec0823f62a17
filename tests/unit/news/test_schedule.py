"""When a digest is due, in every zone, and the words that say so."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.news.schedule import (
    EVERY_DAY,
    LONGEST_MINUTES,
    WEEKEND,
    WORKDAYS,
    Due,
    Schedule,
    Target,
    Unclear,
    last_due,
    next_due,
    parse_schedule,
    parse_until,
)

FIRST, LAST = datetime(2020, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
TODAY = date(2026, 11, 23)  # a Monday
SCHEDULES = st.builds(
    Schedule,
    weekdays=st.frozensets(st.integers(0, 6), min_size=1),
    at=st.times().map(lambda at: at.replace(second=0, microsecond=0)),
    target=st.sampled_from(Target),
    minutes=st.none() | st.integers(1, LONGEST_MINUTES),
)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2035, 12, 31), timezones=st.just(UTC))


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]  # year, month, day, hour, minute


def daily(at: str) -> Schedule:
    return Schedule(at=time.fromisoformat(at))


def dues(schedule: Schedule, *, timezone: str, after: datetime, until: datetime) -> Iterator[Due]:
    while (due := next_due(schedule, after=after, timezone=timezone)).at < until:
        yield due
        after = due.at


# All zones -------------------------------------------------------------------------------------------------------


@cache
def zones() -> dict[str, tuple[datetime, ...]]:
    """One zone of each set that keeps the same time from 2020 to 2035, with the moments when its clocks are changed."""
    # Clocks stay as they are for four weeks at least (Morocco's in Ramadan).
    days = [FIRST + number * 5 * DAY for number in range((LAST - FIRST).days // 5 + 1)]
    unlike: dict[tuple[tuple[datetime, ...], tuple[timedelta | None, ...]], str] = {}
    for name in sorted(available_timezones()):
        zone = ZoneInfo(name)
        offsets = [day.astimezone(zone).utcoffset() for day in days]
        changed = [day for day, (old, new) in zip(days, pairwise(offsets), strict=False) if old != new]
        changes = tuple(_first_minute(zone, day) for day in changed)
        unlike.setdefault((changes, tuple(offsets)), name)
    return {name: changes for (changes, _), name in unlike.items()}


def _first_minute(zone: ZoneInfo, day: datetime) -> datetime:
    """The first minute with another offset in the five days from `day`."""
    old = day.astimezone(zone).utcoffset()
    minutes = range(5 * 24 * 60 + 1)

    def is_changed(minute: int) -> bool:
        return (day + minute * MINUTE).astimezone(zone).utcoffset() != old

    return day + bisect_left(minutes, True, key=is_changed) * MINUTE


def is_wall_time(day: date, at: time, zone: ZoneInfo) -> bool:
    wall = datetime.combine(day, at, tzinfo=zone)
    return wall.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == wall.replace(tzinfo=None)


def check_day(due: Due, schedule: Schedule, *, timezone: str) -> None:
    """The issue comes at its wall time, at the first of two; or, if there is none, at the first valid minute after."""
    zone = ZoneInfo(timezone)
    wall, local = datetime.combine(due.local_date, schedule.at), due.at.astimezone(zone)
    assert due.local_date.weekday() in schedule.weekdays
    assert due.at.second == 0
    if is_wall_time(due.local_date, schedule.at, zone):
        assert local.replace(tzinfo=None) == wall
        assert local.fold == 0
    else:
        skipped = (wall + number * MINUTE for number in range(24 * 60))
        valid = next(each for each in skipped if is_wall_time(each.date(), each.time(), zone))
        assert local.replace(tzinfo=None) == valid
    assert last_due(schedule, now=due.at, timezone=timezone) == due
    assert last_due(schedule, now=due.at + MINUTE, timezone=timezone) == due
    assert next_due(schedule, after=due.at - MINUTE, timezone=timezone) == due


def test_every_zone_has_one_issue_for_each_date_around_its_changes() -> None:
    checked = 0
    for name in zones():
        for change in zones()[name]:
            local = change.astimezone(ZoneInfo(name))
            near = [(local + minutes * MINUTE).time() for minutes in (-60, -31, -1, 0)]
            for at in {*near, time(0, 0)}:
                found = list(dues(Schedule(at=at), timezone=name, after=change - 2 * DAY, until=change + 2 * DAY))
                dates = [due.local_date for due in found]
                assert dates == [dates[0] + number * DAY for number in range(len(found))], (name, change, at)
                assert len(found) in (3, 4, 5)
                for due in found:
                    check_day(due, Schedule(at=at), timezone=name)
                checked += 1
    assert checked > 5_000


def test_every_zone_has_its_issue_in_each_week_from_2020_to_2035() -> None:
    schedule = Schedule(weekdays=frozenset({6}), at=time(2, 30))  # when most clocks are changed
    for name in zones():
        found = list(dues(schedule, timezone=name, after=FIRST, until=LAST))
        dates = [due.local_date for due in found]
        assert dates == [dates[0] + number * 7 * DAY for number in range(len(dates))], name
        assert len(dates) in (834, 835), name
        assert all(one.at < other.at for one, other in pairwise(found)), name


@settings(max_examples=200, deadline=None)
@given(SCHEDULES, MOMENTS, st.sampled_from(sorted(available_timezones())))
def test_next_and_last_are_each_other_s_inverse(schedule: Schedule, moment: datetime, timezone: str) -> None:
    due = next_due(schedule, after=moment, timezone=timezone)
    before = last_due(schedule, now=moment, timezone=timezone)

    assert before is not None
    assert before.at <= moment < due.at
    assert before.local_date < due.local_date
    assert next_due(schedule, after=before.at, timezone=timezone) == due
    check_day(due, schedule, timezone=timezone)


# Single days -----------------------------------------------------------------------------------------------------


def test_a_time_that_a_spring_night_leaves_out_is_the_next_valid_minute() -> None:
    due = next_due(daily("02:30"), after=utc(2027, 3, 27, 12), timezone="Europe/Berlin")

    assert due == Due(date(2027, 3, 28), utc(2027, 3, 28, 1, 0))  # 03:00 there


def test_a_time_that_an_autumn_night_has_twice_is_the_first() -> None:
    first, second = list(
        dues(daily("02:30"), timezone="Europe/Berlin", after=utc(2026, 10, 24, 12), until=utc(2026, 10, 26, 12))
    )

    assert first == Due(date(2026, 10, 25), utc(2026, 10, 25, 0, 30))
    assert second == Due(date(2026, 10, 26), utc(2026, 10, 26, 1, 30))


def test_a_midnight_that_is_left_out_is_still_of_its_own_day() -> None:
    due = next_due(daily("00:00"), after=utc(2026, 9, 5, 12), timezone="America/Santiago")

    assert due == Due(date(2026, 9, 6), utc(2026, 9, 6, 4, 0))  # 01:00 there


def test_an_issue_of_tomorrow_is_not_sent_again_when_clocks_go_back_over_midnight() -> None:
    evening = utc(2010, 11, 7, 3, 0)  # St John's put its clocks back at 00:01: it is 23:30 of the 6th again

    tomorrow = Due(date(2010, 11, 7), utc(2010, 11, 7, 2, 30))
    assert last_due(daily("00:00"), now=evening, timezone="America/St_Johns") == tomorrow
    assert next_due(daily("00:00"), after=evening, timezone="America/St_Johns").local_date == date(2010, 11, 8)


@pytest.mark.parametrize(
    ("timezone", "skipped"), [("Pacific/Apia", date(2011, 12, 30)), ("Pacific/Kwajalein", date(1993, 8, 21))]
)
def test_a_day_that_a_zone_leaves_out_has_no_issue(timezone: str, skipped: date) -> None:
    noon = datetime.combine(skipped, time(12), tzinfo=UTC)

    found = list(dues(daily("06:30"), timezone=timezone, after=noon - 3 * DAY, until=noon + 3 * DAY))

    assert skipped not in [due.local_date for due in found]
    assert {skipped - DAY, skipped + DAY} <= {due.local_date for due in found}
    for due in found:
        assert due.at.astimezone(ZoneInfo(timezone)).time() == time(6, 30)


def test_a_week_without_its_weekday_is_passed_over() -> None:
    fridays = Schedule(weekdays=frozenset({4}))

    due = next_due(fridays, after=utc(2011, 12, 24), timezone="Pacific/Apia")

    assert due.local_date == date(2012, 1, 6)


def test_a_change_of_less_than_a_minute_ends_at_a_whole_one() -> None:
    # Monrovia's clocks went on by 44 minutes and 30 seconds at midnight.
    due = next_due(daily("00:10"), after=utc(1972, 1, 6, 12), timezone="Africa/Monrovia")

    assert due == Due(date(1972, 1, 7), utc(1972, 1, 7, 0, 45))


def test_after_an_outage_only_the_latest_issue_is_due() -> None:
    due = last_due(daily("06:30"), now=utc(2026, 11, 23, 12), timezone="Europe/Berlin", since=utc(2026, 11, 10))

    assert due == Due(date(2026, 11, 23), utc(2026, 11, 23, 5, 30))


def test_a_new_digest_owes_nothing_from_before_it_was_ordered() -> None:
    ordered_at = utc(2026, 11, 23, 5, 30)

    assert last_due(daily("06:30"), now=utc(2026, 11, 24, 5, 29), timezone="Europe/Berlin", since=ordered_at) is None


# A row -----------------------------------------------------------------------------------------------------------


@given(SCHEDULES)
def test_a_schedule_comes_back_from_its_row(schedule: Schedule) -> None:
    parts = {"days": schedule.days, "minute_of_day": schedule.minute_of_day}

    assert Schedule.from_parts(**parts, target=str(schedule.target), minutes=schedule.minutes) == schedule


@pytest.mark.parametrize(
    ("days", "minute_of_day", "target", "minutes"),
    [
        (0, 0, "mail", None),
        (128, 0, "mail", None),
        (-1, 0, "mail", None),
        (1, 1440, "mail", None),
        (1, -1, "mail", None),
        (1, 0, "fax", None),
        (1, 0, "mail", 0),
    ],
)
def test_a_row_that_holds_no_schedule_is_refused(
    days: int, minute_of_day: int, target: str, minutes: int | None
) -> None:
    with pytest.raises(ValueError, match=r"not |is not|must be"):
        Schedule.from_parts(days=days, minute_of_day=minute_of_day, target=target, minutes=minutes)


def test_a_schedule_runs_to_the_minute() -> None:
    with pytest.raises(ValueError, match="to the minute"):
        Schedule(at=time(6, 30, 15))


# Words -----------------------------------------------------------------------------------------------------------


@given(SCHEDULES)
def test_a_schedule_in_words_is_read_back(schedule: Schedule) -> None:
    assert parse_schedule(schedule.to_text(), current=None) == schedule


@pytest.mark.parametrize(
    ("words", "at"),
    [
        ("6:30", "06:30"),
        ("at 06.30", "06:30"),
        ("6:30am", "06:30"),
        ("06h30", "06:30"),
        ("0630", "06:30"),
        ("6:30 a.m.", "06:30"),
        ("7 pm", "19:00"),
        ("7:15 p.m.", "19:15"),
        ("at 7 in the evening", "19:00"),
        ("@7", "07:00"),
        ("8 o'clock", "08:00"),
        ("8 o’clock pm", "20:00"),
        ("18 Uhr", "18:00"),
        ("noon", "12:00"),
        ("at midnight", "00:00"),
        ("12 am", "00:00"),
        ("12:15 pm", "12:15"),
        ("17:00 pm", "17:00"),
        ("6：30", "06:30"),
    ],
)
def test_times_are_read_as_people_write_them(words: str, at: str) -> None:
    assert parse_schedule(words, current=None) == daily(at)


@pytest.mark.parametrize(
    ("words", "days"),
    [
        ("daily", EVERY_DAY),
        ("every day", EVERY_DAY),
        ("weekdays", WORKDAYS),
        ("on workdays", WORKDAYS),
        ("every weekday", WORKDAYS),
        ("weekends", WEEKEND),
        ("mon-fri", WORKDAYS),
        ("Monday – Friday", WORKDAYS),
        ("mon to fri", WORKDAYS),
        ("daily, mon-fri", WORKDAYS),
        ("fri-mon", {4, 5, 6, 0}),
        ("weekly mon,thu", {0, 3}),
        ("Mon, Thu", {0, 3}),
        ("on mondays", {0}),
        ("every Tues. and Weds.", {1, 2}),
        ("sat+sun", WEEKEND),
        ("weekdays and Sunday", WORKDAYS | {6}),
        ("mo tu we th fr", WORKDAYS),
    ],
)
def test_days_are_read_as_people_write_them(words: str, days: frozenset[int]) -> None:
    assert parse_schedule(words, current=None).weekdays == days


@pytest.mark.parametrize(
    ("words", "target"),
    [
        ("to kindle", Target.KINDLE),
        ("to my Kindle only", Target.KINDLE),
        ("by e-mail", Target.MAIL),
        ("as EPUB", Target.KINDLE),
        ("both", Target.BOTH),
        ("to kindle and mail", Target.BOTH),
    ],
)
def test_targets_are_read_as_people_write_them(words: str, target: Target) -> None:
    assert parse_schedule(words, current=None).target is target


@pytest.mark.parametrize(
    ("words", "minutes"),
    [("20 min", 20), ("20min.", 20), ("20 minutes", 20), ("15-minute", 15), ("1 hour", 60), ("half an hour", 30),
     ("an hour", 60), ("2 hrs", 120), ("no limit", None)],
)  # fmt: skip
def test_reading_times_are_read_as_people_write_them(words: str, minutes: int | None) -> None:
    assert parse_schedule(words, current=Schedule(minutes=5)).minutes == minutes


@pytest.mark.parametrize(
    "words",
    [
        "weekly mon,thu at 19:00 to kindle 20 min",
        "20 min to kindle 7 pm mon thu",
        "Kindle, Thursdays and Mondays, 20 minutes, at 7pm",
        "please send it on mon & thu at 7:00 pm to my kindle, 20 min of reading",
    ],
)
def test_order_does_not_matter(words: str) -> None:
    expected = Schedule(weekdays=frozenset({0, 3}), at=time(19), target=Target.KINDLE, minutes=20)

    assert parse_schedule(words, current=None) == expected


def test_what_is_not_said_stays_as_it_is() -> None:
    current = Schedule(weekdays=WEEKEND, at=time(9, 15), target=Target.MAIL, minutes=40)

    assert parse_schedule("10:00", current=current) == Schedule(
        weekdays=WEEKEND, at=time(10), target=Target.MAIL, minutes=40
    )


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("daily at dawn", "“dawn”"),
        ("06:30 to Kobo", "“Kobo”"),
        ("25:00", "“25:00”"),
        ("6:75", "“6:75”"),
        ("13 am", "“13 am”"),
        ("700 min", "“700 min”"),
        ("0 min", "“0 min”"),
        ("7", "“7”"),
        ("daily except sunday at 7", "“except”"),
    ],
)
def test_a_refusal_names_what_was_not_understood(words: str, named: str) -> None:
    with pytest.raises(Unclear) as refusal:
        parse_schedule(words, current=None)

    assert named in refusal.value.text
    assert "digest weekdays 06:30 to kindle 20 min" in refusal.value.fix


def test_the_example_of_a_refusal_is_understood() -> None:
    schedule = parse_schedule("digest weekdays 06:30 to kindle 20 min", current=None)

    assert schedule == Schedule(weekdays=WORKDAYS, target=Target.KINDLE, minutes=20)


@pytest.mark.parametrize("words", ["6:30 or 7:30", "6:30 7:30", "10 min 20 min"])
def test_two_times_are_refused(words: str) -> None:
    with pytest.raises(Unclear):
        parse_schedule(words, current=None)


def test_weekly_needs_a_day() -> None:
    with pytest.raises(Unclear, match="which day"):
        parse_schedule("weekly 06:30", current=None)


def test_weekly_keeps_the_day_that_it_had() -> None:
    mondays = Schedule(weekdays=frozenset({0}))

    assert parse_schedule("weekly 06:30", current=mondays) == mondays


@given(st.text(alphabet="0123456789 :.-,adeiklmnoprtuwyİß’\n") | st.text())
def test_any_words_are_read_or_refused(words: str) -> None:
    with suppress(Unclear):
        assert parse_schedule(words, current=None).weekdays


# A pause ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("12 Aug", date(2027, 8, 12)),
        ("24 Nov", date(2026, 11, 24)),
        ("23 Nov", date(2027, 11, 23)),
        ("12 August 2027", date(2027, 8, 12)),
        ("until the 12th of August", date(2027, 8, 12)),
        ("Aug 12", date(2027, 8, 12)),
        ("August 12th, 2027", date(2027, 8, 12)),
        ("12. Aug.", date(2027, 8, 12)),
        ("12.8.", date(2027, 8, 12)),
        ("12.08.2028", date(2028, 8, 12)),
        ("2027-08-12", date(2027, 8, 12)),
        ("29 Feb", date(2028, 2, 29)),
        ("Friday", date(2026, 11, 27)),
        ("next friday", date(2026, 11, 27)),
        ("Monday", date(2026, 11, 30)),
        ("tomorrow", date(2026, 11, 24)),
        ("2 weeks", date(2026, 12, 7)),
        ("for a week", date(2026, 11, 30)),
        ("3 days", date(2026, 11, 26)),
        ("2 months", date(2027, 1, 23)),
        ("next week", date(2026, 11, 30)),
        ("next month", date(2026, 12, 1)),
    ],
)
def test_the_end_of_a_pause_is_read_as_people_write_it(text: str, day: date) -> None:
    assert parse_until(text, today=TODAY) == day


def test_a_month_on_from_a_long_month_s_end_is_the_end_of_a_short_one() -> None:
    assert parse_until("a month", today=date(2027, 1, 31)) == date(2027, 2, 28)


@pytest.mark.parametrize(
    "text",
    ["", "soon", "today", "yesterday", "31 feb", "12 Aug 2020", "2026-11-23", "2027-13-01", "3000-01-01", "0 days",
     "999 months", "5/6/2027", "12", "12 Foo", "0000-01-01"],
)  # fmt: skip
def test_a_date_that_is_none_or_not_to_come_is_refused(text: str) -> None:
    with pytest.raises(Unclear) as refusal:
        parse_until(text, today=TODAY)

    assert "12 Aug" in refusal.value.fix


@given(st.text(alphabet="0123456789 .-,adeghiknmoprstuwy") | st.text(), st.dates(max_value=date(9000, 1, 1)))
def test_any_date_is_read_or_refused(text: str, today: date) -> None:
    with suppress(Unclear):
        assert parse_until(text, today=today) > today
