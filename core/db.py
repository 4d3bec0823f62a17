"""The database: SQLAlchemy 2 over SQLite or PostgreSQL, opened so that a commit means what DESIGN.md says."""

from __future__ import annotations

import enum
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import URL, Dialect, make_url
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator

BUSY_TIMEOUT_MS = 30_000  # a writer waits for the other one; intake and worker share the process, so waits are short


class UtcDateTime(TypeDecorator[datetime]):
    """Aware in, aware out, UTC in the row. A naive datetime is a bug and raises."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("naive datetime: the clock is an argument, and it is UTC")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Declarative base; naming conventions make constraint names the same in Alembic on both databases."""

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own protocol
        datetime: UtcDateTime(),
        enum.StrEnum: sa.Enum(
            enum.StrEnum, native_enum=False, length=20, values_callable=lambda kind: [m.value for m in kind]
        ),
        int: sa.BigInteger().with_variant(sa.Integer(), "sqlite"),  # only INTEGER is SQLite's row id
        dict[str, Any]: sa.JSON(),
        list[str]: sa.JSON(),
        list[int]: sa.JSON(),
    }


def partial_index(name: str, *columns: str, where: str, unique: bool = False) -> sa.Index:
    """An index over some rows. A query has to repeat `where` literally, or it is not used."""
    return sa.Index(name, *columns, unique=unique, sqlite_where=sa.text(where), info={"where": where})


@sa.event.listens_for(sa.Index, "before_create")
def _make_partial(index: sa.Index, connection: sa.Connection, **_: Any) -> None:
    # Not when it is declared: that loads the dialect, 2 MB of modules that a service on SQLite does without.
    if connection.dialect.name == "postgresql" and "where" in index.info:
        index.dialect_options["postgresql"]["where"] = sa.text(index.info["where"])


Insert = Callable[[Any], sqlite.Insert]
"""`sqlalchemy.insert` of a database that knows ON CONFLICT; the two that we have write it in the same way."""


def insert_for(session: Session) -> Insert:
    """The same function for all sessions on the same database."""
    if session.get_bind().dialect.name == "sqlite":
        return sqlite.insert
    from sqlalchemy.dialects import postgresql  # only here: see `_make_partial`

    return cast(Insert, postgresql.insert)


def wait_for_turn(session: Session, turn: int) -> None:
    """Let one transaction at a time go on from here, of all that name the same `turn`; it is kept until the commit.

    For a decision over many rows, which no lock of a row can guard. SQLite's writers have their turns anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(sa.select(sa.func.pg_advisory_xact_lock(turn)))


def create_engine(url: str | URL) -> sa.Engine:
    """An engine whose SQLite connections begin explicitly and wait for locks.

    pysqlite's own transaction handling lets a released SAVEPOINT outlive the outer rollback, so it is switched off
    (isolation_level None) and BEGIN is emitted here: IMMEDIATE for writers (a transaction that reads first and then
    writes would die at once with "database is locked"), plain for connections marked `read_only`. An error's text
    leaves out the values of its statement: they are people's mails and secrets, and errors are logged.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return sa.create_engine(parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True, hide_parameters=True)
    engine = sa.create_engine(
        parsed,
        connect_args={"timeout": BUSY_TIMEOUT_MS / 1000, "check_same_thread": False},
        hide_parameters=True,
    )
    sa.event.listen(engine, "connect", _prepare_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    sa.event.listen(engine, "handle_error", _leave_old_snapshot)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "journal_mode=WAL",
        "synchronous=FULL",  # 250 is said after a commit, so a commit is on the disk
        "foreign_keys=ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    read_only = connection.get_execution_options().get("read_only", False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def _leave_old_snapshot(context: sa.ExceptionContext) -> None:
    """Have a connection closed on which nothing can be written any more.

    A query that was never read to its end, because a bug broke in and its traceback is still there, keeps the database
    as it was then. The pool would hand that connection out again and again; so what is tried again has another.
    """
    if getattr(context.original_exception, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY_SNAPSHOT:
        context.is_disconnect = True


@contextmanager
def driver_transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """BEGIN IMMEDIATE to COMMIT on SQLite's driver, which is to be in autocommit mode."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite has rolled back by itself where the disk is full
            connection.execute("ROLLBACK")
        raise
