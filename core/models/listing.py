"""Table `listing`: what a user was shown, so that "send 2" means what stood at 2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base


class Listing(Base):
    """The numbered things of one answer. Numbers are 1-based places in `item_ids`, counted on over the pages."""

    __tablename__ = "listing"
    __table_args__ = (
        sa.Index("ix_listing_user_id_id", "user_id", "id"),
        sa.Index("ix_listing_created_at", "created_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id", ondelete="CASCADE"))
    message_id: Mapped[str] = mapped_column(sa.String(255), index=True)
    """Of the answer that showed it."""
    kind: Mapped[str] = mapped_column(sa.String(20))
    """`books`; later `articles`, `feeds`."""
    first_number: Mapped[int] = mapped_column(default=1)
    item_ids: Mapped[list[int]]
    created_at: Mapped[datetime]

    @classmethod
    def keep(
        cls,
        session: Session,
        shown: Mapping[str, tuple[int, Sequence[int]]],
        *,
        user_id: int,
        message_id: str,
        now: datetime,
    ) -> None:
        """Remember what a mail shows: by kind, the first number and what stands from it on."""
        session.execute(
            _INSERT,
            [
                {
                    "user_id": user_id,
                    "message_id": message_id,
                    "kind": kind,
                    "first_number": first_number,
                    "item_ids": list(item_ids),
                    "created_at": now,
                }
                for kind, (first_number, item_ids) in shown.items()
            ],
        )

    @classmethod
    def shown(cls, session: Session, *, user_id: int, kind: str, replied_to: tuple[str, ...] = ()) -> list[Listing]:
        """The listings in the mails of a thread, the nearest first, whatever was shown elsewhere since; where it shows
        none, the user's newest of this kind."""
        mine = sa.select(cls).where(cls.user_id == user_id, cls.kind == kind).order_by(cls.id.desc())
        if replied_to:
            answered = session.scalars(mine.where(cls.message_id.in_(replied_to))).all()
            if answered:
                return sorted(answered, key=lambda listing: replied_to.index(listing.message_id))
        return list(session.scalars(mine.limit(1)))

    @classmethod
    def newest_mails(cls, session: Session, *, user_id: int) -> list[str]:
        """Message-IDs of the mails that showed a user the newest listing of each kind, the newest first."""
        newest = sa.select(sa.func.max(cls.id)).where(cls.user_id == user_id).group_by(cls.kind)
        return list(session.scalars(sa.select(cls.message_id).where(cls.id.in_(newest)).order_by(cls.id.desc())))

    def item_id(self, number: int) -> int | None:
        """What stood at `number`, or None."""
        place = number - self.first_number
        return self.item_ids[place] if 0 <= place < len(self.item_ids) else None


_INSERT = sa.insert(Listing.metadata.tables[Listing.__tablename__])
