"""The unit of work: one transaction with the rows, events and jobs that belong to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from core.events import Event, EventBus
from core.jobs import Job
from core.limits import DEFAULT_LIMITS, UserLimits


@dataclass(slots=True)
class Work:
    """An open transaction. Whoever opened it closes it: services and models flush, and never commit.

    `now` is the transaction's time (aware, UTC). `jobs` are deferred by the opener on the same connection, before
    the commit, so that a job exists if and only if the rows do. `limits` are what a user may ask for and keep.
    """

    session: Session
    now: datetime
    bus: EventBus
    jobs: list[Job] = field(default_factory=list)
    limits: UserLimits = DEFAULT_LIMITS

    def emit(self, event: Event) -> None:
        """Hand an event to its subscribers now; what they write belongs to this transaction."""
        self.bus.publish(self, event)

    def defer(self, job: Job) -> None:
        """Have `job` run after the commit."""
        self.jobs.append(job)
