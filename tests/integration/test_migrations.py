"""The schema's history: from nothing to the models, and back."""

from __future__ import annotations

from pathlib import Path

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


def test_migrations_make_what_the_models_say(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/a.db")
    with engine.begin() as connection:
        migrations.upgrade(connection)
        context = MigrationContext.configure(connection, opts={"include_object": is_ours, "compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def test_triggers_are_the_same_by_migration_and_by_the_models(tmp_path: Path) -> None:
    migrated, made = (create_engine(f"sqlite:///{tmp_path}/{name}.db") for name in ("migrated", "made"))
    with migrated.begin() as connection:
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
    with engine.begin() as connection:
        migrations.upgrade(connection)
        migrations.downgrade(connection, "base")
        assert set(sa.inspect(connection).get_table_names()) <= {"alembic_version"}
    engine.dispose()


def test_a_database_is_current_only_after_the_upgrade(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/a.db")
    with engine.begin() as connection:
        assert not migrations.is_current(connection)
        migrations.upgrade(connection)
        assert migrations.is_current(connection)
    engine.dispose()


def test_texts_that_were_sent_before_are_forgotten_and_books_are_kept(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/a.db")
    kinds = [(OutboxKind.ANSWER, OutboxState.ACCEPTED), (OutboxKind.ANSWER, OutboxState.QUEUED)]
    kinds += [(OutboxKind.NOTICE, OutboxState.BOUNCED), (OutboxKind.DELIVERY, OutboxState.ACCEPTED)]
    with engine.begin() as connection:
        migrations.upgrade(connection)
        with Session(connection) as session:
            user = make_user(session)
            mails = [make_outbox_mail(session, user=user, kind=kind, state=state).id for kind, state in kinds]
        migrations.downgrade(connection, "0009")
        migrations.upgrade(connection)
        kept = set(connection.scalars(sa.select(OutboxMail.id).where(OutboxMail.head != b"")))
    engine.dispose()

    assert kept == {mails[1], mails[3]}


def _made(connection: sa.Connection) -> set[tuple[str, str]]:
    rows = connection.exec_driver_sql(
        "SELECT name, sql FROM sqlite_master WHERE name LIKE 'book_fts%' OR name LIKE 'shelf%'"
    )
    return {(name, sql) for name, sql in rows}
