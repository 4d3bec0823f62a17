"""Table `tag`: the tags of books as rows, so that a shelf is found without a look at every book.

A shelf is a tag: what stands in `book.tags` is what is true, and these rows follow it (`Tag.keep`). A file's own
subjects are tags too, so that a library of many files has many shelves that nobody made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base
from core.news.canonical import fold

LONGEST_TAG = 100  # characters
BATCH = 1000  # rows of a statement


class Tag(Base):
    """One tag of one book. A removed book keeps its tags: who asks for a shelf asks for what is in the library."""

    __tablename__ = "tag"
    __table_args__ = (sa.Index("ix_tag_book_id", "book_id"), {"sqlite_with_rowid": False})

    user_id: Mapped[int] = mapped_column(
        sa.ForeignKey("user.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    key: Mapped[str] = mapped_column(sa.String(2 * LONGEST_TAG), primary_key=True)
    """The name without case and accents."""
    book_id: Mapped[int] = mapped_column(
        sa.ForeignKey("book.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    name: Mapped[str] = mapped_column(sa.String(LONGEST_TAG))

    @classmethod
    def keep(cls, session: Session, *, user_id: int, book_id: int, tags: Iterable[str]) -> None:
        """Have the rows of a book be those of its tags."""
        session.execute(_FORGET, {"of_book": book_id})
        cls.add(session, user_id=user_id, book_id=book_id, tags=tags)

    @classmethod
    def add(cls, session: Session, *, user_id: int, book_id: int, tags: Iterable[str]) -> None:
        """`keep`, for a book that has none."""
        if rows := list(_rows(user_id, book_id, tags)):
            session.execute(_INSERT, rows)


# Asked for each book: a statement that is made once costs a quarter of one that is made anew.
_TABLE = Tag.metadata.tables[Tag.__tablename__]
_FORGET = sa.delete(_TABLE).where(_TABLE.c.book_id == sa.bindparam("of_book"))
_INSERT = sa.insert(_TABLE)


def key_of(name: str) -> str:
    """How a shelf's name is compared."""
    return fold(name)[: 2 * LONGEST_TAG]


def _rows(user_id: int, book_id: int, tags: Iterable[str]) -> Iterator[dict[str, Any]]:
    names = {key_of(name): name[:LONGEST_TAG] for name in tags if name.strip()}
    for key, name in names.items():
        yield {"user_id": user_id, "key": key, "book_id": book_id, "name": name}


def fill(connection: sa.Connection) -> None:
    """The rows of all books, into an empty table: for the migration that made it."""
    books = sa.table("book", sa.column("id"), sa.column("user_id"), sa.column("tags", sa.JSON()))
    rows: list[dict[str, Any]] = []
    for book_id, user_id, tags in connection.execute(sa.select(books.c.id, books.c.user_id, books.c.tags)):
        rows += _rows(user_id, book_id, tags or ())
        if len(rows) >= BATCH:
            connection.execute(sa.insert(_TABLE), rows)
            rows = []
    if rows:
        connection.execute(sa.insert(_TABLE), rows)
