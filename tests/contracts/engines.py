"""Job engines for the contract suites: on SQLite, on PostgreSQL, and Procrastinate's own in memory."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import procrastinate
import pytest
import sqlalchemy as sa
import structlog
from procrastinate.testing import InMemoryConnector

from bot.jobs import JobEngine, JobSettings, create_schema
from core.db import create_engine
from core.events import EventBus
from core.jobs import Job
from core.work import Work

SETTINGS = JobSettings(poll_seconds=0.05, grace_seconds=5, heartbeat_seconds=0.2, stalled_seconds=1.5)
DEADLINE_SECONDS = 90.0


@pytest.fixture(params=["sqlite", "postgresql"])
def engine_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with the tables for jobs."""
    url = f"sqlite:///{tmp_path / 'jobs.db'}" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    db = create_engine(url)
    with db.begin() as connection:
        create_schema(connection)
    db.dispose()
    return url


@pytest.fixture
def db(engine_url: str) -> Iterator[sa.Engine]:
    db = create_engine(engine_url)
    yield db
    db.dispose()


@pytest.fixture
def plain_tracebacks() -> Iterator[None]:
    """structlog's own draw each frame with its source and its locals: 1.4 s for a task that fails on purpose."""
    before = structlog.get_config()
    structlog.configure(processors=[structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)])
    yield
    structlog.configure(**before)


MakeEngine = Callable[[JobSettings], JobEngine]


@pytest.fixture
async def make_engine(db: sa.Engine, plain_tracebacks: None) -> AsyncIterator[MakeEngine]:
    """Engines on one database, closed at the end. None is open yet."""
    engines = []

    def make(settings: JobSettings) -> JobEngine:
        engines.append(JobEngine(db, clock=utcnow, bus=EventBus(), settings=settings, random=lambda: 0.0))
        return engines[-1]

    yield make
    for engine in engines:
        await engine.close()


@pytest.fixture
async def engine(make_engine: MakeEngine) -> JobEngine:
    engine = make_engine(SETTINGS)
    await engine.open()
    return engine


@pytest.fixture
async def patient_engine(make_engine: MakeEngine) -> JobEngine:
    """One whose worker polls so seldom that only what wakes it lets a test pass."""
    engine = make_engine(replace(SETTINGS, poll_seconds=300))
    await engine.open()
    return engine


@pytest.fixture(params=["sqlite", "postgresql", "memory"])
async def app(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[procrastinate.App]:
    """Procrastinate's own application over each storage, open."""
    if request.param == "memory":
        async with procrastinate.App(connector=InMemoryConnector()).open_async() as app:
            yield app
        return
    url = f"sqlite:///{tmp_path / 'jobs.db'}" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    db = create_engine(url)
    with db.begin() as connection:
        create_schema(connection)
    engine = JobEngine(db, clock=utcnow, bus=EventBus(), settings=SETTINGS)
    await engine.open()
    yield engine.app
    await engine.close()
    db.dispose()


def utcnow() -> datetime:
    return datetime.now(UTC)


def defer(*jobs: Job) -> Callable[[Work], None]:
    """For `in_work`."""
    return lambda work: work.jobs.extend(jobs)


async def until(condition: Callable[[], object]) -> None:
    """Wait for `condition`, a function or a coroutine function; fails at the deadline."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (await met if inspect.isawaitable(met := condition()) else met):
        assert time.monotonic() < deadline, "the deadline passed"
        await asyncio.sleep(0.01)


@asynccontextmanager
async def working(engine: JobEngine) -> AsyncIterator[asyncio.Task[None]]:
    """A worker runs inside the block, and is told to stop at its end."""
    worker = asyncio.create_task(engine.run_worker())
    try:
        yield worker
    finally:
        worker.cancel()
        with suppress(asyncio.CancelledError):
            await worker


def rows(db: sa.Engine, statement: str) -> list[tuple[object, ...]]:
    with closing(db.connect()) as connection:
        return [tuple(row) for row in connection.execute(sa.text(statement))]


def listen(engine: JobEngine, name: str = "hear") -> list[int]:
    """Register a task that notes its `number`; returns the notes."""
    heard: list[int] = []

    @engine.task(name)
    async def hear(number: int) -> None:
        heard.append(number)

    return heard


def statuses(engine: JobEngine) -> list[str]:
    return [job.status for job in engine.list_jobs()]
