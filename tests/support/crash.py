"""SIGKILL at random instants: the service in processes of its own, mails that keep coming, and what is left at the end.

The truth is kept outside of it: which mails were answered 250, and what the world received.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session, undefer

from bot.jobs_retry import UNTIL_THE_TASK_GIVES_UP
from bot.mailbox import LoopbackMailbox
from bot.opening import migrate, open_jobs
from core.db import create_engine
from core.models import Attempt, Inbound, OutboxMail
from core.models.inbound import InboundState
from core.models.outbox import OPEN_STATES, OutboxState
from core.services.accounts import Accounts
from tests.support.fleet import Fleet, Ship, sailing
from tests.support.processes import smtpds
from tests.support.service import DOMAIN, service_config
from tests.support.smtp_client import connected
from tests.support.warm_start import WarmStart

STUCK_SECONDS = UNTIL_THE_TASK_GIVES_UP.cap_seconds + 30.0
"""Without one mail less to be done: longer than the longest wait for a next try. How long all take is the machine's."""
READERS = 8
"""Each has one mail at a time on its way in, and one on its way out: a kill may hit eight of both."""
TRY_AGAIN_SECONDS = 0.2
MOST_WAITING = 100  # mails without an answer, beyond which no more are brought: they would try a queue, and not a kill
SECONDS_UP = (0.0, 1.0)  # between a process that is ready and the next kill
KILLED_WHILE_IT_STARTS = 0.25  # so many of the kills come at an instant of a process's start, the others behind it
KILLED_BESIDE = 0.2  # so many of the kills behind a start are of the process that speaks SMTP, if it is up
START_SECONDS = (0.0, 0.5)  # one that was forked is ready after 0.3
SETTINGS = {
    "jobs__heartbeat_seconds": 0.5,
    "jobs__stalled_seconds": 4,  # a worker on PostgreSQL that was killed is missed then; SQLite has no use for them
    "jobs__poll_seconds": 0.5,
    "smtp__busy_connections": 1,  # the first client of each start has a process speak SMTP
}
SMTPD = "smtpd"
"""Of the kills, those of that process."""
SQLITE_ROLES = ("intake,worker,scheduler",)
POSTGRES_ROLES = ("intake", "worker,scheduler", "worker")


