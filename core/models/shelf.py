"""Table `shelf`: how many books a user has and how large they are, kept by triggers beside table `book`.

A page of a list says how many pages there are, and to count 100,000 rows for that takes 95 ms. Triggers, and not the
services, since rows of books come and go in several ways (a user's end takes them along), and a count that is wrong is
worse than a slow one. A removed book is not counted.

Who rebuilds table `book` in a migration (SQLite's `batch_alter_table`) takes the triggers away: `drop`, then `create`.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base
from core.models.book import Book

_MORE = (
    "INSERT INTO shelf (user_id, books, size_bytes) SELECT new.user_id, 1, new.size_bytes WHERE new.removed_at IS NULL "
    "ON CONFLICT (user_id) DO UPDATE SET books = shelf.books + 1, size_bytes = shelf.size_bytes + excluded.size_bytes;"
)
_FEWER = (
    "UPDATE shelf SET books = books - 1, size_bytes = size_bytes - old.size_bytes "
    "WHERE user_id = old.user_id AND old.removed_at IS NULL;"
)
_SQLITE: Final = (
    f"CREATE TRIGGER shelf_insert AFTER INSERT ON book BEGIN {_MORE} END",
    f"CREATE TRIGGER shelf_delete AFTER DELETE ON book BEGIN {_FEWER} END",
    f"CREATE TRIGGER shelf_update AFTER UPDATE OF user_id, size_bytes, removed_at ON book BEGIN {_FEWER} {_MORE} END",
)
_SQLITE_DROP: Final = tuple(f"DROP TRIGGER IF EXISTS shelf_{event}" for event in ("insert", "delete", "update"))
_POSTGRES: Final = (
    f"""CREATE FUNCTION shelf_keep() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF TG_OP <> 'INSERT' THEN {_FEWER} END IF;
      IF TG_OP <> 'DELETE' THEN {_MORE} END IF;
      RETURN NULL;
    END $$""",
    "CREATE TRIGGER shelf_insert AFTER INSERT OR DELETE ON book FOR EACH ROW EXECUTE FUNCTION shelf_keep()",
    "CREATE TRIGGER shelf_update AFTER UPDATE OF user_id, size_bytes, removed_at ON book FOR EACH ROW "
    "EXECUTE FUNCTION shelf_keep()",
)
_POSTGRES_DROP: Final = (
    "DROP TRIGGER IF EXISTS shelf_update ON book",
    "DROP TRIGGER IF EXISTS shelf_insert ON book",
    "DROP FUNCTION IF EXISTS shelf_keep()",
)
_FILL: Final = (
    "INSERT INTO shelf (user_id, books, size_bytes) "
    "SELECT user_id, count(*), sum(size_bytes) FROM book WHERE removed_at IS NULL GROUP BY user_id"
)


class Shelf(Base):
    """One user's; there is none before the first book."""

    __tablename__ = "shelf"

    user_id: Mapped[int] = mapped_column(
        sa.ForeignKey("user.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    books: Mapped[int]
    size_bytes: Mapped[int]

    @classmethod
    def totals(cls, session: Session, user_id: int) -> tuple[int, int]:
        """(books, bytes) in a user's library."""
        found = session.execute(_TOTALS, {"user_id": user_id}).one_or_none()
        return (0, 0) if found is None else (found.books, found.size_bytes)


_TABLE = Shelf.metadata.tables["shelf"]
_TOTALS = sa.select(_TABLE.c.books, _TABLE.c.size_bytes).where(_TABLE.c.user_id == sa.bindparam("user_id"))


def create(connection: sa.Connection) -> None:
    """Have an empty table `shelf` filled and kept, in the caller's transaction."""
    connection.exec_driver_sql(_FILL)
    for statement in _SQLITE if connection.dialect.name == "sqlite" else _POSTGRES:
        connection.exec_driver_sql(statement)


def drop(connection: sa.Connection) -> None:
    """Leave the table as it is."""
    for statement in _SQLITE_DROP if connection.dialect.name == "sqlite" else _POSTGRES_DROP:
        connection.exec_driver_sql(statement)


# The triggers come and go with the tables, wherever they are made; the migration makes them in the same words.
_TABLE.add_is_dependent_on(Book.metadata.tables["book"])
sa.event.listen(_TABLE, "after_create", lambda _table, connection, **_: create(connection))
sa.event.listen(_TABLE, "before_drop", lambda _table, connection, **_: drop(connection))
