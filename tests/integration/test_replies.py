"""Replies and taps over SMTP: what the address of an answer is good for, for whom, until when, and what words mean."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import make_msgid
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.db import Base
from core.models import Book, Confirmation, Inbound, Listing, ReplyContext, User
from tests.factories.rows import make_book
from tests.support.names import Zone
from tests.support.service import BOT, Answered, House, Person, open_house
from tests.support.signing import make_key
from tests.support.smtp_client import connected

KEY = make_key("reader")
START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@dataclass
class Street:
    """A service whose time stands still, and Ada, who has three books and whose provider signs nothing any more."""

    house: House
    ada: Person
    clock: list[datetime]
    door: Answered
    """A list of the books, in answer to a signed mail to everybody's address."""

    async def fate(self) -> tuple[str, str]:
        """Outcome and reason of the newest mail, when all is done."""
        await self.house.settle()
        newest = sa.select(Inbound).order_by(Inbound.id.desc()).limit(1)
        row = await self.house.app.engine.in_read(lambda session: session.scalars(newest).one())
        return row.outcome, row.reason

    async def titles(self) -> set[str]:
        kept = sa.select(Book.title).where(Book.removed_at.is_(None))
        return set(await self.house.app.engine.in_read(lambda session: list(session.scalars(kept))))


@pytest.fixture
async def street(tmp_path: Path) -> AsyncIterator[Street]:
    zone: Zone = {
        "s1._domainkey.reader.test": [("TXT", KEY.record)],
        "s1._domainkey.strict.test": [("TXT", KEY.record)],
        "_dmarc.strict.test": [("TXT", "v=DMARC1; p=reject")],
    }
    clock = [START]
    async with open_house(tmp_path, zone=zone, clock=lambda: clock[0]) as house:
        ada = await house.person()
        await house.app.engine.in_work(lambda work: _fill(work.session, ada.address, "Dune", "Emma", "Ulysses"))
        yield Street(house, ada, clock, door=await first_answer(house, ada))


def _fill(session: Session, address: str, *titles: str) -> None:
    user = User.by_address(session, address)
    assert user is not None
    for title in titles:
        make_book(session, user, title=title)


async def bring_signed(
    house: House, person: Person, subject: str, body: str = "", *, to: str = BOT, field: str = ""
) -> None:
    """As a provider that signs would bring it, by a host that SPF does not know."""
    raw = (
        f"From: {person.address}\r\nTo: {to}\r\nSubject: {subject}\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\n"
        f"Message-ID: {make_msgid(domain='reader.test')}\r\n{field}\r\n{body}\r\n"
    ).encode()
    async with connected(house.app.smtp_port) as client:
        await client.greet()
        await client.bring(KEY.sign(raw, domain=person.address.partition("@")[2]), sender="x@elsewhere.test", rcpt=to)


async def first_answer(house: House, person: Person) -> Answered:
    """To a signed mail to everybody's address."""
    await bring_signed(house, person, "list")
    return await person.answer()


async def test_an_answer_holds_an_address_of_its_own_and_no_secret(street: Street) -> None:
    assert street.door.reply_to.startswith("books+r-")
    assert street.ada.secret not in street.door.mail.raw.decode()
    assert street.door.tap("Send", near="Emma").address == street.door.reply_to


async def test_a_tap_is_obeyed_without_any_other_proof(street: Street) -> None:
    answer = await street.ada.taps(street.door, "Ulysses")

    assert "Title: Ulysses" in answer.text
    assert (await street.fate())[1] == "sent to the reply address of a mail to this user"
    assert answer.reply_to != street.door.reply_to


async def test_plain_mail_of_the_same_user_is_still_not_believed(street: Street) -> None:
    await street.ada.writes("list", to=BOT)

    assert (await street.fate())[0] == "unbelieved"


@pytest.mark.parametrize("place", [0, 12, 30])
async def test_a_forged_token_does_nothing(street: Street, place: int) -> None:
    local, _, domain = street.door.reply_to.partition("@")
    at = len("books+r-") + place
    forged = f"{local[:at]}{'2' if local[at] != '2' else '3'}{local[at + 1 :]}@{domain}"

    await street.ada.writes("list", to=forged)

    assert (await street.fate())[0] == "unbelieved"


async def test_a_token_in_the_hands_of_somebody_else_does_nothing(street: Street) -> None:
    eve = await street.house.person("eve@elsewhere.test")
    mails = len(street.house.world.mails)

    await eve.writes("remove dune", to=street.door.reply_to)

    assert (await street.fate())[0] == "unbelieved"
    assert len(street.house.world.mails) == mails


async def test_somebody_else_who_is_believed_is_told_that_it_is_not_theirs(street: Street) -> None:
    bea = await street.house.person("bea@reader.test")
    await first_answer(street.house, bea)
    await bring_signed(street.house, bea, "help", to=street.door.reply_to)
    answer = await bea.answer()

    assert "somebody else's, so I did nothing" in answer.text
    assert "What can I write?" in answer.html


