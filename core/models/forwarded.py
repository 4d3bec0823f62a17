"""Table `forwarded`: mails that somebody passed on without a word, and was asked about."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base


class Forwarded(Base):
    """One such mail; its text is that of the inbound row, for as long as that is kept."""

    __tablename__ = "forwarded"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id", ondelete="CASCADE"), index=True)
    inbound_id: Mapped[int] = mapped_column(sa.ForeignKey("inbound.id", ondelete="CASCADE"), unique=True)
    reference: Mapped[str] = mapped_column(sa.String(16), unique=True)
    """That of the inbound mail: what the taps of the question name."""
    title: Mapped[str] = mapped_column(sa.String(500))
    files: Mapped[dict[str, Any]]
    """Name by place among the mail's attachments, 0-based, as text."""
    created_at: Mapped[datetime]

    @classmethod
    def shown(cls, session: Session, user_id: int, *, reference: str | None) -> Forwarded | None:
        """That of a reference, else the newest; of this reader."""
        mine = sa.select(cls).where(cls.user_id == user_id)
        if reference is not None:
            mine = mine.where(cls.reference == reference)
        return session.scalars(mine.order_by(cls.id.desc()).limit(1)).one_or_none()
