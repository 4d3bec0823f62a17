"""When a deferred mail is tried again: a schedule as data, and its arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

HOUR = 3600.0
DAY = 24 * HOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrySchedule:
    """RFC 5321 4.5.4.1: growing distances, at least 30 minutes apart in the long run, given up after 4 to 5 days."""

    first_seconds: float = 60.0  # greylisting opens after one to five minutes
    factor: float = 2.0
    patient_seconds: float = 240.0
    share_of_age: float = 0.25
    """Longer than `patient_seconds` only as this share of the time since the first try: what was away for twenty
    minutes is caught up with in five, since a mail that waits holds back all others to its recipient."""
    longest_seconds: float = 4 * HOUR
    give_up_after_seconds: float = 4.5 * DAY
    jitter_share: float = 0.2  # mails that were deferred together come back over a fifth of their delay


RETRY_SCHEDULE = RetrySchedule()


def retry_delay_seconds(
    attempt: int, *, age_seconds: float, jitter: float, schedule: RetrySchedule = RETRY_SCHEDULE
) -> float | None:
    """Next try after `attempt` failures (1-based), or None to give up; `age_seconds` is since the first try.

    Pure; jitter in [0, 1) spreads a delay to both sides.
    """
    if age_seconds >= schedule.give_up_after_seconds:
        return None
    doublings = min(attempt - 1, 64)  # every cap is met by then, and floats overflow at 1024
    by_age = max(schedule.patient_seconds, schedule.share_of_age * age_seconds)
    delay = min(schedule.first_seconds * schedule.factor**doublings, by_age, schedule.longest_seconds)
    return delay * (1 + schedule.jitter_share * (jitter - 0.5))
