"""Table `delivered_story`: what a reader had in a paper, for good, so that it never comes again."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base


class DeliveredStory(Base):
    """A story (the id of its first article) that a reader has had, and when last: later changes are news again."""

    __tablename__ = "delivered_story"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012 - SQLAlchemy's own protocol

    user_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id", ondelete="CASCADE"), primary_key=True)
    story_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    delivered_at: Mapped[datetime]
