"""Table `issue`: one issue of a digest, and `issue_story`: what stood in it at which number."""

from __future__ import annotations

import enum
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base
from core.models.article import LONGEST_ARTICLE_TITLE
from core.models.feed import LONGEST_URL
from core.models.subscription import LONGEST_NAME


class IssueState(enum.StrEnum):
    DUE = "due"
    """It is to be made, or being made, or its job was given up: `inkpost jobs list` says."""
    SENT = "sent"
    """Its mails stand in the outbox."""
    EMPTY = "empty"
    """There was nothing new, and nothing was sent."""


class DigestIssue(Base):
    """Exactly one for each due time: `slot` is unique in its digest, whoever opens it and however often."""

    __tablename__ = "issue"
    __table_args__ = (
        sa.UniqueConstraint("digest_id", "slot"),
        sa.Index("ix_issue_user_id_id", "user_id", "id"),
        sa.Index("ix_issue_state", "state", "due_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    digest_id: Mapped[int] = mapped_column(sa.ForeignKey("digest.id", ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id", ondelete="CASCADE"))
    slot: Mapped[str] = mapped_column(sa.String(80))
    """The local date (`2026-11-23`) of a scheduled issue; `now:<cause>` of one that was asked for."""
    local_date: Mapped[date] = mapped_column(sa.Date)
    due_at: Mapped[datetime]
    state: Mapped[IssueState] = mapped_column(default=IssueState.DUE)
    title: Mapped[str] = mapped_column(sa.String(LONGEST_NAME), default="")
    reference: Mapped[str | None] = mapped_column(sa.String(16), index=True)
    """Of its letter: what its links name."""
    message_id: Mapped[str | None] = mapped_column(sa.String(255), index=True)
    """Of its letter: what a reply to it names."""
    made_at: Mapped[datetime | None]

    @classmethod
    def shown(
        cls, session: Session, *, user_id: int, reference: str | None = None, replied_to: tuple[str, ...] = ()
    ) -> DigestIssue | None:
        """The issue of a reference, or whose letter a mail replies to, else the reader's newest one that was sent."""
        mine = sa.select(cls).where(cls.user_id == user_id, cls.state == IssueState.SENT).order_by(cls.id.desc())
        if reference is not None:
            return session.scalars(mine.where(cls.reference == reference)).first()
        if replied_to:
            answered = session.scalars(mine.where(cls.message_id.in_(replied_to)).limit(1)).first()
            if answered is not None:
                return answered
        return session.scalars(mine.limit(1)).first()


class IssueStory(Base):
    """A story as it stood in an issue: what `why 3`, `more 4` and `send 5` are about."""

    __tablename__ = "issue_story"

    issue_id: Mapped[int] = mapped_column(sa.ForeignKey("issue.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    article_id: Mapped[int] = mapped_column(sa.ForeignKey("article.id", ondelete="CASCADE"))
    feed_id: Mapped[int | None] = mapped_column(sa.ForeignKey("feed.id", ondelete="SET NULL"))
    title: Mapped[str] = mapped_column(sa.String(LONGEST_ARTICLE_TITLE))
    url: Mapped[str] = mapped_column(sa.String(LONGEST_URL), default="")
    score: Mapped[int]
    reasons: Mapped[list[str]]
    """Sentences whose points add up to the score."""