async def test_a_domain_that_disowns_a_mail_is_heard_before_the_token(street: Street) -> None:
    carl = await street.house.person("carl@strict.test")
    answer = await first_answer(street.house, carl)

    await carl.writes("list", to=answer.reply_to)

    outcome, reason = await street.fate()
    assert outcome == "unbelieved"
    assert reason.startswith("to the reply address of a mail to this user, but nothing authenticates strict.test")


async def test_after_thirty_days_a_token_proves_nothing_and_the_rest_is_said(street: Street) -> None:
    street.clock[0] += timedelta(days=31)
    await street.ada.writes("list", to=street.door.reply_to)
    assert (await street.fate())[0] == "unbelieved"

    for subject, body in (("Re: list", "2"), ("Re: list", "more"), ("show #1", "")):
        await bring_signed(street.house, street.ada, subject, body, to=street.door.reply_to)
    answers = [await street.ada.answer() for _ in range(3)]

    assert sum("is more than 30 days old" in answer.text for answer in answers) == 2
    assert any("Dune" in answer.text for answer in answers)


async def test_what_is_removed_is_asked_back_about_and_yes_is_good_once(street: Street) -> None:
    question = await street.ada.replies(street.door, "remove 2")
    assert "confirm.needed" in question.text
    assert await street.titles() == {"Dune", "Emma", "Ulysses"}

    assert "Removed: Emma" in (await street.ada.replies(question, "yes")).text
    assert "confirm.used" in (await street.ada.replies(question, "yes")).text
    assert await street.titles() == {"Dune", "Ulysses"}


async def test_no_lets_it_go(street: Street) -> None:
    question = await street.ada.replies(street.door, "remove 2")

    assert "Not done" in (await street.ada.replies(question, "No")).text
    assert "confirm.used" in (await street.ada.taps(question, "Yes, do it")).text
    assert await street.titles() == {"Dune", "Emma", "Ulysses"}


async def test_yes_counts_only_at_the_address_of_the_question(street: Street) -> None:
    question = await street.ada.replies(street.door, "remove 2")

    # With the question's Message-ID, as anybody may write it, and the token of another mail.
    answer = await street.ada.asks(
        "Re: remove 2", "yes", to=street.door.reply_to, headers={"In-Reply-To": question.message["Message-ID"]}
    )

    assert "request.not-asked" in answer.text
    # And without any token: signed, as whoever has a copy of an older "yes" of hers could bring it.
    answered = f"In-Reply-To: {question.message['Message-ID']}\r\n"
    await bring_signed(street.house, street.ada, "Re: remove 2", "yes", field=answered)
    assert "request.not-asked" in (await street.ada.answer()).text
    assert await street.titles() == {"Dune", "Emma", "Ulysses"}


async def test_a_word_of_one_user_is_nothing_in_the_hands_of_another(street: Street) -> None:
    question = await street.ada.replies(street.door, "remove 2")
    eve = await street.house.person("eve@elsewhere.test")

    await eve.writes(question.tap("Yes, do it").subject, to=eve.bot_address)
    answer = await eve.answer()
    await eve.writes("Re: remove 2", "yes", to=question.reply_to)
    await street.house.settle()

    assert "confirm.unknown" in answer.text
    assert await street.titles() == {"Dune", "Emma", "Ulysses"}


async def test_old_threads_keep_their_own_numbers(street: Street) -> None:
    first = await street.ada.asks("list", to=street.door.reply_to)
    await street.house.app.engine.in_work(lambda work: _fill(work.session, street.ada.address, "Novel"))
    second = await street.ada.asks("list", to=street.door.reply_to)

    shown = [await street.ada.replies(first, "2"), await street.ada.replies(second, "2")]

    assert ["Title: Emma" in shown[0].text, "Title: Ulysses" in shown[1].text] == [True, True]


async def test_undo_takes_back_what_that_mail_did_and_nothing_else(street: Street) -> None:
    emma = await street.ada.replies(await street.ada.replies(street.door, "remove 2"), "yes")
    dune = await street.ada.replies(await street.ada.replies(street.door, "remove 3"), "yes")
    assert await street.titles() == {"Ulysses"}

    assert "Back in your library: Emma" in (await street.ada.replies(emma, "undo")).text
    assert await street.titles() == {"Ulysses", "Emma"}
    assert "request.not-done" in (await street.ada.replies(street.door, "undo")).text
    assert "Back in your library: Dune" in (await street.ada.taps(dune, "Undo")).text


async def test_what_was_shown_is_forgotten_after_thirty_days(street: Street) -> None:
    async def count(model: type[Base]) -> int | None:
        rows = sa.select(sa.func.count()).select_from(model)
        return await street.house.app.engine.in_read(lambda session: session.scalar(rows))

    assert await count(ReplyContext)
    street.clock[0] += timedelta(days=31)
    await street.house.app.upkeep.round()

    assert [await count(model) for model in (ReplyContext, Listing, Confirmation)] == [0, 0, 0]
