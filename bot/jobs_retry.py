"""When a job runs again: the policies as data, their arithmetic, and the way a task asks for a moment of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from procrastinate import BaseRetryStrategy, RetryDecision
from procrastinate.jobs import Job

JITTER_SHARE = 0.2  # jobs that failed together come back over a fifth of their delay, not in one crowd


class RetryLater(Exception):
    """Raised by a task: run this job again in exactly so many seconds. Not a failure, and not counted as one."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"again in {seconds:g} s")
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Backoff:
    """What happens to a job that raised: tries at growing distances, then status `failed`, the dead letters.

    `attempts` is how often it may run in all; None leaves giving up to the task.
    """

    base_seconds: float
    cap_seconds: float
    attempts: int | None


QUICK = Backoff(base_seconds=1, cap_seconds=300, attempts=20)
"""1, 2, 4, ... 256, 300 s: about an hour in all."""
UNTIL_THE_TASK_GIVES_UP = Backoff(base_seconds=1, cap_seconds=300, attempts=None)
"""For tasks that count in a row of their own and set it aside themselves."""


def next_delay_seconds(
    attempt: int, *, base: float, cap: float, jitter: float, limit: int | None = None
) -> float | None:
    """Seconds until the next try after `attempt` failures (1-based), or None to give up at the `limit`-th.

    Pure; jitter in [0, 1) shortens the delay by up to a fifth.
    """
    if limit is not None and attempt >= limit:
        return None
    doubled = base * 2.0 ** min(attempt - 1, 64)  # beyond 64 doublings every cap is met, and floats overflow at 1024
    return min(cap, doubled) * (1 - JITTER_SHARE * jitter)


class BackoffStrategy(BaseRetryStrategy):
    """Procrastinate's hook: the exception and the job in, when to run again (or None) out."""

    def __init__(self, backoff: Backoff, *, clock: Callable[[], datetime], random: Callable[[], float]) -> None:
        self._backoff = backoff
        self._clock = clock
        self._random = random

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        delay = self._delay_seconds(exception, failures=job.attempts + 1)
        return None if delay is None else RetryDecision(retry_at=self._clock() + timedelta(seconds=delay))

    def _delay_seconds(self, exception: BaseException, *, failures: int) -> float | None:
        match exception:
            case RetryLater(seconds=seconds):
                return seconds
            case asyncio.CancelledError():  # The grace period ended: the rest is for the next start.
                return 0.0
        policy = self._backoff
        return next_delay_seconds(
            failures,
            base=policy.base_seconds,
            cap=policy.cap_seconds,
            jitter=self._random(),
            limit=policy.attempts,
        )
