"""Stops: what keeps mails from being sent for now, and what lets them go again."""

from __future__ import annotations

import sqlalchemy as sa

from core import jobs
from core.events import SendingResumed, SendingStopped
from core.models import OutboxMail, SendingStop
from core.models.outbox import OPEN_STATES
from core.models.sending_stop import scopes_of
from core.services.outbox import HELD_KINDS
from core.work import Work


class Stops:
    """The stops in one transaction."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._session = work.session

    def stop(self, scope: str, *, user_id: int | None, reason: str, words: str = "") -> bool:
        """Hold the mails of a scope back. False if they are held already."""
        if self._session.get(SendingStop, scope) is not None:
            return False
        self._session.add(
            SendingStop(scope=scope, user_id=user_id, reason=reason, words=words[:1000], since=self._work.now)
        )
        self._session.flush()
        self._work.emit(SendingStopped(user_id=user_id, scope=scope, reason=reason))
        return True

    def of_user(self, user_id: int) -> list[SendingStop]:
        mine = sa.select(SendingStop).where(SendingStop.user_id == user_id).order_by(SendingStop.since)
        return list(self._session.scalars(mine))

    def all(self) -> list[SendingStop]:
        return list(self._session.scalars(sa.select(SendingStop).order_by(SendingStop.since)))

    def lift(self, stop: SendingStop) -> int:
        """Let the mails go that nothing else holds; how many they were."""
        self._session.delete(stop)
        self._session.flush()
        self._work.emit(SendingResumed(user_id=stop.user_id, scope=stop.scope))
        waiting = sa.select(OutboxMail).where(OutboxMail.state.in_(OPEN_STATES), OutboxMail.kind.in_(HELD_KINDS))
        if stop.user_id is not None:
            waiting = waiting.where(OutboxMail.user_id == stop.user_id)
        released = [
            mail
            for mail in self._session.scalars(waiting.order_by(OutboxMail.id))
            if stop.scope in scopes_of(mail.user_id, mail.rcpt_to)
        ]
        for mail in released:
            mail.notice = ""
            self._work.defer(jobs.deliver(mail.id, rcpt_to=mail.rcpt_to))
        return len(released)
