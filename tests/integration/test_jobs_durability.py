"""Which writes of the embedded engine are on the disk when they return, and which a power cut may take back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from procrastinate.types import JobToDefer

from bot.jobs import create_schema
from bot.jobs_queries import QUERIES
from bot.jobs_sqlite import SqliteConnector
from core.db import create_engine
from tests.contracts.engines import utcnow

SYNCED, LEFT_TO_THE_KERNEL = 2, 1  # PRAGMA synchronous: FULL, NORMAL
JOB = JobToDefer("inbound", "read", 0, None, None, {"n": 1}, None)


class Recorder:
    """Asks the connector, and says at which level of `synchronous` what it wrote was committed."""

    def __init__(self, connector: SqliteConnector) -> None:
        self._connector = connector
        self._commits: list[int] = []
        self._in_its_thread(self._watch)

    def levels(self, query: str, **arguments: Any) -> list[int]:
        self._commits.clear()
        self._connector.execute_query_all(QUERIES[query], **arguments)
        return list(self._commits)

    def _watch(self) -> None:
        for connection in (self._connector._strict, self._connector._lax):
            self._watch_one(connection)

    def _watch_one(self, connection: sqlite3.Connection) -> None:
        (level,) = connection.execute("PRAGMA synchronous").fetchone()

        def note(statement: str) -> None:
            if statement == "COMMIT":
                self._commits.append(level)

        connection.set_trace_callback(note)

    def _in_its_thread(self, act: Any) -> None:
        assert self._connector._thread is not None
        self._connector._thread.submit(act).result()


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    """Over a storage with one job and one worker."""
    db = create_engine(f"sqlite:///{tmp_path / 'jobs.db'}")
    with db.begin() as connection:
        create_schema(connection)
    db.dispose()
    connector = SqliteConnector(tmp_path / "jobs.db", clock=utcnow)
    connector.open()
    recorder = Recorder(connector)
    recorder.levels("register_worker")
    recorder.levels("defer_jobs", jobs=[JOB])
    yield recorder
    connector.close()


def test_deferral_is_synced(recorder: Recorder) -> None:
    assert recorder.levels("defer_jobs", jobs=[JOB]) == [SYNCED]


def test_beginning_and_success_of_a_job_are_left_to_the_kernel(recorder: Recorder) -> None:
    begun = recorder.levels("fetch_job", queues=None, worker_id=1)
    done = recorder.levels("finish_job", job_id=1, status="succeeded", delete_job=True)

    assert (begun, done) == ([LEFT_TO_THE_KERNEL], [LEFT_TO_THE_KERNEL])


@pytest.mark.parametrize(
    ("query", "arguments"),
    [
        ("finish_job", {"status": "failed", "delete_job": False}),
        ("retry_job", {"retry_at": utcnow(), "new_priority": None, "new_queue_name": None, "new_lock": None}),
        ("cancel_job", {"abort": True, "delete_job": False}),
    ],
)
def test_every_other_fate_of_a_job_is_synced(recorder: Recorder, query: str, arguments: dict[str, Any]) -> None:
    recorder.levels("fetch_job", queues=None, worker_id=1)

    assert recorder.levels(query, job_id=1, **arguments) == [SYNCED]


def test_heartbeat_is_left_to_the_kernel(recorder: Recorder) -> None:
    assert recorder.levels("update_heartbeat", worker_id=1) == [LEFT_TO_THE_KERNEL]


def test_looking_for_work_in_vain_writes_nothing(recorder: Recorder) -> None:
    recorder.levels("fetch_job", queues=None, worker_id=1)

    assert recorder.levels("fetch_job", queues=None, worker_id=1) == []
