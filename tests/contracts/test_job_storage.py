"""What Procrastinate asks of its storage, asked of SQLite, of PostgreSQL and of its own storage in memory."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import procrastinate
import pytest
from procrastinate import exceptions, jobs, sql
from procrastinate.jobs import Status
from procrastinate.types import JSONDict

from tests.contracts.engines import until, utcnow


async def drain(app: procrastinate.App, *, concurrency: int = 1, queues: list[str] | None = None) -> None:
    """Do what is due now."""
    options: Any = {"queues": queues} if queues else {}
    await app.run_worker_async(
        wait=False,
        concurrency=concurrency,
        delete_jobs="successful",
        install_signal_handlers=False,
        listen_notify=False,
        **options,
    )


async def job_list(app: procrastinate.App, **filters: Any) -> list[jobs.Job]:
    return list(await app.job_manager.list_jobs_async(**filters))


async def fetch(app: procrastinate.App) -> tuple[jobs.Job, int]:
    """Take the next job as a worker does: the job, and the worker's id."""
    worker_id = await app.job_manager.register_worker()
    job = await app.job_manager.fetch_job(queues=None, worker_id=worker_id)
    assert job is not None
    return job, worker_id


async def test_deferred_job_runs_with_its_arguments_and_is_gone(app: procrastinate.App) -> None:
    heard = []

    @app.task(name="hear")
    async def hear(**args: object) -> None:
        heard.append(args)

    await hear.defer_async(number=7, text="Žluťoučký kůň", nothing=None)
    await drain(app)

    assert heard == [{"number": 7, "text": "Žluťoučký kůň", "nothing": None}]
    assert await job_list(app) == []


async def test_batch_runs_in_its_order(app: procrastinate.App) -> None:
    heard = []

    @app.task(name="hear")
    async def hear(number: int) -> None:
        heard.append(number)

    batch: list[JSONDict] = [{"number": number} for number in range(50)]
    ids = await hear.batch_defer_async(*batch)
    await drain(app)

    assert ids == sorted(set(ids))
    assert heard == list(range(50))


async def test_jobs_of_one_lock_run_one_at_a_time_in_order(app: procrastinate.App) -> None:
    running: dict[str, int] = {"a": 0, "b": 0}
    heard: dict[str, list[int]] = {"a": [], "b": []}

    @app.task(name="hear")
    async def hear(lock: str, number: int) -> None:
        running[lock] += 1
        assert running[lock] == 1
        await asyncio.sleep(0)
        heard[lock].append(number)
        running[lock] -= 1

    for number in range(5):
        for lock in ("a", "b"):
            await hear.configure(lock=lock).defer_async(lock=lock, number=number)
    while await job_list(app, status="todo"):  # a drain ends when all that is left waits for a lock
        await drain(app, concurrency=4)

    assert heard == {"a": [0, 1, 2, 3, 4], "b": [0, 1, 2, 3, 4]}
    assert await job_list(app) == []


async def test_job_waits_while_another_has_its_lock(app: procrastinate.App) -> None:
    waiting = app.configure_task("hear", lock="a")
    await waiting.batch_defer_async({"n": 1}, {"n": 2})
    job, worker_id = await fetch(app)

    assert await app.job_manager.fetch_job(queues=None, worker_id=worker_id) is None

    await app.job_manager.finish_job(job, Status.SUCCEEDED, delete_job=True)
    assert (await fetch(app))[0].task_kwargs == {"n": 2}


async def test_retry_that_waits_keeps_its_lock(app: procrastinate.App) -> None:
    if not hasattr(app.connector, "wake"):
        pytest.skip("the storage in memory lets the next one pass")
    waiting = app.configure_task("hear", lock="a")
    await waiting.batch_defer_async({"n": 1}, {"n": 2})
    job, worker_id = await fetch(app)

    await app.job_manager.retry_job(job, retry_at=utcnow() + timedelta(hours=1))

    assert await app.job_manager.fetch_job(queues=None, worker_id=worker_id) is None


async def test_higher_priority_is_fetched_first(app: procrastinate.App) -> None:
    heard = []

    @app.task(name="hear")
    async def hear(priority: int) -> None:
        heard.append(priority)

    for priority in (0, -5, 10, 3):
        await hear.configure(priority=priority).defer_async(priority=priority)
    await drain(app)

    assert heard == [10, 3, 0, -5]


