"""SIGKILL at random instants: a service in a process of its own, mails that keep coming, and what is found at the end.

The truth is kept outside of it: which mails were answered 250, and what the world received.
"""

from __future__ import annotations

import asyncio
import random
import signal
import socket
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import sqlalchemy as sa
from sqlalchemy.orm import Session

from bot.app import migrate, open_database, open_jobs
from bot.mailbox import LoopbackMailbox
from core.models import Attempt, Inbound, OutboxMail
from core.models.inbound import InboundState
from core.models.outbox import OutboxState
from core.services.accounts import Accounts
from tests.support.service import DOMAIN, service_config

DRAIN_SECONDS = 120.0
SENDERS = 4
TRY_AGAIN_SECONDS = 0.05
SECONDS_BETWEEN_KILLS = (0.3, 2.5)  # from the start of the process: also while it starts, and while it recovers


@dataclass
class Tally:
    """What a run of kills came to."""

    kills: int = 0
    accepted: int = 0
    """Mails that were answered 250."""
    lost: list[str] = field(default_factory=list)
    """Accepted mails that nobody answered."""
    doubled: list[str] = field(default_factory=list)
    """Mails sent again although the ledger knew, by the journal or by a commit, that the relay had them."""
    answered_twice: list[str] = field(default_factory=list)
    """Mails with two answers of their own."""
    resent: int = 0
    """Mails that went out twice since the process died between the relay's 250 and the journal's line (RFC 1047)."""
    integrity: str = ""

    @property
    def is_good(self) -> bool:
        return not (self.lost or self.doubled or self.answered_twice) and self.integrity == "ok"

    def __str__(self) -> str:
        return (
            f"{self.kills} kills, {self.accepted} mails accepted: {len(self.lost)} lost, "
            f"{len(self.doubled)} sent twice though known, {len(self.answered_twice)} answered twice, "
            f"{self.resent} resent in SMTP's own gap; integrity {self.integrity}"
        )


async def run_kills(
    folder: Path, *, mails: int, kills: int, seed: int, progress: Callable[[Tally], None] = lambda _tally: None
) -> Tally:
    """`mails` are brought by four senders, each tried until it is taken, while the service is killed `kills` times."""
    tally = Tally()
    chance = random.Random(seed)
    world = LoopbackMailbox(folder / "world")
    relay_port, smtp_port = await world.open(), free_port()
    config = service_config(folder, relay_port=relay_port)
    database = open_database(config)
    migrate(database)
    with open_jobs(config, database).work() as work:
        secret = Accounts(work).add_user("ada@reader.test")[1]
    rcpt_to = f"books+{secret}@{DOMAIN}"
    numbers = iter(range(mails))
    done_bringing = asyncio.Event()
    pause = SENDERS * kills * sum(SECONDS_BETWEEN_KILLS) / 2 / mails

    async def bring() -> None:
        for number in numbers:
            await asyncio.sleep(pause)  # so that they keep coming until the last kill
            await _bring_until_taken(number, rcpt_to=rcpt_to, port=smtp_port)
            tally.accepted += 1
            progress(tally)

    async def kill_again_and_again() -> None:
        while True:
            child = await start_service(folder, relay_port=relay_port, smtp_port=smtp_port)
            try:
                if tally.kills == kills:
                    await _drained(database, is_over=done_bringing)
                    child.send_signal(signal.SIGTERM)
                    await child.wait()
                    return
                await asyncio.sleep(chance.uniform(*SECONDS_BETWEEN_KILLS))
            finally:
                with suppress(ProcessLookupError):
                    child.kill()
                await child.wait()
            tally.kills += 1
            progress(tally)

    killer = asyncio.create_task(kill_again_and_again())
    await asyncio.gather(*(bring() for _ in range(SENDERS)))
    done_bringing.set()
    await killer
    _judge(tally, database, world, mails=mails)
    database.dispose()
    await world.close()
    return tally


def _message_id(number: int) -> str:
    return f"<crash-{number}@reader.test>"


async def _bring_until_taken(number: int, *, rcpt_to: str, port: int) -> None:
    """As a sending server does it: again, byte for byte, until there is a 250."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "ada@reader.test", rcpt_to, "list"
    mail["Message-ID"], mail["Date"] = _message_id(number), "Mon, 23 Nov 2026 06:30:00 +0000"
    mail.set_content(f"mail number {number}")
    while True:
        try:
            # A sender of its own each: the mails of one sender are done in order, and that is not what is tried here.
            await aiosmtplib.send(
                mail,
                sender=f"sender{number % 16}@reader.test",
                recipients=[rcpt_to],
                hostname="127.0.0.1",
                port=port,
                start_tls=False,
                timeout=10,
            )
        except (aiosmtplib.SMTPException, OSError):
            await asyncio.sleep(TRY_AGAIN_SECONDS)
        else:
            return


async def start_service(folder: Path, *, relay_port: int, smtp_port: int) -> asyncio.subprocess.Process:
    """The service as a process of its own, on its way up."""
    return await asyncio.create_subprocess_exec(
        # Not -m: the sandbox's workers would import that module, and all of the service with it, into each of them.
        sys.executable,
        "-c",
        "from tests.support.crash_child import run; run()",
        str(folder),
        str(relay_port),
        str(smtp_port),
    )


async def _drained(database: sa.Engine, *, is_over: asyncio.Event) -> None:
    """Until everything that was accepted is dealt with and everything that is owed has left."""
    async with asyncio.timeout(DRAIN_SECONDS):
        await is_over.wait()
        while await asyncio.to_thread(_open_work, database):
            await asyncio.sleep(0.1)


def _open_work(database: sa.Engine) -> int:
    waiting = (OutboxState.QUEUED, OutboxState.SENDING)
    with Session(database.execution_options(read_only=True)) as session:
        mails = session.scalar(sa.select(sa.func.count()).where(Inbound.state == InboundState.ACCEPTED)) or 0
        return mails + (session.scalar(sa.select(sa.func.count()).where(OutboxMail.state.in_(waiting))) or 0)


def _judge(tally: Tally, database: sa.Engine, world: LoopbackMailbox, *, mails: int) -> None:
    messages = [mail.message for mail in world.mails]
    receipts = Counter(str(message["Message-ID"]) for message in messages)
    answers: dict[str, set[str]] = {}
    for message in messages:
        answers.setdefault(str(message["In-Reply-To"]), set()).add(str(message["Message-ID"]))
    tally.lost = [_message_id(number) for number in range(mails) if _message_id(number) not in answers]
    tally.answered_twice = [cause for cause, ids in answers.items() if len(ids) > 1]
    with Session(database.execution_options(read_only=True)) as session:
        for message_id, count in receipts.items():
            if count > 1:
                known = _was_known(session, message_id)
                tally.doubled += [message_id] if known else []
                tally.resent += not known
        if database.dialect.name == "sqlite":
            tally.integrity = str(session.scalar(sa.text("PRAGMA integrity_check")))
        else:
            tally.integrity = "ok"


def _was_known(session: Session, message_id: str) -> bool:
    """Whether an attempt was made after one whose success stood in the ledger."""
    row = session.scalars(sa.select(OutboxMail).where(OutboxMail.message_id == message_id)).one()
    results = session.scalars(sa.select(Attempt.result).where(Attempt.outbox_id == row.id).order_by(Attempt.number))
    return "delivered" in list(results)[:-1]


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
