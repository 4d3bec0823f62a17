"""Table `inbound`: every mail that was accepted, what became of it, and why."""

from __future__ import annotations

import enum
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, partial_index

IS_PAST = "state <> 'accepted'"
HAS_USER = "user_id IS NOT NULL"


class InboundState(enum.StrEnum):
    ACCEPTED = "accepted"
    """Promised with a 250; its job is waiting or running."""
    DONE = "done"
    SET_ASIDE = "set-aside"
    """A bug of ours kept it from being read; it is kept whole for the operator, who can retry or drop it."""
    DROPPED = "dropped"
    """By the operator."""


class Inbound(Base):
    """A ledger, not a queue: it says what happened; when to run is the job engine's affair.

    What is asked of mails that were dealt with has indexes of those alone: a peer waits for every page that the commit
    of its mail has to write.

    `raw` holds mails up to the intake's inline limit, larger ones are the blob `raw_key`; both hold what the peer
    sent, byte for byte, after the dots were unstuffed. Either goes after `keep_raw_days`, the row stays.
    """

    __tablename__ = "inbound"
    __table_args__ = (
        partial_index("ix_inbound_state_received_at", "state", "received_at", where=IS_PAST),
        partial_index("ix_inbound_user_id", "user_id", where=HAS_USER),
        # A mail that came by several ways is obeyed once.
        partial_index("uq_inbound_effect", "user_id", "mail_key", unique=True, where="outcome = 'answered'"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(sa.String(16), unique=True)
    """What the peer's 250 and the answer name: `core.references`."""
    dedupe_key: Mapped[str] = mapped_column(sa.String(64), unique=True)
    """The same mail by the same way: it is accepted once."""
    mail_key: Mapped[str] = mapped_column(sa.String(64))
    """The same mail by whatever way: it is obeyed once."""
    intake: Mapped[str] = mapped_column(sa.String(20))
    """`smtp`, `lmtp`, `imap`, `cli`."""
    peer_ip: Mapped[str | None] = mapped_column(sa.String(45))
    helo: Mapped[str] = mapped_column(sa.String(255), default="")
    auth_user: Mapped[str | None] = mapped_column(sa.String(320))
    tls: Mapped[bool] = mapped_column(default=False)
    mailbox: Mapped[str] = mapped_column(sa.String(500), default="")
    """The mailbox at another house that it was fetched from; "" for other ways."""
    mail_from: Mapped[str] = mapped_column(sa.String(320))
    rcpt_tos: Mapped[list[str]]
    size_bytes: Mapped[int]
    raw: Mapped[bytes | None] = mapped_column(deferred=True)
    raw_key: Mapped[str | None] = mapped_column(sa.String(200))
    received_at: Mapped[datetime]

    state: Mapped[InboundState] = mapped_column(default=InboundState.ACCEPTED)
    attempts: Mapped[int] = mapped_column(default=0)
    outcome: Mapped[str] = mapped_column(sa.String(20), default="")
    """`answered`, `silent`, `unbelieved`, `duplicate`, `limited`, `one-click`, `notice`, `report`,
    `letter` (to the address of a newsletter), `forwarding` (Gmail asks), `stranger`; "" while not done."""
    reason: Mapped[str] = mapped_column(sa.String(500), default="")
    """Why it was met with silence or turned away, or what broke."""
    user_id: Mapped[int | None] = mapped_column(sa.ForeignKey("user.id", ondelete="SET NULL"))
    author: Mapped[str] = mapped_column(sa.String(320), default="")
    subject: Mapped[str] = mapped_column(sa.String(500), default="")
    processed_at: Mapped[datetime | None]

    @staticmethod
    def is_in(*states: InboundState) -> sa.ColumnElement[bool]:
        """Whether a mail was dealt with and is in one of these states, in the words of the index."""
        return sa.and_(sa.text(f"inbound.{IS_PAST}"), Inbound.state.in_(states))
