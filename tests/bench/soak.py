"""`python -m tests.bench soak [--seconds N] [--database wheel]`: steady mail and a world that is ill; exit 1 on a loss.

For four fifths of the time, in spells, the relay answers 421 and 451, refuses with 550 and is silent, name servers do
not answer and connections to the IMAP server are cut; on SQLite another program holds the database locked now and then,
and where strace is there the disk is full for moments; on PostgreSQL its connections are cut. Then all heals, and what
is left has five minutes to be sent. The last line has the totals, also after a Control-C, which ends the load.

A mail in ten comes without a secret address, believed by SPF, which name servers are asked for, and one in twenty lies
in a mailbox that is fetched from by IMAP.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import os
import random
import signal
import sqlite3
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from email import message_from_bytes
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from aiosmtpd.smtp import SMTP, Envelope, Session
from rich.console import Console
from rich.progress import Progress
from sqlalchemy.orm import Session as Rows
from sqlalchemy.orm import undefer

from bot.jobs import libpq_conninfo
from bot.mailbox import LoopbackMailbox
from bot.opening import migrate, open_jobs
from core.db import create_engine
from core.models import Inbound, OutboxMail
from core.models.inbound import InboundState
from core.models.outbox import OutboxState
from core.services.accounts import Accounts
from tests.support.crash import bring_until_taken, mail_of, message_id
from tests.support.fleet import Fleet, Ship, sailing
from tests.support.imap_servers import PASSWORD, Mailbox, MailDevel
from tests.support.names import NameServer, Zone, name_server
from tests.support.postgres import running_postgres
from tests.support.processes import process_tree, pss_bytes
from tests.support.service import BOT, DOMAIN, service_config
from tests.support.strace import NoStrace, traced

SENDERS, READERS = 16, 300
SPELL_SECONDS, WELL_SECONDS = 6.0, 14.0  # three tenths of the time it is ill
HEAL_AT = 0.8
DRAIN_SECONDS = 300.0
STALL_SECONDS = 3.0
LOCK_SECONDS, FULL_SECONDS = 1.0, 0.5
GROWTH_LIMIT = 0.05
OPEN, BY_IMAP = 10, 20  # every how many-th mail has no secret, and comes by IMAP
WELL_ZONE: Zone = {
    "reader.test": [("TXT", "v=spf1 ip4:127.0.0.1 -all")],
    "_dmarc.reader.test": [("TXT", "v=DMARC1; p=reject")],
}
ILL_ZONE: Zone = {"reader.test": "SERVFAIL", "_dmarc.reader.test": "TIMEOUT"}
SETTINGS: dict[str, Any] = {
    "relay__timeout_seconds": 2.0,
    "circuit__probe_seconds": 5.0,
    "jobs__poll_seconds": 0.5,
    "imap__retry_seconds": 1.0,
}


@dataclass
class IllMailbox(LoopbackMailbox):
    """A relay that fails in spells, at random and as relays do."""

    chance: random.Random = field(default_factory=lambda: random.Random(2026))
    is_ill: bool = False
    faults: Counter[str] = field(default_factory=Counter)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        match self.chance.choice(("421", "451", "550", "stall", "", "")) if self.is_ill else "":
            case "421":
                self.faults["421"] += 1
                return "421 4.3.2 going down"
            case "451":
                self.faults["451"] += 1
                return "451 4.7.1 greylisted"
            case "550" if self.chance.random() < 0.1:
                self.faults["550"] += 1
                return "550 5.7.1 not today"
            case "stall":
                self.faults["time-out"] += 1
                await asyncio.sleep(STALL_SECONDS)
        return await super().handle_RCPT(server, session, envelope, address, options)


@dataclass
class Wire:
    """A way to another port of the loopback, on which all can be cut at once."""

    to_port: int
    port: int = 0
    cuts: int = 0
    _ends: set[asyncio.StreamWriter] = field(default_factory=set)
    _server: asyncio.Server | None = None

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        self.cuts += len(self._ends) // 2
        for end in self._ends:
            end.transport.abort()

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        self.cut()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, thither = await asyncio.open_connection("127.0.0.1", self.to_port)
        ends = {writer, thither}
        self._ends |= ends
        try:
            await asyncio.gather(_pour(reader, thither), _pour(there, writer))
        finally:
            self._ends -= ends


async def _pour(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while octets := await source.read(1 << 16):
            sink.write(octets)
            await sink.drain()
    sink.close()


@dataclass
class Surroundings:
    """What else the service leans on, besides its relay."""

    names: NameServer
    mailbox: Mailbox
    wire: Wire

    def settings(self) -> dict[str, Any]:
        account = {"host": "127.0.0.1", "port": self.wire.port, "user": self.mailbox.user, "password": PASSWORD}
        return {
            "dns__servers": ["127.0.0.1"],
            "dns__port": self.names.port,
            "dns__timeout_seconds": 1.0,
            "dns__deadline_seconds": 2.0,
            "imap__accounts": [account | {"security": "plain"}],
        }

    def fall_ill(self) -> None:
        self.names.zone = ILL_ZONE
        self.wire.cut()

    def heal(self) -> None:
        self.names.zone = WELL_ZONE


@dataclass
class Soaked:
    """What came of it."""

    seconds: float = 0.0
    accepted: int = 0
    answered: int = 0
    told: Counter[str] = field(default_factory=Counter)
    """Mails whose answer did not arrive, and the ledger says so: failed (the relay's 550) or unknown."""
    owed: int = 0
    """Mails whose answer is still to be sent when the drain is over."""
    unread: int = 0
    """Mails that are still to be read when the drain is over."""
    lost: list[str] = field(default_factory=list)
    """Accepted mails that are not to be read any more, and of which neither the world nor the outbox has an answer."""
    doubled: int = 0
    drained_seconds: float | None = None
    growth: float = 0.0
    """Of the memory that the service made itself, from the second fifth of the time to the last: by then every path was
    walked."""
    growth_kb: float = 0.0
    """The same for a thousand mails."""
    memory_mb: float = 0.0
    processor_seconds: float = 0.0
    """That the service had, under the load: a machine that gives it too little is told from a service that hangs."""
    faults: Counter[str] = field(default_factory=Counter)

    @property
    def is_good(self) -> bool:
        return not self.lost and not self.doubled and self.drained_seconds is not None and self.growth < GROWTH_LIMIT

    def __str__(self) -> str:
        faults = ", ".join(f"{count} x {name}" for name, count in sorted(self.faults.items()))
        told = ", ".join(f"{count} {name}" for name, count in sorted(self.told.items())) or "none"
        drained = (
            "NOT drained" if self.drained_seconds is None else f"drained {self.drained_seconds:.0f} s after healing"
        )
        return (
            f"{self.seconds:.0f} s, {self.accepted} mails accepted ({self.accepted / self.seconds:.1f}/s): "
            f"{self.answered} answered, told otherwise: {told}, {self.unread} still unread, {self.owed} still owed, "
            f"{len(self.lost)} lost, "
            f"{self.doubled} twice; {drained}; "
            f"memory {self.memory_mb:.1f} MB, {self.growth:+.1%}, {self.growth_kb:+.0f} kB per 1,000 mails; "
            f"{self.processor_seconds:.0f} s of a processor; faults: {faults}"
        )


@dataclass
class Soak:
    """`mails_per_second` for `seconds`, then the drain."""

    folder: Path
    seconds: float
    seed: int = 2026
    mails_per_second: float = 20.0
    database_url: str = ""
    bar: Progress | None = None
    well_seconds: float = WELL_SECONDS
    spell_seconds: float = SPELL_SECONDS
    has_ill_relay: bool = True
    found: Soaked = field(default_factory=Soaked)
    is_over: asyncio.Event = field(default_factory=asyncio.Event)
    """Set at the end of the load, or before."""
    accepted: set[str] = field(default_factory=set)
    memory: list[tuple[int, int]] = field(default_factory=list)
    """Each second: mails accepted, and bytes. Of the pages mapped from files none: see `pss_bytes`."""

    async def __call__(self) -> Soaked:
        async with contextlib.AsyncExitStack() as stack:
            server = MailDevel()
            await asyncio.to_thread(server.start)
            stack.push_async_callback(asyncio.to_thread, server.stop)
            names = await stack.enter_async_context(name_server(WELL_ZONE))
            names.ttl = 1
            around = Surroundings(names, server.mailbox(), Wire(server.port))
            await around.wire.open()
            stack.push_async_callback(around.wire.close)
            world = IllMailbox(self.folder / "world", chance=random.Random(self.seed))
            relay_port = await world.open()
            stack.push_async_callback(world.close)
            (self.folder / "data").mkdir(exist_ok=True)
            database = create_engine(self.database_url or f"sqlite:///{self.folder / 'data' / 'inkpost.db'}")
            stack.callback(database.dispose)
            settings = SETTINGS | around.settings()
            await self._soak(Fleet(self.folder, self.database_url, relay_port, settings), world, around, database)
            self.found.faults += world.faults
            self.found.faults["DNS failure"] += names.failures
            self.found.faults["IMAP drop"] += around.wire.cuts
            self._judge(database, world)
        return self.found

    async def _soak(self, fleet: Fleet, world: IllMailbox, around: Surroundings, database: sa.Engine) -> None:
        migrate(database)
        with open_jobs(service_config(self.folder, relay_port=1), database).work() as work:
            secrets = [Accounts(work).add_user(f"reader{number}@reader.test")[1] for number in range(READERS)]
        async with sailing(fleet):
            roles = ("intake", "worker,scheduler") if self.database_url else ("intake,worker,scheduler",)
            ships = [await fleet.start(one) for one in roles]
            await asyncio.gather(*(ship.is_up() for ship in ships))
            rcpt_tos = [f"books+{secret}@{DOMAIN}" for secret in secrets]
            spells = asyncio.create_task(self._spells(world, around, ships))
            await self._run(around.mailbox, fleet, ships, rcpt_tos=rcpt_tos, spells=spells)
            await self._drain(database, around.mailbox)
            for ship in ships:
                await ship.stop()

    async def _run(
        self,
        mailbox: Mailbox,
        fleet: Fleet,
        ships: list[Ship],
        *,
        rcpt_tos: Sequence[str],
        spells: asyncio.Task[None],
    ) -> None:
        started, numbers = time.monotonic(), itertools.count()
        task = self.bar.add_task("seconds", total=self.seconds) if self.bar else None
        senders = [
            asyncio.create_task(self._bring(numbers, rcpt_tos, fleet.smtp_port, mailbox)) for _ in range(SENDERS)
        ]
        while (passed := time.monotonic() - started) < self.seconds and not self.is_over.is_set():
            await asyncio.sleep(min(1.0, self.seconds - passed))
            pids = [pid for ship in ships for pid in process_tree(ship.process.pid)]
            self.memory.append((self.found.accepted, sum(pss_bytes(pid, "Pss_Anon") for pid in pids)))
            if passed > HEAL_AT * self.seconds:
                spells.cancel()
            if self.bar and task is not None:
                self.bar.update(task, completed=passed, description=f"seconds, {self.found.accepted} mails")
        self.found.processor_seconds = sum(
            processor_seconds(pid) for ship in ships for pid in process_tree(ship.process.pid)
        )
        self.is_over.set()
        spells.cancel()
        await asyncio.gather(*senders)
        await asyncio.gather(spells, return_exceptions=True)
        self.found.seconds = time.monotonic() - started

    async def _bring(self, numbers: Iterator[int], rcpt_tos: Sequence[str], port: int, mailbox: Mailbox) -> None:
        due = time.monotonic()
        for number in numbers:
            if self.is_over.is_set():
                return
            due += SENDERS / self.mails_per_second  # a sender that was held up makes up for it
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            reader = number % len(rcpt_tos)
            if number % BY_IMAP == 1:
                await asyncio.to_thread(mailbox.put, mail_of(number, rcpt_to=rcpt_tos[reader]))
            elif number % OPEN == 0:
                address = f"reader{reader}@reader.test"
                await bring_until_taken(number, rcpt_to=BOT, port=port, author=address, mail_from=address)
            else:
                await bring_until_taken(number, rcpt_to=rcpt_tos[reader], port=port)
            self.accepted.add(message_id(number))
            self.found.accepted += 1

    async def _spells(self, world: IllMailbox, around: Surroundings, ships: list[Ship]) -> None:
        """Well, then ill, over and over, with a fault of the disk or the database in each spell."""
        try:
            while True:
                await asyncio.sleep(self.well_seconds)
                world.is_ill = self.has_ill_relay
                around.fall_ill()
                await asyncio.sleep(self.spell_seconds / 2)
                if self.database_url:
                    await asyncio.to_thread(self._cut_connections)
                else:
                    await asyncio.to_thread(self._lock_database)
                    await asyncio.to_thread(self._fill_disk, ships[0])
                await asyncio.sleep(self.spell_seconds / 2)
                world.is_ill = False
                around.heal()
        finally:
            world.is_ill = False
            around.heal()

    def _cut_connections(self) -> None:
        """All that the service has to its PostgreSQL, as a restart of it does."""
        mine = "datname = current_database() AND pid <> pg_backend_pid()"
        with psycopg.connect(libpq_conninfo(sa.make_url(self.database_url)), autocommit=True) as other:
            cut = other.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {mine}").rowcount
        self.found.faults["database connection cut"] += cut

    def _lock_database(self) -> None:
        with contextlib.closing(sqlite3.connect(self.folder / "data" / "inkpost.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            time.sleep(LOCK_SECONDS)
            other.execute("ROLLBACK")
        self.found.faults["database locked"] += 1

    def _fill_disk(self, ship: Ship) -> None:
        try:
            full = ("-e", "trace=pwrite64", "-e", "inject=pwrite64:error=ENOSPC")
            with traced(ship.process.pid, self.folder / "strace", *full):
                time.sleep(FULL_SECONDS)
        except NoStrace:
            return
        self.found.faults["disk full"] += 1

    async def _drain(self, database: sa.Engine, mailbox: Mailbox) -> None:
        healed = time.monotonic()
        while time.monotonic() - healed < DRAIN_SECONDS:
            # The mailbox first: what was fetched meanwhile is open work.
            if not await asyncio.to_thread(mailbox.unread) and not await asyncio.to_thread(_open_work, database):
                self.found.drained_seconds = time.monotonic() - healed
                return
            await asyncio.sleep(0.5)

    def _judge(self, database: sa.Engine, world: LoopbackMailbox) -> None:
        messages = [mail.message for mail in world.mails]
        answered = {str(message["In-Reply-To"]) for message in messages}
        self.found.answered = len(answered)
        self.found.doubled = sum(count > 1 for count in Counter(str(one["Message-ID"]) for one in messages).values())
        kept = (OutboxState.QUEUED, OutboxState.SENDING, OutboxState.FAILED, OutboxState.UNKNOWN)
        with Rows(database.execution_options(read_only=True)) as session:
            mine = sa.select(OutboxMail).where(OutboxMail.state.in_(kept)).options(undefer(OutboxMail.head))
            told = {
                str(message_from_bytes(mail.head)["In-Reply-To"]): mail.state.value for mail in session.scalars(mine)
            }
            unread = sa.select(Inbound).where(Inbound.state == InboundState.ACCEPTED).options(undefer(Inbound.raw))
            to_read = {str(message_from_bytes(mail.raw or b"")["Message-ID"]) for mail in session.scalars(unread)}
        missing = Counter(state for cause, state in told.items() if cause in self.accepted - answered)
        self.found.owed = missing.pop("queued", 0) + missing.pop("sending", 0)
        self.found.told = missing
        self.found.unread = len(to_read & self.accepted)
        self.found.lost = sorted(self.accepted - answered - set(told) - to_read)
        self._judge_memory()

    def _judge_memory(self) -> None:
        fifth = max(1, len(self.memory) // 5)
        mails_before, before = _medians(self.memory[fifth : 2 * fifth] or [(0, 1)])
        mails, after = _medians(self.memory[-fifth:])
        self.found.growth, self.found.memory_mb = after / before - 1, after / 1e6
        self.found.growth_kb = (after - before) / max(1, mails - mails_before)


def _medians(samples: Sequence[tuple[int, int]]) -> tuple[float, float]:
    return statistics.median(mails for mails, _ in samples), statistics.median(octets for _, octets in samples)


def processor_seconds(pid: int) -> float:
    """What a process has used so far, and its children that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:  # it ended while we looked
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")  # utime, stime, cutime, cstime


async def _until_stopped(soak: Soak) -> Soaked:
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, soak.is_over.set)
    return await soak()


def _open_work(database: sa.Engine) -> int:
    waiting = (OutboxState.QUEUED, OutboxState.SENDING)
    with Rows(database.execution_options(read_only=True)) as session:
        mails = session.scalar(sa.select(sa.func.count()).where(Inbound.state == InboundState.ACCEPTED)) or 0
        return mails + (session.scalar(sa.select(sa.func.count()).where(OutboxMail.state.in_(waiting))) or 0)


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=1200)
    parser.add_argument("--rate", type=float, default=20.0, help="mails a second")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--database", default="", help="postgresql://… (empty), or wheel; SQLite where not given")
    parser.add_argument("--short", action="store_true", help="30 seconds")
    options = parser.parse_args(argv)
    with contextlib.ExitStack() as stack:
        bar = stack.enter_context(Progress(console=Console(stderr=True)))
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="inkpost-soak-"))
        url = options.database
        if url == "wheel":
            url = stack.enter_context(stack.enter_context(running_postgres()).database())
        soak = Soak(Path(folder), 30 if options.short else options.seconds, options.seed, options.rate, url, bar)
        found = asyncio.run(_until_stopped(soak))
    print(f"TOTAL {'postgresql' if url else 'sqlite'}: {found}")
    return 0 if found.is_good else 1
