"""Which rows are about a person, read off the tables themselves: a table that comes later is in it without being named.

A row is a person's if a column of it refers to their row in `user`, and so are the rows that refer to one of those and
go with it. Whoever makes a table whose rows only mention a person gives it no such reference.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.db import Base
from core.models.user import User
from core.staging import BlobKind

USER = User.metadata.tables[User.__tablename__]
SECRETS = frozenset(("secret_hash", "token_hash"))
"""Columns that are nobody's to have, not even as hashes."""


def columns_naming_users() -> Iterator[sa.Column[Any]]:
    """The columns of other tables that refer to a user, in an order in which their rows can be deleted."""
    for table in reversed(Base.metadata.sorted_tables):
        if table is not USER:
            yield from (column for column in table.columns if _refers_to(column, USER))


def rows_about(session: Session, user_id: int) -> dict[str, list[dict[str, Any]]]:
    """Table -> rows that are about a person, as JSON values; of bytes only how many they are."""
    found: dict[str, list[dict[str, Any]]] = {"user": list(_rows(session, USER, USER.c.id == user_id))}
    for table, mine in _belongings(user_id).items():
        if rows := list(_rows(session, table, mine)):
            found[table.name] = rows
    return found


def blobs_of(session: Session, user_id: int) -> set[str]:
    """The keys of all blobs that rows about a person name, whoever else needs them too."""
    kinds = tuple(f"{kind}/" for kind in BlobKind)
    keys: set[str] = set()
    for table, mine in _belongings(user_id).items():
        for column in table.columns:
            if column.name.endswith("_key"):
                named = session.scalars(sa.select(column).where(mine, column.is_not(None)).distinct())
                keys |= {str(key) for key in named}
            elif column.name == "keys":
                keys |= {key for row in session.scalars(sa.select(column).where(mine)) for key in row}
    return {key for key in keys if key.startswith(kinds)}


def _belongings(user_id: int) -> dict[sa.Table, sa.ColumnElement[bool]]:
    """Table -> which of its rows are about a person."""
    owned: dict[sa.Table, sa.ColumnElement[bool]] = {}
    for column in columns_naming_users():
        table = column.table
        assert isinstance(table, sa.Table)
        owned[table] = owned.get(table, sa.false()) | (column == user_id)
    for table in Base.metadata.sorted_tables:
        if table not in owned and (mine := _belongs_to(table, owned)) is not None:
            owned[table] = mine
    return owned


def _belongs_to(table: sa.Table, owned: dict[sa.Table, sa.ColumnElement[bool]]) -> sa.ColumnElement[bool] | None:
    """The rows of a table that go with a person's row in another one (`ON DELETE CASCADE`)."""
    for key in table.foreign_keys:
        parent = key.column.table
        if isinstance(parent, sa.Table) and key.ondelete == "CASCADE" and parent in owned:
            return key.parent.in_(sa.select(key.column).where(owned[parent]))
    return None


def _rows(session: Session, table: sa.Table, mine: sa.ColumnElement[bool]) -> Iterator[dict[str, Any]]:
    query = sa.select(table).where(mine).order_by(*table.primary_key)
    for row in session.execute(query, execution_options={"yield_per": 1000}):
        yield {name: _plain(value) for name, value in row._mapping.items() if name not in SECRETS}


def _plain(value: Any) -> Any:
    match value:
        case bytes():
            return f"({len(value)} bytes)"
        case None | bool() | int() | float() | list() | dict():
            return value
        case _ if hasattr(value, "isoformat"):
            return value.isoformat()
        case _:
            return str(value)


def _refers_to(column: sa.Column[Any], table: sa.Table) -> bool:
    return any(key.column.table is table for key in column.foreign_keys)
