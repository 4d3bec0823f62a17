"""The times of a digest as people write them."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.news.schedule import EVERY_DAY, LONGEST_MINUTES, WEEKEND, WORKDAYS, Schedule, Target
from core.news.schedule_words import Unclear, parse_schedule, parse_until

TODAY = date(2026, 11, 23)  # a Monday
SCHEDULES = st.builds(
    Schedule,
    weekdays=st.frozensets(st.integers(0, 6), min_size=1),
    at=st.times().map(lambda at: at.replace(second=0, microsecond=0)),
    target=st.sampled_from(Target),
    minutes=st.none() | st.integers(1, LONGEST_MINUTES),
)


def daily(at: str) -> Schedule:
    return Schedule(at=time.fromisoformat(at))


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
        ("every 2 hours", "“every 2 hours”"),
        ("hourly", "“hourly”"),
        ("alle 30 Minuten", "“alle 30 Minuten”"),
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


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("täglich um 6:30 auf den Kindle", "daily at 06:30 to kindle"),
        ("werktags 6.30 Uhr, 20 Minuten", "weekdays at 06:30 to mail and kindle, 20 min"),
        ("Mo, Do 06:30 an beide", "weekly mon, thu at 06:30 to mail and kindle"),
        ("jeden Tag um 7 Uhr morgens", "daily at 07:00 to mail and kindle"),
        ("am Wochenende um 9 Uhr per E-Mail", "weekends at 09:00 to mail"),
        ("lunes y jueves a las 7:00 al kindle", "weekly mon, thu at 07:00 to kindle"),
        ("todos los días a las 6:30 por correo, 20 minutos", "daily at 06:30 to mail, 20 min"),
        ("el lunes a las 7 de la mañana", "weekly mon at 07:00 to mail and kindle"),
    ],
)
def test_german_and_spanish_are_read(words: str, expected: str) -> None:
    assert parse_schedule(words, current=None).to_text() == expected


@pytest.mark.parametrize(
    ("words", "day"),
    [
        ("bis 12. August", date(2027, 8, 12)),
        ("bis zum 3. März", date(2027, 3, 3)),
        ("für 2 Wochen", date(2026, 12, 7)),
        ("bis morgen", date(2026, 11, 24)),
        ("bis nächste Woche", date(2026, 11, 30)),
        ("hasta el 12 de agosto", date(2027, 8, 12)),
        ("una semana", date(2026, 11, 30)),
        ("3 Mar", date(2027, 3, 3)),
    ],
)
def test_days_are_read_in_german_and_spanish(words: str, day: date) -> None:
    assert parse_until(words, today=TODAY) == day


def test_word_that_means_two_days_in_two_languages_is_asked_about() -> None:
    with pytest.raises(Unclear, match="mi"):
        parse_schedule("mi 06:30", current=None)
