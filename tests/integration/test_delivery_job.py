"""The job `deliver`, from the outbox to the relay and back into the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy.orm import Session

from bot.circuit import CircuitSettings
from bot.delivery import IN_HAND_SECONDS, Deliverer
from bot.journal import Journal, JournalEntry
from bot.pace import PaceSettings
from core.errors import Unavailable
from core.events import BookSynced, DeliveryFailed
from core.mail.outgoing import encoded_size
from core.models import Book
from core.models.outbox import OutboxState
from core.ports import SendResult, Transport
from core.services.outbox import Outbox
from core.services.retries import DAY
from core.services.standing import describe
from core.work import Work
from tests.support.outgoing import KINDLE, Ledger
from tests.support.post_office import PostOffice, run_job, run_until_done
from tests.support.smtp_sink import Drop, KeepAndDrop, Phase, Run, Say, SmtpSink

T = TypeVar("T")


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[PostOffice]:
    ledger = Ledger(tmp_path / "ledger.db")
    async with SmtpSink() as sink:
        office = PostOffice(ledger, sink, tmp_path)
        yield office
        await office.close()
    ledger.close()


def told(office: PostOffice, outbox_id: int) -> str:
    return describe(office.mail(outbox_id), "UTC")


async def test_book_reaches_the_relay_byte_for_byte(office: PostOffice) -> None:
    outbox_id = office.enqueue()

    assert await run_job(office.start(), outbox_id) is None

    (mail,) = office.sink.mails
    (attachment,) = mail.message.iter_attachments()
    assert (mail.mail_from, mail.rcpt_to) == ("books@inkpost.example", KINDLE)
    assert mail.message["Message-ID"] == office.mail(outbox_id).message_id
    assert attachment.get_payload(decode=True) == b"book"
    assert len(mail.raw) == office.mail(outbox_id).size_bytes > encoded_size(4)
    assert told(office, outbox_id) == "accepted by the relay: 250 2.0.0 queued as 1"
    assert office.results(outbox_id) == ["delivered"]


async def test_job_that_runs_again_sends_nothing(office: PostOffice) -> None:
    outbox_id = office.enqueue()
    deliverer = office.start()

    await run_job(deliverer, outbox_id)
    await run_job(deliverer, outbox_id)

    assert len(office.sink.mails) == 1


async def test_greylisted_mail_is_delivered_once(office: PostOffice) -> None:
    office.sink.script(Phase.RCPT, Say("451 4.7.1 greylisted"), Say("451 4.7.1 greylisted"))
    outbox_id = office.enqueue()
    deliverer = office.start()

    assert await run_job(deliverer, outbox_id) == 60
    assert told(office, outbox_id) == "sending (attempt 1, next try at 23 Nov 06:01)"
    assert await run_job(deliverer, outbox_id) == 120
    assert await run_job(deliverer, outbox_id) is None

    assert len(office.sink.mails) == 1
    assert office.results(outbox_id) == ["deferred", "deferred", "delivered"]


async def test_refused_mail_is_not_tried_again(office: PostOffice) -> None:
    office.sink.always(Phase.RCPT, Say("550 5.1.1 no such user"))
    outbox_id = office.enqueue()
    deliverer = office.start()

    assert await run_job(deliverer, outbox_id) is None
    assert await run_job(deliverer, outbox_id) is None

    assert told(office, outbox_id) == "failed: 550 5.1.1 no such user"
    assert [type(event) for event in office.ledger.events] == [DeliveryFailed]
    assert len([command for command in office.sink.commands if command.startswith("RCPT")]) == 1


async def test_mail_that_is_deferred_for_days_is_given_up(office: PostOffice) -> None:
    office.sink.always(Phase.RCPT, Say("452 4.2.2 mailbox full"))
    outbox_id = office.enqueue()
    started = office.ledger.clock.now

    await run_until_done(office, office.start(), outbox_id)

    assert told(office, outbox_id).startswith("failed: 452 4.2.2 mailbox full (given up after 4")
    assert 4.5 * DAY <= (office.ledger.clock.now - started).total_seconds() <= 5 * DAY


async def test_421_behind_the_final_dot_is_tried_again_under_the_same_message_id(office: PostOffice) -> None:
    office.sink.script(Phase.END, Say("421 4.3.2 going down"))
    outbox_id = office.enqueue()

    await run_until_done(office, office.start(), outbox_id)

    assert [mail.message["Message-ID"] for mail in office.sink.mails] == [office.mail(outbox_id).message_id]


async def test_unknown_outcome_is_said_and_sent_again_under_the_same_message_id(office: PostOffice) -> None:
    office.sink.script(Phase.END, KeepAndDrop())
    outbox_id = office.enqueue()
    deliverer = office.start()

    await run_job(deliverer, outbox_id)
    assert office.mail(outbox_id).last_reply.startswith("outcome unknown")
    await run_until_done(office, deliverer, outbox_id)

    assert len({mail.message["Message-ID"] for mail in office.sink.mails}) == 1


# Our own troubles


async def test_attachment_that_is_gone_fails_the_mail(office: PostOffice) -> None:
    outbox_id = office.enqueue()
    office.shelf.blobs.clear()

    assert await run_job(office.start(), outbox_id) is None

    assert told(office, outbox_id) == "failed: the file cannot be read in our own store"
    assert office.sink.mails == []


async def test_attachment_of_another_size_fails_the_mail(office: PostOffice) -> None:
    outbox_id = office.enqueue()
    office.shelf.blobs["books/ab/ab12.epub"] = b"another book"

    await run_job(office.start(), outbox_id)

    assert told(office, outbox_id) == "failed: the file cannot be read in our own store"
    assert office.sink.mails == []


async def test_store_that_is_away_defers_the_mail(office: PostOffice, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(key: str) -> object:
        raise Unavailable("/secret/path: no such device")

    outbox_id = office.enqueue()
    monkeypatch.setattr(office.shelf, "open", away)

    assert await run_job(office.start(), outbox_id) == 60

    assert office.mail(outbox_id).last_reply == "our own store does not answer"
    assert office.sink.mails == []


class Moody:
    """A database that is away at times: before the n-th unit of work begins, or behind its commit."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.is_away: Callable[[int], bool] = lambda _number: False
        self.is_lost_behind: Callable[[int], bool] = lambda _number: False
        self.works = 0

    async def in_work(self, act: Callable[[Work], T]) -> T:
        self.works += 1
        number = self.works
        if self.is_away(number):
            raise Unavailable("the database is away")
        result = await self._ledger.in_work(act)
        if self.is_lost_behind(number):
            raise Unavailable("the connection was lost while it committed")
        return result

    async def in_read(self, ask: Callable[[Session], T]) -> T:
        return await self._ledger.in_read(ask)