async def test_worker_takes_jobs_of_its_queues_only(app: procrastinate.App) -> None:
    heard = []

    @app.task(name="hear")
    async def hear(queue: str) -> None:
        heard.append(queue)

    for queue in ("inbound", "outbound", "feeds"):
        await hear.configure(queue=queue).defer_async(queue=queue)
    await drain(app, queues=["outbound", "feeds"])

    assert heard == ["outbound", "feeds"]


async def test_queueing_lock_refuses_a_second_waiting_job(app: procrastinate.App) -> None:
    waiting = app.configure_task("hear", queueing_lock="feed:1")
    await waiting.defer_async()

    with pytest.raises(exceptions.AlreadyEnqueued):
        await waiting.defer_async()

    assert len(await job_list(app)) == 1


async def test_queueing_lock_is_free_once_the_job_is_taken(app: procrastinate.App) -> None:
    waiting = app.configure_task("hear", queueing_lock="feed:1")
    await waiting.defer_async()
    await fetch(app)

    await waiting.defer_async()

    assert sorted(str(job.status) for job in await job_list(app)) == ["doing", "todo"]


async def test_refused_batch_leaves_nothing_behind(app: procrastinate.App) -> None:
    with pytest.raises(exceptions.AlreadyEnqueued):
        await app.configure_task("hear", queueing_lock="feed:1").batch_defer_async({"n": 1}, {"n": 2})

    assert await job_list(app) == []


async def test_scheduled_job_waits_for_its_time(app: procrastinate.App) -> None:
    heard = []

    @app.task(name="hear")
    async def hear(when: str) -> None:
        heard.append(when)

    later = utcnow() + timedelta(hours=1)
    await hear.configure(schedule_at=later).defer_async(when="later")
    await hear.configure(schedule_at=utcnow() - timedelta(seconds=1)).defer_async(when="now")
    await drain(app)

    assert heard == ["now"]
    assert [job.scheduled_at for job in await job_list(app)] == [later]


async def test_failing_job_is_retried_and_then_given_up(app: procrastinate.App) -> None:
    attempts = []

    @app.task(name="fail", retry=procrastinate.RetryStrategy(max_attempts=2), pass_context=True)
    async def fail(context: procrastinate.JobContext) -> None:
        attempts.append(context.job.attempts)
        raise ValueError

    await fail.defer_async()
    for _ in range(3):
        await drain(app)
        await until(lambda: has_nothing_to_wait_for(app))

    (job,) = await job_list(app)
    assert attempts == [0, 1, 2]
    assert (job.status, job.attempts) == ("failed", 3)


async def has_nothing_to_wait_for(app: procrastinate.App) -> bool:
    """A retry "at once" is scheduled with this process's clock, PostgreSQL compares it with its own."""
    return all(job.scheduled_at is None or job.scheduled_at <= utcnow() for job in await job_list(app))


async def test_retry_may_change_priority_queue_and_lock(app: procrastinate.App) -> None:
    await app.configure_task("hear", queue="inbound", lock="a").defer_async()
    job, _ = await fetch(app)
    now = utcnow()

    await app.job_manager.retry_job(job, retry_at=now, priority=5, queue="slow", lock="b")

    (job,) = await job_list(app)
    assert (job.status, job.priority, job.queue, job.lock, job.attempts) == ("todo", 5, "slow", "b", 1)
    assert job.scheduled_at == now


async def test_cancelled_job_never_runs(app: procrastinate.App) -> None:
    kept = await app.configure_task("hear").defer_async()
    forgotten = await app.configure_task("hear").defer_async()

    assert await app.job_manager.cancel_job_by_id_async(kept)
    assert await app.job_manager.cancel_job_by_id_async(forgotten, delete_job=True)
    await drain(app)

    assert [(job.id, job.status) for job in await job_list(app)] == [(kept, "cancelled")]


async def test_running_job_is_not_cancelled_without_abort(app: procrastinate.App) -> None:
    await app.configure_task("hear").defer_async()
    job, _ = await fetch(app)
    assert job.id is not None

    assert not await app.job_manager.cancel_job_by_id_async(job.id)

    assert await app.job_manager.get_job_status_async(job.id) is Status.DOING


