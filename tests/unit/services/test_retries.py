"""The retry schedule, row by row."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.services.retries import DAY, HOUR, RETRY_SCHEDULE, retry_delay_seconds

MIDDLE = 0.5  # the jitter that changes nothing


@pytest.mark.parametrize(
    ("attempt", "minutes"),
    [(1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 32), (7, 64), (8, 128), (9, 240), (10, 240), (30, 240), (9999, 240)],
)
def test_delays_grow_from_minutes_to_hours(attempt: int, minutes: int) -> None:
    assert retry_delay_seconds(attempt, age_seconds=0, jitter=MIDDLE) == minutes * 60


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


def test_relay_that_always_defers_sees_a_mail_some_35_times() -> None:
    age, attempts = 0.0, 0
    while (delay := retry_delay_seconds(attempts + 1, age_seconds=age, jitter=MIDDLE)) is not None:
        age, attempts = age + delay, attempts + 1

    assert 30 <= attempts <= 40
    assert RETRY_SCHEDULE.give_up_after_seconds <= age <= RETRY_SCHEDULE.give_up_after_seconds + 4 * HOUR
