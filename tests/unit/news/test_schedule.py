"""When a digest is due, in every zone."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.news.schedule import LONGEST_MINUTES, Due, Schedule, Target, last_due, next_due

FIRST, LAST = datetime(2020, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
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
    days = [FIRST + number * 20 * DAY for number in range((LAST - FIRST).days // 20 + 2)]
    unlike: dict[tuple[tuple[datetime, ...], tuple[timedelta | None, ...]], str] = {}
    for name in sorted(available_timezones()):
        zone = ZoneInfo(name)
        offsets = [day.astimezone(zone).utcoffset() for day in days]
        changed = [day for day, (old, new) in zip(days, pairwise(offsets), strict=False) if old != new]
        changes = tuple(_first_minute(zone, day) for day in changed)
        unlike.setdefault((changes, tuple(offsets)), name)
    return {name: changes for (changes, _), name in unlike.items()}


def _first_minute(zone: ZoneInfo, day: datetime) -> datetime:
    """The first minute with another offset in the twenty days from `day`."""
    old = day.astimezone(zone).utcoffset()
    minutes = range(20 * 24 * 60 + 1)

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
                found = list(dues(Schedule(at=at), timezone=name, after=change - DAY, until=change + DAY))
                dates = [due.local_date for due in found]
                assert dates == [dates[0] + number * DAY for number in range(len(found))], (name, change, at)
                assert len(found) in (1, 2, 3)
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
