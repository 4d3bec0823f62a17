"""Behind a real Postfix that has the lines of docs/postfix.md."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.intake.accept import Acceptor
from bot.intake.lmtp import LmtpSettings
from bot.intake.received import Receipt, ReceivedMail
from core.errors import Unavailable
from tests.support.intake import Accept, Intake, running_lmtp, until
from tests.support.postfix import Postfix, running_postfix, why_not
from tests.support.smtp_client import RawClient, connected

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
MAIL = b"From: a@example.org\r\nMessage-ID: <1@example.org>\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\n\r\n"


@pytest.fixture(scope="module")
def postfix() -> Iterator[Postfix]:
    with running_postfix() as server:
        yield server


@asynccontextmanager
async def behind(
    postfix: Postfix, folder: Path, accept: Accept = Acceptor.accept
) -> AsyncIterator[tuple[Intake, RawClient]]:
    """Our end, and a client that has greeted Postfix."""
    settings = LmtpSettings(socket=str(postfix.socket))
    async with running_lmtp(folder, settings=settings, accept=accept) as intake, connected(postfix.port) as client:
        await client.greet()
        yield intake, client


async def test_mail_comes_through_with_its_first_client_and_its_long_lines(postfix: Postfix, tmp_path: Path) -> None:
    body = b"x" * 5000 + b"\r\n.. dots\r\n"
    async with behind(postfix, tmp_path) as (intake, client):
        assert (await client.bring(MAIL + body, rcpt="books+s3cret@books.example")).startswith("250")
        await until(intake.mails)
        (mail,) = intake.mails()
        assert intake.content(mail).endswith(b"\r\n\r\n" + b"x" * 5000 + b"\r\n. dots\r\n")
    assert (mail.mail_from, mail.rcpt_tos) == ("a@example.org", ["books+s3cret@books.example"])
    assert (mail.intake, mail.peer_ip, mail.helo) == ("lmtp", "127.0.0.1", "client.example")


async def test_mail_to_two_of_our_addresses_is_one_mail(postfix: Postfix, tmp_path: Path) -> None:
    async with behind(postfix, tmp_path) as (intake, client):
        await client.say("MAIL FROM:<a@example.org>")
        await client.say("RCPT TO:<postmaster@books.example>")
        assert (await client.bring(MAIL, sender="x@", rcpt="books@books.example")).startswith("250")
        await until(intake.mails)
        (mail,) = intake.mails()
    assert sorted(mail.rcpt_tos) == ["books@books.example", "postmaster@books.example"]


async def test_postfix_refuses_what_we_would_refuse(postfix: Postfix, tmp_path: Path) -> None:
    async with behind(postfix, tmp_path) as (_, client):
        assert (await client.say("MAIL FROM:<a@example.org> SIZE=68500001")).startswith("552")
        await client.say("RSET")
        assert (await client.say("MAIL FROM:<a@example.org>")).startswith("250")
        assert (await client.say("RCPT TO:<nobody@books.example>")).startswith("550")
        assert (await client.say("RCPT TO:<a@elsewhere.example>")).startswith("554")


async def test_what_we_cannot_take_stays_in_the_queue_and_comes_again(postfix: Postfix, tmp_path: Path) -> None:
    is_down = True

    async def accept(acceptor: Acceptor, mail: ReceivedMail) -> Receipt:
        if is_down:
            raise Unavailable("the database is away")
        return await acceptor.accept(mail)

    async with behind(postfix, tmp_path, accept) as (intake, client):
        assert (await client.bring(MAIL + b"again\r\n", rcpt="books@books.example")).startswith("250")
        async with asyncio.timeout(20):
            while "451 4.3.0" not in await asyncio.to_thread(postfix.queue):
                await asyncio.sleep(0.1)
            is_down = False
            while not intake.mails():  # when Postfix looks at its queue is its own affair
                await asyncio.to_thread(postfix.flush)
                await asyncio.sleep(0.2)
        assert intake.content(intake.mails()[0]).endswith(b"again\r\n")
