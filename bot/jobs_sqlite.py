"""Procrastinate's storage in the SQLite file that holds our rows: a connector that answers its named queries.

Only the storage is ours. The worker's loop, retries, locks, heartbeats, periodic jobs and middleware are
Procrastinate's own, and do here what they do on PostgreSQL; one contract suite holds both to it.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from procrastinate import exceptions
from procrastinate.connector import BaseAsyncConnector, Notify, Pool
from procrastinate.manager import QUEUEING_LOCK_CONSTRAINT
from procrastinate.types import JobToDefer

from bot.jobs_queries import NAMES, QUERIES
from bot.jobs_sqlite_queries import (
    FORGET_EARLIER_PERIODIC,
    IF_NOTHING,
    INSERT_JOB,
    IS_WORK_DUE,
    MAY_BE_LOST,
    MUST_HIT,
    NOTE_PERIODIC,
    READS,
    SCHEMA,
    WRITES,
)
from core.db import BUSY_TIMEOUT_MS, driver_transaction

Row = dict[str, Any]

ANSWERED_VERSION = "3.10."
"""The queries are internal to Procrastinate: the ones that are answered here are this minor version's."""


def create_schema(connection: sa.Connection) -> None:
    """Make the tables that are not there yet, in the caller's transaction."""
    for statement in SCHEMA.split(";\n"):
        connection.exec_driver_sql(statement)


def check_answers(queries: dict[str, Any] = QUERIES, *, version: str | None = None) -> None:
    """Raise `RuntimeError` unless every query of this Procrastinate is answered here, parameter by parameter."""
    version = version or importlib.metadata.version("procrastinate")
    if not version.startswith(ANSWERED_VERSION):
        raise RuntimeError(f"procrastinate {version} is not {ANSWERED_VERSION}*: its queries may have changed")
    answers = {name: " ".join(statements) for name, statements in WRITES.items()} | READS | _CODED_ANSWERS
    for name, theirs in queries.items():
        if name not in answers:
            raise RuntimeError(f"procrastinate {version} asks {name!r}, which bot/jobs_sqlite.py does not answer")
        asked = set(re.findall(r"%\((\w+)\)s", theirs))
        answered = set(re.findall(r":(\w+)", answers[name])) - {"now"}
        if asked != answered:
            raise RuntimeError(f"procrastinate {version} asks {name!r} with {asked}, the answer knows {answered}")


_CODED_ANSWERS = {
    "listen_queue": "",  # `listen_notify`
    "defer_jobs": ":jobs",
    "defer_periodic_job": (":queue :lock :queueing_lock :task_name :priority :periodic_id :defer_timestamp :args"),
}
"""Queries that are answered by a function below, with the parameters that it takes."""


