"""Units of work: where transactions are opened and closed, and where a database's errors get their meaning."""

from __future__ import annotations

import asyncio
import contextvars
import sqlite3
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import psycopg
import sqlalchemy as sa
from procrastinate.exceptions import ConnectorException
from sqlalchemy.orm import Session

from bot.locks import WriterTurn
from core.db import BUSY_TIMEOUT_MS
from core.errors import Unavailable
from core.events import EventBus
from core.jobs import Job, queues_of
from core.limits import DEFAULT_LIMITS, UserLimits
from core.work import Work

T = TypeVar("T")

CONTENTION_PAUSES_SECONDS = (0.05, 0.25)  # between three attempts
MAX_GROUP = 8  # units of work that share a commit; a unit takes some ms, and the intake waits for the whole group
POSTGRES_THREADS = 8  # as many transactions at once from one loop; SQLAlchemy's pool holds 5 + 10 connections

_SQLITE_CONTENTION = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_SQLITE_OUTAGES = {
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_NOTADB,
}
# https://www.postgresql.org/docs/current/errcodes-appendix.html: serialization failure, deadlock, lock not available.
_POSTGRES_CONTENTION = {"40001", "40P01", "55P03"}


class Contended(Unavailable):
    """Two transactions stood in each other's way; the same work may well pass when it is run again."""


def outage(error: BaseException) -> Unavailable | None:
    """What to tell callers of this error of a database, or None if it is a bug of ours."""
    match error:
        case sa.exc.TimeoutError():
            return Unavailable("every connection to the database is in use")
        case sa.exc.DBAPIError(orig=BaseException() as orig):
            return outage(orig)
        case ConnectorException(__cause__=BaseException() as cause):
            return outage(cause)
        case sqlite3.Error():
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # the rest is the extended code
            if code in _SQLITE_CONTENTION:
                return Contended(str(error))
            return Unavailable(str(error)) if code in _SQLITE_OUTAGES else None
        case psycopg.Error(sqlstate=state) if state in _POSTGRES_CONTENTION:
            return Contended(str(error))
        case psycopg.OperationalError() | psycopg.InterfaceError():
            return Unavailable(str(error))
    return None


def is_transient(error: Exception) -> bool:
    return outage(error) is not None


@contextmanager
def outages() -> Iterator[None]:
    """Turns a database's contention and outages into `Unavailable`; bugs pass as they are."""
    try:
        yield
    except (sa.exc.SQLAlchemyError, ConnectorException, sqlite3.Error, psycopg.Error) as error:
        if (unavailable := outage(error)) is None:
            raise
        raise unavailable from error


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    """An act that waits for the writing thread, with the log's references of whoever asked for it."""

    act: Callable[[Work], Any]
    context: contextvars.Context = field(default_factory=contextvars.copy_context)
    outcome: Future[Any] = field(default_factory=Future)


@dataclass(frozen=True, slots=True)
class _Done:
    """What an act came to, before the commit."""

    result: Any = None
    error: Exception | None = None
    jobs: Sequence[Job] = ()


