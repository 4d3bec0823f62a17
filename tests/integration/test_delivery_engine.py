"""Mail from the outbox to the relay by the real job engine, on both databases."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.circuit import CircuitSettings, RelayCircuit
from bot.delivery import Deliverer
from bot.jobs import JobEngine, JobSettings, create_schema
from bot.journal import Journal
from bot.pace import Pacer, PaceSettings
from bot.transport import RelaySettings, Security, open_transport
from core.db import Base, create_engine
from core.events import EventBus
from core.models import OutboxMail
from core.models.outbox import OutboxState
from core.services.retries import RetrySchedule
from tests.support.outgoing import Shelf, add_reader, enqueue_answer, enqueue_book
from tests.support.smtp_sink import Drop, Phase, Say, SmtpSink

AT_ONCE = RetrySchedule(first_seconds=0.05, longest_seconds=0.2)


@pytest.fixture
async def sink() -> AsyncIterator[SmtpSink]:
    async with SmtpSink() as sink:
        yield sink


@pytest.fixture(params=["sqlite", "postgresql"])
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[JobEngine]:
    is_sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path / 'inkpost.db'}" if is_sqlite else request.getfixturevalue("postgres_url")
    db = create_engine(url)
    with db.begin() as connection:
        Base.metadata.create_all(connection)
        create_schema(connection)
    settings = JobSettings(poll_seconds=0.05, grace_seconds=2)
    engine = JobEngine(db, clock=lambda: datetime.now(UTC), bus=EventBus(), settings=settings)
    await engine.open()
    yield engine
    await engine.close()
    db.dispose()


@asynccontextmanager
async def delivering(engine: JobEngine, sink: SmtpSink, folder: Path) -> AsyncIterator[None]:
    relay = RelaySettings(host=sink.host, port=sink.port, security=Security.PLAIN)
    transport = open_transport(relay, ehlo_name="inkpost.example", maildir=folder / "outgoing")
    journal = Journal(folder / "deliveries.journal")
    deliverer = Deliverer(
        database=engine,
        open_blob=Shelf({"books/ab/ab12.epub": b"book"}).open,
        transport=transport,
        circuit=RelayCircuit(CircuitSettings(failures=50)),
        pacer=Pacer(PaceSettings(interval_seconds={}, per_minute={})),
        journal=journal,
        schedule=AT_ONCE,
    )
    engine.task("deliver", queue="outbound")(deliverer.deliver)
    worker = asyncio.create_task(engine.run_worker())
    yield
    worker.cancel()
    with suppress(asyncio.CancelledError):
        await worker
    await transport.close()
    journal.close()


def states(engine: JobEngine) -> set[OutboxState]:
    with engine.read() as session:
        return set(session.scalars(sa.select(OutboxMail.state)))


async def until_settled(engine: JobEngine) -> None:
    async with asyncio.timeout(90):
        while states(engine) - {OutboxState.ACCEPTED, OutboxState.FAILED}:
            await asyncio.sleep(0.02)


async def test_every_mail_goes_out_once_and_in_order_for_each_recipient(
    engine: JobEngine, sink: SmtpSink, tmp_path: Path
) -> None:
    sink.script(Phase.RCPT, *[Say("451 4.7.1 greylisted")] * 6)
    sink.script(Phase.MAIL, Drop(), Drop())
    with engine.work() as work:
        mails = [enqueue_answer(work, rcpt_to=f"reader{number % 4}@example.org") for number in range(20)]

    async with delivering(engine, sink, tmp_path):
        await until_settled(engine)

    assert states(engine) == {OutboxState.ACCEPTED}
    owed, got = defaultdict(list), defaultdict(list)
    for owed_mail in mails:
        owed[owed_mail.rcpt_to].append(owed_mail.message_id)
    for mail in sink.mails:
        got[mail.rcpt_to].append(str(mail.message["Message-ID"]))
    assert got == owed


async def test_refused_book_does_not_hold_up_the_next_one(engine: JobEngine, sink: SmtpSink, tmp_path: Path) -> None:
    with engine.work() as work:
        reader = add_reader(work)
        accepted = enqueue_book(work, reader)
        refused = enqueue_book(work, reader)
    sink.script(Phase.END, Say("554 5.7.1 no"))

    async with delivering(engine, sink, tmp_path):
        await until_settled(engine)

    with engine.read() as session:
        found = [session.get_one(OutboxMail, mail.id).state for mail in (accepted, refused)]
    assert found == [OutboxState.FAILED, OutboxState.ACCEPTED]
