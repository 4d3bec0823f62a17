"""Backup and restore of PostgreSQL: the very lines of docs/operations.md, and every row compared."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.jobs import JobEngine, JobSettings
from bot.moving import count_and_hash
from bot.opening import check_schema, migrate
from core.db import Base, create_engine
from core.events import EventBus
from core.jobs import Job
from core.models import Book, Shelf
from tests.factories.news import make_article, make_digest, make_feed, make_subscription
from tests.factories.rows import NOW, make_book, make_device, make_inbound, make_outbox_mail, make_user
from tests.support.postgres import NoPostgres, PostgresServer, find_programs

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"
BOOKS = 30


@pytest.fixture
def old(postgres_url: str) -> Iterator[sa.Engine]:
    """A library at work: with rows of all kinds, and jobs that wait."""
    database = create_engine(postgres_url)
    migrate(database)
    engine = JobEngine(database, clock=lambda: NOW, bus=EventBus(), settings=JobSettings())
    with engine.work() as work:
        session = work.session
        user = make_user(session, address="ada@reader.test")
        for number in range(BOOKS):
            make_book(session, user, title=f"Moby Dick {number} – “Ä”")
        make_device(session, user)
        make_inbound(session, raw=b"\x00\xff mail")
        make_outbox_mail(session, user=user)
        feed = make_feed(session)
        make_subscription(session, user, feed, name="Feed")
        make_article(session, feed)
        make_digest(session, user, next_due_at=NOW + timedelta(days=1))
        work.jobs.append(Job("process_mail", {"inbound_id": 1}, lock="mail:ada", queue="inbound"))
    yield database
    database.dispose()


@pytest.fixture
def programs() -> Path:
    try:
        return find_programs()
    except NoPostgres as error:
        pytest.skip(str(error))


def lines_of_the_handbook() -> list[str]:
    lines = [line.strip() for line in OPERATIONS.read_text().splitlines()]
    return [line for line in lines if line.startswith(("pg_dump ", "pg_restore "))]


def run(line: str, folder: Path, programs: Path, *, old: str, new: str) -> None:
    path = f"{programs}:{os.environ['PATH']}"
    urls = {name: url.replace("+psycopg:", ":", 1) for name, url in (("DATABASE", old), ("RESTORED", new))}
    done = subprocess.run(line, shell=True, cwd=folder, env={"PATH": path, **urls}, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def contents(database: sa.Engine) -> dict[str, tuple[int, str]]:
    with database.connect() as connection:
        found = {table.name: count_and_hash(connection, table) for table in Base.metadata.sorted_tables}
        jobs = connection.execute(
            sa.text("SELECT id, task_name, args, status::text FROM procrastinate_jobs ORDER BY id")
        )
        return found | {"jobs": (0, repr(jobs.all()))}


def test_lines_of_the_handbook_bring_everything_back(
    old: sa.Engine, postgres_server: PostgresServer, programs: Path, tmp_path: Path
) -> None:
    before = contents(old)
    lines = lines_of_the_handbook()
    assert [line.split()[0] for line in lines] == ["pg_dump", "pg_restore"]

    with postgres_server.database() as url:
        plain = [
            one.replace("postgresql+psycopg:", "postgresql:")
            for one in (old.url.render_as_string(hide_password=False), url)
        ]
        for line in lines:
            run(line, tmp_path, programs, old=plain[0], new=plain[1])
        new = create_engine(url)
        try:
            after = contents(new)
            check_schema(new)
            goes_on(new)
        finally:
            new.dispose()

    assert after == before
    assert before["book"][0] == BOOKS


def goes_on(database: sa.Engine) -> None:
    """Ids go on where they were, search finds, triggers count, and a job can be deferred."""
    engine = JobEngine(database, clock=lambda: NOW, bus=EventBus(), settings=JobSettings())
    with engine.work() as work:
        owner = work.session.scalars(sa.select(Book.user_id)).first()
        assert owner is not None
        assert len(Book.search(work.session, "moby", user_id=owner, limit=100)) == BOOKS
        user = make_user(work.session, address="bob@reader.test")
        make_book(work.session, user, title="Emma")
        work.session.flush()
        assert Shelf.totals(work.session, user.id)[0] == 1
        work.jobs.append(Job("process_mail", {"inbound_id": 2}, queue="inbound"))
    assert len(engine.list_jobs()) == 2
