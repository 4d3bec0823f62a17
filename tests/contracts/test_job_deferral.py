"""Jobs are deferred by a unit of work: with it, or not at all."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa

from bot.jobs import JobEngine
from core.errors import NotFound
from core.jobs import Job
from core.work import Work
from tests.contracts.engines import DEADLINE_SECONDS, listen, rows, statuses, until, working

# Deferral belongs to the transaction


async def test_job_of_a_committed_work_runs(engine: JobEngine) -> None:
    heard = listen(engine)
    with engine.work() as work:
        work.defer(Job("hear", {"number": 1}))

    async with working(engine):
        await until(lambda: heard == [1])
        await until(lambda: engine.list_jobs() == [])


async def test_work_that_raises_leaves_neither_rows_nor_jobs(engine: JobEngine, db: sa.Engine) -> None:
    with db.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE note (number INTEGER)")

    with pytest.raises(NotFound), engine.work() as work:  # noqa: PT012 - what comes before is to be undone
        work.session.execute(sa.text("INSERT INTO note VALUES (1)"))
        work.defer(Job("hear", {"number": 1}))
        raise NotFound("there is no such book")

    assert rows(db, "SELECT * FROM note") == []
    assert engine.list_jobs() == []


async def test_rows_and_jobs_of_a_failed_commit_are_both_undone(engine: JobEngine, db: sa.Engine) -> None:
    with db.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE author (id INTEGER PRIMARY KEY)")
        connection.exec_driver_sql(
            "CREATE TABLE book (author_id INTEGER REFERENCES author (id) DEFERRABLE INITIALLY DEFERRED)"
        )

    with pytest.raises(sa.exc.IntegrityError), engine.work() as work:  # noqa: PT012 - the commit raises
        work.session.execute(sa.text("INSERT INTO book VALUES (7)"))
        work.defer(Job("hear", {"number": 1}))

    assert rows(db, "SELECT * FROM book") == []
    assert engine.list_jobs() == []


async def test_work_keeps_its_marks_on_the_job(engine: JobEngine) -> None:
    with engine.work() as work:
        work.defer(Job("send", {"n": 1}, lock="rcpt:a@b.c", queue="outbound", priority=5, delay_seconds=90))
        now = work.now

    (job,) = engine.list_jobs()
    assert (job.task, job.args, job.lock, job.queue) == ("send", {"n": 1}, "rcpt:a@b.c", "outbound")
    assert job.scheduled_at == now + timedelta(seconds=90)


async def test_waiting_twin_is_no_error_and_keeps_nothing_else_away(engine: JobEngine) -> None:
    with engine.work() as work:
        work.defer(Job("refresh", {"feed": 1}, queueing_lock="feed:1"))

    with engine.work() as work:
        work.defer(Job("hear", {"number": 1}))
        work.defer(Job("refresh", {"feed": 1}, queueing_lock="feed:1"))
        work.defer(Job("refresh", {"feed": 2}, queueing_lock="feed:2"))
        work.defer(Job("refresh", {"feed": 2}, queueing_lock="feed:2"))

    assert [dict(job.args) for job in engine.list_jobs()] == [{"feed": 1}, {"number": 1}, {"feed": 2}]


async def test_work_in_a_thread_returns_what_it_found(engine: JobEngine) -> None:
    assert await engine.in_work(lambda work: work.session.scalar(sa.text("SELECT 7"))) == 7


async def test_work_that_has_begun_is_committed_though_its_caller_is_cancelled(engine: JobEngine) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def act(work: Work) -> None:
        work.defer(Job("hear", {"number": 1}))
        begun.set()
        go_on.wait(DEADLINE_SECONDS)

    caller = asyncio.create_task(engine.in_work(act))
    await asyncio.to_thread(begun.wait, DEADLINE_SECONDS)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    go_on.set()

    await until(lambda: statuses(engine) == ["todo"])


async def test_reading_sees_what_was_committed_and_changes_nothing(engine: JobEngine, db: sa.Engine) -> None:
    with db.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE note (number INTEGER)")
        connection.exec_driver_sql("INSERT INTO note VALUES (1)")

    with engine.read() as session:
        assert session.scalar(sa.text("SELECT number FROM note")) == 1
        session.execute(sa.text("UPDATE note SET number = 2"))

    assert rows(db, "SELECT number FROM note") == [(1,)]


async def test_reading_does_not_wait_for_a_writer(engine: JobEngine, db: sa.Engine) -> None:
    with db.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE note (number INTEGER)")

    with engine.work() as work:
        work.session.execute(sa.text("INSERT INTO note VALUES (1)"))
        count = await engine.in_read(lambda session: session.scalar(sa.text("SELECT count(*) FROM note")))

    assert count == 0
