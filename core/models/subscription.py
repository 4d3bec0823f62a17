"""Table `subscription`: who reads which feed, under which name."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from core.db import Base
from core.models.feed import Feed

LONGEST_NAME = 100  # characters, of a feed's name and of a section's


class Subscription(Base):
    """One reader's feed."""

    __tablename__ = "subscription"
    __table_args__ = (
        sa.UniqueConstraint("user_id", "feed_id"),
        sa.UniqueConstraint("user_id", "name_key"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id", ondelete="CASCADE"))
    feed_id: Mapped[int] = mapped_column(sa.ForeignKey("feed.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(sa.String(LONGEST_NAME))
    name_key: Mapped[str] = mapped_column(sa.String(2 * LONGEST_NAME))
    """The name without case and accents: what a command is compared with."""
    section: Mapped[str] = mapped_column(sa.String(LONGEST_NAME), default="")
    since: Mapped[datetime]
    """What was seen earlier than this is not in the reader's paper."""
    paused_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    feed: Mapped[Feed] = relationship()

    @classmethod
    def of_user(cls, user_id: int) -> sa.Select[Subscription]:
        """A reader's subscriptions by section and name."""
        return sa.select(cls).where(cls.user_id == user_id).order_by(cls.section, cls.name_key)

    @classmethod
    def of_feed(cls, session: Session, feed_id: int) -> Sequence[Subscription]:
        return session.scalars(sa.select(cls).where(cls.feed_id == feed_id).order_by(cls.id)).all()
