"""Databases that are busy, full, away or restarted: what callers are told, and what goes on by itself."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from procrastinate.exceptions import ConnectorException
from procrastinate.sync_psycopg_connector import SyncPsycopgConnector

from bot.jobs import JobEngine, create_schema, libpq_conninfo
from bot.jobs_table import REAPER_LOCK, JobTable
from core.db import create_engine
from core.errors import Unavailable
from core.events import EventBus
from core.jobs import Job
from core.work import Work
from tests.contracts.engines import SETTINGS, defer, until, utcnow, working

COUNT = sa.text("SELECT count(*) FROM note")


@asynccontextmanager
async def job_engine(db: sa.Engine) -> AsyncIterator[JobEngine]:
    """Over a database with the tables for jobs and one of ours; not open."""
    with db.begin() as connection:
        create_schema(connection)
        connection.exec_driver_sql("CREATE TABLE note (number INTEGER)")
        connection.exec_driver_sql("INSERT INTO note VALUES (1)")
    engine = JobEngine(db, clock=utcnow, bus=EventBus(), settings=SETTINGS)
    yield engine
    await engine.close()
    db.dispose()


@pytest.fixture
async def sqlite_engine(tmp_path: Path) -> AsyncIterator[JobEngine]:
    """One that waits 20 ms for a lock instead of 30 s."""
    db = create_engine(f"sqlite:///{tmp_path / 'inkpost.db'}")

    def hurry(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA busy_timeout=20").close()

    sa.event.listen(db, "connect", hurry)
    async with job_engine(db) as engine:
        yield engine


@pytest.fixture
async def postgres_engine(postgres_url: str) -> AsyncIterator[JobEngine]:
    """One that waits 50 ms for a lock instead of for ever."""
    url = sa.make_url(postgres_url).update_query_dict({"options": "-c lock_timeout=50ms"})
    async with job_engine(create_engine(url)) as engine:
        yield engine


@pytest.fixture
def other_writer(sqlite_engine: JobEngine) -> Iterator[sqlite3.Connection]:
    """Another process with a transaction open: the command line, say."""
    path = str(sqlite_engine.db.url.database)
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield connection


async def test_work_that_met_another_writer_is_done_again(
    sqlite_engine: JobEngine, other_writer: sqlite3.Connection
) -> None:
    calls = []

    def act(work: Work) -> int:
        calls.append(work)
        if len(calls) == 2:
            other_writer.rollback()
        return int(work.session.scalar(COUNT) or 0)

    assert await sqlite_engine.in_work(act) == 1
    assert len(calls) == 2


async def test_work_that_meets_another_writer_for_too_long_is_put_off(
    sqlite_engine: JobEngine, other_writer: sqlite3.Connection
) -> None:
    with pytest.raises(Unavailable, match="locked"):
        await sqlite_engine.in_work(lambda work: work.session.scalar(COUNT))

    other_writer.rollback()
    assert await sqlite_engine.in_work(lambda work: work.session.scalar(COUNT)) == 1


async def test_full_disk_is_an_outage_and_leaves_nothing(sqlite_engine: JobEngine) -> None:
    def fill(work: Work) -> None:
        work.session.connection().exec_driver_sql("PRAGMA max_page_count=1")
        work.jobs.extend(Job("hear", {"text": "x" * 4000}) for _ in range(200))

    with pytest.raises(Unavailable, match="full"):
        await sqlite_engine.in_work(fill)

    assert sqlite_engine.list_jobs() == []


async def test_query_that_a_bug_left_unfinished_does_not_keep_others_from_writing(sqlite_engine: JobEngine) -> None:
    """As long as its traceback is there the query is, and its connection sees the database as it was."""

    def break_off(work: Work) -> None:
        _unread = work.session.execute(sa.text("SELECT number FROM note"))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as bug:
        await sqlite_engine.in_work(break_off)
    with closing(sqlite3.connect(str(sqlite_engine.db.url.database))) as other, other:
        other.execute("INSERT INTO note VALUES (2)")

    await sqlite_engine.in_work(lambda work: work.session.scalar(sa.text("INSERT INTO note VALUES (3) RETURNING 1")))

    with sqlite_engine.read() as session:
        assert session.scalar(COUNT) == 3
    assert bug.traceback


async def test_wrong_statement_is_a_bug_and_no_outage_on_sqlite(sqlite_engine: JobEngine) -> None:
    with pytest.raises(sa.exc.OperationalError, match="no such table"):
        await sqlite_engine.in_work(lambda work: work.session.scalar(sa.text("SELECT 1 FROM nowhere_at_all")))


async def test_wrong_statement_is_a_bug_and_no_outage_on_postgres(postgres_engine: JobEngine) -> None:
    with pytest.raises(sa.exc.ProgrammingError, match="does not exist"):
        await postgres_engine.in_work(lambda work: work.session.scalar(sa.text("SELECT 1 FROM nowhere_at_all")))


async def test_work_that_met_a_locked_row_is_done_again(postgres_engine: JobEngine) -> None:
    calls = []
    with psycopg.connect(libpq_conninfo(postgres_engine.db.url)) as other:
        other.execute("UPDATE note SET number = 2")

        def act(work: Work) -> None:
            calls.append(work)
            if len(calls) == 2:
                other.commit()
            work.session.execute(sa.text("UPDATE note SET number = number + 1"))

        await postgres_engine.in_work(act)

    assert len(calls) == 2
    with postgres_engine.read() as session:
        assert session.scalar(sa.text("SELECT number FROM note")) == 3


async def test_lost_update_is_done_again(postgres_engine: JobEngine) -> None:
    calls = []

    def act(work: Work) -> None:
        calls.append(work)
        work.session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        number = work.session.scalar(sa.text("SELECT number FROM note"))
        if len(calls) == 1:
            with psycopg.connect(libpq_conninfo(postgres_engine.db.url)) as other:
                other.execute("UPDATE note SET number = 10")
        work.session.execute(sa.text("UPDATE note SET number = :number"), {"number": (number or 0) + 1})

    await postgres_engine.in_work(act)

    with postgres_engine.read() as session:
        assert session.scalar(sa.text("SELECT number FROM note")) == 11


async def test_server_that_is_away_is_an_outage(tmp_path: Path) -> None:
    db = create_engine(f"postgresql://inkpost@/inkpost?host={tmp_path}")
    engine = JobEngine(db, clock=utcnow, bus=EventBus(), settings=SETTINGS)

    with pytest.raises(Unavailable), engine.work() as work:
        work.session.scalar(COUNT)
    with pytest.raises(Unavailable), engine.read() as session:
        session.scalar(COUNT)
    with pytest.raises(Unavailable):
        await engine.open()


async def test_worker_goes_on_when_the_server_ends_its_connections(
    postgres_engine: JobEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.jobs.RESTART_SECONDS", 0.05)
    heard: list[int] = []

    @postgres_engine.task("hear")
    async def hear(number: int) -> None:
        heard.append(number)

    await postgres_engine.open()
    async with working(postgres_engine):
        await postgres_engine.in_work(defer(Job("hear", {"number": 1})))
        await until(lambda: heard == [1])
        with psycopg.connect(libpq_conninfo(postgres_engine.db.url), autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        await until(lambda: _is_done(postgres_engine, Job("hear", {"number": 2})))
        await until(lambda: heard == [1, 2])


async def _is_done(engine: JobEngine, job: Job) -> bool:
    """Whether it could be deferred: the pool's connections may be dead, which is an outage like any other."""
    try:
        await engine.in_work(defer(job))
    except Unavailable:
        return False
    return True


async def test_only_one_process_at_a_time_puts_jobs_back(postgres_engine: JobEngine) -> None:
    await postgres_engine.open()
    await postgres_engine.in_work(defer(Job("hear", {"number": 1})))
    manager = postgres_engine.app.job_manager
    await manager.fetch_job(queues=None, worker_id=await manager.register_worker())
    table = JobTable(SyncPsycopgConnector())

    with psycopg.connect(libpq_conninfo(postgres_engine.db.url)) as other, postgres_engine.work() as work:
        other.execute("SELECT pg_advisory_xact_lock(%s)", (REAPER_LOCK,))
        assert table.stalled(work.session, seconds=-1) == []
        other.rollback()
        assert [job.task for job in table.stalled(work.session, seconds=-1)] == ["hear"]


async def test_deferral_joins_a_transaction_or_is_refused(sqlite_engine: JobEngine) -> None:
    path = str(sqlite_engine.db.url.database)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        deferrer = sqlite_engine.app.configure_task("hear", connection=connection)
        with pytest.raises(ConnectorException, match="no transaction"):
            deferrer.defer()

    assert sqlite_engine.list_jobs() == []
