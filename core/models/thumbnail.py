"""Table `thumbnail`: covers as small as a mail shows them, so that an answer is made without asking the store."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base, Insert, insert_for


class Thumbnail(Base):
    """One cover, whosever books have it."""

    __tablename__ = "thumbnail"

    cover_key: Mapped[str] = mapped_column(sa.String(200), primary_key=True)
    content: Mapped[bytes]
    """A JPEG of a few KB: `core.books.cover.make_thumbnail`."""

    @classmethod
    def of(cls, session: Session, cover_keys: Collection[str]) -> Mapping[str, bytes]:
        """By the keys of their covers, those that there are."""
        if not cover_keys:
            return {}
        found = session.execute(sa.select(cls.cover_key, cls.content).where(cls.cover_key.in_(cover_keys)))
        return {row.cover_key: row.content for row in found}

    @classmethod
    def keep(cls, session: Session, cover_key: str, content: bytes) -> None:
        """The same cover is the same picture: what is there already stays."""
        statement = _keep(insert_for(session))
        session.execute(statement, {"cover_key": cover_key, "content": content})

    @classmethod
    def forget(cls, session: Session, cover_keys: Collection[str]) -> None:
        session.execute(sa.delete(cls).where(cls.cover_key.in_(cover_keys)))


@cache
def _keep(insert: Insert) -> sa.Insert:
    """Asked for each book: a statement that is made once costs a quarter of one that is made anew."""
    return insert(Thumbnail.metadata.tables[Thumbnail.__tablename__]).on_conflict_do_nothing()
