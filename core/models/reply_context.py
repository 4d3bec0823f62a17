"""Table `reply_context`: what a mail of ours showed, asked and did, so that a word in reply to it is understood."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base


class ReplyContext(Base):
    """One mail of ours. It is kept for as long as the mail's address is good, whether it meant anything or not: so
    that "undo" in reply to a mail that did nothing is not taken for something else."""

    __tablename__ = "reply_context"
    __table_args__ = (sa.Index("ix_reply_context_created_at", "created_at"),)

    message_id: Mapped[str] = mapped_column(sa.String(255), primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id", ondelete="CASCADE"), index=True)
    meanings: Mapped[dict[str, Any]]
    """`core.mail.meanings.Meanings`."""
    created_at: Mapped[datetime]

    @classmethod
    def nearest(
        cls, session: Session, message_ids: Sequence[str], *, user_id: int, since: datetime
    ) -> ReplyContext | None:
        """Of the first of these mails that one is kept of, and that was written since then."""
        mine = sa.select(cls).where(cls.user_id == user_id, cls.message_id.in_(message_ids), cls.created_at >= since)
        by_id = {one.message_id: one for one in session.scalars(mine)}
        return next((by_id[each] for each in message_ids if each in by_id), None)
