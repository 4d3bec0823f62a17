"""The names of the queries that Procrastinate asks its connector, and the two that we ask besides."""

from __future__ import annotations

from typing import LiteralString

from procrastinate import sql

OUR_QUERIES: dict[str, LiteralString] = {
    # A job that asked for a moment (`RetryLater`) has not failed; Procrastinate counts every retry as an attempt.
    "uncount_attempt": "UPDATE procrastinate_jobs SET attempts = attempts - 1 WHERE id = %(job_id)s",
    "count_jobs": """
        SELECT job.queue_name, job.task_name, job.status, count(*) AS jobs,
               min(coalesce(job.scheduled_at, event.at)) AS due_at
        FROM procrastinate_jobs AS job
        LEFT JOIN procrastinate_events AS event ON event.job_id = job.id AND event.type = 'deferred'
        GROUP BY job.queue_name, job.task_name, job.status""",
}
"""In PostgreSQL's words; `bot/jobs_sqlite_queries.py` answers them under the same names."""

QUERIES: dict[str, LiteralString] = {**sql.queries, **OUR_QUERIES}
NAMES: dict[str, str] = {text: name for name, text in QUERIES.items()}
"""A connector is handed the text of a query; this is which one it is."""
