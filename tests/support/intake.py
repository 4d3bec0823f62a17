"""A whole intake in a folder, all of it real: database, job tables, blobs, spool, acceptor and SMTP listener."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import undefer

from bot.guards import EdgeGuard, EdgeSettings
from bot.intake.accept import Acceptor
from bot.intake.entry import enter_into
from bot.intake.imap import ImapFetcher, ImapHouse, ImapSettings
from bot.intake.imap_connection import ImapAccount
from bot.intake.lmtp import LmtpListener, LmtpSettings
from bot.intake.received import Receipt, ReceivedMail
from bot.intake.session import KnowsAlias, SmtpHouse, Verify, knows_no_alias
from bot.intake.smtp import SmtpListener
from bot.intake.smtp_settings import SmtpSettings
from bot.intake.spool import SpoolFolder
from bot.jobs import JobEngine, JobSettings
from bot.logs import LogSettings
from bot.storage.local import LocalStore
from core.db import create_engine
from core.events import EventBus
from core.mail.authenticity import OurAddresses
from core.models import Inbound
from tests.support.schema import new_database
from tests.support.smtp_client import RawClient, connected

OURS = OurAddresses(domains=frozenset({"books.example"}), local_parts=frozenset({"books", "bot"}))


Started = SmtpListener | LmtpListener
Accept = Callable[[Acceptor, ReceivedMail], Awaitable[Receipt]]


@dataclass(frozen=True, slots=True)
class Ledger:
    """What was accepted, as it stands in the database."""

    engine: JobEngine
    blobs: LocalStore

    def mails(self) -> list[Inbound]:
        """Every accepted mail with its content, oldest first."""
        with self.engine.read() as session:
            return list(session.scalars(sa.select(Inbound).order_by(Inbound.id).options(undefer(Inbound.raw))))

    def content(self, mail: Inbound) -> bytes:
        if mail.raw_key is None:
            return mail.raw or b""
        with self.blobs.open(mail.raw_key) as blob:
            return blob.read()

    def jobs(self) -> list[tuple[str, int]]:
        """(task, inbound id) of every waiting job, oldest first."""
        return [(job.task, int(job.args["inbound_id"])) for job in self.engine.list_jobs()]


@dataclass(frozen=True, slots=True)
class Intake(Ledger):
    spool: SpoolFolder
    acceptor: Acceptor
    listener: Started

    @property
    def port(self) -> int:
        return self.listener.addresses[0][1]


async def until(condition: Callable[[], object]) -> None:
    """Wait for it, a minute at most."""
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.005)


def make_engine(folder: Path) -> JobEngine:
    """On an empty database with all tables, a file in the folder."""
    new_database(folder / "inkpost.db").dispose()
    return open_engine(folder)


def open_engine(folder: Path) -> JobEngine:
    """On the database that stands in the folder."""
    db = create_engine(f"sqlite:///{folder / 'inkpost.db'}")
    return JobEngine(db, clock=lambda: datetime.now(UTC), bus=EventBus(), settings=JobSettings())


@asynccontextmanager
async def _running(folder: Path, make_listener: Callable[[Acceptor, SpoolFolder], Started]) -> AsyncIterator[Intake]:
    engine = make_engine(folder)
    blobs = LocalStore(folder / "blobs")
    spool = SpoolFolder(folder / "spool")
    spool.prepare()
    acceptor = Acceptor(enter_into(engine), blobs)
    listener = make_listener(acceptor, spool)
    await listener.start()
    try:
        yield Intake(engine, blobs, spool, acceptor, listener)
    finally:
        await listener.close()
        await acceptor.close()
        spool.close()
        engine.db.dispose()


def running_intake(
    folder: Path,
    *,
    settings: SmtpSettings = SmtpSettings(port=0),  # noqa: B008 - frozen
    edge: EdgeSettings = EdgeSettings(),  # noqa: B008 - frozen
    verify: Verify | None = None,
    accept: Accept = Acceptor.accept,
    knows_alias: KnowsAlias = knows_no_alias,
    logs: LogSettings = LogSettings(level="warning"),  # noqa: B008 - frozen
) -> AbstractAsyncContextManager[Intake]:
    """An intake on a free port of the loopback. `accept` may put a fault between listener and acceptor."""
    return _running(
        folder,
        lambda acceptor, spool: SmtpListener(
            SmtpHouse(settings, hostname="mx.books.example", ours=OURS, guard=EdgeGuard(edge), logs=logs),
            accept=partial(accept, acceptor),
            spool=spool,
            knows_alias=knows_alias,
            verify=verify,
        ),
    )


def running_lmtp(
    folder: Path,
    *,
    settings: LmtpSettings = LmtpSettings(port=0),  # noqa: B008 - frozen
    limits: SmtpSettings = SmtpSettings(),  # noqa: B008 - frozen
    edge: EdgeSettings = EdgeSettings(),  # noqa: B008 - frozen
    accept: Accept = Acceptor.accept,
) -> AbstractAsyncContextManager[Intake]:
    """An intake that speaks LMTP."""
    return _running(
        folder,
        lambda acceptor, spool: LmtpListener(
            settings,
            house=SmtpHouse(limits, hostname="mx.books.example", ours=OURS, guard=EdgeGuard(edge)),
            accept=partial(accept, acceptor),
            spool=spool,
        ),
    )


@dataclass(frozen=True, slots=True)
class Fetching(Ledger):
    spool: SpoolFolder
    acceptor: Acceptor
    fetcher: ImapFetcher

    @property
    def problems(self) -> list[str | None]:
        return [reader.problem for reader in self.fetcher.readers]


@asynccontextmanager
async def fetching(
    folder: Path,
    *accounts: ImapAccount,
    accept: Accept = Acceptor.accept,
    max_message_bytes: int = 68_500_000,
    **settings: float,
) -> AsyncIterator[Fetching]:
    """An intake that fetches; again in a folder that had one, it goes on where that one ended."""
    engine = make_engine(folder) if not (folder / "inkpost.db").exists() else open_engine(folder)
    blobs = LocalStore(folder / "blobs")
    spool = SpoolFolder(folder / "spool")
    spool.prepare()
    acceptor = Acceptor(enter_into(engine), blobs)
    fetcher = ImapFetcher(
        ImapHouse(
            settings=ImapSettings(**{"retry_seconds": 0.05, **settings}, accounts=accounts),
            database=engine,
            ours=OURS,
            mailbox="books@books.example",
            accept=partial(accept, acceptor),
            spool=spool,
            max_message_bytes=max_message_bytes,
        )
    )
    fetcher.start()
    try:
        yield Fetching(engine, blobs, spool, acceptor, fetcher)
    finally:
        await fetcher.close()
        await acceptor.close()
        spool.close()
        engine.db.dispose()


@asynccontextmanager
async def talking_to(
    folder: Path,
    *,
    settings: SmtpSettings = SmtpSettings(port=0),  # noqa: B008 - frozen
    accept: Accept = Acceptor.accept,
) -> AsyncIterator[tuple[Intake, RawClient]]:
    """An intake, and a client that has heard its banner."""
    async with running_intake(folder, settings=settings, accept=accept) as intake, connected(intake.port) as client:
        yield intake, client
