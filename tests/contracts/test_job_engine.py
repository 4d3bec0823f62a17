"""What the rest of Inkpost relies on in the job engine, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.jobs import Backoff, JobEngine, RetryLater
from core.db import create_engine
from core.errors import Unavailable
from core.events import EventBus
from core.jobs import Job
from tests.contracts.engines import (
    DEADLINE_SECONDS,
    SETTINGS,
    MakeEngine,
    defer,
    listen,
    statuses,
    until,
    utcnow,
    working,
)

AT_ONCE = Backoff(base_seconds=0, cap_seconds=0, attempts=3)


# Nothing waits for a poll


async def test_commit_wakes_the_worker(patient_engine: JobEngine) -> None:
    heard = listen(patient_engine)
    async with working(patient_engine):
        for number in range(20):
            await patient_engine.in_work(defer(Job("hear", {"number": number})))
            await until(lambda number=number: number in heard)  # type: ignore[misc] # a lambda's default


async def test_released_lock_wakes_the_worker(patient_engine: JobEngine) -> None:
    heard = listen(patient_engine)
    await patient_engine.in_work(defer(*(Job("hear", {"number": n}, lock="one at a time") for n in range(20))))

    async with working(patient_engine):
        await until(lambda: len(heard) == 20)

    assert heard == list(range(20))


async def test_no_commit_is_overheard_while_the_worker_is_busy_fetching(patient_engine: JobEngine) -> None:
    heard = listen(patient_engine)
    async with working(patient_engine):
        for number in range(60):
            await patient_engine.in_work(defer(Job("hear", {"number": number})))
        await until(lambda: len(heard) == 60)


# Again


async def test_postponed_job_waits_exactly_so_long_and_has_not_failed(engine: JobEngine) -> None:
    ends = []

    @engine.task("deliver")
    async def deliver() -> None:
        ends.append(utcnow())
        raise RetryLater(3600)

    await engine.in_work(defer(Job("deliver", {})))
    async with working(engine):
        await until(lambda: ends and statuses(engine) == ["todo"])

    (job,) = engine.list_jobs()
    assert job.attempts == 0
    assert job.scheduled_at is not None
    assert timedelta(0) <= job.scheduled_at - ends[0] - timedelta(seconds=3600) < timedelta(seconds=5)


async def test_postponing_never_uses_up_the_attempts(engine: JobEngine) -> None:
    runs = []

    @engine.task("deliver", retry=AT_ONCE)
    async def deliver() -> None:
        runs.append(1)
        if len(runs) < 8:
            raise RetryLater(0)

    await engine.in_work(defer(Job("deliver", {})))
    async with working(engine):
        await until(lambda: engine.list_jobs() == [])

    assert len(runs) == 8


async def test_failing_job_comes_back_at_growing_distances(engine: JobEngine) -> None:
    ends = []

    @engine.task("fail", retry=Backoff(base_seconds=600, cap_seconds=3600, attempts=None))
    async def fail() -> None:
        ends.append(utcnow())
        raise ValueError("a bug")

    await engine.in_work(defer(Job("fail", {})))
    async with working(engine):
        await until(lambda: ends and statuses(engine) == ["todo"])

    (job,) = engine.list_jobs()
    assert job.attempts == 1
    assert job.scheduled_at is not None
    assert timedelta(0) <= job.scheduled_at - ends[0] - timedelta(seconds=600) < timedelta(seconds=5)


async def test_given_up_job_is_kept_for_the_operator(engine: JobEngine) -> None:
    runs = []

    @engine.task("fail", retry=AT_ONCE)
    async def fail(number: int) -> None:
        runs.append(number)
        raise Unavailable("the disk is full")

    await engine.in_work(defer(Job("fail", {"number": 7})))
    async with working(engine):
        await until(lambda: statuses(engine) == ["failed"])

    (job,) = engine.list_jobs(status="failed")
    assert runs == [7, 7, 7]
    assert (job.task, job.args, job.attempts) == ("fail", {"number": 7}, 3)


async def test_operator_has_a_failed_job_run_again(engine: JobEngine) -> None:
    healed = asyncio.Event()
    done = []

    @engine.task("fail", retry=replace(AT_ONCE, attempts=1))
    async def fail() -> None:
        if not healed.is_set():
            raise ValueError
        done.append(1)

    await engine.in_work(defer(Job("fail", {})))
    async with working(engine):
        await until(lambda: statuses(engine) == ["failed"])
        healed.set()

        assert engine.retry(engine.list_jobs()[0].id)

        await until(lambda: engine.list_jobs() == [])
    assert done == [1]


async def test_only_failed_jobs_are_retried(engine: JobEngine) -> None:
    await engine.in_work(defer(Job("hear", {})))
    (job,) = engine.list_jobs()

    assert not engine.retry(job.id)
    assert not engine.retry(job.id + 1)
    assert engine.list_jobs() == [job]


async def test_failed_job_whose_twin_waits_is_not_retried(engine: JobEngine) -> None:
    twin = Job("unknown task", {}, queueing_lock="feed:1")
    await engine.in_work(defer(twin))
    async with working(engine):
        await until(lambda: statuses(engine) == ["failed"])
    await engine.in_work(defer(twin))

    assert not engine.retry(engine.list_jobs(status="failed")[0].id)

    assert statuses(engine) == ["failed", "todo"]


async def test_failing_job_whose_twin_waits_makes_way_for_it(engine: JobEngine) -> None:
    runs = []

    @engine.task("refresh", retry=AT_ONCE)
    async def refresh() -> None:
        runs.append(1)
        if len(runs) == 1:
            await engine.in_work(defer(Job("refresh", {}, queueing_lock="feed:1", lock="feed:1")))
            raise ValueError

    await engine.in_work(defer(Job("refresh", {}, queueing_lock="feed:1", lock="feed:1")))
    async with working(engine):
        await until(lambda: engine.list_jobs() == [])

    assert len(runs) == 2


async def test_waiting_job_is_dropped(engine: JobEngine) -> None:
    await engine.in_work(defer(Job("hear", {"number": 1}), Job("hear", {"number": 2})))
    first, second = engine.list_jobs()

    assert engine.drop(first.id)
    assert not engine.drop(first.id)
    assert engine.list_jobs() == [second]


async def test_running_job_is_not_dropped(engine: JobEngine) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    @engine.task("slow")
    async def slow() -> None:
        begun.set()
        await go_on.wait()

    await engine.in_work(defer(Job("slow", {})))
    async with working(engine):
        await begun.wait()
        assert not engine.drop(engine.list_jobs()[0].id)
        go_on.set()
        await until(lambda: engine.list_jobs() == [])


async def test_jobs_are_counted_with_the_age_of_the_oldest(engine: JobEngine) -> None:
    before = utcnow()
    await engine.in_work(defer(Job("read", {}, queue="inbound"), Job("read", {}, queue="inbound")))
    await engine.in_work(defer(Job("send", {}, queue="outbound", delay_seconds=600)))

    read, send = sorted(engine.count_jobs(), key=lambda count: count.task)

    assert (read.queue, read.task, read.status, read.jobs) == ("inbound", "read", "todo", 2)
    assert abs(read.due_at - before) < timedelta(seconds=5)
    assert abs(send.due_at - before - timedelta(seconds=600)) < timedelta(seconds=5)


async def test_ends_of_tasks_are_observed(db: sa.Engine, plain_tracebacks: None) -> None:
    seen = []
    engine = JobEngine(
        db,
        clock=utcnow,
        bus=EventBus(),
        settings=SETTINGS,
        observe=lambda task, outcome, seconds: seen.append((task, outcome, seconds >= 0)),
    )
    listen(engine)

    @engine.task("fail", retry=replace(AT_ONCE, attempts=1))
    async def fail() -> None:
        raise ValueError

    await engine.open()
    await engine.in_work(defer(Job("hear", {"number": 1}), Job("fail", {})))
    async with working(engine):
        await until(lambda: len(seen) == 2)
    await engine.close()

    assert sorted(seen) == [("fail", "failed", True), ("hear", "done", True)]


# Stopping, and being stopped


async def test_stop_finishes_the_job_in_hand(engine: JobEngine) -> None:
    begun, done = asyncio.Event(), []

    @engine.task("slow")
    async def slow() -> None:
        begun.set()
        await asyncio.sleep(0.2)
        done.append(1)

    await engine.in_work(defer(Job("slow", {})))
    async with working(engine):
        await begun.wait()

    assert done == [1]
    assert engine.list_jobs() == []


async def test_stop_puts_back_what_outlasts_the_grace(make_engine: MakeEngine) -> None:
    engine = make_engine(replace(SETTINGS, grace_seconds=0.1))
    begun = asyncio.Event()

    @engine.task("hang", retry=replace(AT_ONCE, attempts=1))
    async def hang() -> None:
        begun.set()
        await asyncio.Event().wait()

    await engine.open()
    await engine.in_work(defer(Job("hang", {})))
    async with working(engine):
        await begun.wait()

    assert statuses(engine) == ["todo"]


async def test_job_aborted_by_the_operator_is_not_run_again(engine: JobEngine) -> None:
    begun = asyncio.Event()

    @engine.task("hang", retry=AT_ONCE)
    async def hang() -> None:
        begun.set()
        await asyncio.Event().wait()

    await engine.in_work(defer(Job("hang", {})))
    async with working(engine):
        await begun.wait()
        await engine.app.job_manager.cancel_job_by_id_async(engine.list_jobs()[0].id, abort=True)
        await until(lambda: statuses(engine) == ["aborted"])


async def test_task_that_cancels_itself_is_a_failing_task(engine: JobEngine) -> None:
    runs = []

    @engine.task("odd", retry=AT_ONCE)
    async def odd() -> None:
        runs.append(1)
        raise asyncio.CancelledError

    await engine.in_work(defer(Job("odd", {})))
    async with working(engine):
        await until(lambda: statuses(engine) == ["failed"])

    assert len(runs) == 3


async def leave_an_orphan(engine: JobEngine, *jobs: Job) -> None:
    """Defer the jobs, and take each as a worker would that then dies."""
    await engine.in_work(defer(*jobs))
    manager = engine.app.job_manager
    worker_id = await manager.register_worker()
    for _ in jobs:
        assert await manager.fetch_job(queues=None, worker_id=worker_id)


async def test_job_of_a_dead_worker_is_run_again(engine: JobEngine) -> None:
    heard = listen(engine)
    await leave_an_orphan(engine, Job("hear", {"number": 1}), Job("hear", {"number": 2}))

    async with working(engine):
        await until(lambda: sorted(heard) == [1, 2])


async def test_orphan_whose_twin_waits_makes_way_for_it(engine: JobEngine) -> None:
    await leave_an_orphan(engine, Job("hear", {"number": 1}, queueing_lock="once"))
    await engine.in_work(defer(Job("hear", {"number": 2}, queueing_lock="once", delay_seconds=600)))

    async with working(engine):
        await until(lambda: [(job.status, job.args["number"]) for job in engine.list_jobs()] == [("todo", 2)])


async def test_job_whose_workers_keep_dying_is_given_up(engine: JobEngine) -> None:
    runs = []

    @engine.task("kill", retry=replace(AT_ONCE, attempts=1))
    async def kill() -> None:
        runs.append(1)

    await leave_an_orphan(engine, Job("kill", {}))

    async with working(engine):
        await until(lambda: statuses(engine) == ["failed"])
    assert runs == []


async def test_worker_that_breaks_off_is_started_again(engine: JobEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.jobs.RESTART_SECONDS", 0.01)
    heard = listen(engine)
    fetch = engine.app.job_manager.fetch_job
    faults: list[int] = []

    async def fetch_job(queues: object, worker_id: int) -> object:
        if not faults:
            faults.append(1)
            raise OSError("a fault")
        return await fetch(None, worker_id)

    monkeypatch.setattr(engine.app.job_manager, "fetch_job", fetch_job)
    await engine.in_work(defer(Job("hear", {"number": 1})))
    async with working(engine):
        await until(lambda: heard == [1])


async def test_worker_that_breaks_off_while_it_is_stopped_is_not_started_again(
    engine: JobEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.jobs.RESTART_SECONDS", 0.01)
    is_asked, may_answer = asyncio.Event(), asyncio.Event()

    async def fetch_job(queues: object, worker_id: int) -> object:
        is_asked.set()
        await may_answer.wait()
        raise OSError("a fault")

    monkeypatch.setattr(engine.app.job_manager, "fetch_job", fetch_job)
    worker = asyncio.create_task(engine.run_worker())
    await is_asked.wait()
    worker.cancel()
    await asyncio.sleep(0)
    may_answer.set()

    done, _ = await asyncio.wait([worker], timeout=DEADLINE_SECONDS)

    assert done == {worker}
    assert worker.cancelled()


async def test_old_failures_are_forgotten(make_engine: MakeEngine) -> None:
    engine = make_engine(replace(SETTINGS, keep_failed_days=-1))
    await engine.open()
    await engine.in_work(defer(Job("unknown task", {})))
    async with working(engine):
        await until(lambda: statuses(engine) == ["failed"])

    async with working(engine):
        await until(lambda: engine.list_jobs() == [])


async def test_missing_tables_are_told_at_the_start(tmp_path: Path) -> None:
    db = create_engine(f"sqlite:///{tmp_path / 'empty.db'}")
    engine = JobEngine(db, clock=utcnow, bus=EventBus(), settings=SETTINGS)

    with pytest.raises(RuntimeError, match="migrate"):
        await engine.open()
    db.dispose()


@contextlib.asynccontextmanager
async def job_process(url: str, log: Path) -> AsyncIterator[None]:
    """A worker process inside the block, killed with SIGKILL at its end."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.support.job_process", url, str(log))
    try:
        yield
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()


async def test_kill_9_loses_no_job(engine_url: str, make_engine: MakeEngine, tmp_path: Path) -> None:
    jobs, log = 120, tmp_path / "log"
    log.touch()
    client = make_engine(SETTINGS)
    await client.in_work(defer(*(Job("note", {"number": n}, lock=f"lock:{n % 7}") for n in range(jobs))))

    def noted() -> Counter[int]:
        return Counter(int(line) for line in log.read_text().split())

    for share in (0.2, 0.5):
        async with job_process(engine_url, log):
            await until(lambda share=share: len(noted()) > share * jobs)  # type: ignore[misc] # a lambda's default
        assert len(noted()) < jobs, "killed too late to show anything"
    async with job_process(engine_url, log):
        await until(lambda: client.list_jobs() == [])

    assert set(noted()) == set(range(jobs))
    # A kill may fall between a job's end and its mark: at most the four in hand, each of two times.
    assert sum(noted().values()) <= jobs + 8
