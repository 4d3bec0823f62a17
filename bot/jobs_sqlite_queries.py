"""Procrastinate's tables and named queries in SQLite's words: data, for the connector in `bot/jobs_sqlite.py`."""

from __future__ import annotations

SCHEMA = """
CREATE TABLE IF NOT EXISTS procrastinate_workers (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    last_heartbeat REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS procrastinate_jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    queue_name TEXT NOT NULL,
    task_name TEXT NOT NULL,
    priority INTEGER NOT NULL DEFAULT 0,
    lock TEXT,
    queueing_lock TEXT,
    args TEXT NOT NULL DEFAULT '{}',
    status TEXT NOT NULL DEFAULT 'todo'
        CHECK (status IN ('todo', 'doing', 'succeeded', 'failed', 'cancelled', 'aborted')),
    scheduled_at REAL,
    attempts INTEGER NOT NULL DEFAULT 0,
    abort_requested INTEGER NOT NULL DEFAULT 0,
    worker_id INTEGER REFERENCES procrastinate_workers (id) ON DELETE SET NULL,
    deferred_at REAL NOT NULL,
    started_at REAL,
    changed_at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS procrastinate_periodic_defers (
    task_name TEXT NOT NULL,
    periodic_id TEXT NOT NULL DEFAULT '',
    defer_timestamp INTEGER NOT NULL,
    PRIMARY KEY (task_name, periodic_id, defer_timestamp)
) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS procrastinate_jobs_queueing_lock_idx_v1
    ON procrastinate_jobs (queueing_lock) WHERE status = 'todo' AND queueing_lock IS NOT NULL;
CREATE UNIQUE INDEX IF NOT EXISTS procrastinate_jobs_lock_idx_v1
    ON procrastinate_jobs (lock) WHERE status = 'doing' AND lock IS NOT NULL;
CREATE INDEX IF NOT EXISTS procrastinate_jobs_lock_order_idx
    ON procrastinate_jobs (lock, priority DESC, id) WHERE status = 'todo' AND lock IS NOT NULL;
CREATE INDEX IF NOT EXISTS procrastinate_jobs_fetch_idx
    ON procrastinate_jobs (priority DESC, id, scheduled_at, queue_name, lock) WHERE status = 'todo';
CREATE INDEX IF NOT EXISTS procrastinate_jobs_worker_idx
    ON procrastinate_jobs (worker_id) WHERE worker_id IS NOT NULL
"""
"""Procrastinate's tables without its table of events. Two queries read events, and they need a job's last two only,
which stand in its row (`started_at`, `changed_at`): nothing grows beyond the jobs themselves. Times are Unix seconds.
AUTOINCREMENT, because a number that named one job in a log shall never name another."""

IS_WORK_DUE = """
SELECT 1 FROM procrastinate_jobs
WHERE status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= :now)
  AND (:queues IS NULL OR queue_name IN (SELECT value FROM json_each(:queues)))
LIMIT 1
"""

