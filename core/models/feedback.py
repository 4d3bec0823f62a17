"""Table `feedback`: what a reader asked for more or less of."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base
from core.models.article import LONGEST_ARTICLE_TITLE


class Feedback(Base):
    """`more 4` or `less 4`, with what story 4 was. The last word on a story counts."""

    __tablename__ = "feedback"
    __table_args__ = (sa.UniqueConstraint("user_id", "article_id"), sa.Index("ix_feedback_user_id_at", "user_id", "at"))

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id", ondelete="CASCADE"))
    article_id: Mapped[int] = mapped_column(sa.ForeignKey("article.id", ondelete="CASCADE"))
    feed_id: Mapped[int | None] = mapped_column(sa.ForeignKey("feed.id", ondelete="SET NULL"))
    wish: Mapped[str] = mapped_column(sa.String(10))
    """`more`, `less`: `core.news.quality.Wish`."""
    authors: Mapped[list[str]]
    title: Mapped[str] = mapped_column(sa.String(LONGEST_ARTICLE_TITLE), default="")
    at: Mapped[datetime]
