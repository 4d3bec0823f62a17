"""The schema's history, by Alembic; run from the program itself, since there is no alembic.ini on a user's machine."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

if TYPE_CHECKING:
    from alembic.config import Config

# Alembic is imported where the schema is changed: a service whose schema is current does without its 6 MB.
_REVISION = re.compile(r'^(revision|down_revision)(?:: [^=]+)? = "(.+)"', re.MULTILINE)


@contextmanager
def transaction(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Where the schema may be changed: whole or not at all, on SQLite as on PostgreSQL.

    SQLite changes many a table by making it anew, and dropping the old one deletes its rows first, and with them all
    rows that go with those (https://sqlite.org/foreignkeys.html 5). So foreign keys are not acted on meanwhile, which
    has to be said before the transaction, and are checked before it ends. Raises `sqlalchemy.exc.IntegrityError`.
    """
    with engine.connect() as connection:
        if engine.dialect.name != "sqlite":
            with connection.begin():
                yield connection
            return
        sqlite = connection.connection.cursor()
        sqlite.execute("PRAGMA foreign_keys=OFF")
        try:
            with connection.begin():
                yield connection
                if broken := connection.exec_driver_sql("PRAGMA foreign_key_check").all():
                    raise sa.exc.IntegrityError(
                        "PRAGMA foreign_key_check", None, ValueError(f"leads nowhere: {broken[:5]}")
                    )
        finally:
            sqlite.execute("PRAGMA foreign_keys=ON")
            sqlite.close()


def upgrade(connection: sa.Connection, revision: str = "head") -> None:
    """Bring the schema to `revision`, in a `transaction` of this module."""
    from alembic import command

    command.upgrade(_config(connection), revision)


def downgrade(connection: sa.Connection, revision: str) -> None:
    """Take the schema back to `revision` ("base": nothing). Loses what the newer one holds."""
    from alembic import command

    command.downgrade(_config(connection), revision)


def is_current(connection: sa.Connection) -> bool:
    """Whether the schema is the one that this program was written for."""
    return _revisions_of(connection) == [head()]


def is_newer(connection: sa.Connection) -> bool:
    """Whether the schema is one of which this program's history knows nothing."""
    return not _history()["revision"].issuperset(_revisions_of(connection))


def _revisions_of(connection: sa.Connection) -> Sequence[str]:
    if not sa.inspect(connection).has_table("alembic_version"):
        return []
    return connection.scalars(sa.text("SELECT version_num FROM alembic_version")).all()


def head() -> str:
    """The newest revision, by what the files of the history say: the one that no other follows."""
    found = _history()
    (newest,) = found["revision"] - found["down_revision"]
    return newest


def _history() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {"revision": set(), "down_revision": set()}
    for path in (Path(__file__).parent / "versions").glob("*.py"):
        for name, revision in _REVISION.findall(path.read_text("utf-8")):
            found[name].add(revision)
    return found


def _config(connection: sa.Connection) -> Config:
    from alembic.config import Config

    if connection.dialect.name == "sqlite" and connection.exec_driver_sql("PRAGMA foreign_keys").scalar():
        raise RuntimeError("foreign keys are on: rows would go with the tables that are made anew")
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    return config