INSERT_JOB = """
INSERT INTO procrastinate_jobs (
    queue_name, task_name, priority, lock, queueing_lock, args, scheduled_at, deferred_at, changed_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

NOTE_PERIODIC = """
INSERT INTO procrastinate_periodic_defers (task_name, periodic_id, defer_timestamp)
VALUES (:task_name, :periodic_id, :defer_timestamp) ON CONFLICT DO NOTHING RETURNING defer_timestamp
"""

FORGET_EARLIER_PERIODIC = """
DELETE FROM procrastinate_periodic_defers
WHERE task_name = :task_name AND periodic_id = :periodic_id AND defer_timestamp < :defer_timestamp
"""

READS: dict[str, str] = {
    "check_connection": """
        SELECT (SELECT name FROM sqlite_schema WHERE name = 'procrastinate_jobs') AS "check" """,
    "get_job_status": "SELECT status FROM procrastinate_jobs WHERE id = :job_id",
    "count_jobs_status": "SELECT count(*) AS count, status FROM procrastinate_jobs GROUP BY status",
    "list_jobs": """
        SELECT * FROM procrastinate_jobs
        WHERE (:id IS NULL OR id = :id)
          AND (:queue_name IS NULL OR queue_name = :queue_name)
          AND (:task_name IS NULL OR task_name = :task_name)
          AND (:status IS NULL OR status = :status)
          AND (:lock IS NULL OR lock = :lock)
          AND (:queueing_lock IS NULL OR queueing_lock = :queueing_lock)
          AND (:worker_id IS NULL OR worker_id = :worker_id)
        ORDER BY id""",
    "list_queues": """
        SELECT name, sum(jobs) AS jobs_count, json_group_object(status, jobs) AS stats FROM (
            SELECT queue_name AS name, status, count(*) AS jobs FROM procrastinate_jobs
            WHERE (:queue_name IS NULL OR queue_name = :queue_name)
              AND (:task_name IS NULL OR task_name = :task_name)
              AND (:status IS NULL OR status = :status)
              AND (:lock IS NULL OR lock = :lock)
            GROUP BY queue_name, status)
        GROUP BY name ORDER BY name""",
    "list_tasks": """
        SELECT name, sum(jobs) AS jobs_count, json_group_object(status, jobs) AS stats FROM (
            SELECT task_name AS name, status, count(*) AS jobs FROM procrastinate_jobs
            WHERE (:queue_name IS NULL OR queue_name = :queue_name)
              AND (:task_name IS NULL OR task_name = :task_name)
              AND (:status IS NULL OR status = :status)
              AND (:lock IS NULL OR lock = :lock)
            GROUP BY task_name, status)
        GROUP BY name ORDER BY name""",
    "list_locks": """
        SELECT name, sum(jobs) AS jobs_count, json_group_object(status, jobs) AS stats FROM (
            SELECT lock AS name, status, count(*) AS jobs FROM procrastinate_jobs
            WHERE (:queue_name IS NULL OR queue_name = :queue_name)
              AND (:task_name IS NULL OR task_name = :task_name)
              AND (:status IS NULL OR status = :status)
              AND (:lock IS NULL OR lock = :lock)
              AND lock IS NOT NULL
            GROUP BY lock, status)
        GROUP BY name ORDER BY name""",
    "list_jobs_to_abort": """
        SELECT id FROM procrastinate_jobs
        WHERE status = 'doing' AND abort_requested AND (:queue_name IS NULL OR queue_name = :queue_name)""",
    "select_stalled_jobs_by_started": """
        SELECT * FROM procrastinate_jobs
        WHERE status = 'doing' AND started_at < :now - :nb_seconds
          AND (:queue IS NULL OR queue_name = :queue)
          AND (:task_name IS NULL OR task_name = :task_name)""",
    "select_stalled_jobs_by_heartbeat": """
        SELECT * FROM procrastinate_jobs AS job
        WHERE status = 'doing'
          AND (:queue IS NULL OR queue_name = :queue)
          AND (:task_name IS NULL OR task_name = :task_name)
          AND NOT EXISTS (
            SELECT 1 FROM procrastinate_workers AS worker
            WHERE worker.id = job.worker_id AND worker.last_heartbeat >= :now - :seconds_since_heartbeat)""",
    "count_jobs": """
        SELECT queue_name, task_name, status, count(*) AS jobs, min(coalesce(scheduled_at, deferred_at)) AS due_at
        FROM procrastinate_jobs GROUP BY queue_name, task_name, status""",
}
"""Queries that only look. Parameters have Procrastinate's names, as in all of these tables; `:now` is ours."""

