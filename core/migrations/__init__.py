"""The schema's history, by Alembic; run from the program itself, since there is no alembic.ini on a user's machine."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory


def upgrade(connection: sa.Connection, revision: str = "head") -> None:
    """Bring the schema to `revision` in the caller's transaction: whole or not at all, on SQLite as on PostgreSQL."""
    command.upgrade(_config(connection), revision)


def downgrade(connection: sa.Connection, revision: str) -> None:
    """Take the schema back to `revision` ("base": nothing). Loses what the newer one holds."""
    command.downgrade(_config(connection), revision)


def is_current(connection: sa.Connection) -> bool:
    """Whether the schema is the one that this program was written for."""
    head = ScriptDirectory.from_config(_config(connection)).get_current_head()
    return MigrationContext.configure(connection).get_current_revision() == head


def _config(connection: sa.Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    return config