@dataclass
class Tally:
    """What a run of kills came to."""

    kills: Counter[str] = field(default_factory=Counter)
    """By the roles of the process."""
    accepted: int = 0
    """Mails that were answered 250."""
    lost: list[str] = field(default_factory=list)
    """Accepted mails that nobody answered, nor is their answer's fate told as unknown."""
    waiting: int = 0
    """Accepted mails that were still to be read or answered when nobody waited for that any longer."""
    stuck: list[str] = field(default_factory=list)
    """The jobs that were left when nothing moved any more."""
    doubled: list[str] = field(default_factory=list)
    """Mails sent again although the ledger or the journal knew that the relay had them, or had been sent twice."""
    answered_twice: list[str] = field(default_factory=list)
    """Mails with two answers of their own."""
    unknown: int = 0
    """Mails whose 250 was lost with the process (RFC 1047), as the ledger tells."""
    unknown_arrived: int = 0
    """How many of them the relay had."""
    resent: int = 0
    """Mails that were sent once more because of that, where it was asked for."""
    damaged: list[str] = field(default_factory=list)
    """What `PRAGMA integrity_check` said other than ok, after a kill or at the end."""
    checks: int = 0

    def __iadd__(self, other: Tally) -> Tally:
        """With what another run came to."""
        self.kills.update(other.kills)
        for name in ("lost", "stuck", "doubled", "answered_twice", "damaged"):
            getattr(self, name).extend(getattr(other, name))
        for name in ("accepted", "waiting", "unknown", "unknown_arrived", "resent", "checks"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self

    @property
    def is_good(self) -> bool:
        return not (self.lost or self.waiting or self.doubled or self.answered_twice or self.damaged)

    def __str__(self) -> str:
        kills = ", ".join(f"{count} of {roles}" for roles, count in sorted(self.kills.items()))
        return (
            f"{self.kills.total()} kills ({kills}), {self.accepted} mails accepted: {len(self.lost)} lost, "
            f"{self.waiting} still waiting, {len(self.doubled)} sent twice, {len(self.answered_twice)} answered twice; "
            f"{self.unknown} unknown ({self.unknown_arrived} of them had arrived), {self.resent} resent; "
            f"integrity {'DAMAGED' if self.damaged else 'ok'} in {self.checks} of {self.checks} checks"
        )


@dataclass
class Run:
    """`kills` SIGKILLs at `mails_per_second`, on SQLite or on a PostgreSQL with an intake and two workers."""

    folder: Path
    kills: int
    seed: int
    database_url: str = ""
    mails_per_second: float = 10.0
    resends_unknown: bool = False
    warm: WarmStart | None = None
    progress: Callable[[Tally], None] = lambda _tally: None
    is_enough: Callable[[], bool] = lambda: False
    """Asked before each kill whether it is to be the end: what was brought is still waited for, and judged."""
    is_too_long: Callable[[], bool] = lambda: False
    """Asked meanwhile whether nobody waits any longer."""
    tally: Tally = field(default_factory=Tally)
    accepted: set[str] = field(default_factory=set)

    async def __call__(self) -> Tally:
        world = LoopbackMailbox(self.folder / "world")
        settings = SETTINGS | {"relay__resends_unknown": self.resends_unknown}
        fleet = Fleet(self.folder, self.database_url, relay_port=await world.open(), settings=settings, warm=self.warm)
        (self.folder / "data").mkdir(exist_ok=True)
        database = create_engine(self.database_url or f"sqlite:///{self.folder / 'data' / 'inkpost.db'}")
        migrate(database)
        with open_jobs(service_config(self.folder, relay_port=1), database).work() as work:
            rcpt_tos = {
                author: f"books+{Accounts(work).add_user(author)[1]}@{DOMAIN}"
                for author in (f"reader{number}@reader.test" for number in range(READERS))
            }
        numbers, over = itertools.count(), asyncio.Event()
        async with sailing(fleet):
            bringing = [
                asyncio.create_task(self._bring(numbers, author, rcpt_to, port=fleet.smtp_port, world=world, over=over))
                for author, rcpt_to in rcpt_tos.items()
            ]
            ships = [await fleet.start(roles) for roles in (POSTGRES_ROLES if self.database_url else SQLITE_ROLES)]
            await self._kill(fleet, ships, database)
            over.set()
            await asyncio.gather(*bringing)
            await self._drained(database)
            for ship in ships:
                await ship.stop()
        self._check(database)
        _judge(self.tally, database, world, accepted=self.accepted, resends_unknown=self.resends_unknown)
        database.dispose()
        await world.close()
        return self.tally

    async def _kill(self, fleet: Fleet, ships: list[Ship], database: sa.Engine) -> None:
        chance = random.Random(self.seed)
        place = 0  # of the one that was started last
        for _ in range(self.kills):
            if self.is_enough():
                break
            if chance.random() < KILLED_WHILE_IT_STARTS:
                await asyncio.sleep(chance.uniform(*START_SECONDS))
            else:
                await ships[place].is_up()
                await asyncio.sleep(chance.uniform(*SECONDS_UP))
                place = chance.randrange(len(ships))
                if chance.random() < KILLED_BESIDE and self._kill_beside(ships[0]):
                    continue
            await ships[place].kill()
            self.tally.kills[ships[place].roles] += 1
            await asyncio.to_thread(self._check, database)
            ships[place] = await fleet.start(ships[place].roles)
            self.progress(self.tally)
        await asyncio.gather(*(ship.is_up() for ship in ships))

    def _kill_beside(self, intake: Ship) -> bool:
        """Kill the process that speaks SMTP for an intake, if there is one: the intake goes on."""
        pids = smtpds(intake.process.pid)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            self.tally.kills[SMTPD] += 1
        return bool(pids)

    async def _drained(self, database: sa.Engine) -> None:
        """Until all that was accepted is dealt with and all that is owed has left, or nothing moves."""
        least, moved_at = None, time.monotonic()
        while (left := await asyncio.to_thread(_open_work, database)) and not self.is_too_long():
            if time.monotonic() - moved_at > STUCK_SECONDS:
                self.tally.stuck += await asyncio.to_thread(_jobs_left, database)
                return
            if least is None or left < least:
                least, moved_at = left, time.monotonic()
            await asyncio.sleep(0.2)

    def _check(self, database: sa.Engine) -> None:
        if database.dialect.name == "sqlite":
            with database.execution_options(read_only=True).connect() as connection:
                found = str(connection.scalar(sa.text("PRAGMA integrity_check")))
            self.tally.checks += 1
            if found != "ok":
                self.tally.damaged.append(found)

    async def _bring(
        self,
        numbers: Iterator[int],
        author: str,
        rcpt_to: str,
        *,
        port: int,
        world: LoopbackMailbox,
        over: asyncio.Event,
    ) -> None:
        due = time.monotonic()
        for number in numbers:
            due += READERS / self.mails_per_second  # one that found nobody there makes up for it
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            while len(self.accepted) - len(world.mails) > MOST_WAITING and not over.is_set():
                await asyncio.sleep(TRY_AGAIN_SECONDS)
            if over.is_set():
                return
            await bring_until_taken(number, rcpt_to=rcpt_to, port=port, author=author)
            self.accepted.add(message_id(number))
            self.tally.accepted += 1
            self.progress(self.tally)


def message_id(number: int) -> str:
    return f"<crash-{number}@reader.test>"


AUTHOR = "ada@reader.test"


def mail_of(number: int, *, rcpt_to: str, author: str = AUTHOR) -> bytes:
    """One that is answered with a list."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = author, rcpt_to, "list"
    mail["Message-ID"], mail["Date"] = message_id(number), "Mon, 23 Nov 2026 06:30:00 +0000"
    mail.set_content(f"mail number {number}")
    return mail.as_bytes(policy=SMTP)


async def bring_until_taken(
    number: int, *, rcpt_to: str, port: int, author: str = AUTHOR, mail_from: str | None = None
) -> None:
    """As a sending server does it: again, byte for byte, until there is a 250."""
    content = mail_of(number, rcpt_to=rcpt_to, author=author)
    # A sender of its own each: the mails of one sender are done in order, and that is not what is tried here.
    sender = mail_from or f"sender{number % 16}@reader.test"
    while not await _is_taken(content, mail_from=sender, rcpt_to=rcpt_to, port=port):
        await asyncio.sleep(TRY_AGAIN_SECONDS)


async def _is_taken(content: bytes, *, mail_from: str, rcpt_to: str, port: int) -> bool:
    """Whether the server has answered 250 to the mail. No library's client: most tries find nobody there."""
    try:
        async with connected(port) as client:
            await client.greet()
            if not (await client.start_mail(sender=mail_from, rcpt=rcpt_to)).startswith("354"):
                return False
            await client.send(content + b".\r\n")
            is_taken = (await client.reply()).startswith("250")
            await client.send(b"QUIT\r\n")
            return is_taken
    except OSError:
        return False


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


def _open_work(database: sa.Engine) -> int:
    with Session(database.execution_options(read_only=True)) as session:
        mails = session.scalar(sa.select(sa.func.count()).where(Inbound.state == InboundState.ACCEPTED)) or 0
        return mails + (session.scalar(sa.select(sa.func.count()).where(OutboxMail.state.in_(OPEN_STATES))) or 0)


def _jobs_left(database: sa.Engine) -> list[str]:
    """What each of them is, how often it was tried, and when it is due."""
    jobs = sa.text("SELECT id, task_name, status, attempts, scheduled_at FROM procrastinate_jobs ORDER BY id")
    with database.connect() as connection:
        return [
            f"job {job.id}: {job.task_name} {job.status}, attempts {job.attempts}, due {job.scheduled_at or 'now'}"
            for job in connection.execute(jobs)
        ]


def _judge(
    tally: Tally, database: sa.Engine, world: LoopbackMailbox, *, accepted: set[str], resends_unknown: bool
) -> None:
    messages = [message_from_bytes(mail.raw.partition(b"\r\n\r\n")[0]) for mail in world.mails]  # the head is enough
    receipts = Counter(str(message["Message-ID"]) for message in messages)
    answers: dict[str, set[str]] = {}
    for message in messages:
        answers.setdefault(str(message["In-Reply-To"]), set()).add(str(message["Message-ID"]))
    with Session(database.execution_options(read_only=True)) as session:
        unknown = session.scalars(
            sa.select(OutboxMail).where(OutboxMail.state == OutboxState.UNKNOWN).options(undefer(OutboxMail.head))
        ).all()
        told = {str(message_from_bytes(mail.head)["In-Reply-To"]) for mail in unknown}
        waiting = _waiting(session)
        tally.unknown = len(unknown)
        tally.unknown_arrived = sum(mail.message_id in receipts for mail in unknown)
        for message_id, count in receipts.items():
            if count > 1:
                is_excused = resends_unknown and count == 2 and _was_unknown(session, message_id)
                tally.doubled += [] if is_excused else [message_id]
                tally.resent += is_excused
        missing = accepted - set(answers) - told
        tally.lost, tally.waiting = _fates(session, missing - waiting), len(missing & waiting)
    tally.answered_twice = [cause for cause, ids in answers.items() if len(ids) > 1]


def _waiting(session: Session) -> set[str]:
    """The mails that are still to be read, and those whose answers are still to be sent."""
    unread = sa.select(Inbound).where(Inbound.state == InboundState.ACCEPTED).options(undefer(Inbound.raw))
    owed = sa.select(OutboxMail).where(OutboxMail.state.in_(OPEN_STATES)).options(undefer(OutboxMail.head))
    return {str(message_from_bytes(mail.raw or b"")["Message-ID"]) for mail in session.scalars(unread)} | {
        str(message_from_bytes(mail.head)["In-Reply-To"]) for mail in session.scalars(owed)
    }


def _fates(session: Session, message_ids: set[str]) -> list[str]:
    """What the ledger knows of each of them and of its answer."""
    if not message_ids:
        return []
    mails = {
        str(message_from_bytes(mail.raw or b"")["Message-ID"]): f"{mail.state} {mail.outcome} {mail.reason}".strip()
        for mail in session.scalars(sa.select(Inbound).options(undefer(Inbound.raw)))
    }
    answers = {
        str(message_from_bytes(mail.head)["In-Reply-To"]): f"{mail.state} {mail.last_reply}".strip()
        for mail in session.scalars(sa.select(OutboxMail).options(undefer(OutboxMail.head)))
    }
    return [
        f"{one}: {mails.get(one, 'no row')}, its answer: {answers.get(one, 'no row')}" for one in sorted(message_ids)
    ]


def _was_unknown(session: Session, message_id: str) -> bool:
    """Whether the ledger has an attempt of it of which nobody knew the end."""
    row = session.scalars(sa.select(OutboxMail).where(OutboxMail.message_id == message_id)).one()
    return "unknown" in session.scalars(sa.select(Attempt.result).where(Attempt.outbox_id == row.id)).all()