async def test_running_job_is_aborted_on_request(app: procrastinate.App) -> None:
    started = asyncio.Event()

    @app.task(name="hang", pass_context=True)
    async def hang(context: procrastinate.JobContext) -> None:
        started.set()
        await asyncio.Event().wait()

    job_id = await hang.defer_async()
    worker = asyncio.create_task(
        app.run_worker_async(
            install_signal_handlers=False, fetch_job_polling_interval=0.05, abort_job_polling_interval=300
        )
    )
    await started.wait()

    assert await app.job_manager.cancel_job_by_id_async(job_id, abort=True)
    await until(lambda: job_list(app, status="aborted"))

    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)
    assert [job.id for job in await job_list(app)] == [job_id]


async def test_jobs_to_abort_are_listed(app: procrastinate.App) -> None:
    await app.configure_task("hear", queue="inbound").defer_async()
    job, _ = await fetch(app)
    assert job.id is not None

    await app.job_manager.cancel_job_by_id_async(job.id, abort=True)

    assert list(await app.job_manager.list_jobs_to_abort_async()) == [job.id]
    assert list(await app.job_manager.list_jobs_to_abort_async(queue="outbound")) == []


async def test_aborted_job_that_wants_a_retry_has_failed(app: procrastinate.App) -> None:
    if not hasattr(app.connector, "wake"):
        pytest.skip("the storage in memory retries it")
    await app.configure_task("hear").defer_async()
    job, _ = await fetch(app)
    assert job.id is not None
    await app.job_manager.cancel_job_by_id_async(job.id, abort=True)

    await app.job_manager.retry_job(job)

    assert await app.job_manager.get_job_status_async(job.id) is Status.FAILED


async def test_job_of_a_silent_worker_is_stalled(app: procrastinate.App) -> None:
    await app.configure_task("hear").defer_async()
    job, _ = await fetch(app)

    alive = await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=60)
    silent = await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=-1)

    assert list(alive) == []
    assert [stalled.id for stalled in silent] == [job.id]


async def test_heartbeat_keeps_a_worker_from_being_pruned(app: procrastinate.App) -> None:
    worker_id = await app.job_manager.register_worker()
    await app.job_manager.update_heartbeat(worker_id)

    assert await app.job_manager.prune_stalled_workers(60) == []
    assert await app.job_manager.prune_stalled_workers(-1) == [worker_id]


@pytest.mark.parametrize("leave", ["prune", "unregister"])
async def test_job_of_a_worker_that_left_is_stalled(app: procrastinate.App, leave: str) -> None:
    await app.configure_task("hear").defer_async()
    job, worker_id = await fetch(app)

    if leave == "prune":
        await app.job_manager.prune_stalled_workers(-1)
    else:
        await app.job_manager.unregister_worker(worker_id)

    assert [stalled.id for stalled in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=60)] == [job.id]
    assert [job.worker_id for job in await job_list(app)] == [None]


async def test_job_that_started_long_ago_is_stalled(app: procrastinate.App) -> None:
    await app.configure_task("hear").defer_async()
    job, _ = await fetch(app)
    query = sql.queries["select_stalled_jobs_by_started"]

    async def stalled(nb_seconds: int) -> list[object]:
        rows = await app.connector.execute_query_all_async(query, nb_seconds=nb_seconds, queue=None, task_name=None)
        return [row["id"] for row in rows]

    assert await stalled(60) == []
    assert await stalled(-1) == [job.id]


async def test_periodic_job_is_deferred_once_for_each_tick(app: procrastinate.App) -> None:
    async def tick(timestamp: int, periodic_id: str = "") -> int | None:
        job = app.configure_task("sweep", queue="feeds", task_kwargs={"timestamp": timestamp}).job
        return await app.job_manager.defer_periodic_job(job, periodic_id=periodic_id, defer_timestamp=timestamp)

    first, again, other, second = await tick(60), await tick(60), await tick(60, "other"), await tick(120)

    assert again is None
    deferred = {job.id: job.task_kwargs for job in await job_list(app)}
    assert deferred == {first: {"timestamp": 60}, other: {"timestamp": 60}, second: {"timestamp": 120}}


