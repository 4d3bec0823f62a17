"""An accepted mail on its way through the processor: one answer or a silence, once, and nothing lost on the way.

The service is the real one, in the test's own loop, on a SQLite file and a folder of blobs.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from email.message import EmailMessage
from pathlib import Path

import pytest
import sqlalchemy as sa

import bot.process
from core.jobs import process_mail
from core.models import Inbound, OutboxMail
from core.models.inbound import InboundState
from core.models.outbox import OutboxKind, OutboxState
from core.services.inbox import Inbox
from core.work import Work
from tests.factories.books import make_epub
from tests.support import sandbox_functions
from tests.support.service import BOT, House, Person, open_house

KINDLE = "ada_1815@kindle.com"
DEADLINE_SECONDS = 90.0
LONG_TEXT = random.Random(1).randbytes(60_000).hex()
"""Of a book that is too large for a mail that is read in the service itself."""


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path) as opened:
        yield opened


@pytest.fixture
async def ada(house: House) -> Person:
    return await house.person("ada@reader.test", name="Ada")


async def mails(house: House) -> list[Inbound]:
    """All that came in, oldest first."""
    return await house.app.engine.in_read(
        lambda session: list(session.scalars(sa.select(Inbound).order_by(Inbound.id)))
    )


async def sent(house: House, kind: OutboxKind = OutboxKind.ANSWER) -> list[OutboxMail]:
    mine = sa.select(OutboxMail).where(OutboxMail.kind == kind).order_by(OutboxMail.id)
    return await house.app.engine.in_read(lambda session: list(session.scalars(mine)))


async def run_again(house: House, mail: Inbound, *, state: InboundState = InboundState.DONE) -> None:
    """The job of a mail once more, as after a crash; to its end."""

    def defer(work: Work) -> None:
        work.session.get_one(Inbound, mail.id).state = state
        work.defer(process_mail(mail.id, order_key="again"))

    await house.app.engine.in_work(defer)
    await house.settle()


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not await asyncio.to_thread(is_so):
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("subject", "body"),
    [("list", ""), ("", ""), ("frobnicate the albatross", ""), ("list", "find dune\nshow 7\nstats\n")],
)
async def test_mail_has_one_answer_whatever_it_says(house: House, ada: Person, subject: str, body: str) -> None:
    await ada.asks(subject, body)
    await house.settle()

    ((mail,), (answer,)) = await mails(house), await sent(house)
    assert (mail.state, mail.outcome, mail.author) == (InboundState.DONE, "answered", ada.address)
    assert (answer.inbound_id, answer.rcpt_to, answer.state) == (mail.id, ada.address, OutboxState.ACCEPTED)
    assert len(house.world.mails) == 1


async def test_answer_goes_to_the_registered_address_whatever_stands_in_from(house: House, ada: Person) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "other@elsewhere.test", ada.bot_address, "list"

    await house.send(mail, mail_from="other@elsewhere.test", rcpt_to=ada.bot_address)
    await ada.answer()
    await house.settle()

    assert {one.rcpt_to for one in house.world.mails} == {ada.address}


@pytest.mark.parametrize(
    ("headers", "outcome", "why"),
    [
        ({"Auto-Submitted": "auto-replied"}, "silent", "Auto-Submitted"),
        ({"List-Id": "<books.reader.test>"}, "silent", "List-Id"),
        ({"X-Inkpost-Loop": BOT}, "silent", "loop"),
    ],
)
async def test_automatic_mail_is_met_with_silence_that_is_written_down(
    house: House, ada: Person, headers: dict[str, str], outcome: str, why: str
) -> None:
    await ada.writes("kindle add me@kindle.com", headers=headers)
    await house.settle()

    (mail,) = await mails(house)
    assert (mail.state, mail.outcome) == (InboundState.DONE, outcome)
    assert why in mail.reason
    assert (await sent(house), house.world.mails) == ([], [])


async def test_bounce_is_met_with_silence(house: House, ada: Person) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "ada@reader.test", ada.bot_address, "list"

    await house.send(mail, mail_from="", rcpt_to=ada.bot_address)
    await house.settle()

    assert [one.reason for one in await mails(house)] == ["null reverse-path"]
    assert house.world.mails == []


async def test_mail_of_nobody_we_know_is_neither_obeyed_nor_answered(house: House, ada: Person) -> None:
    await ada.writes("list", to=BOT)
    await house.settle()

    (mail,) = await mails(house)
    assert (mail.state, mail.outcome, mail.user_id) == (InboundState.DONE, "unbelieved", None)
    assert mail.reason
    assert house.world.mails == []


async def test_job_that_runs_again_after_its_mail_was_done_does_nothing(house: House, ada: Person) -> None:
    await ada.asks("list")
    await house.settle()
    (before,) = await mails(house)

    await run_again(house, before)

    (after,) = await mails(house)
    assert after.processed_at == before.processed_at
    assert len(house.world.mails) == 1


async def test_mail_that_is_processed_twice_owes_each_of_its_mails_once(house: House, ada: Person) -> None:
    await ada.asks("", attach=[("m.epub", make_epub(title="Moby Dick"))])
    await ada.asks(f"kindle add {KINDLE}", "send moby\n")
    await house.world.wait_for(KINDLE)
    await house.settle()
    _, asking = await mails(house)

    await run_again(house, asking, state=InboundState.ACCEPTED)

    assert [one.rcpt_to for one in house.world.mails].count(KINDLE) == 1
    assert [one.rcpt_to for one in house.world.mails].count(ada.address) == 2
    assert len(await sent(house)) == 2
    assert len(await sent(house, OutboxKind.DELIVERY)) == 1


async def test_mail_that_the_peer_brings_twice_is_answered_once(house: House, ada: Person) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"], mail["Message-ID"] = ada.address, ada.bot_address, "list", "<1@x.test>"

    for _ in range(2):
        await house.send(mail, mail_from=ada.address, rcpt_to=ada.bot_address)
    await house.settle()

    assert (len(await mails(house)), len(house.world.mails)) == (1, 1)


async def test_mail_that_breaks_us_is_set_aside_with_the_reason_and_answered_once_we_are_mended(
    house: House, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(path: Path, *, work_dir: Path) -> None:
        raise LookupError("a bug of ours")

    with monkeypatch.context() as fault:
        fault.setattr(bot.process, "parse_message", breaks)
        fault.setattr(bot.process, "ATTEMPTS", 2)
        await ada.writes("list")
        await house.settle()
    (mail,) = await mails(house)
    assert (mail.state, mail.attempts, mail.reason) == (InboundState.SET_ASIDE, 2, "LookupError: a bug of ours")
    assert house.world.mails == []

    await house.app.engine.in_work(lambda work: Inbox(work).retry(mail.reference))

    assert "Your library is empty" in (await ada.answer()).text


async def test_book_that_takes_the_worker_of_its_mail_with_it_is_looked_at_by_itself(
    house: House, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bot.process, "read_mailed", sandbox_functions.die_with_books)

    answer = await ada.asks("", attach=[("dune.epub", make_epub(title="Dune", text=LONG_TEXT))])

    assert "Added: Dune" in answer.text


async def test_only_mails_to_a_readers_secret_address_are_read_with_their_books(
    house: House, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bot.process, "read_mailed", sandbox_functions.break_over_books)
    monkeypatch.setattr(bot.process, "ATTEMPTS", 1)
    book = ("dune.epub", make_epub(text=LONG_TEXT))

    await ada.writes("", attach=[book], to=BOT)
    await ada.writes("", attach=[book])
    await house.settle()

    assert [mail.state for mail in await mails(house)] == [InboundState.DONE, InboundState.SET_ASIDE]


async def test_mail_whose_text_is_gone_from_the_store_is_set_aside(
    house: House, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bot.process, "ATTEMPTS", 1)
    await ada.asks("", "A long letter.\n" * 30_000)  # too long for a row
    await house.settle()
    (mail,) = await mails(house)
    assert mail.raw_key is not None
    house.app.blobs.delete(mail.raw_key)

    await run_again(house, mail, state=InboundState.ACCEPTED)

    (mail,) = await mails(house)
    assert mail.state is InboundState.SET_ASIDE
    assert mail.reason.startswith("BlobNotFound")


async def test_store_that_is_down_costs_time_and_no_mail(house: House, ada: Person, tmp_path: Path) -> None:
    blobs, away = tmp_path / "data" / "blobs", tmp_path / "unmounted"
    blobs.rename(away)

    await ada.writes("", attach=[("m.epub", make_epub(title="Moby Dick"))])
    await until(lambda: any(job.attempts for job in house.app.engine.list_jobs(task="process_mail")))
    (mail,) = await mails(house)
    assert (mail.state, mail.attempts) == (InboundState.ACCEPTED, 0)
    assert house.world.mails == []
    away.rename(blobs)

    assert "Added: Moby Dick" in (await ada.answer()).text
    assert len(list(house.app.blobs.list("books/"))) == 1


async def test_nothing_of_a_mail_is_left_in_the_work_folder(house: House, ada: Person, tmp_path: Path) -> None:
    await ada.asks("", attach=[("m.epub", make_epub(title="Moby Dick"))])
    await house.settle()

    assert list((tmp_path / "data" / "work").iterdir()) == []


async def test_language_of_the_first_mail_that_shows_one_is_kept(house: House) -> None:
    eva = await house.person("eva@reader.test", name="Eva")
    first = await eva.asks("settings", headers={"Accept-Language": "de-DE, en-US"})
    second = await eva.asks("settings", headers={"Accept-Language": "es"})
    assert "Sprache: Deutsch" in first.text
    assert "Sprache: Deutsch" in second.text
    assert "Idioma: Español" in (await eva.asks("settings language=es")).text


async def test_language_is_that_of_the_words_that_were_written(house: House) -> None:
    eva = await house.person("eva@reader.test", name="Eva")
    assert "Sprache: Deutsch" in (await eva.asks("Einstellungen", headers={"Accept-Language": "en-US"})).text