class Transactions(ABC):
    """Opens units of work on a database. A subclass says how the jobs of one join its transaction."""

    def __init__(
        self, db: sa.Engine, *, clock: Callable[[], datetime], bus: EventBus, limits: UserLimits = DEFAULT_LIMITS
    ) -> None:
        self.db = db
        self._reading = db.execution_options(read_only=True)
        self.is_embedded = db.dialect.name == "sqlite"
        self._clock = clock
        self._bus = bus
        self._user_limits = limits
        self._turn: AbstractContextManager[None] = (
            WriterTurn(BUSY_TIMEOUT_MS / 1000) if self.is_embedded else nullcontext()
        )
        # SQLite has one writer at a time: more threads would only wait for it, and for the interpreter's lock.
        self._threads = ThreadPoolExecutor(1 if self.is_embedded else POSTGRES_THREADS, "work")
        self._waiting: deque[_Waiting] = deque()

    @abstractmethod
    def _join(self, work: Work) -> None:
        """Defer the jobs of `work` in its transaction."""

    @abstractmethod
    def wake(self, queues: Collection[str] | None = None) -> None:
        """Have the workers look for jobs, in these queues if they are known. Safe from any thread."""

    @contextmanager
    def work(self) -> Iterator[Work]:
        """One transaction: rows, events and jobs together, committed at the end of the block, rolled back by an error.

        Blocks: for threads, not for the event loop. Not to be nested. Raises `Unavailable` where the database is, or
        is too busy; then nothing was done.
        """
        with outages(), self._turn, Session(self.db, expire_on_commit=False) as session, session.begin():
            work = Work(session, self._clock(), self._bus, limits=self._user_limits)
            yield work
            if work.jobs:
                self._join(work)
        if work.jobs:
            self.wake(queues_of(work.jobs))

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session for looking only: it waits for no writer, sees one moment, and what it writes is rolled back."""
        with outages(), Session(self._reading, expire_on_commit=False) as session:
            yield session

    async def in_work(self, act: Callable[[Work], T]) -> T:
        """`act` in a unit of work in a thread; again, from its start, if another transaction was in the way.

        Once begun it runs to its commit, also if the caller is cancelled. Raises what `act` and `work` raise. On SQLite
        those that wait for the writer share a commit, each in a SAVEPOINT: what one raises undoes that one alone.
        """

        for pause_seconds in CONTENTION_PAUSES_SECONDS:
            try:
                return await self._in_thread(act)
            except Contended:
                await asyncio.sleep(pause_seconds)
        return await self._in_thread(act)

    async def in_read(self, ask: Callable[[Session], T]) -> T:
        """`ask` with a reading session, in a thread of its own, so that a long look keeps no writer waiting."""

        def run() -> T:
            with self.read() as session:
                return ask(session)

        return await asyncio.to_thread(run)

    @asynccontextmanager
    async def alone(self, turn: int) -> AsyncIterator[bool]:
        """Whether this process alone, of all on the database, is in a block of this `turn`; nobody waits for it.

        On SQLite there is only this process. Raises `Unavailable`.
        """
        if self.is_embedded:
            yield True
            return
        with outages():
            connection = await asyncio.to_thread(self._connect_outside)
        try:
            with outages():
                mine = await asyncio.to_thread(connection.scalar, sa.select(sa.func.pg_try_advisory_lock(turn)))
            yield bool(mine)
        finally:
            # Closed and not given back: a lock of the session goes with its connection, whatever state that is in.
            await asyncio.to_thread(connection.invalidate)
            await asyncio.to_thread(connection.close)

    def _connect_outside(self) -> sa.Connection:
        return self.db.connect().execution_options(isolation_level="AUTOCOMMIT")

    async def _in_thread(self, act: Callable[[Work], T]) -> T:
        waiting = _Waiting(act)
        self._waiting.append(waiting)
        self._threads.submit(self._commit_what_waits)
        result: T = await asyncio.wrap_future(waiting.outcome)
        return result

    def _commit_what_waits(self) -> None:
        """One group, or nothing where an earlier call has taken along what this one was submitted for."""
        group: list[_Waiting] = []
        while self._waiting and len(group) < (MAX_GROUP if self.is_embedded else 1):
            try:
                waiting = self._waiting.popleft()
            except IndexError:  # another thread was quicker
                break
            if waiting.outcome.set_running_or_notify_cancel():
                group.append(waiting)
        if len(group) == 1:
            self._commit_alone(group[0])
        elif group:
            self._commit_together(group)

    def _commit_alone(self, waiting: _Waiting) -> None:
        try:
            with self.work() as work:
                result = waiting.context.run(waiting.act, work)
        except BaseException as error:  # noqa: BLE001 - the end of a unit of work: whoever asked for it is told
            waiting.outcome.set_exception(error)
        else:
            waiting.outcome.set_result(result)

    def _commit_together(self, group: Sequence[_Waiting]) -> None:
        """A group that fails as a whole is tried one by one, unless the database is away."""
        try:
            with outages(), self._turn, self.db.begin() as connection:
                done = [self._in_savepoint(connection, waiting) for waiting in group]
        except Unavailable as error:
            for waiting in group:
                waiting.outcome.set_exception(error)
        except BaseException:  # noqa: BLE001 - the end of a group: nothing of it stands, and each is told of its own end
            for waiting in group:
                self._commit_alone(waiting)
        else:
            if jobs := [job for one in done for job in one.jobs]:
                self.wake(queues_of(jobs))
            for waiting, one in zip(group, done, strict=True):
                if one.error is None:
                    waiting.outcome.set_result(one.result)
                else:
                    waiting.outcome.set_exception(one.error)

    def _in_savepoint(self, connection: sa.Connection, waiting: _Waiting) -> _Done:
        try:
            with (
                outages(),
                Session(connection, expire_on_commit=False, join_transaction_mode="create_savepoint") as session,
                session.begin(),
            ):
                work = Work(session, self._clock(), self._bus, limits=self._user_limits)
                result = waiting.context.run(waiting.act, work)
                if work.jobs:
                    self._join(work)
        except Exception as error:  # the end of a unit of work: whoever asked for it is told
            driver = connection.connection.driver_connection
            if driver is None or not driver.in_transaction:  # a full disk had SQLite roll back all of the group
                raise
            return _Done(error=error)
        return _Done(result, jobs=work.jobs)
