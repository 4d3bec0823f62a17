"""Table `read_later`: pages that somebody named, to be read now on the e-reader or in the next issue."""

from __future__ import annotations

import enum
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base
from core.models.feed import LONGEST_URL


class ReadState(enum.StrEnum):
    FETCHING = "fetching"
    READY = "ready"
    """It waits for the next issue."""
    DONE = "done"
    FAILED = "failed"


class ReadLater(Base):
    """One wish to read one page. `cause` is unique: the same command run twice is one wish."""

    __tablename__ = "read_later"
    __table_args__ = (sa.Index("ix_read_later_user_id_state", "user_id", "state"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id", ondelete="CASCADE"))
    cause: Mapped[str] = mapped_column(sa.String(200), unique=True)
    url: Mapped[str] = mapped_column(sa.String(LONGEST_URL))
    is_now: Mapped[bool]
    """True for `read`, which makes a book of it at once; False for `later`."""
    state: Mapped[ReadState] = mapped_column(default=ReadState.FETCHING)
    article_id: Mapped[int | None] = mapped_column(sa.ForeignKey("article.id", ondelete="SET NULL"))
    device_id: Mapped[int | None] = mapped_column(sa.ForeignKey("device.id", ondelete="SET NULL"))
    note: Mapped[str] = mapped_column(sa.String(500), default="")
    created_at: Mapped[datetime]
