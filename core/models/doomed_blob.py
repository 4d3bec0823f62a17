"""Table `doomed_blob`: blobs that no row needs, on their way out of the store."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base


class DoomedBlob(Base):
    """Stands from the commit that ended the last row which needed the blob until the blob is deleted.

    Whoever is about to need the key again must wait until it is gone, and store the blob anew: without this, a book
    mailed in just then would be a row without its bytes.
    """

    __tablename__ = "doomed_blob"

    key: Mapped[str] = mapped_column(sa.String(200), primary_key=True)

    @classmethod
    def doom(cls, session: Session, keys: Iterable[str]) -> None:
        """Each once, whoever dooms it again before it is gone."""
        wanted = set(keys)
        wanted -= set(session.scalars(sa.select(cls.key).where(cls.key.in_(wanted))))
        session.add_all(cls(key=key) for key in sorted(wanted))

    @classmethod
    def all_keys(cls, session: Session, *, limit: int = 1000) -> list[str]:
        """The first of them by key: so many as one round of deleting may hold in hand."""
        return list(session.scalars(sa.select(cls.key).order_by(cls.key).limit(limit)))

    @classmethod
    def forget(cls, session: Session, keys: Iterable[str]) -> None:
        """They are deleted."""
        session.execute(sa.delete(cls).where(cls.key.in_(list(keys))))
