"""Table `digest`: a reader's standing order for a paper."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base
from core.models.subscription import LONGEST_NAME


class Digest(Base):
    """When and where a paper comes, and how much of it. `core.news.schedule.Schedule` reads the times."""

    __tablename__ = "digest"
    __table_args__ = (sa.UniqueConstraint("user_id", "name_key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(sa.String(LONGEST_NAME))
    name_key: Mapped[str] = mapped_column(sa.String(2 * LONGEST_NAME))
    section: Mapped[str] = mapped_column(sa.String(LONGEST_NAME), default="")
    """Its feeds are those of this section; "" is every feed that no other digest of the reader has."""
    days: Mapped[int] = mapped_column(default=127)
    """Weekdays as bits, 1 for Monday."""
    minute_of_day: Mapped[int] = mapped_column(default=390)
    """06:30, on the reader's own clock."""
    target: Mapped[str] = mapped_column(sa.String(10), default="both")
    """`mail`, `kindle`, `both`."""
    minutes: Mapped[int | None]
    """Reading time of an issue; None for no limit."""
    min_quality: Mapped[int] = mapped_column(default=25)
    """0 to 100: stories that score less stay out."""
    max_articles: Mapped[int] = mapped_column(default=50)
    with_pictures: Mapped[bool] = mapped_column(default=True)
    send_empty: Mapped[bool] = mapped_column(default=False)
    paused_until: Mapped[date | None] = mapped_column(sa.Date)
    """The first day, on the reader's calendar, on which it comes again."""
    next_due_at: Mapped[datetime | None] = mapped_column(index=True)
    """None while it is off."""
    created_at: Mapped[datetime]

    @classmethod
    def of_user(cls, session: Session, user_id: int) -> Sequence[Digest]:
        """In the order in which they were made: the first is the one that is meant where none is named."""
        return session.scalars(sa.select(cls).where(cls.user_id == user_id).order_by(cls.id)).all()

    @classmethod
    def due(cls, session: Session, *, now: datetime, limit: int) -> Sequence[Digest]:
        """The digests whose time has come, the longest overdue first; always in one order, so that two who ask wait
        for one another and not for each other."""
        waiting = sa.select(cls).where(cls.next_due_at <= now)
        return session.scalars(waiting.order_by(cls.next_due_at, cls.id).limit(limit)).all()