async def test_database_that_is_away_before_the_attempt_sends_nothing(office: PostOffice) -> None:
    outbox_id = office.enqueue()
    database = Moody(office.ledger)
    database.is_away = lambda _number: True

    with pytest.raises(Unavailable):
        await run_job(office.start(database=database), outbox_id)

    assert office.sink.mails == []


async def test_result_is_recorded_when_the_database_is_back(office: PostOffice) -> None:
    outbox_id = office.enqueue()
    database = Moody(office.ledger)
    database.is_away = lambda number: 2 <= number <= 10

    assert await run_job(office.start(database=database), outbox_id) is None

    assert office.mail(outbox_id).state is OutboxState.ACCEPTED
    assert len(office.sink.mails) == 1
    assert office.naps == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]


async def test_commit_of_unknown_outcome_counts_once(office: PostOffice) -> None:
    reader = office.add_reader()
    outbox_id = office.enqueue(reader)
    database = Moody(office.ledger)
    database.is_lost_behind = lambda number: number == 2

    await run_job(office.start(database=database), outbox_id)

    with office.ledger.read() as session:
        assert session.get_one(Book, reader.book_id).download_count == 1
    assert [type(event) for event in office.ledger.events] == [BookSynced]


async def test_job_that_was_given_up_while_the_database_was_away_does_not_send_again(office: PostOffice) -> None:
    outbox_id = office.enqueue()
    database = Moody(office.ledger)
    database.is_away = lambda number: number >= 2
    journal = Journal(office.folder / "deliveries.journal")
    deliverer = office.start(database=database, journal=lambda _path: journal)
    with pytest.raises(Unavailable):
        await run_job(deliverer, outbox_id)
    assert journal.find(outbox_id) is not None
    database.is_away = lambda _number: False

    assert await run_job(deliverer, outbox_id) is None

    assert journal.pending == ()
    assert len(office.sink.mails) == 1
    assert office.mail(outbox_id).state is OutboxState.ACCEPTED


# Two workers


async def test_overtaken_worker_stops_before_the_message(office: PostOffice) -> None:
    outbox_id = office.enqueue()

    def overtake() -> None:
        with office.ledger.work() as work:
            Outbox(work).start_attempt(outbox_id, resends_unknown=True)

    office.sink.script(Phase.RCPT, Run(overtake))

    assert await run_job(office.start(), outbox_id) is None

    assert office.sink.mails == []
    assert "DATA" not in office.sink.commands
    assert told(office, outbox_id) == "sending (attempt 2)"


async def test_mail_that_the_operator_drops_at_the_last_moment_does_not_go(office: PostOffice) -> None:
    outbox_id = office.enqueue()

    def drop() -> None:
        with office.ledger.work() as work:
            Outbox(work).drop(office.mail(outbox_id).reference)

    office.sink.script(Phase.RCPT, Run(drop))

    await run_job(office.start(), outbox_id)

    assert office.sink.mails == []
    assert told(office, outbox_id) == "dropped by the operator"


# The circuit and the pace


