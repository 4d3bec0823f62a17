"""Table `derived`: copies that were made of books for devices, each a blob of its own, and what was changed in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base
from core.values import BookFormat


class Derived(Base):
    """One file that a recipe made of a book.

    A row without a key says that the original is as good as a copy would be, so that it is not tried again. Rows of an
    older version of a recipe, and of a book that was called otherwise, stay for mails that carry them, and are not
    used anew.
    """

    __tablename__ = "derived"
    __table_args__ = (sa.UniqueConstraint("book_id", "part_key", "recipe", "version", "budget_bytes", "part"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    book_id: Mapped[int] = mapped_column(sa.ForeignKey("book.id", ondelete="CASCADE"))
    part_key: Mapped[str] = mapped_column(sa.String(200), default="")
    """The part of the book that it was made of; "" for the whole book."""
    recipe: Mapped[str] = mapped_column(sa.String(20))
    version: Mapped[int]
    budget_bytes: Mapped[int] = mapped_column(default=0)
    """Of one file, where the copy was made to fit; 0 for one that is as large as it came out, less for one that has an
    old title, author or language in it."""
    part: Mapped[int] = mapped_column(default=1)
    """Its place among the files of one copy, from 1."""
    title: Mapped[str] = mapped_column(sa.String(600), default="")
    """Behind the book's own: “ (1 of 3)”; "" for a whole book."""
    format: Mapped[BookFormat]
    storage_key: Mapped[str | None] = mapped_column(sa.String(200), index=True)
    size_bytes: Mapped[int]
    fixes: Mapped[dict[str, Any]]
    """`{"fixes": [{"rule", "count", "changes": [[file, what], …]}, …]}`; of the first part, for all of them."""
    created_at: Mapped[datetime]

    @classmethod
    def of(
        cls, session: Session, book_id: int, *, part_key: str, recipe: str, version: int, budget_bytes: int
    ) -> Sequence[Derived]:
        """The files of a copy that fit: of one that came out small enough, else of one that was made for the budget."""
        mine = sa.select(cls).where(
            cls.book_id == book_id, cls.part_key == part_key, cls.recipe == recipe, cls.version == version
        )
        for budget in (0, budget_bytes):
            found = session.scalars(mine.where(cls.budget_bytes == budget).order_by(cls.part)).all()
            if found and all(one.size_bytes <= budget_bytes for one in found):
                return found
        return ()

    @classmethod
    def of_key(cls, session: Session, key: str) -> Derived | None:
        """The copy that a mail carries, the first of those that are the same file."""
        return session.scalars(sa.select(cls).where(cls.storage_key == key).order_by(cls.id).limit(1)).one_or_none()

    @classmethod
    def outdate(cls, session: Session, book_id: int) -> None:
        """Have no copy of this book used anew: it is called otherwise now, or is in another language."""
        session.execute(sa.update(cls).where(cls.book_id == book_id).values(budget_bytes=-cls.id))

    @classmethod
    def newest(cls, session: Session, book_id: int) -> Derived | None:
        """The copy of a book that was made last."""
        return session.scalars(
            sa.select(cls).where(cls.book_id == book_id, cls.part == 1).order_by(cls.id.desc()).limit(1)
        ).one_or_none()

    @classmethod
    def forget(cls, session: Session, book_ids: Iterable[int]) -> set[str]:
        """Delete the rows of these books; the keys of their blobs."""
        gone = session.scalars(sa.select(cls).where(cls.book_id.in_(list(book_ids)))).all()
        for one in gone:
            session.delete(one)
        session.flush()
        return {one.storage_key for one in gone if one.storage_key is not None}

    @classmethod
    def is_kept(cls, session: Session, key: str) -> bool:
        """Whether any copy is the blob of this key."""
        return session.scalar(sa.select(cls.id).where(cls.storage_key == key).limit(1)) is not None
