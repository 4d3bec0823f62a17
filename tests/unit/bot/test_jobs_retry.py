"""When a job runs again."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from procrastinate.jobs import Job

from bot.jobs_retry import QUICK, Backoff, BackoffStrategy, RetryLater, next_delay_seconds

NOW = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("attempt", "jitter", "limit", "seconds"),
    [
        (1, 0.0, None, 1),
        (2, 0.0, None, 2),
        (3, 0.0, None, 4),
        (9, 0.0, None, 256),
        (10, 0.0, None, 300),
        (10_000, 0.0, None, 300),
        (3, 0.5, None, 3.6),
        (10, 0.5, None, 270),
        (4, 0.0, 5, 8),
        (5, 0.0, 5, None),
        (6, 0.0, 5, None),
        (1, 0.0, 1, None),
    ],
)
def test_delays(attempt: int, jitter: float, limit: int | None, seconds: float | None) -> None:
    assert next_delay_seconds(attempt, base=1, cap=300, jitter=jitter, limit=limit) == seconds


@given(
    attempt=st.integers(1, 100_000),
    base=st.floats(0.001, 3600),
    cap=st.floats(0.001, 1e6),
    jitter=st.floats(0, 1, exclude_max=True),
)
def test_delay_is_positive_and_within_its_cap(attempt: int, base: float, cap: float, jitter: float) -> None:
    delay = next_delay_seconds(attempt, base=base, cap=cap, jitter=jitter)

    assert delay is not None
    assert 0 < delay <= cap


def decide(exception: BaseException, *, attempts: int, backoff: Backoff = QUICK) -> timedelta | None:
    """How long after now a job runs again that was tried `attempts` times before this exception."""
    job = Job(queue="default", lock=None, queueing_lock=None, task_name="read", attempts=attempts)
    strategy = BackoffStrategy(backoff, clock=lambda: NOW, random=lambda: 0.0)
    decision = strategy.get_retry_decision(exception=exception, job=job)
    return None if decision is None or decision.retry_at is None else decision.retry_at - NOW


def test_first_failure_waits_the_base() -> None:
    assert decide(ValueError(), attempts=0) == timedelta(seconds=1)


def test_last_attempt_gives_up() -> None:
    assert decide(ValueError(), attempts=19) is None


@pytest.mark.parametrize("attempts", [0, 19, 500])
def test_postponed_job_waits_what_it_asked_for_however_often_it_ran(attempts: int) -> None:
    assert decide(RetryLater(47.5), attempts=attempts) == timedelta(seconds=47.5)


def test_job_that_a_stop_cut_short_is_due_at_once() -> None:
    assert decide(asyncio.CancelledError(), attempts=19) == timedelta(0)
