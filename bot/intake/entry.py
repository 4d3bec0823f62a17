"""The commit of accepted mails: their rows, and their jobs with them, in one transaction of either database."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache, partial
from operator import itemgetter
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from bot.jobs import JobEngine
from core.db import Insert, insert_for
from core.jobs import Job, process_mail
from core.models import Inbound

Row = dict[str, Any]
"""The columns of `Inbound` that an intake knows, by name."""

Enter = Callable[[list[Row]], list[str]]
"""Commits the mails, and returns the reference that stands for each: its own, or that of its copy that came before.

Blocks. Raises `Unavailable` where the database is; whatever it raises, nothing was committed.
"""


def enter_into(engine: JobEngine) -> Enter:
    return partial(_into_sqlite if engine.is_embedded else _into_postgresql, engine)


def _jobs(rows: list[Row], standing: Iterable[tuple[int, str]]) -> list[Job]:
    """One for each mail that is new."""
    return [
        process_mail(inbound_id, order_key=row["mail_from"].lower() or row["mail_key"])
        for row, (inbound_id, reference) in zip(rows, standing, strict=True)
        if reference == row["reference"]
    ]


_TABLE = Inbound.metadata.tables[Inbound.__tablename__]


def _into_postgresql(engine: JobEngine, rows: list[Row]) -> list[str]:
    with engine.work() as work:
        connection = work.session.connection()
        connection.execute(_insert_mail(insert_for(work.session)), [row | {"received_at": work.now} for row in rows])
        found = connection.execute(_STANDING, {"keys": [row["dedupe_key"] for row in rows]})
        by_key = {key: (inbound_id, reference) for inbound_id, reference, key in found}
        standing = [by_key[row["dedupe_key"]] for row in rows]
        for job in _jobs(rows, standing):
            work.defer(job)
    return [reference for _, reference in standing]


@cache
def _insert_mail(insert: Insert) -> sa.Insert:
    return insert(_TABLE).on_conflict_do_nothing(index_elements=["dedupe_key"])


_STANDING = sa.select(_TABLE.c.id, _TABLE.c.reference, _TABLE.c.dedupe_key).where(
    _TABLE.c.dedupe_key.in_(sa.bindparam("keys", expanding=True))
)


def _into_sqlite(engine: JobEngine, rows: list[Row]) -> list[str]:
    """On the driver itself: SQLAlchemy would take longer over a lone mail than all else together."""
    standing: list[tuple[int, str]] = []
    with engine.driver_work() as work:
        for row in rows:
            given = row | {"received_at": work.now}
            for name, bind in _BOUND:
                given[name] = bind(given[name])
            inserted = work.driver.execute(_INSERT_SQLITE, (*_in_order(given), *_DEFAULTS))
            if inserted.rowcount:  # RETURNING would have SQLite keep what it changes, to undo it
                standing.append((cast(int, inserted.lastrowid), row["reference"]))
            else:
                standing += work.driver.execute(_STANDING_SQLITE, (row["dedupe_key"],))
        work.jobs.extend(_jobs(rows, standing))
    return [reference for _, reference in standing]


def _bound(column: sa.Column[Any]) -> Callable[[Any], Any] | None:
    """Makes of a value what SQLAlchemy would tell the driver of SQLite; None where that is the value itself."""
    return column.type.dialect_impl(_SQLITE).bind_processor(_SQLITE)


_SQLITE = sqlite.dialect()
_GIVEN_NAMES = (
    "reference",
    "dedupe_key",
    "mail_key",
    "intake",
    "peer_ip",
    "helo",
    "auth_user",
    "tls",
    "mailbox",
    "mail_from",
    "rcpt_tos",
    "size_bytes",
    "raw",
    "raw_key",
    "received_at",
)
_in_order = itemgetter(*_GIVEN_NAMES)
_BOUND = [(name, bind) for name in _GIVEN_NAMES if (bind := _bound(_TABLE.c[name])) is not None]
_WITH_DEFAULT = [column for column in _TABLE.columns if column.default is not None and column.name not in _GIVEN_NAMES]
_DEFAULTS = [
    default if (bind := _bound(column)) is None else bind(default)
    for column in _WITH_DEFAULT
    for default in [getattr(column.default, "arg", None)]
]
_NAMES = [*_GIVEN_NAMES, *(column.name for column in _WITH_DEFAULT)]
_INSERT_SQLITE = f"""
INSERT INTO {_TABLE.name} ({", ".join(_NAMES)}) VALUES ({", ".join("?" * len(_NAMES))})
ON CONFLICT (dedupe_key) DO NOTHING
"""
_STANDING_SQLITE = f"SELECT id, reference FROM {_TABLE.name} WHERE dedupe_key = ?"
