"""Table `book`: one user's copy of a file, with what is known of it, and the questions asked of a library."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base, partial_index
from core.models import book_index, book_search
from core.values import BookFormat

LONGEST_TITLE, LONGEST_AUTHOR, LONGEST_GENRE = 500, 200, 100  # characters, as the product promises


class SyncStatus(enum.StrEnum):
    """Of the newest delivery of this book to any device."""

    NEVER = "never"
    PENDING = "pending"
    ACCEPTED = "accepted"
    FAILED = "failed"
    UNKNOWN = "unknown"


_SENT, _PENDING = "download_count > 0", "sync_status = 'pending'"


class Book(Base):
    """One owner's row; the bytes are one blob for all owners, named by their SHA-256.

    A removed book keeps its row until `undo` can no longer bring it back (`removed_at` + 24 h).
    """

    __tablename__ = "book"
    __table_args__ = (
        sa.UniqueConstraint("user_id", "sha256"),
        sa.Index("ix_book_user_id_work_key", "user_id", "work_key"),
        # A list's page, and its total; how many bytes a user has.
        partial_index("ix_book_in_library", "user_id", "id", "size_bytes", where="removed_at IS NULL"),
        partial_index("ix_book_removed_at", "removed_at", where="removed_at IS NOT NULL"),
        partial_index("ix_book_sent", "user_id", "download_count", where=_SENT),
        partial_index("ix_book_pending", "user_id", where=_PENDING),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id", ondelete="CASCADE"))
    title: Mapped[str] = mapped_column(sa.String(LONGEST_TITLE))
    authors: Mapped[list[str]]
    language: Mapped[str | None] = mapped_column(sa.String(35))
    """BCP 47."""
    identifiers: Mapped[list[str]]
    """`scheme:value`, e.g. `isbn:9780141439518`."""
    series: Mapped[str | None] = mapped_column(sa.String(300))
    series_index: Mapped[float | None]
    genre: Mapped[str | None] = mapped_column(sa.String(LONGEST_GENRE))
    tags: Mapped[list[str]]
    description: Mapped[str | None] = mapped_column(sa.Text)
    format: Mapped[BookFormat]
    filename: Mapped[str] = mapped_column(sa.String(200))
    size_bytes: Mapped[int]
    sha256: Mapped[str] = mapped_column(sa.String(64), index=True)
    work_key: Mapped[str] = mapped_column(sa.String(64))
    """Same for two files of one work: `core.books.works.work_key`."""
    storage_key: Mapped[str] = mapped_column(sa.String(200), index=True)
    cover_key: Mapped[str | None] = mapped_column(sa.String(200), index=True)
    download_count: Mapped[int] = mapped_column(default=0)
    """How often it was sent to a device."""
    sync_status: Mapped[SyncStatus] = mapped_column(default=SyncStatus.NEVER)
    last_synced_at: Mapped[datetime | None]
    added_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]

    @classmethod
    def of_user(cls, user_id: int) -> sa.Select[Book]:
        """The books in a user's library, without those that were removed; order is the caller's."""
        return sa.select(cls).where(cls.user_id == user_id, cls.removed_at.is_(None))

    @classmethod
    def search(cls, session: Session, query: str, *, user_id: int, limit: int) -> Sequence[Book]:
        """Books of a user that hold all the words of `query`, best first. In names, the last may be a beginning."""
        return cls.in_order(session, book_search.search(session, query, user_id=user_id, limit=limit), user_id=user_id)

    @classmethod
    def called(cls, session: Session, query: str, *, user_id: int, limit: int) -> Sequence[Book]:
        """As `search`, without descriptions: books that somebody may mean by `query`."""
        ids = book_search.search_names(session, query, user_id=user_id, limit=limit)
        return cls.in_order(session, ids, user_id=user_id)

    @classmethod
    def respell(cls, session: Session, query: str, *, user_id: int) -> str | None:
        """`query` with its words replaced by nearly alike ones, if a book of the user has those; else None."""
        return book_search.respell(session, query, user_id=user_id)

    @classmethod
    def get_pending_sync(cls, session: Session, *, user_id: int, limit: int) -> Sequence[Book]:
        """Books of a user whose newest delivery is not with the relay yet, oldest first."""
        pending = cls.of_user(user_id).where(sa.text(_PENDING))
        return session.scalars(pending.order_by(cls.id).limit(limit)).all()

    @classmethod
    def get_popular(cls, session: Session, *, user_id: int, limit: int) -> Sequence[Book]:
        """Books of a user that were sent at all, most often first."""
        sent = cls.of_user(user_id).where(sa.text(_SENT))
        return session.scalars(sent.order_by(cls.download_count.desc(), cls.id.desc()).limit(limit)).all()

    @classmethod
    def in_order(cls, session: Session, ids: Sequence[int], *, user_id: int) -> Sequence[Book]:
        """Books of a user by their ids, in that order; ids of no book of theirs are left out."""
        by_id = {book.id: book for book in session.scalars(cls.of_user(user_id).where(cls.id.in_(ids)))}
        return [by_id[book_id] for book_id in ids if book_id in by_id]

    @classmethod
    def is_stored_for_somebody(cls, session: Session, key: str) -> bool:
        """Whether any row, removed or not, needs the blob of this key."""
        needs = sa.or_(cls.storage_key == key, cls.cover_key == key)
        return session.scalar(sa.select(cls.id).where(needs).limit(1)) is not None


# The index comes and goes with the table, wherever it is made; the migration makes it in the same words.
sa.event.listen(Book.__table__, "after_create", lambda _table, connection, **_: book_index.create(connection))
sa.event.listen(Book.__table__, "before_drop", lambda _table, connection, **_: book_index.drop(connection))
