"""A row in every table, made from the tables' own descriptions: for tests that are to hold for tables to come."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.db import Base
from core.models.belongings import USER
from core.models.shelf import Shelf
from tests.factories.rows import NOW

KEPT_BY_TRIGGERS = {Shelf.__tablename__}


def fill_every_table(session: Session, user_id: int, *, mark: str, number: int) -> dict[str, dict[str, Any]]:
    """Table -> its new row. Rows that are about the user have `mark` in every text; others have it in none.

    `number` makes rows of several users differ.
    """
    made: dict[str, dict[str, Any]] = {}
    for table in Base.metadata.sorted_tables:
        if table is USER or table.name in KEPT_BY_TRIGGERS:
            continue
        is_theirs = any(_parent(column) in (USER, *_theirs(made)) for column in table.columns)
        text = mark if is_theirs else f"nobody's {number}"
        row = {column.name: _value(column, made, user_id=user_id, text=text, number=number) for column in table.columns}
        session.execute(sa.insert(table), row)
        made[table.name] = row | {"?theirs": is_theirs}
    session.flush()
    return made


def _theirs(made: dict[str, dict[str, Any]]) -> list[sa.Table]:
    return [Base.metadata.tables[name] for name, row in made.items() if row["?theirs"]]


def _parent(column: sa.Column[Any]) -> sa.Table | None:
    """The table whose rows take those of this column along."""
    keys = [key for key in column.foreign_keys if key.ondelete == "CASCADE" or key.column.table is USER]
    parent = keys[0].column.table if keys else None
    return parent if isinstance(parent, sa.Table) else None


def _value(column: sa.Column[Any], made: dict[str, dict[str, Any]], *, user_id: int, text: str, number: int) -> Any:
    for key in column.foreign_keys:
        if key.column.table is USER:
            return user_id
        parent = made.get(key.column.table.name)
        return parent[key.column.name] if parent is not None else None
    kind = column.type.impl if isinstance(column.type, sa.types.TypeDecorator) else column.type
    match kind:
        case sa.Enum():
            return next(iter(kind.python_type), None) if kind.enum_class else kind.enums[0]
        case sa.String():
            return f"{text} {column.table.name} {column.name} {number}"[: kind.length or 500]
        case sa.Boolean():
            return False
        case sa.Integer() | sa.BigInteger():
            return 1000 + number
        case sa.Float():
            return 1.0
        case sa.LargeBinary():
            return text.encode()
        case sa.DateTime():
            return NOW
        case sa.Date():
            return date(2026, 11, 23)
        case sa.JSON():
            return [text]
    raise NotImplementedError(f"{column}: {kind!r}")  # a kind of column that no table has had yet: say what it holds


def everything_kept(session: Session) -> str:
    """Every value of every row of every table, as one text."""
    texts = []
    for table in Base.metadata.sorted_tables:
        for row in session.execute(sa.select(table)):
            texts += [f"{table.name}: {value!r}" for value in row if not isinstance(value, datetime)]
    return "\n".join(texts)
