"""Table `feed`: what is fetched, once for all who subscribed to it, and how it fares."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base

LONGEST_URL = 2000
_ACTIVE = "state = 'active'"


class FeedState(enum.StrEnum):
    ACTIVE = "active"
    GONE = "gone"
    """It said 410: it is fetched no more."""


class Feed(Base):
    """One feed. `url` is where it is fetched from; a permanent redirect moves it."""

    __tablename__ = "feed"
    __table_args__ = (
        sa.Index("ix_feed_due", "next_check_at", sqlite_where=sa.text(_ACTIVE), postgresql_where=sa.text(_ACTIVE)),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    url: Mapped[str] = mapped_column(sa.String(LONGEST_URL), unique=True)
    host: Mapped[str] = mapped_column(sa.String(255), index=True)
    title: Mapped[str] = mapped_column(sa.String(300), default="")
    site_url: Mapped[str] = mapped_column(sa.String(LONGEST_URL), default="")
    language: Mapped[str | None] = mapped_column(sa.String(35))
    state: Mapped[FeedState] = mapped_column(default=FeedState.ACTIVE)
    etag: Mapped[str] = mapped_column(sa.String(1000), default="")
    last_modified: Mapped[str] = mapped_column(sa.String(100), default="")
    body_sha256: Mapped[str] = mapped_column(sa.String(64), default="")
    """Of the last body that was read: the same one again is not parsed."""
    created_at: Mapped[datetime]
    next_check_at: Mapped[datetime]
    last_checked_at: Mapped[datetime | None]
    last_success_at: Mapped[datetime | None]
    last_article_at: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(default=0)
    """Since the last success."""
    last_error: Mapped[str] = mapped_column(sa.String(500), default="")
    failing_since: Mapped[datetime | None]
    told_at: Mapped[datetime | None]
    """When its subscribers were told that it fails; None again with the next success."""

    @classmethod
    def by_url(cls, session: Session, url: str) -> Feed | None:
        return session.scalars(sa.select(cls).where(cls.url == url)).one_or_none()

    @classmethod
    def due(cls, session: Session, *, now: datetime, limit: int) -> Sequence[Feed]:
        """The feeds to be checked, the longest overdue first."""
        waiting = sa.select(cls).where(sa.text(_ACTIVE), cls.next_check_at <= now)
        return session.scalars(waiting.order_by(cls.next_check_at).limit(limit)).all()