async def test_dead_relay_is_probed_by_one_mail_and_the_others_wait_uncounted(office: PostOffice) -> None:
    office.circuit_settings = CircuitSettings(failures=2, probe_seconds=60)
    office.sink.always(Phase.CONNECT, Drop())
    reader = office.add_reader()
    first, second, third = (office.enqueue(reader) for _ in range(3))
    deliverer = office.start()
    await run_job(deliverer, first)
    await run_job(deliverer, second)
    seen = office.sink.connections

    assert await run_job(deliverer, third) == 75  # 60 s and a spread of a quarter, in the middle

    assert office.sink.connections == seen
    assert office.mail(third).attempts == 0
    assert told(office, third) == "queued (next try at 23 Nov 06:01)"

    office.sink.heal()
    office.ledger.clock.pass_by(60)
    for outbox_id in (third, first, second):
        assert await run_job(deliverer, outbox_id) is None
    assert len(office.sink.mails) == 3


async def test_short_wait_for_a_providers_pace_is_waited_out(office: PostOffice) -> None:
    office.pace = PaceSettings(interval_seconds={"kindle.com": 2.0}, per_minute={})
    reader = office.add_reader()
    first, second = office.enqueue(reader), office.enqueue(reader)
    deliverer = office.start()

    await run_job(deliverer, first)
    await run_job(deliverer, second)

    assert office.naps == [2.0]
    assert len(office.sink.mails) == 2


async def test_long_wait_for_a_providers_pace_gives_the_place_up_uncounted(office: PostOffice) -> None:
    office.pace = PaceSettings(interval_seconds={"kindle.com": 40.0}, per_minute={})
    reader = office.add_reader()
    first, second = office.enqueue(reader), office.enqueue(reader)
    deliverer = office.start()
    await run_job(deliverer, first)

    seconds = await run_job(deliverer, second)

    assert seconds == 50
    assert office.mail(second).attempts == 0
    assert told(office, second) == "queued (next try at 23 Nov 06:00)"
    office.ledger.clock.pass_by(seconds)
    assert await run_job(deliverer, second) is None


# A worker that stood still, and that the engine took for dead


@dataclass
class HeldUp:
    """See `Transport`. Its connection is slow, until it is let go."""

    inner: Transport
    has_begun: asyncio.Event = field(default_factory=asyncio.Event)
    may_go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, **mail: Any) -> SendResult:
        self.has_begun.set()
        await self.may_go_on.wait()
        return await self.inner.send(**mail)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@asynccontextmanager
async def mail_in_hand(office: PostOffice) -> AsyncIterator[tuple[Deliverer, int]]:
    """A deliverer in the midst of an attempt, which is let go, and done, behind the block."""
    held: list[HeldUp] = []

    def hold_up(transport: Transport) -> Transport:
        held.append(HeldUp(transport))
        return held[0]

    deliverer, outbox_id = office.start(transport=hold_up), office.enqueue()
    attempt = asyncio.create_task(run_job(deliverer, outbox_id))
    await asyncio.wait_for(held[0].has_begun.wait(), 10)
    yield deliverer, outbox_id
    held[0].may_go_on.set()
    assert await attempt is None


async def test_replay_leaves_alone_what_is_in_hand(office: PostOffice) -> None:
    async with mail_in_hand(office) as (deliverer, outbox_id):
        assert await deliverer.replay() == 0
        assert office.results(outbox_id) == [""]  # and not "interrupted", which would be sent again after a death

    assert office.results(outbox_id) == ["delivered"]


async def test_second_run_of_a_job_waits_for_the_first(office: PostOffice) -> None:
    async with mail_in_hand(office) as (deliverer, outbox_id):
        assert await run_job(deliverer, outbox_id) == IN_HAND_SECONDS
        assert office.results(outbox_id) == [""]

    assert await run_job(deliverer, outbox_id) is None
    assert len(office.sink.mails) == 1


# The journal at the start


async def test_replay_names_mails_by_their_reference(office: PostOffice) -> None:
    outbox_id = office.enqueue()
    mail = office.mail(outbox_id)
    journal = Journal(office.folder / "deliveries.journal")
    journal.note(JournalEntry(outbox_id=outbox_id, reference="ZZZZZ-ZZZZZ", number=1, reply="250 of another time"))
    journal.note(JournalEntry(outbox_id=outbox_id + 5, reference=mail.reference, number=1, reply="250 2.0.0 ok"))

    assert await office.start().replay() == 2

    assert told(office, outbox_id) == "accepted by the relay: 250 2.0.0 ok"


async def test_replay_of_what_is_known_changes_nothing(office: PostOffice) -> None:
    reader = office.add_reader()
    outbox_id = office.enqueue(reader)
    await run_job(office.start(), outbox_id)
    mail = office.mail(outbox_id)
    Journal(office.folder / "deliveries.journal").note(
        JournalEntry(outbox_id=outbox_id, reference=mail.reference, number=1, reply="250 again")
    )

    await office.start().replay()

    assert told(office, outbox_id) == "accepted by the relay: 250 2.0.0 queued as 1"
    with office.ledger.read() as session:
        assert session.get_one(Book, reader.book_id).download_count == 1
