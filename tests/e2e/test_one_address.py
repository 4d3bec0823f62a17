"""One address and no syntax, as people live it: every kind of mail over SMTP, and what comes back over SMTP."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.authenticate import TrustSettings
from bot.fetch import FetchSettings
from core.models import Book, Inbound
from tests.factories.books import make_epub, make_pdf
from tests.support.names import Zone
from tests.support.service import BOT, DOMAIN, House, Person, open_house
from tests.support.signing import make_key
from tests.support.smtp_client import connected
from tests.support.web_server import WebServer

GOOGLE, CAROL = make_key("google"), make_key("carol")
ZONE: Zone = {
    "_dmarc.google.com": [("TXT", "v=DMARC1; p=reject")],
    "s1._domainkey.google.com": [("TXT", GOOGLE.record)],
    "_dmarc.carol.test": [("TXT", "v=DMARC1; p=none")],
    "s1._domainkey.carol.test": [("TXT", CAROL.record)],
}
VERIFY = "https://mail-settings.google.com/mail/vf-%5BANGjdJ8aB%5D-xyzQ9"
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture
def clock() -> list[datetime]:
    return [NOON]


@pytest.fixture
async def web() -> AsyncIterator[WebServer]:
    async with WebServer() as server:
        yield server


@pytest.fixture
async def house(tmp_path: Path, clock: list[datetime]) -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(
            open_house(
                tmp_path,
                zone=ZONE,
                clock=lambda: clock[0],
                fetch=FetchSettings(allow_private=True),
                trust=TrustSettings(strangers_a_day=2),
            )
        )


@pytest.fixture
async def ada(house: House) -> Person:
    return await house.person("ada@reader.test", name="Ada")


async def bring(house: House, mail: bytes, *, rcpt: str, sender: str = "bounces@elsewhere.test") -> None:
    async with connected(house.app.smtp_port) as client:
        await client.greet()
        await client.start_mail(sender=sender, rcpt=rcpt)
        await client.send(mail + b".\r\n")
        assert (await client.reply()).startswith("250")
    await house.settle()


def gmail_request(to: str, requester: str = "ada@gmail.test") -> bytes:
    return (
        f"From: Gmail Team <forwarding-noreply@google.com>\r\nTo: {to}\r\nSubject: (#482910377) Gmail Forwarding "
        f"Confirmation - Receive Mail from {requester}\r\nDate: Mon, 23 Nov 2026 11:00:00 +0000\r\n"
        f"Message-ID: <1.{len(to)}@google.com>\r\n\r\n{requester} has requested to automatically forward mail to your "
        f"email\r\naddress {to}.\r\n\r\nConfirmation code: 482910377\r\n\r\nTo allow this, please click the link "
        f"below:\r\n{VERIFY}\r\n\r\nIf you do not approve:\r\nhttps://mail-settings.google.com/mail/uf-abcdefghijk\r\n"
    ).encode()


async def fates(house: House) -> list[str]:
    rows = sa.select(Inbound.outcome).order_by(Inbound.id)
    return await house.app.engine.in_read(lambda session: list(session.scalars(rows)))


async def titles(house: House) -> list[str]:
    return await house.app.engine.in_read(lambda session: list(session.scalars(sa.select(Book.title))))


# Gmail asks ------------------------------------------------------------------------------------------------------


async def test_gmail_s_request_is_relayed_with_its_code_and_never_followed(house: House, ada: Person) -> None:
    await bring(house, GOOGLE.sign(gmail_request(ada.bot_address), domain="google.com"), rcpt=ada.bot_address)

    told = await ada.answer()
    assert told.subject == "Gmail asks whether it may forward mail to you here"
    assert "482910377" in told.text
    assert VERIFY in told.text
    assert "uf-abcdefghijk" not in told.text
    assert await fates(house) == ["forwarding"]


async def test_request_that_google_did_not_sign_is_met_with_silence(house: House, ada: Person) -> None:
    forged = make_key("mallory").sign(gmail_request(ada.bot_address), domain="google.com")
    await bring(house, forged, rcpt=ada.bot_address)
    await bring(house, gmail_request(ada.bot_address + "\r\nX-Other: 1"), rcpt=ada.bot_address)

    assert house.world.mails == []
    assert await fates(house) == ["silent", "silent"]


async def test_request_to_the_plain_address_goes_to_whose_mail_it_is_about(house: House, ada: Person) -> None:
    for requester in ("mallory@gmail.test", "ada@reader.test"):
        mail = gmail_request(BOT, requester)
        await bring(house, GOOGLE.sign(mail, domain="google.com"), rcpt=BOT)

    assert "ada@reader.test" in (await ada.answer()).text
    assert [mail.rcpt_to for mail in house.world.mails] == [ada.address]


# Links alone -----------------------------------------------------------------------------------------------------


async def test_links_alone_stand_in_the_next_paper_or_on_the_reader_by_a_tap(
    house: House, ada: Person, web: WebServer
) -> None:
    text = "<p>" + "The tide came in over the stones and nobody had moved the boats. " * 12 + "</p>"
    url = web.put(
        "/tide", f"<html><head><title>The tide</title></head><body><article><h1>The tide</h1>{text}</article></body>",
        headers={"Content-Type": "text/html"},
    )  # fmt: skip
    await ada.asks("kindle add ada_1815@kindle.com")

    answer = await ada.asks("The tide | Example", url)
    assert "Links alone go into your next paper." in answer.text
    assert (await ada.answer()).subject.startswith("Saved for later: The tide")

    (tap,) = re.findall(r"read http://\S+", answer.text)
    await ada.asks(tap)
    await house.settle()
    assert [mail.rcpt_to for mail in house.world.mails][-1] == "ada_1815@kindle.com"

    assert "Always into my paper" in (await ada.asks("settings links=now") and await ada.asks("", url)).text


# Forwarded mails -------------------------------------------------------------------------------------------------


INLINE = (
    "FYI\n\n---------- Forwarded message ---------\nFrom: Grace Hopper <grace@navy.test>\nDate: Sun, 22 Nov 2026 "
    "10:00:00 +0000\nSubject: Nanoseconds\nTo: <ada@reader.test>\n\nA nanosecond is a piece of wire, about a foot "
    "long.\n\nI hand them out so that people know what they throw away."
)


async def test_forwarded_text_is_kept_for_the_paper_by_a_tap(house: House, ada: Person) -> None:
    question = await ada.asks("Fwd: Nanoseconds", INLINE)
    assert "Keep it as an article?" in question.text
    (tap,) = set(re.findall(r"forwarded paper in \w{5}-\w{5}", question.text))

    assert "For your next paper: Nanoseconds" in (await ada.asks(tap)).text
    await house.settle()
    await ada.asks("digest now")
    paper = await ada.answer()
    assert "A nanosecond is a piece of wire" in paper.text
    assert "Grace Hopper" in paper.text
    assert "FYI" not in paper.text


async def test_forwarded_mail_as_an_attachment_becomes_a_book_by_a_tap(house: House, ada: Person) -> None:
    inner = EmailMessage()
    inner["From"], inner["To"], inner["Subject"] = "Grace Hopper <grace@navy.test>", ada.address, "Nanoseconds"
    inner.set_content("plain")
    inner.add_alternative("<p>A nanosecond is a piece of <b>wire</b>, about a foot long.</p>", subtype="html")
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = ada.address, ada.bot_address, "Nanoseconds"
    mail.set_content("")
    mail.add_attachment(inner)
    await house.send(mail, mail_from=ada.address, rcpt_to=ada.bot_address)

    (tap,) = set(re.findall(r"forwarded book in \w{5}-\w{5}", (await ada.answer()).text))
    assert "Making a book of" in (await ada.asks(tap)).text
    assert (await ada.answer()).subject == "Saved: Nanoseconds"
    assert await titles(house) == ["Nanoseconds"]


async def test_attachments_of_a_forwarded_mail_are_picked_by_number(house: House, ada: Person) -> None:
    files = [("bill.pdf", make_pdf(title="A bill")), ("story.txt", b"A story of the sea.\n" * 40)]
    question = await ada.asks("Fwd: both", INLINE, attach=files)
    assert "or pick its attachments?" in question.text
    assert await titles(house) == []

    (tap,) = set(re.findall(r"forwarded pick in \w{5}-\w{5}", question.text))
    listed = await ada.asks(tap)
    assert "1" in listed.text
    assert "bill.pdf" in listed.text
    await ada.asks(tap.replace("pick in", "pick 2 in"))
    assert (await ada.answer()).subject.startswith("Added: ")
    assert len(await titles(house)) == 1


async def test_what_is_said_in_words_wins_over_the_forward(house: House, ada: Person) -> None:
    answer = await ada.asks("Fwd: a bill", INLINE.replace("FYI", "add"), attach=[("b.pdf", make_pdf(title="A bill"))])

    assert "Added: " in answer.text


async def test_forwarded_book_is_in_the_library_unasked(house: House, ada: Person) -> None:
    answer = await ada.asks("Fwd: for you", INLINE, attach=[("m.epub", make_epub(title="Moby Dick"))])

    assert "Added: Moby Dick" in answer.text


async def test_what_is_not_understood_is_asked_back_with_three_taps(ada: Person) -> None:
    answer = await ada.asks("the quick brown albatross")

    assert len(re.findall(r'href="mailto:', answer.html)) >= 3
    assert "find the quick brown albatross" in answer.text


# First contact ---------------------------------------------------------------------------------------------------


def letter_of_carol(number: int, *, subject: str = "Hello", to: str = BOT, author: str = "carol@carol.test") -> bytes:
    return (
        f"From: Carol <{author}>\r\nTo: {to}\r\nSubject: {subject}\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\n"
        f"Message-ID: <{number}@carol.test>\r\n\r\nMay I?\r\n"
    ).encode()


def by_carol(mail: bytes) -> bytes:
    return CAROL.sign(mail, domain="carol.test")


async def test_first_mail_of_who_was_invited_is_answered_with_three_steps_as_well(house: House) -> None:
    bob = await house.person("bob@reader.test", name="Bob", is_new=True)

    first = await bob.asks("list")
    assert "Your library is empty" in first.text
    assert re.findall(r"help (?:add|kindle|subscribe)", first.text) == ["help add", "help kindle", "help subscribe"]
    assert "Three steps" not in (await bob.asks("list")).text


async def test_stranger_has_one_polite_line_a_day(house: House, clock: list[datetime]) -> None:
    for number in range(3):
        await bring(house, by_carol(letter_of_carol(number)), rcpt=BOT)
    (told,) = house.world.mails
    assert told.rcpt_to == "carol@carol.test"
    assert told.message["Auto-Submitted"] == "auto-replied"
    assert await fates(house) == ["stranger", "unbelieved", "unbelieved"]

    clock[0] += timedelta(days=1)
    await bring(house, by_carol(letter_of_carol(9)), rcpt=BOT)
    assert len(house.world.mails) == 2


async def test_strangers_are_answered_only_so_often_in_all(house: House) -> None:
    for number in range(4):
        mail = letter_of_carol(number, author=f"carol{number}@carol.test")
        await bring(house, by_carol(mail), rcpt=BOT)

    assert len(house.world.mails) == 2


async def test_stranger_s_mail_that_is_not_surely_theirs_is_met_with_silence(house: House, ada: Person) -> None:
    unsigned = letter_of_carol(1)
    forged = make_key("mallory").sign(letter_of_carol(2), domain="carol.test")
    automatic = by_carol(b"Auto-Submitted: auto-generated\r\n" + letter_of_carol(3))
    to_somebody_else = by_carol(letter_of_carol(4, to="dave@elsewhere.test"))
    of_a_reader, of_ours = (letter_of_carol(5, author=one) for one in (ada.address, f"someone@{DOMAIN}"))

    for mail in (unsigned, forged, automatic, to_somebody_else, of_a_reader, of_ours):
        await bring(house, mail, rcpt=BOT)

    assert house.world.mails == []
    await bring(house, by_carol(letter_of_carol(6)), rcpt=BOT)  # the control
    assert len(house.world.mails) == 1