async def test_periodic_job_whose_twin_waits_is_refused(app: procrastinate.App) -> None:
    async def tick(timestamp: int) -> int | None:
        job = app.configure_task("sweep", queueing_lock="sweep", task_kwargs={"timestamp": timestamp}).job
        return await app.job_manager.defer_periodic_job(job, periodic_id="", defer_timestamp=timestamp)

    await tick(60)
    with pytest.raises(exceptions.AlreadyEnqueued):
        await tick(120)


async def test_jobs_are_listed_by_each_of_their_marks(app: procrastinate.App) -> None:
    marks = {"queue": "inbound", "lock": "mail:1", "queueing_lock": "once"}
    job_id = await app.configure_task("read", **marks).defer_async()  # type: ignore[arg-type] # a TypedDict's keys
    await app.configure_task("send", queue="outbound").defer_async()

    for filters in (
        {"id": job_id},
        {"task": "read"},
        {"queue": "inbound"},
        {"lock": "mail:1"},
        {"queueing_lock": "once"},
        {"task": "read", "status": "todo"},
    ):
        assert [job.id for job in await job_list(app, **filters)] == [job_id]
    assert await job_list(app, task="read", status="doing") == []


async def test_jobs_are_counted_by_queue_task_and_lock(app: procrastinate.App) -> None:
    for task, queue, lock in (("read", "inbound", "a"), ("read", "inbound", None), ("send", "outbound", "a")):
        await app.configure_task(task, queue=queue, lock=lock).defer_async()
    await fetch(app)
    manager = app.job_manager

    def counted(counts: Any) -> list[tuple[str | None, int, int, int]]:
        return [
            (count["name"], count["jobs_count"], count["todo"], count["doing"])
            for count in counts
            if count["name"] is not None  # the storage in memory counts the jobs without a lock as well
        ]

    assert counted(await manager.list_queues_async()) == [("inbound", 2, 1, 1), ("outbound", 1, 1, 0)]
    assert counted(await manager.list_tasks_async()) == [("read", 2, 1, 1), ("send", 1, 1, 0)]
    assert counted(await manager.list_locks_async(lock="a")) == [("a", 2, 1, 1)]
    assert counted(await manager.list_queues_async(task="send")) == [("outbound", 1, 1, 0)]


async def test_old_jobs_are_deleted_by_status_and_queue(app: procrastinate.App) -> None:
    for queue in ("inbound", "outbound"):
        await app.configure_task("nobody knows this task", queue=queue).defer_async()
    await drain(app)
    assert [job.status for job in await job_list(app)] == ["failed", "failed"]
    forget = app.job_manager.delete_old_jobs

    await forget(1, include_failed=True)
    assert len(await job_list(app)) == 2, "they are not an hour old"
    await forget(-1)
    assert len(await job_list(app)) == 2, "they did not succeed"
    await forget(-1, queue="inbound", include_failed=True)
    assert [job.queue for job in await job_list(app)] == ["outbound"]


async def test_finishing_a_job_that_is_not_there_is_an_error(app: procrastinate.App) -> None:
    if not hasattr(app.connector, "wake"):
        pytest.skip("the storage in memory raises KeyError")

    with pytest.raises(exceptions.ConnectorException):
        await app.job_manager.finish_job_by_id_async(4711, Status.SUCCEEDED, delete_job=True)
    with pytest.raises(exceptions.ConnectorException):
        await app.job_manager.retry_job_by_id_async(4711, utcnow())
    with pytest.raises(exceptions.NoResult):
        await app.job_manager.get_job_status_async(4711)


async def test_worker_that_is_told_nothing_finds_jobs_by_its_poll(app: procrastinate.App) -> None:
    heard = []

    @app.task(name="hear")
    async def hear() -> None:
        heard.append(1)

    worker = asyncio.create_task(
        app.run_worker_async(install_signal_handlers=False, listen_notify=False, fetch_job_polling_interval=0.02)
    )
    await asyncio.sleep(0)
    await hear.defer_async()
    await until(lambda: heard)

    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)
    assert heard == [1]
