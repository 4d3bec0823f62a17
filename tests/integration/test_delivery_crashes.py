"""The process dies at every step between the outbox and the ledger: nothing is lost, and what the journal has is not
sent twice. A death is an exception that nothing catches; the next start finds the files as the last one left them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeVar

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.journal import Journal, JournalEntry, Stage
from core.models import Book, OutboxMail
from core.models.outbox import OPEN_STATES, OutboxState
from core.ports import Delivered, MailBody, SendResult, Transport
from core.services.standing import describe
from core.work import Work
from tests.support.outgoing import Ledger, Shelf
from tests.support.post_office import PostOffice, run_job, run_until_done
from tests.support.smtp_sink import Act, Drop, KeepAndDrop, Phase, Say, SmtpSink

T = TypeVar("T")


class Killed(BaseException):
    """`kill -9`."""


class Fate:
    """Says at each step whether the process dies there."""

    def __init__(self, dies_at: Callable[[str], bool]) -> None:
        self._dies_at = dies_at

    def step(self, name: str) -> None:
        if self._dies_at(name):
            raise Killed(name)


def dying_at(step: str) -> Fate:
    return Fate(lambda name: name == step)


class MortalTransport:
    """Dies before and behind the work of another transport."""

    def __init__(self, inner: Transport, fate: Fate) -> None:
        self._inner = inner
        self._fate = fate
        self.check = inner.check
        self.size_limit = inner.size_limit
        self.close = inner.close

    async def send(
        self, *, mail_from: str, rcpt_to: str, body: MailBody, before_data: Callable[[], Awaitable[None]] | None = None
    ) -> SendResult:
        self._fate.step("before sending")
        result = await self._inner.send(mail_from=mail_from, rcpt_to=rcpt_to, body=body, before_data=before_data)
        if isinstance(result, Delivered):
            self._fate.step("behind the 250")
        return result


class MortalJournal(Journal):
    def __init__(self, path: Path, fate: Fate) -> None:
        super().__init__(path)
        self._fate = fate

    def note(self, entry: JournalEntry) -> None:
        super().note(entry)
        if entry.stage is Stage.TAKEN:
            self._fate.step("behind the journal")

    def settle(self, entry: JournalEntry) -> None:
        self._fate.step("before settling")
        super().settle(entry)
        self._fate.step("behind settling")


class MortalDatabase:
    """Dies within a transaction, which is rolled back, or behind its commit."""

    def __init__(self, ledger: Ledger, fate: Fate) -> None:
        self._ledger = ledger
        self._fate = fate
        self._works = 0

    async def in_work(self, act: Callable[[Work], T]) -> T:
        self._works += 1
        which = "start" if self._works % 2 else "result"

        def mortal(work: Work) -> T:
            done = act(work)
            self._fate.step(f"before the commit of the {which}")
            return done

        result = await self._ledger.in_work(mortal)
        self._fate.step(f"behind the commit of the {which}")
        return result

    async def in_read(self, ask: Callable[[Session], T]) -> T:
        self._fate.step("before the last look")
        return await self._ledger.in_read(ask)


class MortalShelf(Shelf):
    fate: Fate

    @contextmanager
    def open(self, key: str) -> Iterator[BinaryIO]:
        self.fate.step("in the midst of the message")
        with super().open(key) as file:
            yield file


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[PostOffice]:
    ledger = Ledger(tmp_path / "ledger.db")
    async with SmtpSink() as sink:
        shelf = MortalShelf({"books/ab/ab12.epub": b"book"})
        shelf.fate = Fate(lambda _step: False)
        office = PostOffice(ledger, sink, tmp_path, shelf=shelf)
        yield office
        await office.close()
    ledger.close()


async def run_and_die(office: PostOffice, outbox_id: int, fate: Fate) -> None:
    """One job in a process of its own that may die."""
    shelf = office.shelf
    assert isinstance(shelf, MortalShelf)
    shelf.fate = fate
    deliverer = office.start(
        database=MortalDatabase(office.ledger, fate),
        transport=lambda inner: MortalTransport(inner, fate),
        journal=lambda path: MortalJournal(path, fate),
    )
    try:
        await run_job(deliverer, outbox_id)
    finally:
        shelf.fate = Fate(lambda _step: False)


BEFORE_THE_250 = [
    "before the commit of the start",
    "behind the commit of the start",
    "before sending",
    "before the last look",
    "in the midst of the message",
]
BEHIND_THE_JOURNAL = [
    "behind the journal",
    "before the commit of the result",
    "behind the commit of the result",
    "before settling",
    "behind settling",
]


@pytest.mark.parametrize("step", BEFORE_THE_250 + BEHIND_THE_JOURNAL)
@pytest.mark.parametrize("replays", [1, 2])
async def test_death_at_any_step_but_one_delivers_exactly_once(office: PostOffice, step: str, replays: int) -> None:
    reader = office.add_reader()
    outbox_id = office.enqueue(reader)
    with pytest.raises(Killed, match=f"^{step}$"):
        await run_and_die(office, outbox_id, dying_at(step))

    for _ in range(replays):
        deliverer = office.start()
        await deliverer.replay()
    await run_until_done(office, deliverer, outbox_id)

    assert len(office.sink.mails) == 1
    assert office.mail(outbox_id).state is OutboxState.ACCEPTED
    with office.ledger.read() as session:
        assert session.get_one(Book, reader.book_id).download_count == 1


@pytest.mark.parametrize("step", BEHIND_THE_JOURNAL)
async def test_journal_is_heeded_even_by_a_job_that_comes_before_the_replay(office: PostOffice, step: str) -> None:
    outbox_id = office.enqueue()
    with pytest.raises(Killed):
        await run_and_die(office, outbox_id, dying_at(step))

    await run_until_done(office, office.start(), outbox_id)

    assert len(office.sink.mails) == 1


@pytest.mark.parametrize("has_replay", [True, False])
async def test_death_between_the_250_and_the_journal_is_the_one_gap(office: PostOffice, has_replay: bool) -> None:
    outbox_id = office.enqueue()
    with pytest.raises(Killed):
        await run_and_die(office, outbox_id, dying_at("behind the 250"))

    deliverer = office.start(resends_unknown=False)
    if has_replay:
        await deliverer.replay()
    assert await run_job(deliverer, outbox_id) is None

    assert len(office.sink.mails) == 1
    assert describe(office.mail(outbox_id), "UTC").startswith("unknown: the relay may have it (our process ended")
    assert office.results(outbox_id) == ["unknown"]


async def test_mail_of_unknown_fate_is_sent_once_more_where_that_is_wanted(office: PostOffice) -> None:
    outbox_id = office.enqueue()
    for _ in range(2):
        with pytest.raises(Killed):
            await run_and_die(office, outbox_id, dying_at("behind the 250"))

    await run_job(office.start(), outbox_id)

    assert len(office.sink.mails) == 2
    assert len({mail.message["Message-ID"] for mail in office.sink.mails}) == 1
    assert office.mail(outbox_id).state is OutboxState.UNKNOWN
    assert office.results(outbox_id) == ["unknown", "unknown"]


async def test_death_on_a_machine_that_is_away_leaves_it_unknown(office: PostOffice) -> None:
    """Another machine's worker takes the job: it has not the journal, which would say that nothing was sent."""
    outbox_id = office.enqueue()
    with pytest.raises(Killed):
        await run_and_die(office, outbox_id, dying_at("before sending"))
    (office.folder / "deliveries.journal").rename(office.folder / "elsewhere.journal")

    await run_job(office.start(resends_unknown=False), outbox_id)

    assert office.sink.mails == []
    assert office.mail(outbox_id).state is OutboxState.UNKNOWN


