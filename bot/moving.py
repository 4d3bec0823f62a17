"""A grown installation from SQLite to PostgreSQL: every row and every job in one transaction, then compared."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from core.db import Base
from core.errors import InkpostError
from core.models import Shelf

BATCH = 500
KEPT_BY_TRIGGERS = frozenset({Shelf.__tablename__})  # they come into being with the rows that they are about
JOBS = "procrastinate_jobs"
_JOBS = sa.text(
    "SELECT id, queue_name, task_name, priority, lock, queueing_lock, args, attempts, status,"
    " datetime(scheduled_at, 'unixepoch') || '+00' AS scheduled_at FROM procrastinate_jobs"
    " WHERE status IN ('todo', 'doing', 'failed') ORDER BY id"
)
# What was being done is to be done again; each of our tasks finds what it did before.
_INSERT_JOB = sa.text(
    "INSERT INTO procrastinate_jobs (id, queue_name, task_name, priority, lock, queueing_lock, args, attempts, status,"
    " scheduled_at) VALUES (:id, :queue_name, :task_name, :priority, :lock, :queueing_lock, CAST(:args AS jsonb),"
    " :attempts, CAST(CASE WHEN :status = 'doing' THEN 'todo' ELSE :status END AS procrastinate_job_status),"
    " CAST(:scheduled_at AS timestamptz))"
)


class NotMoved(InkpostError):
    """Nothing was written; the text says why."""


@dataclass(frozen=True, slots=True)
class Moved:
    """One table, on both sides. Hashes are over all rows, in whatever order."""

    table: str
    rows: int
    sha256: str


def move_database(
    source: sa.Connection, target: sa.Connection, *, progress: Callable[[str, int], None] = lambda _table, _rows: None
) -> list[Moved]:
    """Copy everything from SQLite to an empty, migrated PostgreSQL, and compare it. The caller's transactions: nothing
    is there unless all of it is. Blobs stay where they are. Raises `NotMoved`.

    `progress` hears of each batch: the table's name, and how many rows.
    """
    if (source.dialect.name, target.dialect.name) != ("sqlite", "postgresql"):
        raise NotMoved("It goes from sqlite:///… to postgresql://… only.")
    tables = [table for table in Base.metadata.sorted_tables if table.name not in KEPT_BY_TRIGGERS]
    for name in (*(table.name for table in tables), JOBS):
        if target.execute(sa.text(f'SELECT 1 FROM "{name}" LIMIT 1')).first() is not None:
            raise NotMoved(f"The new database is not empty: {name} has rows.")
    moved = [_move(table, source, target, progress) for table in tables]
    moved.append(_move_jobs(source, target, progress))
    return moved


def count_rows(source: sa.Connection) -> int:
    """How many rows there are to move."""
    names = [table.name for table in Base.metadata.sorted_tables if table.name not in KEPT_BY_TRIGGERS]
    return sum(source.scalar(sa.text(f'SELECT count(*) FROM "{name}"')) or 0 for name in (*names, JOBS))


def _move(table: sa.Table, source: sa.Connection, target: sa.Connection, progress: Callable[[str, int], None]) -> Moved:
    for batch in _batches(source, table):
        target.execute(table.insert(), batch)
        progress(table.name, len(batch))
    here, there = count_and_hash(source, table), count_and_hash(target, table)
    if here != there:
        raise NotMoved(f"{table.name} is not the same in both: {here[0]} rows and {there[0]} rows.")
    _set_sequence(table, target)
    return Moved(table.name, *here)


def _batches(connection: sa.Connection, table: sa.Table) -> Iterator[list[dict[str, Any]]]:
    rows = connection.execute(table.select().order_by(*table.primary_key), execution_options={"yield_per": BATCH})
    for part in rows.partitions():
        yield [dict(row._mapping) for row in part]


def count_and_hash(connection: sa.Connection, table: sa.Table) -> tuple[int, str]:
    """Count, and the sum of the hashes of all rows: databases do not sort texts alike."""
    count = total = 0
    for batch in _batches(connection, table):
        for row in batch:
            total += int.from_bytes(hashlib.sha256(repr([*row.items()]).encode("utf-8", "surrogatepass")).digest())
            count += 1
    return count, f"{total % (1 << 256):064x}"


def _set_sequence(table: sa.Table, target: sa.Connection) -> None:
    """The next id is one behind the largest: a sequence does not see ids that it has not given."""
    for column in table.primary_key:
        sequence = target.scalar(sa.select(sa.func.pg_get_serial_sequence(table.name, column.name)))
        if sequence is not None:
            largest = sa.select(sa.func.coalesce(sa.func.max(column), 0) + 1).scalar_subquery()
            target.execute(sa.select(sa.func.setval(sequence, largest, False)))


def _move_jobs(source: sa.Connection, target: sa.Connection, progress: Callable[[str, int], None]) -> Moved:
    rows = [dict(row._mapping) for row in source.execute(_JOBS)]
    if rows:
        target.execute(_INSERT_JOB, rows)
        target.execute(sa.text(f"SELECT setval(pg_get_serial_sequence('{JOBS}', 'id'), {rows[-1]['id']})"))
    progress(JOBS, len(rows))
    found = target.scalar(sa.text(f"SELECT count(*) FROM {JOBS}"))
    if found != len(rows):
        raise NotMoved(f"{len(rows)} jobs are {found} in the new database.")
    names = repr([(row["id"], row["task_name"], row["args"]) for row in rows])
    return Moved(JOBS, len(rows), hashlib.sha256(names.encode()).hexdigest())
