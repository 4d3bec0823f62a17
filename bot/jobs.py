"""The job engine: Procrastinate on the database that holds our rows, embedded in SQLite or spread over PostgreSQL."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import time
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

import procrastinate
import psycopg
import sqlalchemy as sa
import structlog
from procrastinate import JobContext, exceptions, jobs
from procrastinate.connector import BaseConnector
from procrastinate.job_context import AbortReason
from procrastinate.manager import QUEUEING_LOCK_CONSTRAINT
from procrastinate.schema import SchemaManager
from procrastinate.sync_psycopg_connector import SyncPsycopgConnector
from procrastinate.types import JobToDefer
from psycopg.conninfo import make_conninfo

from bot import jobs_sqlite
from bot.jobs_queries import QUERIES
from bot.jobs_retry import QUICK, Backoff, BackoffStrategy, RetryLater
from bot.jobs_table import JobCount, JobRecord, JobTable
from bot.jobs_wake import Wakeful
from bot.transactions import Transactions, outages
from core.db import driver_transaction
from core.errors import Unavailable
from core.events import EventBus
from core.jobs import Job, queues_of
from core.limits import DEFAULT_LIMITS, UserLimits
from core.work import Work

__all__ = [
    "Backoff",
    "JobCount",
    "JobEngine",
    "JobRecord",
    "JobSettings",
    "RetryLater",
    "create_schema",
    "libpq_conninfo",
]

log = structlog.get_logger(__name__)

TaskFunction = TypeVar("TaskFunction", bound=Callable[..., Awaitable[None]])

MAIL_QUEUES, NEWS_QUEUES = ("inbound", "outbound", "default"), ("news",)  # each has workers of its own
RESTART_SECONDS = 1.0  # between two lives of a worker: a restart of PostgreSQL ends one
FORGET_EVERY_SECONDS = 3600.0
POOL_SIZE = 4  # PostgreSQL connections for the worker's own short queries


@dataclass(frozen=True, slots=True)
class JobSettings:
    """The worker that does the jobs: reading mails, sending them, refreshing feeds."""

    concurrency: int = 10
    """Jobs at once in one process: mails that are read and mails that are sent."""
    news_concurrency: int = 4
    """Further jobs at once that make papers and read pages of the web, so that no mail waits for them."""
    grace_seconds: float = 20.0
    """How long a stop waits for the jobs in hand; what is not done by then runs again at the next start."""
    poll_seconds: float = 1.0
    """How often to look for a retry that has come due; new jobs are told of at once."""
    heartbeat_seconds: float = 10.0
    """How often a worker says that it lives (PostgreSQL)."""
    stalled_seconds: float = 60.0
    """A worker that was silent for so long is taken for dead, and its jobs run again elsewhere (PostgreSQL)."""
    keep_failed_days: float = 30.0
    """How long a job that was given up is kept for the operator to look at and to retry."""


class EmbeddedConnector(Wakeful, jobs_sqlite.SqliteConnector):
    """SQLite, one process."""


class DistributedConnector(Wakeful, procrastinate.PsycopgConnector):
    """PostgreSQL, any number of processes."""


def create_schema(connection: sa.Connection) -> None:
    """Make Procrastinate's tables in the caller's transaction: on PostgreSQL once, on SQLite those that lack."""
    if connection.dialect.name == "sqlite":
        jobs_sqlite.create_schema(connection)
    else:
        # psycopg reads a per cent sign as a placeholder, and the schema's error texts have some.
        connection.exec_driver_sql(SchemaManager.get_schema().replace("%", "%%"))


def libpq_conninfo(url: sa.URL) -> str:
    """libpq's words for one of SQLAlchemy's URLs. Not the URL itself: a space is a "+" in it, which libpq keeps."""
    options: dict[str, Any] = {**url.translate_connect_args(username="user", database="dbname"), **url.query}
    return make_conninfo("", **options)


@dataclass(frozen=True, slots=True)
class DriverWork:
    """A unit of work on SQLite's driver itself. What is appended to `jobs` is deferred with the commit."""

    driver: sqlite3.Connection
    now: datetime
    jobs: list[Job] = field(default_factory=list)


