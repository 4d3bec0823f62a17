"""Databases with all tables: migrated once in a process, and copied for each test. A migration takes half a second."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import sqlalchemy as sa

from bot.opening import migrate
from core.db import create_engine


def new_database(file: Path) -> sa.Engine:
    """An engine on a new SQLite file, as `inkpost migrate` leaves it. The caller disposes of it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(_migrated())
    return create_engine(f"sqlite:///{file}")


@functools.cache
def _migrated() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "empty.db"
        database = create_engine(f"sqlite:///{file}")
        migrate(database)
        database.dispose()  # the last connection brings the write-ahead log into the file
        return file.read_bytes()
