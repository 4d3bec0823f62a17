"""The schema's history: from nothing to the models, and back."""

from __future__ import annotations

from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.orm import Session

from core import migrations
from core.db import Base, create_engine
from core.migrations.objects import is_ours
from core.models import OutboxMail
from core.models.outbox import OutboxKind, OutboxState
from tests.factories.rows import make_outbox_mail, make_user

REVISIONS = sorted(path.name[:4] for path in (Path(migrations.__file__).parent / "versions").glob("0*.py"))


def test_migrations_make_what_the_models_say(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/a.db")
    with migrations.transaction(engine) as connection:
        migrations.upgrade(connection)
        context = MigrationContext.configure(connection, opts={"include_object": is_ours, "compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def test_triggers_are_the_same_by_migration_and_by_the_models(tmp_path: Path) -> None:
    migrated, made = (create_engine(f"sqlite:///{tmp_path}/{name}.db") for name in ("migrated", "made"))
    with migrations.transaction(migrated) as connection:
        migrations.upgrade(connection)
        by_migration = _made(connection)
    with made.begin() as connection:
        Base.metadata.create_all(connection)
        by_models = _made(connection)
    assert by_migration == by_models
    assert len(by_models) > 3
    migrated.dispose()
    made.dispose()


def test_downgrade_leaves_nothing(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/a.db")
    with migrations.transaction(engine) as connection:
        migrations.upgrade(connection)
        migrations.downgrade(connection, "base")
        assert set(sa.inspect(connection).get_table_names()) <= {"alembic_version"}
    engine.dispose()


@pytest.mark.parametrize(("old", "new"), list(pairwise(REVISIONS)))
def test_no_row_and_no_reference_is_lost_by_an_upgrade(tmp_path: Path, old: str, new: str) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/a.db")
    with migrations.transaction(engine) as connection:
        migrations.upgrade(connection, old)
        _fill_every_table(connection)
        before = _counted(connection)
    with migrations.transaction(engine) as connection:
        migrations.upgrade(connection, new)
        after = _counted(connection)
    engine.dispose()

    assert len(before) > 15
    assert {name: after.get(name, count) for name, count in before.items()} == before


def test_schema_is_not_changed_where_rows_would_go_with_it(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/a.db")
    with engine.begin() as connection, pytest.raises(RuntimeError, match="foreign keys"):
        migrations.upgrade(connection)
    engine.dispose()


def test_a_change_that_leaves_a_reference_to_nothing_is_taken_back(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/a.db")
    with migrations.transaction(engine) as connection:
        migrations.upgrade(connection)
        with Session(connection) as session:
            make_outbox_mail(session, user=make_user(session))
            session.commit()
    with pytest.raises(sa.exc.IntegrityError), migrations.transaction(engine) as connection:
        connection.exec_driver_sql('DELETE FROM "user"')
    with engine.connect() as connection:
        assert connection.exec_driver_sql('SELECT count(*) FROM "user"').scalar() == 1
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    engine.dispose()


def test_a_database_is_current_only_after_the_upgrade(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/a.db")
    with migrations.transaction(engine) as connection:
        assert not migrations.is_current(connection)
        migrations.upgrade(connection)
        assert migrations.is_current(connection)
    engine.dispose()


def test_texts_that_were_sent_before_are_forgotten_and_books_are_kept(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/a.db")
    kinds = [(OutboxKind.ANSWER, OutboxState.ACCEPTED), (OutboxKind.ANSWER, OutboxState.QUEUED)]
    kinds += [(OutboxKind.NOTICE, OutboxState.BOUNCED), (OutboxKind.DELIVERY, OutboxState.ACCEPTED)]
    with migrations.transaction(engine) as connection:
        migrations.upgrade(connection)
        with Session(connection) as session:
            user = make_user(session)
            mails = [make_outbox_mail(session, user=user, kind=kind, state=state).id for kind, state in kinds]
        migrations.downgrade(connection, "0009")
        migrations.upgrade(connection)
        kept = set(connection.scalars(sa.select(OutboxMail.id).where(OutboxMail.head != b"")))
    engine.dispose()

    assert kept == {mails[1], mails[3]}


_KEPT_BY_TRIGGERS = "shelf"
_SAMPLES = {
    sa.Integer: 1, sa.BigInteger: 1, sa.Float: 1.0, sa.Boolean: False, sa.LargeBinary: b"x", sa.JSON: {},
    sa.DateTime: datetime(2026, 11, 28), sa.Date: date(2026, 11, 28), sa.String: "x",
}  # fmt: skip


def _tables(connection: sa.Connection) -> list[sa.Table]:
    metadata = sa.MetaData()
    metadata.reflect(connection)
    return [table for table in metadata.sorted_tables if not table.name.startswith(("alembic", "book_fts"))]


def _fill_every_table(connection: sa.Connection) -> None:
    """A row in each table as it lies in the database; all that leads to another row leads to that one."""
    for table in _tables(connection):
        if table.name != _KEPT_BY_TRIGGERS:
            connection.execute(sa.insert(table), {column.name: _sample(column) for column in table.columns})


def _sample(column: sa.Column[Any]) -> object:
    for key in column.foreign_keys:
        return _sample(key.column)
    return next(value for kind, value in _SAMPLES.items() if isinstance(column.type, kind))


def _counted(connection: sa.Connection) -> dict[str, int]:
    """Rows of each table, and in how many of them each reference leads somewhere."""
    counts: dict[str, int] = {}
    for table in _tables(connection):
        counts[table.name] = connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
        for column in table.columns:
            if column.foreign_keys:
                counts[f"{table.name}.{column.name}"] = connection.scalar(sa.select(sa.func.count(column))) or 0
    return counts


def _made(connection: sa.Connection) -> set[tuple[str, str]]:
    rows = connection.exec_driver_sql(
        "SELECT name, sql FROM sqlite_master WHERE name LIKE 'book_fts%' OR name LIKE 'shelf%'"
    )
    return {(name, sql) for name, sql in rows}
