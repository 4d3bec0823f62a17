"""Tables `share` and `feed_share`: what people of one household let each other have."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base
from core.models.book import Book


class Share(Base):
    """Says that a book of somebody's library came to them by another's `share`, and may be taken back by that one.

    The book is the reader's own row over the same blob; when the owner is gone it stays, and nobody takes it back.
    """

    __tablename__ = "share"

    book_id: Mapped[int] = mapped_column(
        sa.ForeignKey("book.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    """The reader's."""
    owner_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime]

    @classmethod
    def given(cls, owner_id: int) -> sa.Select[Book]:
        """Readers' books that an owner has given, newest first."""
        mine = sa.select(Book).join(cls, cls.book_id == Book.id).where(cls.owner_id == owner_id)
        return mine.where(Book.removed_at.is_(None)).order_by(Book.id.desc())

    @classmethod
    def of_file(cls, session: Session, owner_id: int, sha256: str) -> Sequence[Book]:
        """Readers' books that an owner has given, of one file."""
        return session.scalars(cls.given(owner_id).where(Book.sha256 == sha256)).all()


class FeedShare(Base):
    """Says that a reader may have the list of an owner's feeds."""

    __tablename__ = "feed_share"

    owner_id: Mapped[int] = mapped_column(
        sa.ForeignKey("user.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    reader_id: Mapped[int] = mapped_column(
        sa.ForeignKey("user.id", ondelete="CASCADE"), primary_key=True, autoincrement=False, index=True
    )
    created_at: Mapped[datetime]
