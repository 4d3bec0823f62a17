"""When a feed is asked again: by how often it publishes, and never sooner than it wants to be asked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import pairwise
from statistics import median

SHORTEST_SECONDS = 15 * 60.0
LONGEST_SECONDS = 24 * 3600.0
UNKNOWN_PACE_SECONDS = 3600.0
"""For a feed whose entries have no dates, or that has one entry."""
CHECKS_A_GAP = 4
"""So many times between two articles: an article is seen after an eighth of the usual gap, on average."""
SILENCE_SHARE = 1 / 16
"""Of the time since its last article, for a feed that has stopped: a month of silence is asked twice a day."""
NEWEST = 20
"""So many articles say what the pace is now."""
JITTER = 0.1
_GOLDEN = 0.618033988749895
"""Multiples of it, modulo 1, lie evenly however many ids in a row they are made of (Knuth, TAOCP 3, 6.4)."""
_MAX_AGE = re.compile(r"(?:^|[\s,])max-age\s*=\s*\"?(\d{1,10})", re.IGNORECASE)
_NO_CACHE = re.compile(r"(?:^|[\s,])(?:no-cache|no-store|must-understand)\b(?!\s*=)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a feed publishes: what its row keeps of its articles' dates."""

    gap_seconds: float | None = None
    """Between two articles, usually; None where that is not known."""
    newest: datetime | None = None

    @classmethod
    def of(cls, published: Sequence[datetime], *, now: datetime) -> Pace:
        """By the times of its articles, in any order; those that lie ahead of `now` do not count."""
        newest = sorted({when for when in published if when <= now}, reverse=True)[:NEWEST]
        # Articles of the same minute came as one batch: the gap is that between batches.
        gaps = [gap for later, sooner in pairwise(newest) if (gap := (later - sooner).total_seconds()) >= 60]
        return cls(median(gaps), newest[0]) if gaps else cls()

    def seconds(self, now: datetime) -> float:
        """How long to wait, without bounds."""
        if self.gap_seconds is None or self.newest is None:
            return UNKNOWN_PACE_SECONDS
        return max(self.gap_seconds / CHECKS_A_GAP, (now - self.newest).total_seconds() * SILENCE_SHARE)


def next_check(
    *,
    now: datetime,
    pace: Pace,
    ttl_seconds: float | None,
    cache_seconds: float | None,
    retry_after_seconds: float | None,
    failures: int,
    seed: int,
) -> datetime:
    """15 minutes to 24 hours from `now`.

    `failures` is how many checks in a row failed, up to now, `seed` is the feed's id: feeds that were added together
    come apart.
    """
    wanted = (ttl_seconds, cache_seconds, retry_after_seconds, _backoff_seconds(failures))
    floor = min(LONGEST_SECONDS, max(SHORTEST_SECONDS, *(seconds or 0.0 for seconds in wanted)))
    seconds = min(LONGEST_SECONDS, max(floor, pace.seconds(now)))
    share = JITTER * (seed * _GOLDEN % 1.0)
    later, sooner = seconds * (1 + share), seconds * (1 - share)
    return now + timedelta(seconds=later if later <= LONGEST_SECONDS else max(floor, sooner))


def cache_seconds(headers: Mapping[str, str]) -> float | None:
    """How long the response says that it is fresh (RFC 9111 4.2.1), less the age that it came with; None if it does not
    say. Names are in lower case."""
    control = headers.get("cache-control", "")
    if _NO_CACHE.search(control):
        return None
    if found := _MAX_AGE.search(control):
        fresh = float(found[1])
    elif (expires := _date(headers.get("expires"))) and (date := _date(headers.get("date"))):
        fresh = (expires - date).total_seconds()
    else:
        return None
    age = headers.get("age", "").strip()
    fresh -= float(age) if age.isascii() and age.isdigit() and len(age) <= 10 else 0.0
    return fresh if fresh > 0 else None


def _backoff_seconds(failures: int) -> float:
    """15 minutes after the first, then twice as long each time: 24 hours from the eighth on."""
    return SHORTEST_SECONDS * 2.0 ** min(failures - 1, 10) if failures > 0 else 0.0


def _date(value: str | None) -> datetime | None:
    """An HTTP date (RFC 9110 5.6.7), of any zone that it names."""
    try:
        found = parsedate_to_datetime(value or "")
    except (ValueError, TypeError, IndexError, OverflowError):
        return None  # RFC 9111 5.3: "Expires: 0" and the like are dates in the past
    return found if found.tzinfo else None
