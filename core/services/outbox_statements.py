"""What the outbox asks of the database for each mail.

A statement that is made once costs a quarter of one that is made anew.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import sqlalchemy as sa

from core.db import Insert
from core.models import Attempt, OutboxMail
from core.models.outbox import HANDED_OVER, OPEN_STATES, OutboxKind, OutboxState

MAILS = OutboxMail.metadata.tables[OutboxMail.__tablename__]


@cache
def insert_mail(insert: Insert) -> sa.sql.dml.ReturningInsert[Any]:
    return insert(MAILS).on_conflict_do_nothing(index_elements=["cause"]).returning(MAILS.c.id)


ATTEMPTS = Attempt.metadata.tables[Attempt.__tablename__]
OPEN_ATTEMPT = sa.select(ATTEMPTS.c.number).where(
    ATTEMPTS.c.outbox_id == MAILS.c.id,
    ATTEMPTS.c.number == MAILS.c.attempts,
    ATTEMPTS.c.result == "",
    MAILS.c.id == sa.bindparam("outbox_id"),
)
# Not IN, whose values SQLAlchemy writes into the statement anew each time that it is asked.
_IS_OPEN = sa.and_(MAILS.c.id == sa.bindparam("outbox_id"), sa.or_(*(MAILS.c.state == state for state in OPEN_STATES)))
WAITING = sa.select(MAILS.c.rcpt_to, MAILS.c.user_id, MAILS.c.kind, MAILS.c.wants).where(_IS_OPEN)
START = (
    sa.update(MAILS)
    .where(_IS_OPEN, ~OPEN_ATTEMPT.correlate(MAILS).exists())
    .values(state=OutboxState.SENDING, attempts=MAILS.c.attempts + 1, next_try_at=None)
    .returning(
        MAILS.c.attempts.label("number"), MAILS.c.reference, MAILS.c.mail_from, MAILS.c.rcpt_to,
        MAILS.c.message_id, MAILS.c.head, MAILS.c.attachment_key, MAILS.c.size_bytes,
    )
)  # fmt: skip
WRITE_ATTEMPT = sa.insert(ATTEMPTS)
FINISH_ATTEMPT = (
    sa.update(ATTEMPTS)
    .where(
        ATTEMPTS.c.outbox_id == sa.bindparam("of_mail"),
        ATTEMPTS.c.number == sa.bindparam("of_number"),
        ATTEMPTS.c.result != "delivered",
    )
    .values({name: sa.bindparam(name) for name in ("finished_at", "result", "reply")})
)
ACCEPT_LETTER = (
    sa.update(MAILS)
    .where(
        MAILS.c.id == sa.bindparam("of_mail"),
        MAILS.c.kind != OutboxKind.DELIVERY,
        *(MAILS.c.state != state for state in sorted(HANDED_OVER)),
    )
    .values(
        state=OutboxState.ACCEPTED, next_try_at=None, notice="", head=b"",
        finished_at=sa.bindparam("finished_at"), last_reply=sa.bindparam("last_reply"),
    )
)  # fmt: skip
LOCKED = (
    sa.select(OutboxMail)
    .where(OutboxMail.id == sa.bindparam("outbox_id"))
    .with_for_update()
    .execution_options(populate_existing=True)
)
CURRENT = sa.select(MAILS.c.id).where(
    MAILS.c.id == sa.bindparam("outbox_id"),
    MAILS.c.state == OutboxState.SENDING,
    MAILS.c.attempts == sa.bindparam("number"),
)
