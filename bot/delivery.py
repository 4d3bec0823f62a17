"""The job `deliver`: one attempt to hand one mail to the relay, with the ledger written before and after it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO, Protocol, TypeVar, assert_never

import structlog
from sqlalchemy.orm import Session

from bot.circuit import CircuitOpen, RelayCircuit
from bot.jobs_retry import RetryLater
from bot.journal import Journal, JournalEntry, Stage
from bot.pace import Pacer
from core.errors import NotFound, Unavailable
from core.mail.outgoing import StreamedBody
from core.ports import BlobCorrupt, BlobNotFound, Deferred, Delivered, MailBody, Refused, SendResult, Transport
from core.services.outbox import AttemptToMake, Outbox, is_current
from core.services.retries import RETRY_SCHEDULE, RetrySchedule
from core.work import Work

log = structlog.get_logger(__name__)

T = TypeVar("T")

LONGEST_NAP_SECONDS = 3.0  # for a provider's pace a job waits so long in its place, and gives it up for longer
IN_HAND_SECONDS = 5.0  # until a job is asked for again whose mail another run of it has in hand
RECORD_TRIES = 130  # ten minutes of a database that is away; then the engine has the job run again
RECORD_PAUSE_SECONDS = (0.1, 5.0)  # the first, and the longest


class Database(Protocol):
    """What a deliverer needs of `bot.transactions.Transactions`."""

    async def in_work(self, act: Callable[[Work], T]) -> T: ...

    async def in_read(self, ask: Callable[[Session], T]) -> T: ...


class _Unready(Exception):
    """A mail is to carry a copy that is not made yet."""


class _Overtaken(Exception):
    """Somebody else has this mail in hand, or the operator has dropped it: see `is_current`."""


class Deliverer:
    """Makes the attempts, one at a call. May be called for one mail as often as anybody likes.

    What is crashed where:
    - before the last bytes of the mail: the journal says so, and the job runs again and sends.
    - from there to the line that says 250: nobody knows. The mail is `unknown`, or, with `resends_unknown`, sent once
      more under the same Message-ID. There is no await between the 250 and its line.
    - behind it: `replay` at the start, or `deliver` itself, records what the journal says and sends nothing.
    """

    def __init__(
        self,
        *,
        database: Database,
        open_blob: Callable[[str], AbstractContextManager[BinaryIO]],
        transport: Transport,
        circuit: RelayCircuit,
        pacer: Pacer,
        journal: Journal,
        sign: Callable[[MailBody], MailBody] | None = None,
        resends_unknown: bool = False,
        schedule: RetrySchedule = RETRY_SCHEDULE,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
        observe: Callable[[SendResult], None] = lambda _result: None,
        prepare: Callable[[int], Awaitable[None]] | None = None,
    ) -> None:
        """`prepare` makes the copy of a book that a mail is to carry; None where books are sent as they are."""
        self._database = database
        self._open_blob = open_blob
        self._transport = transport
        self._circuit = circuit
        self._pacer = pacer
        self._journal = journal
        self._sign = sign
        self._resends_unknown = resends_unknown
        self._schedule = schedule
        self._sleep = sleep
        self._jitter = jitter
        self._observe = observe
        self._prepare = prepare
        self._in_hand: set[int] = set()
        """Mails whose entries in the journal are of attempts that are being made, not of a process that died."""

    async def replay(self, journal: Journal | None = None) -> int:
        """Record what became of the attempts of an earlier process; how many mails it was. Before any of its jobs.

        `journal` is that of a process which is dead for good; without it, this process's own, of which what is in hand
        is left alone.
        """
        count = 0
        for entry in (journal or self._journal).pending:
            if journal is None and entry.outbox_id in self._in_hand:
                continue
            await self._record(partial(self._record_entry, entry))
            (journal or self._journal).settle(entry)
            count += 1
        return count

    async def deliver(self, outbox_id: int) -> None:
        """Try once, if there is anything to send. Raises `RetryLater`, or `Unavailable` where the database is away.

        An engine that took this worker for dead, since it stood still, may give it its own job a second time: that run
        waits. To it the journal would read as if a process had died in the midst of the attempt.
        """
        if outbox_id in self._in_hand:
            raise RetryLater(IN_HAND_SECONDS)
        self._in_hand.add(outbox_id)
        try:
            await self._deliver(outbox_id)
        finally:
            self._in_hand.discard(outbox_id)

    async def _deliver(self, outbox_id: int) -> None:
        if (entry := self._journal.find(outbox_id)) is not None:
            await self._record(partial(self._record_entry, entry))
            self._journal.settle(entry)
        try:
            await self._try(outbox_id)
        except _Unready:
            if self._prepare is not None:
                await self._prepare(outbox_id)
            await self._try(outbox_id, is_prepared=True)

    async def _try(self, outbox_id: int, *, is_prepared: bool = False) -> None:
        """Raises `RetryLater`, and `_Unready` unless the copy is made, or cannot be."""
        attempt: AttemptToMake | None = None

        async def try_once() -> SendResult | None:
            nonlocal attempt
            attempt = await self._begin(outbox_id, is_prepared=is_prepared)
            return None if attempt is None else await self._send(attempt)

        try:
            result = await self._circuit.run(try_once)
        except CircuitOpen as error:
            await self._put_off(outbox_id, error.seconds * (1 + self._jitter() / 2))  # not all of them at once
        if attempt is not None and result is not None:
            await self._finish(attempt, result)
        elif attempt is not None:
            self._journal.settle(_entry(attempt, Stage.BEGUN))

    async def _begin(self, outbox_id: int, *, is_prepared: bool) -> AttemptToMake | None:
        """The attempt, committed; None if there is nothing to send. Raises `RetryLater` where it is not its turn."""
        start = partial(self._start, outbox_id, is_prepared=is_prepared)
        while isinstance(begun := await self._database.in_work(start), float):
            if begun > LONGEST_NAP_SECONDS:
                await self._put_off(outbox_id, begun * (1 + self._jitter() / 2))
            await self._sleep(begun)
        return begun

    def _start(self, outbox_id: int, work: Work, *, is_prepared: bool) -> AttemptToMake | float | None:
        """The attempt, or how long the provider's pace has it wait; None if there is nothing to send.

        Raises `_Unready`.
        """
        waiting = Outbox(work).waiting_for(outbox_id)
        if waiting is None:
            return None
        if waiting.is_unready and not is_prepared:
            raise _Unready
        if seconds := self._pacer.take_turn(work.session, waiting.rcpt_to, now=work.now):
            return seconds
        attempt = Outbox(work).start_attempt(outbox_id, resends_unknown=self._resends_unknown)
        if attempt is not None:
            self._journal.note(_entry(attempt, Stage.BEGUN))
        return attempt

    async def _put_off(self, outbox_id: int, seconds: float) -> None:
        """Give up this turn without an attempt, and say so in the row."""
        await self._database.in_work(lambda work: Outbox(work).postpone(outbox_id, seconds=seconds))
        raise RetryLater(seconds)

    async def _send(self, attempt: AttemptToMake) -> SendResult | None:
        """None if the mail is not ours to send any more."""
        body: MailBody = StreamedBody(
            head=attempt.head,
            message_id=attempt.message_id,
            attachment_key=attempt.attachment_key,
            size_bytes=attempt.size_bytes,
            open_blob=self._open_blob,
        )
        try:
            if self._sign is not None:
                body = await asyncio.to_thread(self._sign, body)
            result = await self._transport.send(
                mail_from=attempt.mail_from,
                rcpt_to=attempt.rcpt_to,
                body=_WatchedBody(body, before_last=partial(self._journal.note, _entry(attempt, Stage.WHOLE))),
                before_data=partial(self._look_again, attempt),
            )
        except _Overtaken:
            log.warning("attempt was overtaken", reference=attempt.reference, attempt=attempt.number)
            return None
        except (BlobNotFound, BlobCorrupt) as error:
            log.error("attachment is lost", reference=attempt.reference, reason=str(error))
            return Refused("the file cannot be read in our own store")
        except Unavailable as error:
            log.warning("attachment waits for the store", reference=attempt.reference, reason=str(error))
            return Deferred("our own store does not answer")
        if isinstance(result, Delivered):
            self._journal.note(_entry(attempt, Stage.TAKEN, reply=result.reply))
        return result

    async def _look_again(self, attempt: AttemptToMake) -> None:
        """Just before DATA: no lease of a job engine keeps a worker that stood still from going on."""
        if not await self._database.in_read(partial(is_current, outbox_id=attempt.outbox_id, number=attempt.number)):
            raise _Overtaken

    async def _finish(self, attempt: AttemptToMake, result: SendResult) -> None:
        """Record the result. Raises `RetryLater` if there is to be another attempt."""
        seconds = await self._record(partial(self._record_result, attempt, result))
        self._journal.settle(_entry(attempt, Stage.TAKEN))
        self._observe(result)
        log.info(
            "mail tried",
            reference=attempt.reference,
            rcpt_to=attempt.rcpt_to,
            attempt=attempt.number,
            outcome=type(result).__name__.lower(),
            reply=result.reply,
        )
        if seconds is not None:
            raise RetryLater(seconds)

    def _record_result(self, attempt: AttemptToMake, result: SendResult, work: Work) -> float | None:
        return Outbox(work).record(
            attempt.outbox_id,
            number=attempt.number,
            result=result,
            jitter=self._jitter(),
            schedule=self._schedule,
            resends_unknown=self._resends_unknown,
        )

    def _record_entry(self, entry: JournalEntry, work: Work) -> None:
        outbox = Outbox(work)
        try:
            mail = outbox.find(entry.reference)
        except NotFound:
            log.warning("journal names a mail that is not there", reference=entry.reference)
            return
        match entry.stage:
            case Stage.BEGUN:
                outbox.record_interrupted(mail.id, number=entry.number)
            case Stage.WHOLE:
                outbox.record_unknown(mail.id, number=entry.number, resends_unknown=self._resends_unknown)
            case Stage.TAKEN:
                outbox.record(mail.id, number=entry.number, result=Delivered(entry.reply), jitter=0.0)
            case _:
                assert_never(entry.stage)

    async def _record(self, act: Callable[[Work], T]) -> T:
        """Commit `act`, again and again while the database is away: until then only the journal knows."""
        pause, longest = RECORD_PAUSE_SECONDS
        for _ in range(RECORD_TRIES - 1):
            try:
                return await self._database.in_work(act)
            except Unavailable as error:
                log.warning("result of an attempt waits for the database", reason=str(error))
                await asyncio.to_thread(self._journal.sync)
                await self._sleep(pause)
                pause = min(2 * pause, longest)
        return await self._database.in_work(act)


@dataclass(frozen=True, slots=True)
class _WatchedBody:
    """A mail that tells when the last of it is asked for, before it is given away."""

    body: MailBody
    before_last: Callable[[], None]

    @property
    def size_bytes(self) -> int:
        return self.body.size_bytes

    def chunks(self) -> Iterator[bytes]:
        left = self.size_bytes
        for chunk in self.body.chunks():
            left -= len(chunk)
            if left <= 0:
                self.before_last()
            yield chunk


def _entry(attempt: AttemptToMake, stage: Stage, *, reply: str = "") -> JournalEntry:
    return JournalEntry(attempt.outbox_id, attempt.reference, attempt.number, reply, stage)