class JobEngine(Transactions):
    """Runs registered tasks for the jobs that units of work leave behind; which engine it is, the database's URL says.

    A job runs at least once: again after a crash, after an exception, after `RetryLater`. `observe(task, outcome,
    seconds)` hears of each end of a task: done, postponed, stopped, unavailable or failed.
    """

    def __init__(
        self,
        db: sa.Engine,
        *,
        clock: Callable[[], datetime],
        bus: EventBus,
        settings: JobSettings,
        limits: UserLimits = DEFAULT_LIMITS,
        random: Callable[[], float] = random.random,
        observe: Callable[[str, str, float], None] = lambda _task, _outcome, _seconds: None,
    ) -> None:
        super().__init__(db, clock=clock, bus=bus, limits=limits)
        self._settings = settings
        self._random = random
        self._observe = observe
        self._limits: dict[str, int | None] = {}
        self.connector = self._embedded() if self.is_embedded else self._distributed()
        self.app = procrastinate.App(connector=self.connector)
        # Answers on the connections of callers' transactions. PsycopgConnector does that on asynchronous ones only.
        self._joining: BaseConnector = self.connector if self.is_embedded else SyncPsycopgConnector()
        self._table = JobTable(self._joining)
        self._own: sqlite3.Connection | None = None
        sa.event.listen(db, "engine_disposed", self._close_driver)

    def _embedded(self) -> EmbeddedConnector | DistributedConnector:
        if self.db.url.database in (None, "", ":memory:"):
            raise ValueError("the embedded engine needs a file: its worker has a connection of its own")
        return EmbeddedConnector(Path(str(self.db.url.database)), clock=self._clock, turn=self._turn)

    def _distributed(self) -> EmbeddedConnector | DistributedConnector:
        return DistributedConnector(
            conninfo=libpq_conninfo(self.db.url), min_size=1, max_size=POOL_SIZE, configure=_autocommit
        )

    async def open(self) -> None:
        """Raises `Unavailable`, or `RuntimeError` where the tables are missing."""
        await self.in_read(lambda session: session.scalar(sa.select(1)))  # the pool's own wait would take 30 s to fail
        with outages():
            await self.connector.open_async()
            has_tables = await self.app.check_connection_async()
        if not has_tables:
            await self.close()
            raise RuntimeError("the database has no tables for jobs: migrate it first")

    async def close(self) -> None:
        """Waits for the units of work in hand. The database engine stays its owner's."""
        await asyncio.to_thread(self._threads.shutdown)
        await self.connector.close_async()

    # Tasks

    def task(
        self, name: str, *, retry: Backoff = QUICK, queue: str = "default"
    ) -> Callable[[TaskFunction], TaskFunction]:
        """Register an async function for the jobs of this name; it is called with a job's `args` as keywords.

        What it raises says when it runs again: `RetryLater` after its seconds, anything else as `retry` has it.
        """
        strategy = BackoffStrategy(retry, clock=self._clock, random=self._random)

        def register(function: TaskFunction) -> TaskFunction:
            async def run(context: JobContext, /, **args: Any) -> None:
                with structlog.contextvars.bound_contextvars(task=name, job_id=context.job.id):
                    await self._run(function, context, args)

            self.app.task(name=name, queue=queue, retry=strategy, pass_context=True)(run)
            self._limits[name] = retry.attempts
            return function

        return register

    async def _run(self, function: Callable[..., Awaitable[None]], context: JobContext, args: dict[str, Any]) -> None:
        started, outcome = time.monotonic(), "failed"
        try:
            await function(**args)
            outcome = "done"
        except RetryLater as later:
            outcome = "postponed"
            log.info("job postponed", seconds=later.seconds)
            await self.connector.execute_query_async(QUERIES["uncount_attempt"], job_id=context.job.id)
            raise
        except asyncio.CancelledError as cancelled:
            outcome = "stopped"
            if context.abort_reason() is AbortReason.SHUTDOWN:
                raise
            raise _why_cancelled(context) from cancelled
        except Unavailable as error:
            outcome = "unavailable"
            log.warning("job waits for a dependency", reason=str(error))
            raise
        except Exception:
            log.exception("job failed")
            raise
        finally:
            self._observe(context.job.task_name, outcome, time.monotonic() - started)

    # Deferral, in the transaction of a unit of work

    def _join(self, work: Work) -> None:
        rows = [_to_row(job, now=work.now) for job in work.jobs]
        connection = work.session.connection()
        # The query itself: Procrastinate's manager makes three objects of each job, for an id that nobody asks for.
        defer = partial(
            self._joining.execute_query_all_with_connection,
            connection.connection.driver_connection,
            QUERIES["defer_jobs"],
        )
        if all(row.queueing_lock is None for row in rows):
            defer(jobs=rows)
            return
        try:
            with connection.begin_nested():
                defer(jobs=rows)
        except exceptions.UniqueViolation:  # by one of them at least: which, only trying tells
            for row in rows:
                with _already_enqueued(), connection.begin_nested():
                    defer(jobs=[row])

    @contextmanager
    def driver_work(self) -> Iterator[DriverWork]:
        """`work` without SQLAlchemy's session, which takes 0.2 ms of a transaction: for mails on their way in.

        SQLite only. A value goes to the driver as it is, and jobs must not have queueing locks.
        """
        with outages(), self._turn, driver_transaction(driver := self._driver()):
            work = DriverWork(driver, self._clock())
            yield work
            for job in work.jobs:
                jobs_sqlite.insert(driver, _to_row(job, now=work.now), now=work.now.timestamp())
        if work.jobs:
            self.wake(queues_of(work.jobs))

    def _driver(self) -> sqlite3.Connection:
        """The one connection of all `driver_work`, for whose turn it is. To borrow it each time takes 0.03 ms."""
        if self._own is None:
            pooled = self.db.raw_connection()
            self._own = cast(sqlite3.Connection, pooled.driver_connection)
            pooled.detach()
        return self._own

    def _close_driver(self, _db: sa.Engine) -> None:
        if self._own is not None:
            self._own.close()
            self._own = None

    def wake(self, queues: Collection[str] | None = None) -> None:
        self.connector.wake(queues)

    # The worker

    async def run_worker(self, *, before_reaping: Callable[[], Awaitable[None]] | None = None) -> None:
        """Do jobs until cancelled; then finish what is in hand, within the grace period. One at a time to an engine.

        The embedded engine must be alone on its file (`DataDirLock`): what was `doing` is run again at once. On
        PostgreSQL the jobs of a worker that has been silent for `stalled_seconds` run again, after `before_reaping`.
        """
        lanes = ((MAIL_QUEUES, self._settings.concurrency), (NEWS_QUEUES, self._settings.news_concurrency))
        async with asyncio.TaskGroup() as group:
            for queues, concurrency in lanes:
                group.create_task(self._supervise(queues, concurrency=concurrency))
            group.create_task(self._every(FORGET_EVERY_SECONDS, self._forget_old_failures))
            if not self.is_embedded:
                group.create_task(
                    self._every(self._settings.stalled_seconds / 3, partial(self._reap_after, before_reaping))
                )

    async def _supervise(self, queues: tuple[str, ...], *, concurrency: int) -> None:
        lane = asyncio.current_task()
        assert lane is not None
        while not lane.cancelling():  # of a worker that breaks off while it is cancelled only what broke it is heard
            try:
                if self.is_embedded:
                    await self._reap(queues)
                await self.app.run_worker_async(**self._worker_options(queues, concurrency=concurrency))
                log.warning("worker ended, and is started again")
            except Exception:  # a worker ends here, and the next one begins
                log.exception("worker broke off, and is started again")
            await asyncio.sleep(RESTART_SECONDS)

    def _worker_options(self, queues: tuple[str, ...], *, concurrency: int) -> procrastinate.app.WorkerOptions:
        return {
            "name": "inkpost",
            "queues": list(queues),  # psycopg makes an array of a list, and a composite of a tuple
            "concurrency": concurrency,
            "shutdown_graceful_timeout": self._settings.grace_seconds,
            "fetch_job_polling_interval": self._settings.poll_seconds,
            "update_heartbeat_interval": self._settings.heartbeat_seconds,
            "stalled_worker_timeout": self._settings.stalled_seconds,
            "delete_jobs": jobs.DeleteJobCondition.SUCCESSFUL,
            "install_signal_handlers": False,
        }

    async def _every(self, seconds: float, act: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await act()
            except Exception:  # a round of housekeeping ends here, and the next one is tried
                log.exception("housekeeping of jobs failed")
            await asyncio.sleep(seconds)

    async def _forget_old_failures(self) -> None:
        hours = round(self._settings.keep_failed_days * 24)
        await self.app.job_manager.delete_old_jobs(
            hours, include_failed=True, include_cancelled=True, include_aborted=True
        )

    async def _reap_after(self, before: Callable[[], Awaitable[None]] | None) -> None:
        if before is not None:
            await before()
        await self._reap()

    async def _reap(self, queues: tuple[str, ...] = ()) -> None:
        """Put back the jobs whose worker is gone."""
        if orphans := await self.in_work(partial(self._put_back_orphans, queues)):
            log.warning("jobs of a dead worker are run again", jobs=orphans)
            self.wake()

    def _put_back_orphans(self, queues: tuple[str, ...], work: Work) -> int:
        session = work.session
        if self.is_embedded:
            orphans = [job for queue in queues for job in self._table.find(session, status="doing", queue=queue)]
        else:
            orphans = self._table.stalled(session, seconds=self._settings.stalled_seconds)
        for job in orphans:
            limit = self._limits.get(job.task)
            if limit is not None and job.attempts + 1 >= limit:  # else a job that kills its process does so for ever
                log.error("job given up: its worker died", task=job.task, job_id=job.id)
                self._table.give_up(session, job)
            else:
                self._table.put_back(session, job, now=work.now)
        return len(orphans)

    # For the command line and the metrics. Blocking; they need no open engine, and no worker.

    def list_jobs(
        self, *, status: str | None = None, task: str | None = None, queue: str | None = None
    ) -> list[JobRecord]:
        """What waits, runs or was given up, oldest first. A job that succeeded is gone."""
        with self.read() as session:
            return self._table.find(session, status=status, task=task, queue=queue)

    def count_jobs(self) -> list[JobCount]:
        with self.read() as session:
            return self._table.count(session)

    def retry(self, job_id: int) -> bool:
        """Have a failed job run again now. False if it is not there, not failed, or waits already under another id."""
        with self.work() as work:
            is_put_back = self._table.retry_failed(work.session, job_id, now=work.now)
        self.wake()
        return is_put_back

    def drop(self, job_id: int) -> bool:
        """Forget a job that is not running. False if it is not there, or runs."""
        with self.work() as work:
            return self._table.drop(work.session, job_id)


async def _autocommit(connection: psycopg.AsyncConnection[Any]) -> None:
    """Each of Procrastinate's queries is one statement: BEGIN and COMMIT around it are two trips to the server more."""
    await connection.set_autocommit(True)


def _why_cancelled(context: JobContext) -> Exception:
    if context.abort_reason() is AbortReason.USER_REQUEST:
        return exceptions.JobAborted()
    return RuntimeError("the task was cancelled from within")  # a bug: it must not run again at once, for ever


@contextmanager
def _already_enqueued() -> Iterator[None]:
    """A job whose twin waits already is not deferred, and that is all."""
    try:
        yield
    except exceptions.UniqueViolation as error:
        if error.constraint_name != QUEUEING_LOCK_CONSTRAINT:
            raise


def _to_row(job: Job, *, now: datetime) -> JobToDefer:
    return JobToDefer(
        queue_name=job.queue,
        task_name=job.task,
        priority=job.priority,
        lock=job.lock,
        queueing_lock=job.queueing_lock,
        args=dict(job.args),
        scheduled_at=now + timedelta(seconds=job.delay_seconds) if job.delay_seconds else None,
    )
