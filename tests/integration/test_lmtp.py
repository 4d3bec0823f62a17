"""LMTP dialogues over real sockets (RFC 2033): a reply for each recipient, and who the first client was."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.guards import EdgeSettings
from bot.intake.accept import Acceptor
from bot.intake.lmtp import LmtpSettings, read_forwarded
from bot.intake.received import Receipt, ReceivedMail
from bot.intake.smtp_settings import SmtpSettings
from core.errors import Unavailable
from tests.support.intake import Intake, running_lmtp
from tests.support.smtp_client import RawClient, connected

MAIL = b"From: a@example.org\r\nMessage-ID: <1@example.org>\r\nSubject: help\r\n\r\nhi\r\n"
NAMES = ["books+one@books.example", "nobody@books.example", "bot@books.example", "books+one@books.example"]


async def replies(client: RawClient, count: int) -> list[str]:
    return [await client.reply() for _ in range(count)]


async def name_recipients(client: RawClient) -> None:
    """Three of the four are taken."""
    await client.say("LHLO mx.example")
    await client.say("MAIL FROM:<a@example.org>")
    assert [(await client.say(f"RCPT TO:<{name}>"))[:3] for name in NAMES] == ["250", "550", "250", "250"]
    assert (await client.say("DATA")).startswith("354")


async def test_each_recipient_that_was_taken_gets_a_reply(tmp_path: Path) -> None:
    async with running_lmtp(tmp_path) as intake, connected(intake.port) as client:
        await name_recipients(client)
        await client.send(MAIL + b".\r\n")
        told = await replies(client, 3)
        (mail,) = intake.mails()
        assert told == [f"250 2.0.0 queued as {mail.reference}"] * 3
        assert (await client.say("NOOP")).startswith("250")
    assert (mail.intake, mail.rcpt_tos) == ("lmtp", ["books+one@books.example", "bot@books.example"])
    assert mail.raw == MAIL


async def test_fault_of_ours_postpones_the_mail_for_each_recipient(tmp_path: Path) -> None:
    async def fail(acceptor: Acceptor, mail: ReceivedMail) -> Receipt:
        raise Unavailable("the database is away")

    async with running_lmtp(tmp_path, accept=fail) as intake, connected(intake.port) as client:
        await name_recipients(client)
        await client.send(MAIL + b".\r\n")
        assert [reply[:9] for reply in await replies(client, 3)] == ["451 4.3.0"] * 3
        assert (await client.say("NOOP")).startswith("250")


async def test_bug_of_ours_postpones_the_mail_for_each_recipient(tmp_path: Path) -> None:
    async def fail(acceptor: Acceptor, mail: ReceivedMail) -> Receipt:
        raise RuntimeError("password=hunter2")

    async with running_lmtp(tmp_path, accept=fail) as intake, connected(intake.port) as client:
        await name_recipients(client)
        await client.send(MAIL + b".\r\n")
        assert await replies(client, 3) == ["451 4.3.0 something failed here, try again later"] * 3


async def test_limits_of_smtp_hold(tmp_path: Path) -> None:
    limits = SmtpSettings(max_message_bytes=1000, max_recipients=3)
    async with running_lmtp(tmp_path, limits=limits) as intake, connected(intake.port) as client:
        await name_recipients(client)
        await client.send(b"x" * 2000 + b"\r\n.\r\n")
        assert [reply[:9] for reply in await replies(client, 3)] == ["552 5.3.4"] * 3
        await client.say("MAIL FROM:<a@example.org>")
        named = [await client.say("RCPT TO:<bot@books.example>") for _ in range(4)]
        assert [reply[:3] for reply in named] == ["250", "250", "250", "452"]
        assert intake.mails() == []


async def test_refusal_for_many_recipients_is_one_error(tmp_path: Path) -> None:
    limits = SmtpSettings(max_message_bytes=10, max_errors=5)
    async with running_lmtp(tmp_path, limits=limits) as intake, connected(intake.port) as client:
        await client.say("LHLO mx.example")
        await client.say("MAIL FROM:<a@example.org>")
        for _ in range(20):
            await client.say("RCPT TO:<bot@books.example>")
        await client.say("DATA")
        await client.send(MAIL + b".\r\n")
        assert {reply[:3] for reply in await replies(client, 20)} == {"552"}
        assert (await client.say("NOOP")).startswith("250")


async def test_data_without_a_recipient_is_refused_once(tmp_path: Path) -> None:
    async with running_lmtp(tmp_path) as intake, connected(intake.port) as client:
        await client.say("LHLO mx.example")
        await client.say("MAIL FROM:<a@example.org>")
        await client.say("RCPT TO:<nobody@books.example>")
        assert (await client.say("DATA")).startswith("503")
        assert (await client.say("NOOP")).startswith("250")


@pytest.mark.parametrize("greeting", ["HELO mx.example", "EHLO mx.example"])
async def test_greetings_of_smtp_are_not_known(tmp_path: Path, greeting: str) -> None:
    async with running_lmtp(tmp_path) as intake, connected(intake.port) as client:
        assert client.banner == "220 mx.books.example LMTP Inkpost"
        assert (await client.say(greeting)).startswith("500 5.5.1")
        assert (await client.say("MAIL FROM:<a@example.org>")).startswith("503")


async def test_pipelined_transaction_is_answered_in_order(tmp_path: Path) -> None:
    async with running_lmtp(tmp_path) as intake, connected(intake.port) as client:
        await client.send(
            b"LHLO mx.example\r\nMAIL FROM:<>\r\n"
            b"RCPT TO:<bot@books.example>\r\nRCPT TO:<books@books.example>\r\nDATA\r\n"
        )
        await client.reply()
        assert [reply[:3] for reply in await replies(client, 4)] == ["250", "250", "250", "354"]
        await client.send(MAIL + b".\r\nQUIT\r\n")
        assert [reply[:3] for reply in await replies(client, 3)] == ["250", "250", "221"]


async def bring_forwarded(client: RawClient, *attributes: str) -> None:
    await client.say("LHLO mx.example")
    for words in attributes:
        assert (await client.say(f"XFORWARD {words}")).startswith("250")
    await client.bring(MAIL)


def way(intake: Intake) -> tuple[str | None, str]:
    (mail,) = intake.mails()
    return mail.peer_ip, mail.helo


async def test_first_client_is_the_peer(tmp_path: Path) -> None:
    async with running_lmtp(tmp_path) as intake, connected(intake.port) as client:
        await bring_forwarded(
            client, "NAME=c.example ADDR=192.0.2.7 PROTO=ESMTP", "HELO=client+2Eexample SOURCE=REMOTE"
        )
        assert way(intake) == ("192.0.2.7", "client.example")


async def test_first_client_of_version_6_is_the_peer(tmp_path: Path) -> None:
    async with running_lmtp(tmp_path) as intake, connected(intake.port) as client:
        await bring_forwarded(client, "ADDR=IPV6:2001:DB8::7")
        assert way(intake)[0] == "2001:db8::7"


async def test_client_that_is_not_known_is_not_the_server_in_front_of_us(tmp_path: Path) -> None:
    async with running_lmtp(tmp_path) as intake, connected(intake.port) as client:
        await bring_forwarded(client, "ADDR=[UNAVAILABLE] HELO=[UNAVAILABLE]")
        assert way(intake) == (None, "")


async def test_what_was_forwarded_holds_for_one_mail(tmp_path: Path) -> None:
    async with running_lmtp(tmp_path) as intake, connected(intake.port) as client:
        await bring_forwarded(client, "ADDR=192.0.2.7")
        await client.bring(MAIL.replace(b"<1@", b"<2@"))
        assert [mail.peer_ip for mail in intake.mails()] == ["192.0.2.7", "127.0.0.1"]


async def test_stranger_may_not_say_for_whom_it_speaks(tmp_path: Path) -> None:
    async with (
        running_lmtp(tmp_path, edge=EdgeSettings(trusted_networks=())) as intake,
        connected(intake.port) as client,
    ):
        assert "XFORWARD" not in await client.say("LHLO mx.example")
        assert (await client.say("XFORWARD ADDR=192.0.2.7")).startswith("550")
        await client.bring(MAIL)
        assert way(intake)[0] == "127.0.0.1"


@pytest.mark.parametrize("argument", ["", "ADDR", "ADDR=pirate", "COLOUR=red", "ADDR=192.0.2.7 HELO=a+0D+0Ab"])
def test_forwarded_attributes_that_make_no_sense_are_refused(argument: str) -> None:
    assert read_forwarded(argument) is None


async def test_unix_socket_has_its_permissions_and_goes_with_the_service(tmp_path: Path) -> None:
    path = tmp_path / "lmtp"
    async with running_lmtp(tmp_path, settings=LmtpSettings(socket=str(path), socket_mode="0600")):
        assert path.stat().st_mode & 0o777 == 0o600
        async with connected(path) as client:
            assert (await client.say("LHLO mx.example")).startswith("250")
    assert not path.exists()


async def test_socket_that_a_crash_left_is_no_hindrance(tmp_path: Path) -> None:
    path = tmp_path / "lmtp"
    left = await asyncio.start_unix_server(lambda _reader, _writer: None, path)
    left.close()
    assert path.is_socket()
    async with running_lmtp(tmp_path, settings=LmtpSettings(socket=str(path))), connected(path) as client:
        assert client.banner.startswith("220")


async def test_service_going_down_says_so(tmp_path: Path) -> None:
    async with running_lmtp(tmp_path) as intake, connected(intake.port) as client:
        await client.say("LHLO mx.example")
        await intake.listener.close()
        assert (await client.rest()).startswith("421 4.3.2")
