"""Everything that a mail meets on its way out, as in production, on a SQLite file and a scripted relay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select

from bot.circuit import CircuitSettings, RelayCircuit
from bot.delivery import Database, Deliverer
from bot.jobs_retry import RetryLater
from bot.journal import Journal
from bot.pace import Pacer, PaceSettings
from bot.transport.connections import RelaySettings, Security
from bot.transport.smtp import SmtpTransport
from core.models import Attempt, OutboxMail
from core.models.outbox import OutboxState
from core.ports import Transport
from core.work import Work
from tests.support.outgoing import Ledger, Reader, Shelf, add_reader, enqueue_book
from tests.support.smtp_sink import SmtpSink

NO_PACE = PaceSettings(interval_seconds={}, per_minute={})


@dataclass
class PostOffice:
    """One machine. `start` is a process's start: what was in memory is new, the ledger and the journal stay."""

    ledger: Ledger
    sink: SmtpSink
    folder: Path
    shelf: Shelf = field(default_factory=lambda: Shelf({"books/ab/ab12.epub": b"book"}))
    pace: PaceSettings = NO_PACE
    circuit_settings: CircuitSettings = field(default_factory=CircuitSettings)
    naps: list[float] = field(default_factory=list)
    """What deliverers slept, which took no time but on the ledger's clock."""
    _transports: list[SmtpTransport] = field(default_factory=list)

    def start(
        self,
        *,
        database: Database | None = None,
        transport: Callable[[Transport], Transport] = lambda transport: transport,
        journal: Callable[[Path], Journal] = Journal,
        resends_unknown: bool = True,
    ) -> Deliverer:
        settings = RelaySettings(
            host=self.sink.host, port=self.sink.port, security=Security.PLAIN, timeout_seconds=5, connections=3
        )
        smtp = SmtpTransport(settings, ehlo_name="inkpost.example")
        self._transports.append(smtp)
        return Deliverer(
            database=database or self.ledger,
            open_blob=self.shelf.open,
            transport=transport(smtp),
            circuit=RelayCircuit(self.circuit_settings, clock=self),
            pacer=Pacer(self.pace),
            journal=journal(self.folder / "deliveries.journal"),
            resends_unknown=resends_unknown,
            sleep=self._nap,
            jitter=lambda: 0.5,
        )

    def monotonic(self) -> float:
        return self.ledger.clock.now.timestamp()

    async def _nap(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.ledger.clock.pass_by(seconds)

    async def close(self) -> None:
        for transport in self._transports:
            await transport.close()

    def add_reader(self) -> Reader:
        with self.ledger.work() as work:
            return add_reader(work)

    def enqueue(self, reader: Reader | None = None) -> int:
        owner = reader or self.add_reader()

        def add(work: Work) -> int:
            return enqueue_book(work, owner).id

        with self.ledger.work() as work:
            return add(work)

    def mail(self, outbox_id: int) -> OutboxMail:
        with self.ledger.read() as session:
            return session.get_one(OutboxMail, outbox_id)

    def results(self, outbox_id: int) -> list[str]:
        """Of all attempts, in order; "" for one that nobody knows the end of."""
        with self.ledger.read() as session:
            mine = select(Attempt.result).where(Attempt.outbox_id == outbox_id).order_by(Attempt.number)
            return list(session.scalars(mine))


async def run_job(deliverer: Deliverer, outbox_id: int) -> float | None:
    """One run of the job `deliver`; the seconds after which it wants to run again, None if it is done."""
    try:
        await deliverer.deliver(outbox_id)
    except RetryLater as later:
        return later.seconds
    return None


async def run_until_done(office: PostOffice, deliverer: Deliverer, outbox_id: int) -> None:
    """As the engine does it, with time that passes at once."""
    while (seconds := await run_job(deliverer, outbox_id)) is not None:
        office.ledger.clock.pass_by(seconds)
    assert office.mail(outbox_id).state in (OutboxState.ACCEPTED, OutboxState.FAILED)
