"""Table `feed`: what is fetched, once for all who subscribed to it, and how it fares."""

from __future__ import annotations

import enum
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base, partial_index

LONGEST_URL = 2000
LONGEST_ETAG = 1000
LONGEST_DATE = 100
IS_ACTIVE = "state = 'active'"


class FeedState(enum.StrEnum):
    ACTIVE = "active"
    GONE = "gone"
    """It said 410: it is fetched no more."""
    LETTERS = "letters"
    """A reader's newsletter, which comes by mail: nobody fetches it."""


class Feed(Base):
    """One feed. `url` is where it is fetched from; a permanent redirect moves it. A newsletter has `mail:<nonce>`."""

    __tablename__ = "feed"
    __table_args__ = (partial_index("ix_feed_due", "next_check_at", where=IS_ACTIVE),)

    id: Mapped[int] = mapped_column(primary_key=True)
    url: Mapped[str] = mapped_column(sa.String(LONGEST_URL), unique=True)
    host: Mapped[str] = mapped_column(sa.String(255), index=True)
    title: Mapped[str] = mapped_column(sa.String(300), default="")
    site_url: Mapped[str] = mapped_column(sa.String(LONGEST_URL), default="")
    language: Mapped[str | None] = mapped_column(sa.String(35))
    state: Mapped[FeedState] = mapped_column(default=FeedState.ACTIVE)
    etag: Mapped[str] = mapped_column(sa.String(LONGEST_ETAG), default="")
    last_modified: Mapped[str] = mapped_column(sa.String(LONGEST_DATE), default="")
    body_sha256: Mapped[str] = mapped_column(sa.String(64), default="")
    """Of the last body that was read: the same one again is not parsed."""
    created_at: Mapped[datetime]
    next_check_at: Mapped[datetime]
    leased_until: Mapped[datetime | None]
    """Somebody is checking it; if they die, others may from then on. Its host's other feeds wait as long."""
    last_checked_at: Mapped[datetime | None]
    last_success_at: Mapped[datetime | None]
    last_article_at: Mapped[datetime | None]
    gap_seconds: Mapped[float | None]
    """Between two of its articles, usually: with `newest_at` its pace, see `core.news.pace`."""
    newest_at: Mapped[datetime | None]
    """The date of its newest article, as the feed has it."""
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
    def is_host_asked(cls, session: Session, host: str, *, now: datetime) -> bool:
        """Whether a feed of this host is being checked."""
        asked = sa.select(cls.id).where(cls.host == host, cls.leased_until > now).limit(1)
        return session.scalar(asked) is not None
