"""Table `article`: what stood in a feed, or was to be read later; and `article_text`, what there is to read of it."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base
from core.models.feed import LONGEST_URL

LONGEST_ARTICLE_TITLE = 500
KEYS_A_STATEMENT = 10_000  # SQLite takes 32,766 parameters, PostgreSQL 65,535


class Article(Base):
    """One entry of one feed. The row stays for good, so that nothing old is ever taken for new; its text may go."""

    __tablename__ = "article"
    __table_args__ = (
        sa.UniqueConstraint("feed_id", "entry_key"),
        sa.Index("ix_article_feed_id_first_seen_at", "feed_id", "first_seen_at"),
        sa.Index("ix_article_feed_id_changed_at", "feed_id", "changed_at"),
        sa.Index("ix_article_feed_id_dated_at", "feed_id", "dated_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    feed_id: Mapped[int | None] = mapped_column(sa.ForeignKey("feed.id", ondelete="SET NULL"))
    """None for a page that somebody wanted to read later."""
    entry_key: Mapped[str] = mapped_column(sa.String(64))
    """SHA-256 of what tells it from others in its feed: its guid, else its address, else its title."""
    url: Mapped[str] = mapped_column(sa.String(LONGEST_URL), default="")
    url_key: Mapped[str | None] = mapped_column(sa.String(64), index=True)
    """SHA-256 of the canonical address, the same in all feeds; None without one."""
    title: Mapped[str] = mapped_column(sa.String(LONGEST_ARTICLE_TITLE), default="")
    authors: Mapped[list[str]]
    language: Mapped[str | None] = mapped_column(sa.String(35))
    words: Mapped[int] = mapped_column(default=0)
    link_share: Mapped[float] = mapped_column(default=0.0)
    is_stub: Mapped[bool] = mapped_column(default=False)
    pictures: Mapped[list[str]]
    raw_hash: Mapped[str] = mapped_column(sa.String(64), default="")
    """SHA-256 of the entry as its feed had it: an entry that is the same again is not read again."""
    signature: Mapped[bytes] = mapped_column(sa.LargeBinary, default=b"")
    """Of its text: `core.news.duplicates.Fingerprint`."""
    story_id: Mapped[int | None] = mapped_column(index=True)
    """The first article of this story, in whatever feed; its own id if it is the first."""
    published_at: Mapped[datetime | None]
    dated_at: Mapped[datetime]
    """How old it is: by its own date, which may not lie ahead; without one, by when it was first seen."""
    first_seen_at: Mapped[datetime]
    changed_at: Mapped[datetime | None]
    """When its text really changed last, since it was first seen."""

    @classmethod
    def by_entry_keys(cls, session: Session, keys: Collection[tuple[int, str]]) -> dict[tuple[int, str], Article]:
        """The articles that have one of these feeds and keys, by both."""
        feed_ids, entry_keys = {feed_id for feed_id, _ in keys}, [key for _, key in keys]
        found: dict[tuple[int, str], Article] = {}
        for start in range(0, len(entry_keys), KEYS_A_STATEMENT):
            some = entry_keys[start : start + KEYS_A_STATEMENT]
            known = sa.select(cls).where(cls.feed_id.in_(feed_ids), cls.entry_key.in_(some))
            found |= {(article.feed_id or 0, article.entry_key): article for article in session.scalars(known)}
        return {key: article for key, article in found.items() if key in keys}

    @classmethod
    def newest(cls, session: Session, feed_id: int, *, limit: int) -> Sequence[Article]:
        """Of one feed, by their dates."""
        mine = sa.select(cls).where(cls.feed_id == feed_id).order_by(cls.dated_at.desc(), cls.id).limit(limit)
        return session.scalars(mine).all()


class ArticleText(Base):
    """What there is to read of an article, compressed. Undelivered ones are forgotten after a time."""

    __tablename__ = "article_text"

    article_id: Mapped[int] = mapped_column(sa.ForeignKey("article.id", ondelete="CASCADE"), primary_key=True)
    html_zlib: Mapped[bytes] = mapped_column(sa.LargeBinary)
    text_zlib: Mapped[bytes] = mapped_column(sa.LargeBinary)

    @classmethod
    def of(cls, article_id: int, *, html: str, text: str) -> ArticleText:
        return cls(**cls.row(article_id, html=html, text=text))

    @staticmethod
    def row(article_id: int, *, html: str, text: str) -> dict[str, Any]:
        """Its columns, for a statement."""
        return {"article_id": article_id, "html_zlib": _packed(html), "text_zlib": _packed(text)}

    def replace(self, *, html: str, text: str) -> None:
        self.html_zlib, self.text_zlib = _packed(html), _packed(text)

    @property
    def html(self) -> str:
        """Clean, as `core.news.sanitise` made it."""
        return zlib.decompress(self.html_zlib).decode("utf-8")

    @property
    def text(self) -> str:
        return zlib.decompress(self.text_zlib).decode("utf-8")


def _packed(text: str) -> bytes:
    return zlib.compress(text.encode("utf-8", "replace"), 3)
