"""Table `newsletter`: the addresses at which newsletters come for a reader, each one a feed of theirs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from core.db import Base
from core.models.feed import LONGEST_URL, Feed
from core.models.subscription import LONGEST_NAME
from core.models.user import hash_secret

LONGEST_MAILTO = 1000  # characters of a mailto link


class Newsletter(Base):
    """One address. The row stays when it is burnt, so that it never means anything again.

    The address itself stands nowhere: `secret_hash` finds it, and `nonce` makes it anew together with the service's
    key for tokens, so that its reader can be shown it again (docs/decisions/newsletters.md).
    """

    __tablename__ = "newsletter"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id", ondelete="CASCADE"), index=True)
    feed_id: Mapped[int] = mapped_column(sa.ForeignKey("feed.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(sa.String(LONGEST_NAME))
    """As it was made, or as its feed was called when it was burnt; in between the subscription knows better."""
    nonce: Mapped[str] = mapped_column(sa.String(32))
    secret_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    created_at: Mapped[datetime]
    burnt_at: Mapped[datetime | None]
    """From then on mail for it is refused."""
    sender: Mapped[str] = mapped_column(sa.String(320), default="")
    """Who wrote the newest letter, as its From field says."""
    one_click_url: Mapped[str] = mapped_column(sa.String(LONGEST_URL), default="")
    """Where a POST unsubscribes (RFC 8058), of the newest letter; only if its signature covers it."""
    leave_mailto: Mapped[str] = mapped_column(sa.String(LONGEST_MAILTO), default="")
    """The mail that unsubscribes (RFC 2369), of the newest letter."""
    left_at: Mapped[datetime | None]
    """When its sender was asked to stop."""

    feed: Mapped[Feed] = relationship()

    @classmethod
    def by_secret(cls, session: Session, secret: str) -> Newsletter | None:
        """That of an address which takes mail."""
        mine = sa.select(cls).where(cls.secret_hash == hash_secret(secret), cls.burnt_at.is_(None))
        return session.scalars(mine).one_or_none()

    @classmethod
    def of_user(cls, session: Session, user_id: int, *, burnt_since: datetime) -> Sequence[Newsletter]:
        """A reader's, the oldest first; burnt ones only if they were burnt since then."""
        mine = sa.select(cls).where(cls.user_id == user_id, sa.or_(cls.burnt_at.is_(None), cls.burnt_at > burnt_since))
        return session.scalars(mine.order_by(cls.id)).all()

    @classmethod
    def of_feed(cls, session: Session, feed_id: int) -> Newsletter | None:
        return session.scalars(sa.select(cls).where(cls.feed_id == feed_id)).one_or_none()
