"""Table `takeout`: what people had made of all that is kept about them, while it is on its way."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base


class Takeout(Base):
    """One `export all`. Its files are blobs of their own, and go when they have surely been mailed."""

    __tablename__ = "takeout"
    __table_args__ = (sa.Index("ix_takeout_user_id_created_at", "user_id", "created_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id", ondelete="CASCADE"))
    cause: Mapped[str] = mapped_column(sa.String(200), unique=True)
    page: Mapped[int] = mapped_column(default=1)
    """Of the mails that it takes: only so many are sent at once."""
    keys: Mapped[list[str]]
    """Of its blobs, once it is made."""
    created_at: Mapped[datetime] = mapped_column(index=True)
    made_at: Mapped[datetime | None]

    @classmethod
    def needed(cls, session: Session, keys: Iterable[str]) -> set[str]:
        """Those of these blobs that are files of a takeout."""
        wanted = set(keys)
        kept = (key for row in session.scalars(sa.select(cls.keys)) for key in row)
        return wanted.intersection(kept) if wanted else set()
