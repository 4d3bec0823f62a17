"""`python -m tests.bench soak [--seconds N] [--database wheel]`: steady mail and a world that is ill; exit 1 on a loss.

For four fifths of the time the relay answers 421 and 451, refuses with 550 and is silent, in spells; on SQLite another
program holds the database locked now and then, and where strace is there the disk is full for moments. Then all heals,
and what is left has five minutes to be sent. The last line has the totals.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import random
import sqlite3
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from email import message_from_bytes
from pathlib import Path

import sqlalchemy as sa
from aiosmtpd.smtp import SMTP, Envelope, Session
from rich.console import Console
from rich.progress import Progress
from sqlalchemy.orm import Session as Rows
from sqlalchemy.orm import undefer

from bot.app import migrate, open_jobs
from bot.mailbox import LoopbackMailbox
from core.db import create_engine
from core.models import Inbound, OutboxMail
from core.models.inbound import InboundState
from core.models.outbox import OutboxState
from core.services.accounts import Accounts
from tests.bench.answers import process_tree, pss_bytes
from tests.support.crash import bring_until_taken, message_id
from tests.support.fleet import Fleet, Ship, sailing
from tests.support.postgres import running_postgres
from tests.support.service import DOMAIN, service_config
from tests.support.strace import NoStrace, traced

SENDERS, READERS = 16, 300
SPELL_SECONDS, WELL_SECONDS = 6.0, 14.0  # three tenths of the time it is ill
HEAL_AT = 0.8
DRAIN_SECONDS = 300.0
STALL_SECONDS = 3.0
LOCK_SECONDS, FULL_SECONDS = 1.0, 0.5
GROWTH_LIMIT = 0.05
SETTINGS = {"relay__timeout_seconds": 2.0, "circuit__probe_seconds": 5.0, "jobs__poll_seconds": 0.5}


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
class Soaked:
    """What came of it."""

    seconds: float = 0.0
    accepted: int = 0
    answered: int = 0
    told: Counter[str] = field(default_factory=Counter)
    """Mails whose answer did not arrive, and the ledger says so: failed (the relay's 550) or unknown."""
    owed: int = 0
    """Mails whose answer is still to be sent when the drain is over."""
    lost: list[str] = field(default_factory=list)
    """Accepted mails of which neither the world nor the outbox has an answer."""
    doubled: int = 0
    drained_seconds: float | None = None
    growth: float = 0.0
    memory_mb: float = 0.0
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
            f"{self.answered} answered, told otherwise: {told}, {self.owed} still owed, {len(self.lost)} lost, "
            f"{self.doubled} twice; {drained}; memory {self.memory_mb:.0f} MB, {self.growth:+.1%}; faults: {faults}"
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
    accepted: set[str] = field(default_factory=set)
    memory: list[int] = field(default_factory=list)

    async def __call__(self) -> Soaked:
        world = IllMailbox(self.folder / "world", chance=random.Random(self.seed))
        fleet = Fleet(self.folder, self.database_url, relay_port=await world.open(), settings=SETTINGS)
        (self.folder / "data").mkdir(exist_ok=True)
        database = create_engine(self.database_url or f"sqlite:///{self.folder / 'data' / 'inkpost.db'}")
        migrate(database)
        with open_jobs(service_config(self.folder, relay_port=1), database).work() as work:
            secrets = [Accounts(work).add_user(f"reader{number}@reader.test")[1] for number in range(READERS)]
        async with sailing(fleet):
            roles = ("intake", "worker,scheduler") if self.database_url else ("intake,worker,scheduler",)
            ships = [await fleet.start(one) for one in roles]
            await asyncio.gather(*(ship.is_up() for ship in ships))
            rcpt_tos = [f"books+{secret}@{DOMAIN}" for secret in secrets]
            await self._run(world, fleet, ships, rcpt_tos=rcpt_tos)
            await self._drain(database)
            for ship in ships:
                await ship.stop()
        self.found.faults += world.faults
        self._judge(database, world)
        database.dispose()
        await world.close()
        return self.found

    async def _run(self, world: IllMailbox, fleet: Fleet, ships: list[Ship], *, rcpt_tos: Sequence[str]) -> None:
        started, over = time.monotonic(), asyncio.Event()
        numbers = itertools.count()
        task = self.bar.add_task("seconds", total=self.seconds) if self.bar else None
        senders = [asyncio.create_task(self._bring(numbers, rcpt_tos, fleet.smtp_port, over)) for _ in range(SENDERS)]
        spells = asyncio.create_task(self._spells(world, ships))
        while (passed := time.monotonic() - started) < self.seconds:
            await asyncio.sleep(min(1.0, self.seconds - passed))
            self.memory.append(sum(pss_bytes(pid) for ship in ships for pid in process_tree(ship.process.pid)))
            if passed > HEAL_AT * self.seconds and not spells.done():
                spells.cancel()
                world.is_ill = False
            if self.bar and task is not None:
                self.bar.update(task, completed=passed, description=f"seconds, {self.found.accepted} mails")
        over.set()
        await asyncio.gather(*senders)
        await asyncio.gather(spells, return_exceptions=True)
        self.found.seconds = time.monotonic() - started

    async def _bring(self, numbers: Iterator[int], rcpt_tos: Sequence[str], port: int, over: asyncio.Event) -> None:
        due = time.monotonic()
        for number in numbers:
            if over.is_set():
                return
            due += SENDERS / self.mails_per_second  # a sender that was held up makes up for it
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            await bring_until_taken(number, rcpt_to=rcpt_tos[number % len(rcpt_tos)], port=port)
            self.accepted.add(message_id(number))
            self.found.accepted += 1

    async def _spells(self, world: IllMailbox, ships: list[Ship]) -> None:
        """Well, then ill, over and over, with a fault of the disk in each spell."""
        while True:
            await asyncio.sleep(self.well_seconds)
            world.is_ill = self.has_ill_relay
            await asyncio.sleep(self.spell_seconds / 2)
            if not self.database_url:
                await asyncio.to_thread(self._lock_database)
                await asyncio.to_thread(self._fill_disk, ships[0])
            await asyncio.sleep(self.spell_seconds / 2)
            world.is_ill = False

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

    async def _drain(self, database: sa.Engine) -> None:
        healed = time.monotonic()
        while time.monotonic() - healed < DRAIN_SECONDS:
            if not await asyncio.to_thread(_open_work, database):
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
        missing = Counter(state for cause, state in told.items() if cause in self.accepted - answered)
        self.found.owed = missing.pop("queued", 0) + missing.pop("sending", 0)
        self.found.told = missing
        self.found.lost = sorted(self.accepted - answered - set(told))
        fifth = max(1, len(self.memory) // 5)
        before, after = (
            statistics.median(part) for part in (self.memory[fifth : 2 * fifth] or [1], self.memory[-fifth:])
        )
        self.found.growth, self.found.memory_mb = after / before - 1, after / 1e6


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
        found = asyncio.run(soak())
    print(f"TOTAL {'postgresql' if url else 'sqlite'}: {found}")
    return 0 if found.is_good else 1
