"""A grown installation moves from SQLite to PostgreSQL, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from bot.jobs import JobEngine, JobSettings
from bot.moving import JOBS, NotMoved, count_rows, move_database
from bot.opening import migrate
from core.db import create_engine
from core.events import EventBus
from core.jobs import Job
from core.models import Book, Shelf, User
from tests.factories.news import make_article, make_digest, make_feed, make_subscription
from tests.factories.rows import NOW, make_book, make_device, make_inbound, make_outbox_mail, make_user


@pytest.fixture
def old(tmp_path: Path) -> Iterator[sa.Engine]:
    database = create_engine(f"sqlite:///{tmp_path / 'inkpost.db'}")
    migrate(database)
    engine = JobEngine(database, clock=lambda: NOW, bus=EventBus(), settings=JobSettings())
    with engine.work() as work:
        session = work.session
        for number in range(3):
            user = make_user(session, address=f"reader{number}@reader.test")
            for book in range(40):
                make_book(session, user, title=f"Moby Dick {book} – “Ä”")
            make_device(session, user)
            make_inbound(session, raw=b"\x00\xff mail")
            make_outbox_mail(session, user=user)
            feed = make_feed(session)
            make_subscription(session, user, feed, name=f"Feed {number}")
            make_article(session, feed)
            make_digest(session, user, next_due_at=NOW + timedelta(days=1))
        work.jobs += [
            Job("process_mail", {"inbound_id": 1}, lock="mail:ada", queue="inbound"),
            Job("deliver", {"outbox_id": 1}, lock="rcpt:ada", queue="outbound", delay_seconds=3600),
        ]
    yield database
    database.dispose()


@pytest.fixture
def new(postgres_url: str) -> Iterator[sa.Engine]:
    database = create_engine(postgres_url)
    migrate(database)
    yield database
    database.dispose()


def move(old: sa.Engine, new: sa.Engine) -> dict[str, int]:
    with old.execution_options(read_only=True).begin() as source, new.begin() as target:
        return {one.table: one.rows for one in move_database(source, target)}


def test_everything_is_there_and_goes_on(old: sa.Engine, new: sa.Engine) -> None:
    with old.connect() as source:
        total = count_rows(source)

    moved = move(old, new)

    assert sum(moved.values()) == total
    assert (moved["book"], moved["user"], moved[JOBS]) == (120, 3, 2)
    with Session(new) as session, session.begin():
        user = session.scalars(sa.select(User).order_by(User.id)).first()
        assert user is not None
        assert Shelf.totals(session, user.id)[0] == 40
        assert len(Book.search(session, "moby", user_id=user.id, limit=50)) == 40
        assert make_user(session, address="new@reader.test").id == 4, "ids go on behind the old ones"
    engine = JobEngine(new, clock=lambda: NOW, bus=EventBus(), settings=JobSettings())
    first, second = engine.list_jobs()
    assert (first.task, first.args, first.lock, first.status) == ("process_mail", {"inbound_id": 1}, "mail:ada", "todo")
    assert second.scheduled_at == NOW + timedelta(hours=1)


def test_what_is_done_now_is_to_be_done_there(old: sa.Engine, new: sa.Engine) -> None:
    with old.begin() as connection:
        connection.execute(sa.text(f"UPDATE {JOBS} SET status = 'doing' WHERE task_name = 'process_mail'"))

    move(old, new)

    engine = JobEngine(new, clock=lambda: NOW, bus=EventBus(), settings=JobSettings())
    assert [job.status for job in engine.list_jobs()] == ["todo", "todo"]


def test_database_that_is_not_empty_is_left_alone(old: sa.Engine, new: sa.Engine) -> None:
    move(old, new)

    with pytest.raises(NotMoved, match="not empty"):
        move(old, new)


def test_one_row_that_differs_undoes_it_all(old: sa.Engine, new: sa.Engine) -> None:
    with new.begin() as connection:
        connection.execute(
            sa.text(
                "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS"
                " $$ BEGIN NEW.title := NEW.title || '!'; RETURN NEW; END $$"
            )
        )
        connection.execute(sa.text(
            "CREATE TRIGGER spoil BEFORE INSERT ON book FOR EACH ROW WHEN (NEW.id = 7) EXECUTE FUNCTION spoil()"
        ))  # fmt: skip

    with pytest.raises(NotMoved, match="book is not the same"):
        move(old, new)

    with Session(new) as session:
        assert session.scalar(sa.select(sa.func.count(User.id))) == 0


def test_other_directions_are_refused(old: sa.Engine) -> None:
    with old.connect() as source, pytest.raises(NotMoved, match="sqlite:///… to postgresql"):
        move_database(source, source)
