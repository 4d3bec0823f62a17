"""Table `outbox`: every mail that we owe somebody, and the truth about what became of it."""

from __future__ import annotations

import enum
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base


class OutboxState(enum.StrEnum):
    QUEUED = "queued"
    SENDING = "sending"
    """An attempt was recorded and its result is not known yet; also while waiting for the next try (`next_try_at`)."""
    ACCEPTED = "accepted"
    """The relay took it. What comes after the relay is not known here, so "delivered" does not exist."""
    NEEDS_CLICK = "needs-your-click"
    """The gateway asks the reader to confirm it, within 48 hours."""
    NO_REFUSAL = "no-refusal-seen"
    """The gateway, which says nothing of what it takes, has refused nothing for longer than it takes to refuse."""
    REJECTED = "rejected"
    """The gateway refused it; `notice` has its words."""
    BOUNCED = "bounced"
    """A mail server behind the relay sent it back; `notice` has its words."""
    FAILED = "failed"
    """Refused for good, or given up."""
    UNKNOWN = "unknown"
    """The relay had the whole mail, and its answer was lost with the connection or with our process (RFC 1047). It is
    sent once more only where the operator wants that."""
    DROPPED = "dropped"
    """By the operator."""


OPEN_STATES = (OutboxState.QUEUED, OutboxState.SENDING)
HANDED_OVER = frozenset(
    (
        OutboxState.ACCEPTED,
        OutboxState.NEEDS_CLICK,
        OutboxState.NO_REFUSAL,
        OutboxState.REJECTED,
        OutboxState.BOUNCED,
    )
)
"""The relay took it, whatever came after that."""


class OutboxKind(enum.StrEnum):
    ANSWER = "answer"
    DELIVERY = "delivery"
    """A book to a device."""
    ISSUE = "issue"
    """The letter of a digest's issue."""
    NOTICE = "notice"
    """Told unasked: a delivery failed."""


class OutboxMail(Base):
    """One mail to one recipient. `cause` is unique: whoever runs again finds what it did.

    The message is `head` (header and text part, whole and final) followed, where `attachment_key` is set, by one
    base64 part made of that blob while sending: `core.mail.outgoing`. So a 50 MB book is not stored twice.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        sa.Index("ix_outbox_state_created_at", "state", "created_at"),
        sa.Index("ix_outbox_user_id_created_at", "user_id", "created_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    cause: Mapped[str] = mapped_column(sa.String(200), unique=True)
    """`answer:<inbound>`, `delivery:<inbound>:<n>`, `failed:<outbox>`, ..."""
    reference: Mapped[str] = mapped_column(sa.String(16), unique=True)
    kind: Mapped[OutboxKind]
    user_id: Mapped[int | None] = mapped_column(sa.ForeignKey("user.id", ondelete="SET NULL"))
    inbound_id: Mapped[int | None] = mapped_column(sa.ForeignKey("inbound.id", ondelete="SET NULL"), index=True)
    book_id: Mapped[int | None] = mapped_column(sa.ForeignKey("book.id", ondelete="SET NULL"), index=True)
    device_id: Mapped[int | None] = mapped_column(sa.ForeignKey("device.id", ondelete="SET NULL"))
    mail_from: Mapped[str] = mapped_column(sa.String(320))
    """Reverse-path, "" for the null one."""
    rcpt_to: Mapped[str] = mapped_column(sa.String(320))
    message_id: Mapped[str] = mapped_column(sa.String(255), unique=True)
    """Fixed when enqueued, with angle brackets: the same over all attempts."""
    subject: Mapped[str] = mapped_column(sa.String(500))
    head: Mapped[bytes] = mapped_column(deferred=True)
    """b"" once nobody needs it: answers, letters and notices hold tokens."""
    attachment_key: Mapped[str | None] = mapped_column(sa.String(200))
    attachment_name: Mapped[str | None] = mapped_column(sa.String(200))
    attachment_type: Mapped[str | None] = mapped_column(sa.String(100))
    size_bytes: Mapped[int]
    """Encoded, as the relay will count it."""
    created_at: Mapped[datetime]

    state: Mapped[OutboxState] = mapped_column(default=OutboxState.QUEUED)
    attempts: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[datetime | None]
    last_reply: Mapped[str] = mapped_column(sa.String(1000), default="")
    """The relay's words, or what went wrong on the way to it."""
    finished_at: Mapped[datetime | None]
    """When the relay took it, or it was given up."""
    notice: Mapped[str] = mapped_column(sa.String(1000), default="")
    """What came back after the relay had taken it, in the words of whoever sent it back."""
    settle_at: Mapped[datetime | None] = mapped_column(index=True)
    """When silence becomes an answer: no refusal until then, or no more time to confirm."""
    wants: Mapped[str] = mapped_column(sa.String(20), default="")
    """The recipe whose copy it is to carry, until there is one; such a mail is not sent before."""
    rung: Mapped[int] = mapped_column(default=0)
    """How often what it delivers was refused before it was mended and sent as this mail."""
    first_id: Mapped[int | None] = mapped_column(sa.ForeignKey("outbox.id", ondelete="SET NULL"), index=True)
    """The first delivery that this one is another try of."""
    whole_id: Mapped[int | None] = mapped_column(sa.ForeignKey("outbox.id", ondelete="SET NULL"))
    """The mail with the first part of the same copy; its own id in that one. None for a book in one piece."""
    part_key: Mapped[str | None] = mapped_column(sa.String(200))
    """The part of a book that it is another form of; None where it is of the whole book."""
