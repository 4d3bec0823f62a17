"""The jobs as they stand in the database: looked at, put back and dropped in a caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
import structlog
from procrastinate import exceptions
from procrastinate.connector import BaseConnector
from sqlalchemy.orm import Session

from bot.jobs_queries import QUERIES
from bot.transactions import is_transient

log = structlog.get_logger(__name__)

Row = dict[str, Any]

REAPER_LOCK = 0x696E6B70  # "inkp": the PostgreSQL advisory lock under which stalled jobs are put back


@dataclass(frozen=True, slots=True)
class JobRecord:
    """One job. `status` is todo, doing, failed, cancelled or aborted; those that succeeded are gone."""

    id: int
    task: str
    queue: str
    status: str
    args: Mapping[str, Any]
    attempts: int
    lock: str | None
    scheduled_at: datetime | None


@dataclass(frozen=True, slots=True)
class JobCount:
    """So many jobs of one queue, task and status; `due_at` is when the oldest of them was to run."""

    queue: str
    task: str
    status: str
    jobs: int
    due_at: datetime


class JobTable:
    """Procrastinate's queries on the connection of a session. `connector` answers them there, and opens none itself."""

    def __init__(self, connector: BaseConnector) -> None:
        self._connector = connector

    def find(
        self, session: Session, *, status: str | None = None, task: str | None = None, queue: str | None = None
    ) -> list[JobRecord]:
        """Oldest first."""
        rows = self._ask(
            session,
            "list_jobs",
            id=None,
            queue_name=queue,
            task_name=task,
            status=status,
            lock=None,
            queueing_lock=None,
            worker_id=None,
        )
        return [_to_record(row) for row in rows]

    def count(self, session: Session) -> list[JobCount]:
        rows = self._ask(session, "count_jobs")
        return [
            JobCount(
                queue=row["queue_name"],
                task=row["task_name"],
                status=row["status"],
                jobs=row["jobs"],
                due_at=row["due_at"].astimezone(UTC),
            )
            for row in rows
        ]

    def stalled(self, session: Session, *, seconds: float) -> list[JobRecord]:
        """Jobs whose worker has been silent for so long, on PostgreSQL; none while another process puts them back.

        Procrastinate's retry does not look at who is doing a job: a second reaper could put back a job that the
        first put back and a worker has begun since.
        """
        if not session.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(REAPER_LOCK))):
            return []
        rows = self._ask(
            session,
            "select_stalled_jobs_by_heartbeat",
            queue=None,
            task_name=None,
            seconds_since_heartbeat=seconds,
        )
        return [_to_record(row) for row in rows]

    def retry_failed(self, session: Session, job_id: int, *, now: datetime) -> bool:
        """False if it is not there, not failed, or waits already under another id."""
        if self._ask(session, "get_job_status", job_id=job_id) != [{"status": "failed"}]:
            return False
        try:
            self._retry(session, job_id, now=now)
        except exceptions.UniqueViolation:
            return False
        return True

    def put_back(self, session: Session, job: JobRecord, *, now: datetime) -> None:
        """Have a job whose worker is gone run again."""
        try:
            self._retry(session, job.id, now=now)
        except exceptions.UniqueViolation:  # Its twin waits already and does the same.
            self._ask(session, "finish_job", job_id=job.id, status="aborted", delete_job=True)
        except exceptions.ConnectorException as error:
            if is_transient(error):
                raise
            log.info("job was ended by its worker after all", task=job.task, job_id=job.id)

    def give_up(self, session: Session, job: JobRecord) -> None:
        self._ask(session, "finish_job", job_id=job.id, status="failed", delete_job=False)

    def drop(self, session: Session, job_id: int) -> bool:
        """False if it is not there, or runs."""
        forget = sa.text("DELETE FROM procrastinate_jobs WHERE id = :id AND status <> 'doing' RETURNING id")
        return session.scalar(forget, {"id": job_id}) is not None

    def _retry(self, session: Session, job_id: int, *, now: datetime) -> None:
        with session.connection().begin_nested():
            self._ask(
                session,
                "retry_job",
                job_id=job_id,
                retry_at=now,
                new_priority=None,
                new_queue_name=None,
                new_lock=None,
            )

    def _ask(self, session: Session, query: str, **arguments: Any) -> list[Row]:
        driver = session.connection().connection.driver_connection
        return self._connector.execute_query_all_with_connection(driver, QUERIES[query], **arguments)


def _to_record(row: Mapping[str, Any]) -> JobRecord:
    return JobRecord(
        id=row["id"],
        task=row["task_name"],
        queue=row["queue_name"],
        status=row["status"],
        args=row["args"],
        attempts=row["attempts"],
        lock=row["lock"],
        scheduled_at=row["scheduled_at"] and row["scheduled_at"].astimezone(UTC),
    )
