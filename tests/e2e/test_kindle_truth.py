"""What becomes of a book behind the relay, as its reader hears of it, with a gateway that behaves as Amazon's does."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator
from ipaddress import ip_network
from pathlib import Path

import aiosmtplib
import pytest
import sqlalchemy as sa

from bot.authenticate import TrustSettings
from bot.config import ServiceSettings
from bot.mailbox import ReceivedMail
from core.models import AuditEntry, Inbound, OutboxMail
from core.work import Work
from tests.factories.books import make_epub
from tests.support.amazon import BOUNCES, AmazonGateway
from tests.support.service import BOT, DOMAIN, House, Person, open_house

KINDLE = "ada_1815@kindle.com"
LISTED = TrustSettings(networks=(ip_network("127.0.0.0/8"),))


class Street:
    """The service, with the gateway behind its relay."""

    def __init__(self, house: House, gateway: AmazonGateway) -> None:
        self.house, self.gateway = house, gateway
        self._sending: set[asyncio.Task[None]] = set()
        house.world.on_mail = self._on_mail

    def _on_mail(self, mail: ReceivedMail) -> None:
        notice = self.gateway.judge(mail)
        if notice is not None:
            task = asyncio.create_task(self.house.send(notice, mail_from=BOUNCES, rcpt_to=str(notice["To"])))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def settle(self) -> None:
        while self._sending:
            await asyncio.gather(*self._sending)
            await self.house.settle()
        await self.house.settle()


@pytest.fixture
async def street(tmp_path: Path) -> AsyncIterator[Street]:
    async with open_house(tmp_path, trust=LISTED) as house:
        yield Street(house, AmazonGateway(accounts={KINDLE: {BOT}}))


async def reader_with_a_book(street: Street) -> Person:
    ada = await street.house.person()
    await ada.asks("", attach=[("moby.epub", make_epub(title="Moby Dick"))])
    await ada.asks(f"kindle add {KINDLE}")
    return ada


async def test_refusal_comes_back_and_is_told_once_in_plain_words(street: Street) -> None:
    street.gateway.accounts[KINDLE] = set()
    ada = await reader_with_a_book(street)
    await ada.asks("send moby")

    told = await ada.answer()

    assert "Amazon does not take mail from my address for you yet" in told.text
    assert BOT in told.text
    assert "kindle resume" in told.text
    await street.settle()
    assert "rejected by the gateway" in (await ada.asks("status")).text


async def test_approving_the_sender_sends_what_was_waiting(street: Street) -> None:
    street.gateway.accounts[KINDLE] = set()
    ada = await reader_with_a_book(street)
    await ada.asks("send moby")
    told = await ada.answer()
    await ada.asks("send moby")
    await street.settle()
    street.gateway.accounts[KINDLE] = {BOT}

    resumed = await ada.replies(told, "kindle resume")

    assert "One mail that was waiting goes out now" in resumed.text
    await street.settle()
    assert (
        street.gateway.kindles == {KINDLE: ["Moby Dick - Test Author.epub"]} or len(street.gateway.kindles[KINDLE]) == 1
    )


async def test_request_to_confirm_is_passed_on_and_never_followed(street: Street) -> None:
    street.gateway.asks_to_confirm = True
    ada = await reader_with_a_book(street)
    await ada.asks("send moby")

    told = await ada.answer()

    assert "Amazon asks you to confirm: Moby Dick" in told.subject + told.text
    assert "https://www.amazon.com/sendtokindle/verification/confirm/" in told.text
    await street.settle()
    assert "needs your click" in (await ada.asks("status")).text


async def test_forged_notice_changes_nothing(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:  # no network is listed: nothing proves who wrote the notice
        gateway = AmazonGateway(accounts={KINDLE: set()})
        street = Street(house, gateway)
        ada = await reader_with_a_book(street)
        await ada.asks("send moby")
        await street.settle()

        assert "accepted by the relay" in (await ada.asks("status")).text
        with house.app.engine.read() as session:
            outcomes = [mail.outcome for mail in session.query(Inbound) if mail.author.endswith("@amazon.com")]
        assert outcomes == ["unbelieved"]


async def test_notice_that_a_reader_passes_on_is_put_down_to_their_book(street: Street) -> None:
    ada = await reader_with_a_book(street)
    await ada.asks("send moby")
    parcel = (await street.house.world.wait_for(KINDLE)).message
    await street.settle()
    (book,) = parcel.iter_attachments()

    first = await ada.asks(
        "Fwd: There was a problem with the document(s) you sent to Kindle",
        "---------- Forwarded message ---------\nFrom: Amazon Kindle Support <do-not-reply@amazon.com>\n\n"
        "The following document(s) could not be delivered due to E001 - Unsupported File Format:\n"
        f"* {book.get_filename()}\n",
    )
    both = first.text + (await ada.answer()).text

    assert "Amazon's notice is noted" in both
    assert "Amazon does not take this kind of file any more" in both


async def test_report_of_a_mail_server_ends_a_delivery(street: Street) -> None:
    ada = await reader_with_a_book(street)
    await ada.asks("send moby")
    parcel = (await street.house.world.wait_for(KINDLE)).message
    await street.settle()
    report = (
        "From: MAILER-DAEMON@relay.test\r\nTo: {to}\r\nSubject: Undelivered Mail Returned to Sender\r\n"
        'MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nIt could not be delivered.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; relay.test\r\n\r\n"
        "Final-Recipient: rfc822; {kindle}\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        "Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n\r\n"
        "--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: {id}\r\n\r\n--b--\r\n"
    ).format(to=BOT, kindle=KINDLE, id=parcel["Message-ID"])

    await aiosmtplib.send(
        report.encode(),
        sender="MAILER-DAEMON@relay.test",
        recipients=[BOT],
        hostname="127.0.0.1",
        port=street.house.app.smtp_port,
        start_tls=False,
    )

    told = await ada.answer()
    assert "the address does not exist" in told.text
    assert "sent back: 550 5.1.1 no such user" in (await ada.asks("status")).text


async def test_each_reader_can_have_a_sender_of_their_own(tmp_path: Path) -> None:
    async with open_house(tmp_path, trust=LISTED, service=ServiceSettings(domain=DOMAIN, own_senders=True)) as house:
        gateway = AmazonGateway(accounts={KINDLE: set()})
        street = Street(house, gateway)
        ada = await reader_with_a_book(street)
        await ada.asks("send moby")

        told = await ada.answer()

        own = str((await house.world.wait_for(KINDLE)).message["From"])
        assert "books-1@inkpost.test" in own
        assert "books-1@inkpost.test" in told.text  # and the notice, which came back to that address, was read


def with_package_line(epub: bytes, line: str) -> bytes:
    """The book with one more line in the metadata of its package."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(epub)) as source, zipfile.ZipFile(out, "w") as target:
        for entry in source.infolist():
            content = source.read(entry)
            if entry.filename.endswith(".opf"):
                content = content.replace(b"</metadata>", line.encode() + b"</metadata>")
            target.writestr(entry, content)
    return out.getvalue()


