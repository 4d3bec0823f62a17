"""Table `article_key`: by which articles that may be the same story are found."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base

CANDIDATES = 20  # articles that one look-up gives at most: those that share the most keys


class ArticleKey(Base):
    """One key of a text's fingerprint (`core.news.duplicates`): texts without a common one are different stories."""

    __tablename__ = "article_key"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012 - SQLAlchemy's own protocol

    key: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    """Signed, 64 bits."""
    article_id: Mapped[int] = mapped_column(sa.ForeignKey("article.id", ondelete="CASCADE"), primary_key=True)

    @classmethod
    def candidates(cls, session: Session, keys: Sequence[int]) -> list[int]:
        """Ids of the articles that share a key, those with the most of them first, the newest first among equals."""
        return list(session.scalars(_candidates(), {"keys": keys}))


@cache
def _candidates() -> sa.Select[int]:
    """The statement, made once: it is asked for each new article."""
    shared = sa.select(ArticleKey.article_id).where(ArticleKey.key.in_(sa.bindparam("keys", expanding=True)))
    ranked = shared.group_by(ArticleKey.article_id).order_by(sa.func.count().desc(), ArticleKey.article_id.desc())
    return ranked.limit(CANDIDATES)
