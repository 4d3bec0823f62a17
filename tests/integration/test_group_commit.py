"""Units of work that wait for SQLite's one writer share a commit, and are as much apart as if they had one each."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot.jobs import JobEngine, JobSettings, create_schema
from bot.transactions import MAX_GROUP
from core.db import create_engine
from core.errors import NotFound, Unavailable
from core.events import EventBus
from core.jobs import Job
from core.work import Work
from tests.factories.rows import NOW

DEADLINE_SECONDS = 90.0


@pytest.fixture
def db(tmp_path: Path) -> sa.Engine:
    db = create_engine(f"sqlite:///{tmp_path / 'notes.db'}")
    with db.begin() as connection:
        create_schema(connection)
        connection.exec_driver_sql("CREATE TABLE note (text TEXT UNIQUE)")
    return db


@pytest.fixture
async def engine(db: sa.Engine) -> AsyncIterator[JobEngine]:
    engine = JobEngine(db, clock=lambda: NOW, bus=EventBus(), settings=JobSettings())
    await engine.open()
    yield engine
    await engine.close()
    db.dispose()


@pytest.fixture
def commits(db: sa.Engine) -> list[int]:
    """Grows with each commit, by the number of the notes that stand then."""
    counted: list[int] = []
    sa.event.listen(db, "commit", lambda connection: counted.append(connection.scalar(sa.text(COUNT))))
    return counted


COUNT = "SELECT count(*) FROM note"


def note(text: str) -> Callable[[Work], str]:
    def act(work: Work) -> str:
        work.session.execute(sa.text("INSERT INTO note VALUES (:text)"), {"text": text})
        work.defer(Job("hear", {"text": text}))
        return text

    return act


async def at_once(engine: JobEngine, *acts: Callable[[Work], Any]) -> list[Any]:
    """What came of acts that all waited for the writer; an exception in its place."""
    is_held, go_on = threading.Event(), threading.Event()

    def hold(_work: Work) -> None:
        is_held.set()
        go_on.wait(DEADLINE_SECONDS)

    holder = asyncio.create_task(engine.in_work(hold))
    await asyncio.to_thread(is_held.wait, DEADLINE_SECONDS)
    waiting = [asyncio.create_task(engine.in_work(act)) for act in acts]
    await asyncio.sleep(0)  # each has put itself in the queue
    go_on.set()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    await holder
    return outcomes


def notes(engine: JobEngine) -> list[str]:
    with engine.read() as session:
        return list(session.scalars(sa.text("SELECT text FROM note ORDER BY text")))


def heard(engine: JobEngine) -> list[str]:
    return [job.args["text"] for job in engine.list_jobs()]


async def test_units_that_wait_share_a_commit(engine: JobEngine, commits: list[int]) -> None:
    texts = [f"note {number}" for number in range(MAX_GROUP + 2)]

    assert await at_once(engine, *map(note, texts)) == texts

    assert commits == [MAX_GROUP, MAX_GROUP + 2]
    assert heard(engine) == texts


async def test_what_fails_is_undone_alone_and_leaves_no_job(engine: JobEngine) -> None:
    def fails(work: Work) -> None:
        note("undone")(work)
        raise NotFound("There is none.")

    first, second, third, fourth = await at_once(engine, note("a"), fails, note("a"), note("b"))

    assert (first, fourth) == ("a", "b")
    assert isinstance(second, NotFound)
    assert isinstance(third, sa.exc.IntegrityError)
    assert notes(engine) == heard(engine) == ["a", "b"]


async def test_group_that_the_disk_undid_is_tried_one_by_one(engine: JobEngine, commits: list[int]) -> None:
    def disk_is_full(work: Work) -> None:
        """SQLite rolls back the whole transaction, by itself, and says so in its error."""
        driver = work.session.connection().connection.driver_connection
        assert driver is not None
        driver.execute("ROLLBACK")
        raise Unavailable("database or disk is full")

    first, second, third = await at_once(engine, note("a"), disk_is_full, note("b"))

    assert (first, third) == ("a", "b")
    assert isinstance(second, Exception)
    assert notes(engine) == heard(engine) == ["a", "b"]
    assert commits == [1, 2]


async def test_unit_whose_caller_went_before_its_turn_is_not_done(engine: JobEngine) -> None:
    is_held, go_on = threading.Event(), threading.Event()

    def hold(_work: Work) -> None:
        is_held.set()
        go_on.wait(DEADLINE_SECONDS)

    holder = asyncio.create_task(engine.in_work(hold))
    await asyncio.to_thread(is_held.wait, DEADLINE_SECONDS)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await engine.in_work(note("a"))
    go_on.set()
    await holder

    assert await engine.in_work(note("b")) == "b"
    assert notes(engine) == ["b"]
