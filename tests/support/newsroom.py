"""The news without its mail: real rows, a real sandbox, a real fetcher on loopback, and a clock that tests move."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session, undefer

from bot.fetch import FetchSettings, HttpFetcher
from bot.jobs import JobEngine, JobSettings
from bot.news.refresh import FeedRefresher, FeedSettings
from bot.sandbox import Sandbox, SandboxSettings
from core.db import Base
from core.mail.outgoing import Identity
from core.models import Article, Feed, OutboxMail, User
from core.models.outbox import OutboxKind
from core.services import build_bus
from core.services.news_aggregator import NewsAggregator
from core.work import Work
from tests.factories.rows import NOW
from tests.support.fork_server import keep_fork_server
from tests.support.schema import new_database
from tests.support.web_server import Loopback

T = TypeVar("T")
Row = TypeVar("Row", bound=Base)

IDENTITY = Identity(address="books@inkpost.test", name="Inkpost")


@dataclass
class Newsroom:
    """Everything that reads feeds, and nothing that runs by itself."""

    engine: JobEngine
    refresher: FeedRefresher
    clock: list[datetime]
    _users: dict[str, int] = field(default_factory=dict)

    @property
    def now(self) -> datetime:
        return self.clock[0]

    def wait(self, **period: float) -> None:
        self.clock[0] += timedelta(**period)

    async def do(self, act: Callable[[Work], T]) -> T:
        return await self.engine.in_work(act)

    async def reader(self, name: str, *, timezone: str = "UTC", language: str = "") -> int:
        """A user's id."""

        def add(work: Work) -> int:
            user = User(
                address=f"{name}@reader.test",
                name=name.title(),
                timezone=timezone,
                language=language,
                created_at=work.now,
            )
            work.session.add(user)
            work.session.flush()
            return user.id

        return await self.do(add)

    async def subscribed(self, user_id: int, url: str, *, name: str = "", section: str = "") -> int:
        """Has a reader read the feed of an address; the feed's id."""

        def subscribe(work: Work) -> int:
            news = NewsAggregator(work)
            feed = news.add_feed(url)
            news.subscribe(user_id, feed, name=name, section=section)
            return feed.id

        return await self.do(subscribe)

    async def all(self, model: type[Row]) -> list[Row]:
        """Rows in order of their ids."""

        def ask(session: Session) -> list[Row]:
            return list(session.scalars(sa.select(model).order_by(sa.inspect(model).primary_key[0])))

        return await self.engine.in_read(ask)

    async def feed(self, feed_id: int) -> Feed:
        return await self.engine.in_read(lambda session: session.get_one(Feed, feed_id))

    async def articles(self) -> list[Article]:
        return await self.all(Article)

    async def notices(self) -> list[OutboxMail]:
        return await self.mails(OutboxKind.NOTICE)

    async def mails(self, kind: OutboxKind) -> list[OutboxMail]:
        """What stands in the outbox, with its text."""
        mine = sa.select(OutboxMail).options(undefer(OutboxMail.head)).where(OutboxMail.kind == kind)
        return await self.engine.in_read(lambda session: list(session.scalars(mine.order_by(OutboxMail.id))))


@asynccontextmanager
async def open_newsroom(folder: Path, *, settings: FeedSettings | None = None) -> AsyncIterator[Newsroom]:
    """Names of hosts all mean this machine."""
    database = new_database(folder / "news.db")
    keep_fork_server()
    clock = [NOW]
    engine = JobEngine(database, clock=lambda: clock[0], bus=build_bus(IDENTITY), settings=JobSettings())
    fetcher = HttpFetcher(FetchSettings(allow_private=True), resolver=Loopback(), clock=lambda: clock[0])
    sandbox = Sandbox(SandboxSettings())
    try:
        await engine.open()
        refresher = FeedRefresher(settings or FeedSettings(), database=engine, fetcher=fetcher, sandbox=sandbox)
        yield Newsroom(engine, refresher, clock)
    finally:
        await sandbox.close()
        await fetcher.close()
        await engine.close()
        database.dispose()
