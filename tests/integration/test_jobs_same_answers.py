"""SQLite answers Procrastinate as PostgreSQL does, whatever is asked in whatever order."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from procrastinate import exceptions
from procrastinate.connector import BaseConnector
from procrastinate.sync_psycopg_connector import SyncPsycopgConnector
from procrastinate.types import JobToDefer

from bot.jobs import create_schema, libpq_conninfo
from bot.jobs_queries import QUERIES
from bot.jobs_sqlite import SqliteConnector
from core.db import create_engine
from tests.contracts.engines import utcnow

STEPS = 150
# SQLite's rows have times that PostgreSQL keeps as events; a fetched row of PostgreSQL lacks the wish to abort.
BESIDE = ("deferred_at", "started_at", "changed_at", "abort_requested")
Row = dict[str, Any]


class Store:
    """One of the two storages, with jobs and workers called by their order instead of by their ids."""

    def __init__(self, connector: BaseConnector) -> None:
        self._connector = connector
        self._ids: dict[str, list[int]] = {"job": [], "worker": []}

    def ask(self, query: str, **arguments: Any) -> list[Row] | str:
        """Its answer, or the name of its error."""
        for key, kind in (("job_id", "job"), ("id", "job"), ("worker_id", "worker")):
            if arguments.get(key) is not None:
                arguments[key] = self._ids[kind][arguments[key]]
        try:
            rows = self._connector.execute_query_all(QUERIES[query], **arguments)
        except exceptions.ConnectorException as error:
            return type(error).__name__
        if query == "fetch_job" and rows[0]["id"] is None:
            return []
        return [self._plain(query, dict(row)) for row in rows]

    def failed_by_abort(self, job: int) -> bool:
        rows = self._connector.execute_query_all(QUERIES["list_jobs"], **{**ALL_JOBS, "id": self._ids["job"][job]})
        return any(row["status"] == "failed" and row["abort_requested"] for row in rows)

    @property
    def jobs(self) -> int:
        return len(self._ids["job"])

    def _plain(self, query: str, row: Row) -> Row:
        if query == "defer_jobs":
            self._ids["job"].append(row["id"])
        if query == "register_worker":
            self._ids["worker"].append(row["worker_id"])
        if row.get("id") is not None:
            row["id"] = self._ids["job"].index(row["id"])
        if row.get("worker_id") is not None:
            row["worker_id"] = self._ids["worker"].index(row["worker_id"])
        if row.get("scheduled_at") is not None:
            row["scheduled_at"] = row["scheduled_at"].astimezone(UTC)
        return {key: value for key, value in row.items() if key not in BESIDE}


@pytest.fixture
def stores(tmp_path: Path, postgres_url: str) -> Iterator[tuple[Store, Store]]:
    sqlite_url = f"sqlite:///{tmp_path / 'jobs.db'}"
    for url in (sqlite_url, postgres_url):
        db = create_engine(url)
        with db.begin() as connection:
            create_schema(connection)
        db.dispose()
    sqlite = SqliteConnector(tmp_path / "jobs.db", clock=utcnow)
    postgres = SyncPsycopgConnector(conninfo=libpq_conninfo(sa.make_url(postgres_url)), min_size=1, max_size=1)
    with opened(sqlite), opened(postgres):
        yield Store(sqlite), Store(postgres)


@contextmanager
def opened(connector: BaseConnector) -> Iterator[None]:
    connector.open()
    yield
    connector.close()


def random_question(dice: random.Random, *, jobs: int) -> tuple[str, dict[str, Any]]:
    query = dice.choice(["defer_jobs", "defer_jobs", "fetch_job", "fetch_job", "finish_job", "retry_job", "cancel_job"])
    if query == "defer_jobs" or not jobs:
        return "defer_jobs", {"jobs": [random_job(dice) for _ in range(dice.randint(1, 3))]}
    if query == "fetch_job":
        return query, {"queues": dice.choice([None, ["a"], ["a", "b"]]), "worker_id": dice.randrange(2)}
    arguments: dict[str, Any] = {"job_id": dice.randrange(jobs)}
    match query:
        case "finish_job":
            arguments["status"] = dice.choice(["succeeded", "failed", "aborted"])
            arguments["delete_job"] = dice.random() < 0.3
        case "retry_job":
            arguments["retry_at"] = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)
            arguments["new_priority"] = dice.choice([None, 2])
            arguments["new_queue_name"] = dice.choice([None, "b"])
            arguments["new_lock"] = dice.choice([None, "y"])
        case "cancel_job":
            arguments["abort"] = dice.random() < 0.5
            arguments["delete_job"] = dice.random() < 0.3
    return query, arguments


def random_job(dice: random.Random) -> JobToDefer:
    return JobToDefer(
        queue_name=dice.choice("ab"),
        task_name=dice.choice(["read", "send"]),
        priority=dice.choice([0, 0, 0, 1, -1]),
        lock=dice.choice([None, "x", "y"]),
        queueing_lock=dice.choice([None, None, None, "p", "q"]),
        args={"n": dice.randrange(100)},
        scheduled_at=None,
    )


ALL_JOBS = dict.fromkeys(("id", "queue_name", "task_name", "status", "lock", "queueing_lock", "worker_id"))
ALL_COUNTS = dict.fromkeys(("queue_name", "task_name", "status", "lock"))


@pytest.mark.parametrize("seed", range(4))
def test_any_history_has_the_same_answers(stores: tuple[Store, Store], seed: int) -> None:
    dice = random.Random(seed)
    for store in stores:
        store.ask("register_worker")
        store.ask("register_worker")

    for step in range(STEPS):
        query, arguments = random_question(dice, jobs=stores[0].jobs)
        if query == "retry_job" and stores[0].failed_by_abort(arguments["job_id"]):
            continue  # PostgreSQL refuses by its check constraint what Procrastinate 3.10 means to allow
        answers = [store.ask(query, **arguments) for store in stores]
        if query in ("finish_job", "retry_job"):  # PostgreSQL returns a void, SQLite the id, and nobody looks
            answers = [answer if isinstance(answer, str) else "" for answer in answers]
        assert answers[0] == answers[1], (step, query, arguments)
        assert_same(stores, "list_jobs", **ALL_JOBS)

    for query in ("list_queues", "list_tasks", "list_locks"):
        assert_same(stores, query, **ALL_COUNTS)
    assert_same(stores, "list_jobs_to_abort", queue_name=None)
    assert_same(stores, "select_stalled_jobs_by_heartbeat", queue=None, task_name=None, seconds_since_heartbeat=-1)
    assert_same(stores, "select_stalled_jobs_by_started", queue=None, task_name=None, nb_seconds=-1)
    assert_same(stores, "count_jobs_status")


def assert_same(stores: tuple[Store, Store], query: str, **arguments: Any) -> None:
    sqlite, postgres = (in_any_order(store.ask(query, **arguments)) for store in stores)
    assert sqlite == postgres


def in_any_order(answer: list[Row] | str) -> list[str]:
    assert not isinstance(answer, str), answer
    return sorted(json.dumps(row, sort_keys=True, default=_plain) for row in answer)


def _plain(value: object) -> object:
    return int(value) if isinstance(value, Decimal) else str(value)  # PostgreSQL sums to a Decimal