WRITES: dict[str, tuple[str, ...]] = {
    "fetch_job": (
        """
        UPDATE procrastinate_jobs
        SET status = 'doing', worker_id = :worker_id, started_at = :now, changed_at = :now
        WHERE id = (
            SELECT job.id FROM procrastinate_jobs AS job
            WHERE job.status = 'todo'
              AND (job.scheduled_at IS NULL OR job.scheduled_at <= :now)
              AND (:queues IS NULL OR job.queue_name IN (SELECT value FROM json_each(:queues)))
              AND NOT EXISTS (
                SELECT 1 FROM procrastinate_jobs AS running
                WHERE running.lock = job.lock AND running.status = 'doing')
              AND NOT EXISTS (
                SELECT 1 FROM procrastinate_jobs AS earlier
                WHERE earlier.lock = job.lock AND earlier.status = 'todo'
                  AND (earlier.priority > job.priority OR (earlier.priority = job.priority AND earlier.id < job.id)))
            ORDER BY job.priority DESC, job.id LIMIT 1)
        RETURNING *""",
    ),
    "finish_job": (
        """
        DELETE FROM procrastinate_jobs
        WHERE :delete_job AND id = :job_id AND status IN ('todo', 'doing') RETURNING id""",
        """
        UPDATE procrastinate_jobs
        SET attempts = attempts + (status = 'doing'), status = :status, abort_requested = 0, changed_at = :now
        WHERE NOT :delete_job AND id = :job_id AND status IN ('todo', 'doing') RETURNING id""",
    ),
    "retry_job": (
        """
        UPDATE procrastinate_jobs SET status = 'failed', changed_at = :now
        WHERE id = :job_id AND status = 'doing' AND abort_requested RETURNING id""",
        """
        UPDATE procrastinate_jobs
        SET status = 'todo', attempts = attempts + 1, abort_requested = 0, scheduled_at = :retry_at,
            priority = coalesce(:new_priority, priority), queue_name = coalesce(:new_queue_name, queue_name),
            lock = coalesce(:new_lock, lock), changed_at = :now
        WHERE id = :job_id AND status IN ('doing', 'failed') RETURNING id""",
    ),
    "cancel_job": (
        "DELETE FROM procrastinate_jobs WHERE :delete_job AND id = :job_id AND status = 'todo' RETURNING id",
        """
        UPDATE procrastinate_jobs
        SET status = CASE status WHEN 'todo' THEN 'cancelled' ELSE status END, abort_requested = :abort,
            changed_at = :now
        WHERE id = :job_id AND (status = 'todo' OR (:abort AND status = 'doing')) RETURNING id""",
    ),
    "uncount_attempt": ("UPDATE procrastinate_jobs SET attempts = attempts - 1 WHERE id = :job_id",),
    "delete_old_jobs": (
        """
        DELETE FROM procrastinate_jobs
        WHERE status IN (SELECT value FROM json_each(:statuses))
          AND (:queue IS NULL OR queue_name = :queue)
          AND changed_at < :now - 3600 * :nb_hours""",
    ),
    "register_worker": ("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (:now) RETURNING id AS worker_id",),
    "unregister_worker": ("DELETE FROM procrastinate_workers WHERE id = :worker_id",),
    "update_heartbeat": ("UPDATE procrastinate_workers SET last_heartbeat = :now WHERE id = :worker_id",),
    "prune_stalled_workers": (
        """
        DELETE FROM procrastinate_workers
        WHERE last_heartbeat < :now - :seconds_since_heartbeat RETURNING id AS worker_id""",
    ),
}
"""Queries that change rows: the first statement that returns some is the answer, the rest is not run."""

MUST_HIT = frozenset({"finish_job", "retry_job"})
"""Where PostgreSQL's functions raise when the job is not there or not in a status for it."""

IF_NOTHING: dict[str, list[dict[str, None]]] = {"fetch_job": [{"id": None}], "cancel_job": [{"id": None}]}
"""Where they return a row of NULLs."""

MAY_BE_LOST = frozenset(
    {"fetch_job", "register_worker", "unregister_worker", "update_heartbeat", "prune_stalled_workers"}
)
"""Writes that a power cut may take back without harm: see `SqliteConnector`."""