async def test_death_in_the_replay_is_replayed(office: PostOffice) -> None:
    reader = office.add_reader()
    outbox_id = office.enqueue(reader)
    with pytest.raises(Killed):
        await run_and_die(office, outbox_id, dying_at("behind the journal"))
    for step in ("before the commit of the start", "behind the commit of the start"):  # the first unit of work it has
        database = MortalDatabase(office.ledger, dying_at(step))
        with pytest.raises(Killed):
            await office.start(database=database).replay()

    await office.start().replay()

    assert office.mail(outbox_id).state is OutboxState.ACCEPTED
    with office.ledger.read() as session:
        assert session.get_one(Book, reader.book_id).download_count == 1


FAULTS: list[tuple[Phase, Act]] = [
    (Phase.CONNECT, Drop()),
    (Phase.MAIL, Say("451 4.3.0 try later")),
    (Phase.RCPT, Say("450 4.2.0 greylisted")),
    (Phase.RCPT, Drop()),
    (Phase.DATA, Say("421 4.3.2 going down")),
    (Phase.UPLOAD, Drop()),
    (Phase.END, Say("451 4.3.0 try later")),
    (Phase.END, Drop()),
    (Phase.END, KeepAndDrop()),
]


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_storm_of_deaths_and_faults_loses_nothing_and_doubles_only_in_the_gap(
    office: PostOffice, seed: int
) -> None:
    chance = random.Random(seed)
    reader = office.add_reader()
    waiting = [office.enqueue(reader) for _ in range(10)]
    excused: set[str] = set()  # Message-IDs whose 250 never came to the journal

    while waiting:
        outbox_id = chance.choice(waiting)
        message_id = office.mail(outbox_id).message_id
        if chance.random() < 0.4:
            phase, act = chance.choice(FAULTS)
            office.sink.script(phase, act)
            if act == KeepAndDrop():
                excused.add(message_id)
        try:
            await run_and_die(office, outbox_id, Fate(lambda _step: chance.random() < 0.08))
        except Killed as death:
            if str(death) == "behind the 250":
                excused.add(message_id)
        office.sink.heal()
        if chance.random() < 0.2:
            await office.start().replay()
        with office.ledger.read() as session:
            waiting = list(session.scalars(select(OutboxMail.id).where(OutboxMail.state.in_(OPEN_STATES))))
            unknown = session.scalars(select(OutboxMail).where(OutboxMail.state == OutboxState.UNKNOWN)).all()

    copies = Counter(str(mail.message["Message-ID"]) for mail in office.sink.mails)
    assert len(set(copies) | {mail.message_id for mail in unknown}) == 10
    assert max(copies.values()) <= 2
    assert {message_id for message_id, count in copies.items() if count > 1} <= excused
