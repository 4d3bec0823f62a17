"""The retry schedule, row by row."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.services.retries import DAY, HOUR, RETRY_SCHEDULE, retry_delay_seconds

MIDDLE = 0.5  # the jitter that changes nothing


@pytest.mark.parametrize(
    ("attempt", "age_minutes", "minutes"),
    [
        (1, 0, 1),
        (2, 1, 2),
        (3, 3, 4),
        (4, 7, 4),
        (5, 11, 4),
        (6, 20, 5),
        (8, 60, 15),
        (12, 480, 120),
        (9999, 5000, 240),
    ],
)
def test_delays_grow_from_minutes_to_hours(attempt: int, age_minutes: int, minutes: int) -> None:
    assert retry_delay_seconds(attempt, age_seconds=age_minutes * 60, jitter=MIDDLE) == minutes * 60


def test_what_was_away_for_twenty_minutes_is_caught_up_with_in_five() -> None:
    age, delay = 0.0, 0.0
    attempt = 1
    while age < 20 * 60:
        delay = retry_delay_seconds(attempt, age_seconds=age, jitter=MIDDLE) or 0
        age, attempt = age + delay, attempt + 1

    assert age - 20 * 60 <= 5 * 60


@pytest.mark.parametrize(("days", "is_given_up"), [(0, False), (4, False), (4.49, False), (4.5, True), (30, True)])
def test_mail_is_given_up_between_the_fourth_and_the_fifth_day(days: float, is_given_up: bool) -> None:
    assert (retry_delay_seconds(5, age_seconds=days * DAY, jitter=MIDDLE) is None) == is_given_up


@given(attempt=st.integers(1, 200), jitter=st.floats(0, 1, exclude_max=True))
def test_jitter_spreads_a_delay_by_a_tenth_to_both_sides(attempt: int, jitter: float) -> None:
    middle = retry_delay_seconds(attempt, age_seconds=0, jitter=MIDDLE)
    delay = retry_delay_seconds(attempt, age_seconds=0, jitter=jitter)

    assert middle is not None
    assert delay is not None
    assert 0.9 * middle <= delay <= 1.1 * middle


def test_relay_that_always_defers_sees_a_mail_some_50_times() -> None:
    age, attempts = 0.0, 0
    while (delay := retry_delay_seconds(attempts + 1, age_seconds=age, jitter=MIDDLE)) is not None:
        age, attempts = age + delay, attempts + 1

    assert 40 <= attempts <= 60
    assert RETRY_SCHEDULE.give_up_after_seconds <= age <= RETRY_SCHEDULE.give_up_after_seconds + 4 * HOUR