def _instant(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


_DECODERS: dict[str, Callable[[Any], Any]] = {
    "args": json.loads,
    "stats": json.loads,
    "abort_requested": bool,
    "scheduled_at": _instant,
    "deferred_at": _instant,
    "started_at": _instant,
    "changed_at": _instant,
    "due_at": _instant,
}


def _decoded(cursor: sqlite3.Cursor, values: tuple[Any, ...]) -> Row:
    names = (column[0] for column in cursor.description)
    return {
        name: decode(value) if (decode := _DECODERS.get(name)) else value
        for name, value in zip(names, values, strict=True)
    }


def _encoded(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, str) or not isinstance(value, Iterable):
        return value
    return json.dumps(list(value))


def _rows(connection: sqlite3.Connection, statement: str, arguments: dict[str, Any]) -> list[Row]:
    cursor = connection.cursor()
    cursor.row_factory = _decoded
    rows: list[Row] = cursor.execute(statement, arguments).fetchall()
    return rows


def _answer(connection: sqlite3.Connection, name: str, arguments: dict[str, Any], *, now: float) -> list[Row]:
    """The rows that Procrastinate's query `name` returns. Raises `ConnectorException` where PostgreSQL would."""
    if name == "defer_jobs":
        return [{"id": insert(connection, job, now=now)} for job in arguments["jobs"]]
    if name == "defer_periodic_job":
        return _defer_periodic_job(connection, arguments, now=now)
    encoded = {key: _encoded(value) for key, value in arguments.items()} | {"now": now}
    for statement in WRITES.get(name) or (READS[name],):
        if rows := _rows(connection, statement, encoded):
            return rows
    if name in MUST_HIT:
        raise exceptions.ConnectorException(
            f"{name}: job {arguments['job_id']} is not there, or not in a status for it"
        )
    return list(IF_NOTHING.get(name, []))


def insert(connection: sqlite3.Connection, job: JobToDefer, *, now: float) -> int | None:
    """Defer a job in the caller's transaction; its id. Raises `UniqueViolation` where its queueing lock is taken."""
    scheduled_at = None if job.scheduled_at is None else job.scheduled_at.timestamp()
    # One prepared statement for all, which sqlite3 keeps: 43 us a job. executemany takes 38 and does not tell the ids.
    row = (job.queue_name, job.task_name, job.priority, job.lock, job.queueing_lock, json.dumps(job.args))
    try:
        return connection.execute(INSERT_JOB, (*row, scheduled_at, now, now)).lastrowid
    except sqlite3.IntegrityError as error:
        raise _unique_violation(error, queueing_lock=job.queueing_lock) from error


def _defer_periodic_job(connection: sqlite3.Connection, tick: dict[str, Any], *, now: float) -> list[Row]:
    """Once for each tick of a periodic task, however many workers ask."""
    key = {name: tick[name] for name in ("task_name", "periodic_id", "defer_timestamp")}
    if not _rows(connection, NOTE_PERIODIC, key):
        return [{"id": None}]
    _rows(connection, FORGET_EARLIER_PERIODIC, key)
    job = JobToDefer(
        queue_name=tick["queue"],
        task_name=tick["task_name"],
        priority=tick["priority"],
        lock=tick["lock"],
        queueing_lock=tick["queueing_lock"],
        args=tick["args"],
        scheduled_at=None,
    )
    return [{"id": insert(connection, job, now=now)}]


def _unique_violation(error: sqlite3.IntegrityError, *, queueing_lock: str | None) -> exceptions.UniqueViolation:
    constraint = QUEUEING_LOCK_CONSTRAINT if "procrastinate_jobs.queueing_lock" in str(error) else None
    return exceptions.UniqueViolation(str(error), constraint_name=constraint, queueing_lock=queueing_lock)


@contextmanager
def _connector_errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise _unique_violation(error, queueing_lock=None) from error
    except sqlite3.Error as error:
        raise exceptions.ConnectorException(str(error)) from error


class SqliteConnector(BaseAsyncConnector):
    """Answers Procrastinate's queries from one SQLite file. Safe from any thread; a deferral may join the caller's
    own transaction by its `sqlite3.Connection`.

    What is durable when. All writes of the file go through one write-ahead log, in the order of their commits, and a
    synced commit (`synchronous=FULL`, as all of our own connections have it) syncs the log up to itself. So a commit
    that did not sync is lost only if the power fails before anybody's next synced commit, and then all after it are
    lost too: order is never broken. Two connections, since the level belongs to the connection:

    - *strict*, `FULL`: deferrals, retries, failures, cancellations. They are promises, or the only record.
    - *lax*, `NORMAL`, no sync: the mark "doing", a success, heartbeats. A power cut turns a "doing" or a deleted job
      into one that runs again, which every job must bear in any case, and which finds in its ledger (synced by the
      task's own commit before) that there is nothing left to do. `kill -9` loses neither: the log is the kernel's.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Callable[[], datetime],
        turn: AbstractContextManager[None] | None = None,
    ) -> None:
        check_answers()
        self._path = path
        self._clock = clock
        self._turn = turn if turn is not None else nullcontext()
        self._thread: ThreadPoolExecutor | None = None
        self._strict: sqlite3.Connection
        self._lax: sqlite3.Connection

    def get_sync_connector(self) -> SqliteConnector:
        return self

    def open(self, pool: Pool | None = None) -> None:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "jobs-sqlite")
            self._thread.submit(self._connect).result()

    def close(self) -> None:
        if self._thread is not None:
            self._thread.submit(self._disconnect).result()
            self._thread.shutdown()
            self._thread = None

    async def open_async(self, pool: Pool | None = None) -> None:
        await asyncio.to_thread(self.open, pool)

    async def close_async(self) -> None:
        await asyncio.to_thread(self.close)

    def _connect(self) -> None:
        self._strict = self._connection("FULL")
        self._lax = self._connection("NORMAL")

    def _connection(self, synchronous: str) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, timeout=BUSY_TIMEOUT_MS / 1000)
        for pragma in ("journal_mode=WAL", f"synchronous={synchronous}", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}").close()
        return connection

    def _disconnect(self) -> None:
        self._lax.close()
        self._strict.close()

    def _in_own_transaction(self, name: str, arguments: dict[str, Any]) -> list[Row]:
        now = self._clock().timestamp()
        with _connector_errors():
            if name in READS:
                return _answer(self._lax, name, arguments, now=now)
            if name == "fetch_job" and not self._is_work_due(arguments["queues"], now=now):
                return list(IF_NOTHING[name])  # Most fetches end here, and never ask for the write lock.
            may_be_lost = name in MAY_BE_LOST or (name == "finish_job" and arguments["delete_job"])
            connection = self._lax if may_be_lost else self._strict
            with self._turn, driver_transaction(connection):
                return _answer(connection, name, arguments, now=now)

    def _is_work_due(self, queues: Iterable[str] | None, *, now: float) -> bool:
        return self._lax.execute(IS_WORK_DUE, {"queues": _encoded(queues), "now": now}).fetchone() is not None

    def _submit(self, query: str, arguments: dict[str, Any]) -> Future[list[Row]]:
        if self._thread is None:
            raise exceptions.AppNotOpen
        return self._thread.submit(self._in_own_transaction, NAMES[query], arguments)

    def execute_query_all(self, query: str, **arguments: Any) -> list[Row]:
        return self._submit(query, arguments).result()

    def execute_query_one(self, query: str, **arguments: Any) -> Row:
        return _first(self.execute_query_all(query, **arguments))

    def execute_query(self, query: str, **arguments: Any) -> None:
        self.execute_query_all(query, **arguments)

    async def execute_query_all_async(self, query: str, **arguments: Any) -> list[Row]:
        return await asyncio.wrap_future(self._submit(query, arguments))

    async def execute_query_one_async(self, query: str, **arguments: Any) -> Row:
        return _first(await asyncio.wrap_future(self._submit(query, arguments)))

    async def execute_query_async(self, query: str, **arguments: Any) -> None:
        await asyncio.wrap_future(self._submit(query, arguments))

    def execute_query_all_with_connection(
        self, connection: sqlite3.Connection, query: str, **arguments: Any
    ) -> list[Row]:
        """In the caller's transaction: durable, and seen by the worker, when the caller commits.

        As on PostgreSQL, a caller who means to go on after an error puts a savepoint before.
        """
        if not connection.in_transaction:
            raise exceptions.ConnectorException("there is no transaction to join on this connection")
        with _connector_errors():
            return _answer(connection, NAMES[query], arguments, now=self._clock().timestamp())

    def execute_query_one_with_connection(self, connection: sqlite3.Connection, query: str, **arguments: Any) -> Row:
        return _first(self.execute_query_all_with_connection(connection, query, **arguments))

    async def execute_query_all_async_with_connection(
        self, connection: sqlite3.Connection, query: str, **arguments: Any
    ) -> list[Row]:
        return self.execute_query_all_with_connection(connection, query, **arguments)

    async def execute_query_one_async_with_connection(
        self, connection: sqlite3.Connection, query: str, **arguments: Any
    ) -> Row:
        return self.execute_query_one_with_connection(connection, query, **arguments)

    async def listen_notify(self, on_notification: Notify, channels: Iterable[str]) -> None:
        """Nobody writes to the file but this process and its command line: see `bot/jobs_wake.py` for the first, the
        worker's poll finds what the second did."""
        await asyncio.Event().wait()


def _first(rows: list[Row]) -> Row:
    if not rows:
        raise exceptions.NoResult
    return rows[0]
