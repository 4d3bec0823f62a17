"""Newsletters as their reader has them: an address, a request to confirm, an issue in the paper, and the end of it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.guards import EdgeSettings
from core.models import Inbound, Newsletter
from tests.support.names import Zone
from tests.support.service import DOMAIN, House, Person, open_house
from tests.support.signing import SIGNED, make_key
from tests.support.smtp_client import connected

DAILY = make_key("daily")
ZONE: Zone = {"s1._domainkey.daily.test": [("TXT", DAILY.record)]}
TARGET = "https://stories.test/the-tide"
PIXEL = "https://daily.test/open.gif?u=ada"
HTML = f"""<html><body><div style="display:none">Preview words that nobody sees</div>
<table><tr><td><p><a href="https://daily.test/web/1">View this email in your browser</a></p></td></tr>
<tr><td><h1>The tide</h1><p>The tide came in over the stones, and nobody had moved the boats since the morning.</p>
<p>So the harbour master rang the bell, as his father had done in the year of the flood.
<a href="https://click.daily.test/c/{TARGET.replace("/", "%2F")}/x?utm_source=daily">Read the story</a></p>
<p>The boats were found on Tuesday, and no harm had come to them at all, says the harbour master.</p></td></tr>
<tr><td><p>You are receiving this because you signed up. <a href="https://daily.test/leave?u=1">Unsubscribe</a></p>
<p>The Daily, 1 Harbour Street</p></td></tr></table>
<img src="{PIXEL}" width="1" height="1"></body></html>"""


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    clock = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    edge = EdgeSettings(letters_of_address="4 per hour", letter_bytes=50_000)
    async with open_house(tmp_path, zone=ZONE, clock=lambda: clock, edge=edge) as opened:
        yield opened


@pytest.fixture
async def ada(house: House) -> Person:
    return await house.person("ada@reader.test", name="Ada")


async def new_address(ada: Person, name: str = "The Daily") -> str:
    answer = await ada.asks(f"newsletter new {name}".strip())
    found = re.search(rf"books\+n-[a-z2-9]{{16}}@{DOMAIN}", answer.text)
    assert found is not None
    return found[0]


def issue(to: str, *, number: int = 1, html: str = HTML, subject: str = "The tide", fields: str = "") -> bytes:
    return (
        f"From: The Daily <news@daily.test>\r\nTo: {to}\r\nSubject: {subject}\r\nDate: Mon, 23 Nov 2026 11:00:00 +0000"
        f"\r\nMessage-ID: <{number}@daily.test>\r\nList-Id: <daily.test>\r\nPrecedence: bulk\r\n{fields}"
        f"MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + html.replace("\n", "\r\n") + "\r\n"
    ).encode()


async def replies(house: House, rcpt: str, mail: bytes | None = None) -> str:
    """What RCPT is answered with, or where that was 250, what the end of the mail is."""
    async with connected(house.app.smtp_port) as client:
        await client.greet()
        await client.say("MAIL FROM:<bounces@daily.test>")
        reply = await client.say(f"RCPT TO:<{rcpt}>")
        if not reply.startswith("250") or mail is None:
            return reply
        await client.say("DATA")
        await client.send(mail + b".\r\n")
        reply = await client.reply()
    await house.settle()
    return reply


async def newest(house: House) -> tuple[str, str]:
    rows = sa.select(Inbound).order_by(Inbound.id.desc()).limit(1)
    row = await house.app.engine.in_read(lambda session: session.scalars(rows).one())
    return row.outcome, row.reason


async def test_issue_stands_clean_in_the_next_paper(house: House, ada: Person) -> None:
    address = await new_address(ada)
    assert (await replies(house, address, issue(address))).startswith("250")
    assert await newest(house) == ("letter", "an issue of newsletter #1")
    assert len(house.world.mails) == 1, "nobody is answered, and its reader is not told of each issue"

    feeds = await ada.asks("feeds")
    assert "The Daily" in feeds.text
    assert "by mail" in feeds.text
    await ada.asks("digest now")
    paper = await ada.answer()
    assert "The harbour master rang the bell" in paper.text or "the harbour master rang the bell" in paper.text
    for noise in ("View this email", "Unsubscribe", "signed up", "Harbour Street", "Preview words", PIXEL, "click."):
        assert noise not in paper.text + paper.html.replace("Unsubscribe from", ""), noise


async def test_request_to_confirm_is_shown_at_once_as_text_and_is_no_article(house: House, ada: Person) -> None:
    address = await new_address(ada)
    link = "https://daily.test/confirm?token=Zx81&amp;u=ada"
    html = f'<p>Please confirm your subscription.</p><p><a href="{link}">Yes, subscribe me</a></p>'

    await replies(house, address, issue(address, html=html, subject="Confirm your subscription"))

    told = await ada.answer()
    assert told.subject == "The Daily wants you to confirm"
    assert "https://daily.test/confirm?token=Zx81&u=ada" in told.text
    assert "news@daily.test" in told.text
    assert 'href="https://daily.test' not in told.html
    await ada.asks("digest now")
    assert "nothing new" in (await ada.answer()).subject


async def test_code_is_shown_at_once(house: House, ada: Person) -> None:
    address = await new_address(ada)

    await replies(house, address, issue(address, html="<p>Your code is: 482913</p>", subject="Verify your address"))

    assert "482913" in (await ada.answer()).text


async def test_what_comes_to_the_address_is_never_obeyed_and_never_answered(house: House, ada: Person) -> None:
    address = await new_address(ada)
    mail = (
        f"From: ada@reader.test\r\nTo: {address}\r\nSubject: newsletter burn daily\r\nMessage-ID: <1@x.test>\r\n\r\n"
        "kindle add thief@kindle.com\r\n"
    ).encode()

    assert (await replies(house, address, mail)).startswith("250")

    assert (await newest(house))[0] == "letter"
    assert len(house.world.mails) == 1
    assert "No device yet" in (await ada.asks("kindle")).text


async def test_our_own_mails_do_not_come_round_in_a_paper(house: House, ada: Person) -> None:
    address = await new_address(ada)

    await replies(house, address, issue(address, fields=f"X-Inkpost-Loop: books@{DOMAIN}\r\n"))

    assert await newest(house) == ("silent", "to a newsletter's address, and one of our own mails")


async def test_address_is_refused_while_unknown_and_once_burnt_and_taken_again(house: House, ada: Person) -> None:
    assert (await replies(house, f"books+n-abcdefgh23456789@{DOMAIN}")).startswith("550 5.1.1")
    address = await new_address(ada)
    plain = address.partition("+")[2]
    assert (await replies(house, plain)).startswith("250"), "forms that take no plus"

    burnt = await ada.asks("newsletter burn daily")
    assert (await replies(house, address)).startswith("550 5.1.1")
    assert (await replies(house, plain)).startswith("550 5.1.1")
    assert "The Daily" not in (await ada.asks("feeds")).text

    (tap,) = set(re.findall(r"newsletter unburn #\d+", burnt.text))
    await ada.asks(tap)
    assert (await replies(house, address)).startswith("250")
    assert address in (await ada.asks("newsletter list")).text


async def test_one_address_takes_only_so_much(house: House, ada: Person) -> None:
    address = await new_address(ada)
    large = issue(address, html="<p>" + "word " * 12_000 + "</p>")

    assert (await replies(house, address, large)).startswith("552 5.3.4")
    for _ in range(3):
        assert (await replies(house, address)).startswith("250")
    assert (await replies(house, address)).startswith("451 4.7.1")
    assert (await replies(house, await new_address(ada, "Weekly"))).startswith("250"), "each has its own rate"


async def test_muted_issues_stay_out_and_the_same_issue_comes_once(house: House, ada: Person) -> None:
    address = await new_address(ada)
    await ada.asks("newsletter mute daily")
    await replies(house, address, issue(address))
    await ada.asks("digest now")
    assert "nothing new" in (await ada.answer()).subject

    await ada.asks("newsletter unmute daily")
    other = await new_address(ada, "The same from elsewhere")
    await replies(house, other, issue(other, number=2))
    await ada.asks("digest now")
    paper = await ada.answer()
    assert paper.subject.startswith("Morning paper, 23 Nov: The tide")
    assert "1 story" in paper.text


async def test_leaving_is_one_click_only_where_the_signature_covers_it(house: House, ada: Person) -> None:
    address = await new_address(ada)
    fields = (
        "List-Unsubscribe: <mailto:leave@daily.test?subject=off>,\r\n <https://daily.test/one-click/7>\r\n"
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    )
    covered = [*SIGNED, b"list-unsubscribe", b"list-unsubscribe-post"]

    async def offered(number: int, mail: bytes) -> str:
        await replies(house, address, mail)
        return await house.app.engine.in_read(lambda session: session.get_one(Newsletter, 1).one_click_url)

    assert await offered(1, DAILY.sign(issue(address, number=1, fields=fields), domain="daily.test")) == ""
    assert "mailto:leave@daily.test" in (await ada.asks("newsletter unsubscribe daily")).text
    forged = make_key("mallory").sign(
        issue(address, number=2, fields=fields), domain="daily.test", include_headers=covered
    )
    assert await offered(2, forged) == ""
    signed = DAILY.sign(issue(address, number=3, fields=fields), domain="daily.test", include_headers=covered)
    assert await offered(3, signed) == "https://daily.test/one-click/7"


async def test_unnamed_newsletter_is_called_as_its_first_letter_says(house: House, ada: Person) -> None:
    address = await new_address(ada, "")
    await replies(house, address, issue(address))

    listed = await ada.asks("newsletter list")
    assert "The Daily" in listed.text
    assert address in listed.text
