"""Table `book`: one user's copy of a file, with what is known of it, and the questions asked of a library."""

from __future__ import annotations

import enum
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base
from core.values import BookFormat


class SyncStatus(enum.StrEnum):
    """Of the newest delivery of this book to any device."""

    NEVER = "never"
    PENDING = "pending"
    ACCEPTED = "accepted"
    FAILED = "failed"


class Book(Base):
    """One owner's row; the bytes are one blob for all owners, named by their SHA-256.

    A removed book keeps its row until `undo` can no longer bring it back (`removed_at` + 24 h).
    """

    __tablename__ = "book"
    __table_args__ = (
        sa.UniqueConstraint("user_id", "sha256"),
        sa.Index("ix_book_user_id_id", "user_id", "id"),
        sa.Index("ix_book_user_id_work_key", "user_id", "work_key"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id", ondelete="CASCADE"))
    title: Mapped[str] = mapped_column(sa.String(500))
    authors: Mapped[list[str]]
    language: Mapped[str | None] = mapped_column(sa.String(35))
    """BCP 47."""
    identifiers: Mapped[list[str]]
    """`scheme:value`, e.g. `isbn:9780141439518`."""
    series: Mapped[str | None] = mapped_column(sa.String(300))
    series_index: Mapped[float | None]
    genre: Mapped[str | None] = mapped_column(sa.String(100))
    tags: Mapped[list[str]]
    description: Mapped[str | None] = mapped_column(sa.Text)
    format: Mapped[BookFormat]
    filename: Mapped[str] = mapped_column(sa.String(200))
    size_bytes: Mapped[int]
    sha256: Mapped[str] = mapped_column(sa.String(64), index=True)
    work_key: Mapped[str] = mapped_column(sa.String(64))
    """Same for two files of one work: `core.books.works.work_key`."""
    storage_key: Mapped[str] = mapped_column(sa.String(200))
    cover_key: Mapped[str | None] = mapped_column(sa.String(200))
    download_count: Mapped[int] = mapped_column(default=0)
    """How often it was sent to a device."""
    sync_status: Mapped[SyncStatus] = mapped_column(default=SyncStatus.NEVER)
    last_synced_at: Mapped[datetime | None]
    added_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]
