"""One intake, two workers and two schedulers over PostgreSQL, real processes all of them, and one worker is killed."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from email import message_from_bytes
from email.message import EmailMessage
from itertools import pairwise
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bot.opening import migrate, open_jobs
from core.db import create_engine
from core.models import Book, Inbound, OutboxMail
from core.models.inbound import InboundState
from core.models.outbox import OutboxState
from core.services.accounts import Accounts
from tests.factories.books import make_epub
from tests.support.fleet import CountingMailbox, Fleet, sailing
from tests.support.postgres import postgres_server, postgres_url  # noqa: F401 - fixtures
from tests.support.service import DOMAIN, service_config
from tests.support.smtp_client import connected

READERS = ("ada@reader.test", "bob@reader.test", "cleo@reader.test")
MAILS_EACH = 6
JOBS = {"jobs__heartbeat_seconds": 0.5, "jobs__stalled_seconds": 3, "jobs__poll_seconds": 0.2}
AFTER_A_DEATH_SECONDS = 80.0


async def test_a_worker_that_is_killed_costs_nobody_a_mail(tmp_path: Path, postgres_url: str) -> None:  # noqa: F811
    world = CountingMailbox(tmp_path / "world")
    fleet = Fleet(tmp_path, postgres_url, relay_port=await world.open(), settings=JOBS)
    secrets, book = _people(tmp_path, postgres_url), make_epub(title="Moby Dick")
    roles = ("intake", "worker", "worker", "scheduler", "scheduler")
    async with sailing(fleet):
        ships = [await fleet.start(role) for role in roles]
        await asyncio.gather(*(ship.is_up() for ship in ships))
        intake, doomed, worker, scheduler, _ = ships
        metrics = {ship: (await ship.get("/metrics"))[1] for ship in (intake, worker, scheduler)}

        for number in range(MAILS_EACH):
            for reader in READERS:
                await _mail(fleet, reader, secrets[reader], book=book, number=number)
            if number == MAILS_EACH // 2:
                await doomed.kill()  # with jobs in hand, most likely; what it had, the other one gets
        await _settled(postgres_url)
        stops = await asyncio.gather(*(ship.stop() for ship in ships if ship is not doomed))
    await world.close()

    unknown = _unknown(postgres_url)
    answers = Counter((mail.rcpt_to, str(mail.message["In-Reply-To"])) for mail in world.mails)
    assert set(answers) | unknown == {
        (reader, _message_id(reader, number)) for reader in READERS for number in range(MAILS_EACH)
    }
    assert len(unknown) <= len(READERS), "only a mail whose 250 died with the worker, one of a recipient"
    assert set(answers.values()) == {1}
    assert world.most_at_once == 1, "two deliveries to one recipient at a time"
    database = create_engine(postgres_url)
    with Session(database) as session:
        assert session.scalar(sa.select(sa.func.count(Book.id))) == len(READERS)
        for reader in READERS:
            mine = sa.select(Inbound.processed_at).where(Inbound.author == reader).order_by(Inbound.id)
            times = [at for at in session.scalars(mine) if at is not None]
            assert len(times) == MAILS_EACH
            assert all(earlier <= later for earlier, later in pairwise(times)), "a reader's mails out of their order"
    database.dispose()
    assert stops == [0, 0, 0, 0]
    assert 'inkpost_role{role="intake"} 1.0' in metrics[intake]
    assert 'inkpost_role{role="intake"}' not in metrics[worker]
    assert "inkpost_jobs_overdue_seconds" in metrics[scheduler]
    assert "inkpost_jobs_overdue_seconds" not in metrics[worker]


def _unknown(url: str) -> set[tuple[str, str]]:
    """Whose answers went away with the worker: told as such, and not sent twice."""
    database = create_engine(url)
    with Session(database) as session:
        mails = session.scalars(sa.select(OutboxMail).where(OutboxMail.state == OutboxState.UNKNOWN)).all()
        found = {(mail.rcpt_to, str(message_from_bytes(mail.head)["In-Reply-To"])) for mail in mails}
    database.dispose()
    return found


def _people(folder: Path, url: str) -> dict[str, str]:
    database = create_engine(url)
    migrate(database)
    with open_jobs(service_config(folder, relay_port=1), database).work() as work:
        secrets = {reader: Accounts(work).add_user(reader)[1] for reader in READERS}
    database.dispose()
    return secrets


def _message_id(reader: str, number: int) -> str:
    return f"<{number}.{reader}>"


async def _mail(fleet: Fleet, reader: str, secret: str, *, book: bytes, number: int) -> None:
    """A book, so that a worker has something to do; the same one each time: it is to be in the library once."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = reader, f"books+{secret}@{DOMAIN}", "add" if number else ""
    mail["Message-ID"], mail["Date"] = _message_id(reader, number), "Mon, 23 Nov 2026 06:30:00 +0000"
    mail.set_content("")
    mail.add_attachment(book, maintype="application", subtype="epub+zip", filename="moby.epub")
    async with connected(fleet.smtp_port) as client:
        await client.greet()
        raw = mail.as_bytes(policy=mail.policy.clone(linesep="\r\n"))
        await client.bring(raw, sender=reader, rcpt=f"books+{secret}@{DOMAIN}")


async def _settled(url: str) -> None:
    """Until every mail is dealt with and no job is left."""
    database = create_engine(url)
    deadline = time.monotonic() + AFTER_A_DEATH_SECONDS
    try:
        while await asyncio.to_thread(_open_work, database):
            assert time.monotonic() < deadline, "the jobs of the dead worker did not come back"
            await asyncio.sleep(0.1)
    finally:
        database.dispose()


def _open_work(database: sa.Engine) -> int:
    waiting = sa.select(sa.func.count(Inbound.id)).where(Inbound.state == InboundState.ACCEPTED)
    with database.connect() as connection:
        jobs = connection.scalar(sa.text("SELECT count(*) FROM procrastinate_jobs")) or 0
        return int(connection.scalar(waiting) or 0) + int(jobs)
