"""Table `pace`: when the last mails to a provider went, so that all workers together keep to what it bears."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base, insert_for


class Pace(Base):
    """One provider, by the domain that its rule is for."""

    __tablename__ = "pace"

    provider: Mapped[str] = mapped_column(sa.String(253), primary_key=True)
    turns: Mapped[list[float]] = mapped_column(sa.JSON)
    """Seconds since 1970, oldest first, no more than the rule looks at."""

    @classmethod
    def locked(cls, session: Session, provider: str) -> Pace:
        """The row, made where there is none, and held until the commit: other workers wait for their turn with it."""
        insert = insert_for(session)
        session.execute(insert(cls).values(provider=provider, turns=[]).on_conflict_do_nothing())
        held = (
            sa.select(cls).where(cls.provider == provider).with_for_update().execution_options(populate_existing=True)
        )
        return session.scalars(held).one()