async def test_refused_book_is_mended_sent_again_and_told_of_once(street: Street) -> None:
    street.gateway.dislikes = "Strange Maker"
    strange = with_package_line(make_epub(title="Moby Dick"), '<meta name="generator" content="Strange Maker 1.0"/>')
    ada = await street.house.person()
    await ada.asks("", attach=[("moby.epub", strange)])
    await ada.asks(f"kindle add {KINDLE}")
    await ada.asks("send moby")
    await street.house.world.wait_for(KINDLE, count=2)
    await street.settle()
    before = ada.answers
    assert [mail.rcpt_to for mail in street.house.world.mails].count(ada.address) == before  # nothing was told yet

    def let_time_pass(work: Work) -> None:
        work.session.execute(sa.update(OutboxMail).values(settle_at=work.now))

    await street.house.app.engine.in_work(let_time_pass)
    await street.house.app.upkeep.round()

    told = await ada.answer()
    assert "Mended and sent again: Moby Dick" in told.text
    assert "Amazon refused it once" in told.text
    await street.settle()
    assert [mail.rcpt_to for mail in street.house.world.mails].count(ada.address) == before + 1
    assert len(street.gateway.kindles[KINDLE]) == 1
    with street.house.app.engine.read() as session:
        assert [facts["recipe"] for facts in AuditEntry.facts_of(session, "DeliveryMended")] == ["rebuilt"]


async def test_book_that_nothing_mends_is_given_up_after_four_forms_and_told_once(street: Street) -> None:
    street.gateway.dislikes = "package"
    ada = await reader_with_a_book(street)
    await ada.asks("send moby")
    await street.house.world.wait_for(KINDLE, count=4)

    told = await ada.answer()

    assert "Amazon could not make a Kindle book of the file" in told.text
    assert "It was mended and sent 4 times in all" in told.text
    await street.settle()
    assert [mail.rcpt_to for mail in street.house.world.mails].count(ada.address) == ada.answers
