"""When a feed is asked again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.news.pace import Pace, cache_seconds, next_check

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
HOUR = 3600.0


def wait(
    *,
    gaps: list[float] | None = None,
    ttl: float | None = None,
    cache: float | None = None,
    retry_after: float | None = None,
    failures: int = 0,
    seed: int = 0,
) -> float:
    """Seconds to the next check; with the seed 0 there is no jitter."""
    published, when = [], NOW
    for gap in gaps or []:
        published.append(when)
        when -= timedelta(seconds=gap)
    due = next_check(
        now=NOW,
        pace=Pace.of([*published, when] if gaps else [], now=NOW),
        ttl_seconds=ttl,
        cache_seconds=cache,
        retry_after_seconds=retry_after,
        failures=failures,
        seed=seed,
    )
    return (due - NOW).total_seconds()


@pytest.mark.parametrize(
    ("gap_hours", "hours"), [(0.1, 0.25), (1, 0.25), (8, 2), (24, 6), (24 * 7, 24), (24 * 365, 24)]
)
def test_a_feed_is_asked_four_times_between_two_articles(gap_hours: float, hours: float) -> None:
    assert wait(gaps=[gap_hours * HOUR] * 10) == hours * HOUR


def test_a_batch_of_articles_is_one() -> None:
    days = [1.0] * 9 + [24 * HOUR]

    assert wait(gaps=days * 3) == 6 * HOUR


def test_a_feed_without_dates_is_asked_every_hour() -> None:
    assert wait() == HOUR


def test_a_feed_that_has_stopped_is_asked_less() -> None:
    month_ago = NOW - timedelta(days=30)
    lively = [month_ago - timedelta(hours=number) for number in range(20)]

    assert Pace.of(lively, now=NOW).seconds(NOW) == pytest.approx(45 * HOUR)


def test_articles_of_the_future_say_nothing_of_the_pace() -> None:
    assert Pace.of([NOW + timedelta(days=9), NOW + timedelta(days=1)], now=NOW).seconds(NOW) == HOUR


@pytest.mark.parametrize(("asked", "kept"), [(5 * HOUR, 5 * HOUR), (500 * HOUR, 24 * HOUR)])
def test_a_wish_of_the_publisher_is_kept_up_to_a_day(asked: float, kept: float) -> None:
    assert wait(gaps=[60.0] * 5, ttl=asked) == kept
    assert wait(gaps=[60.0] * 5, cache=asked) == kept
    assert wait(gaps=[60.0] * 5, retry_after=asked) == kept


def test_a_publisher_cannot_ask_for_more_than_every_quarter_of_an_hour() -> None:
    assert wait(gaps=[60.0] * 5, ttl=60, cache=1, retry_after=-5) == 900


@pytest.mark.parametrize(("failures", "hours"), [(0, 0.25), (1, 0.25), (2, 0.5), (4, 2), (7, 16), (8, 24), (900, 24)])
def test_failures_back_off_to_a_day(failures: int, hours: float) -> None:
    assert wait(gaps=[60.0] * 5, failures=failures) == hours * HOUR


def test_feeds_do_not_come_in_step() -> None:
    for gap in (60.0, 24 * HOUR, 24 * 300 * HOUR):
        waits = [wait(gaps=[gap] * 5, seed=seed) for seed in range(1, 51)]

        assert len(set(waits)) == 50
        assert max(waits) - min(waits) > 0.08 * min(waits)


def test_the_same_feed_has_the_same_jitter() -> None:
    assert wait(gaps=[60.0] * 5, seed=7) == wait(gaps=[60.0] * 5, seed=7)


@given(
    gaps=st.lists(st.floats(0, 1e9), max_size=5),
    wishes=st.tuples(*[st.none() | st.floats(-1e12, 1e12)] * 3),
    failures=st.integers(0, 10**6),
    seed=st.integers(0, 2**62),
)
def test_it_is_always_between_a_quarter_of_an_hour_and_a_day(
    gaps: list[float], wishes: tuple[float | None, float | None, float | None], failures: int, seed: int
) -> None:
    ttl, cache, retry_after = wishes

    seconds = wait(gaps=gaps, ttl=ttl, cache=cache, retry_after=retry_after, failures=failures, seed=seed)

    assert 900 <= seconds <= 24 * HOUR


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"cache-control": "public, max-age=600"}, 600),
        ({"cache-control": 'MAX-AGE="600"', "age": "500"}, 100),
        ({"cache-control": "max-age=600", "age": "6000"}, None),
        ({"cache-control": "max-age=600", "age": "²"}, 600),
        ({"cache-control": "s-maxage=600"}, None),
        ({"cache-control": "max-age=0, must-revalidate"}, None),
        ({"cache-control": "no-cache, max-age=600"}, None),
        ({"cache-control": "max-age=600, no-store"}, None),
        ({"cache-control": 'no-cache="set-cookie", max-age=600'}, 600),
        ({"expires": "Mon, 23 Nov 2026 09:00:00 GMT", "date": "Mon, 23 Nov 2026 08:00:00 GMT"}, 3600),
        (
            {
                "cache-control": "max-age=60",
                "expires": "Mon, 23 Nov 2026 09:00:00 GMT",
                "date": "Mon, 23 Nov 2026 08:00:00 GMT",
            },
            60,
        ),
        ({"expires": "0", "date": "Mon, 23 Nov 2026 08:00:00 GMT"}, None),
        ({"expires": "Mon, 23 Nov 2026 09:00:00 GMT"}, None),
        ({"expires": "Mon, 23 Nov 2026 07:00:00 GMT", "date": "Mon, 23 Nov 2026 08:00:00 GMT"}, None),
    ],
)
def test_how_long_a_response_is_fresh(headers: dict[str, str], seconds: float | None) -> None:
    assert cache_seconds(headers) == seconds
