"""SMTP conversations over real sockets: every reply with its code and its enhanced code, every mail as it was sent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bot.guards import EdgeSettings
from bot.intake.accept import Acceptor
from bot.intake.received import Receipt, ReceivedMail
from bot.intake.smtp_settings import SmtpSettings
from core.errors import Unavailable
from tests.support.intake import Intake, running_intake, talking_to
from tests.support.smtp_client import RawClient, connected

MAIL = b"From: a@example.org\r\nMessage-ID: <%d@example.org>\r\nSubject: help\r\n\r\nhi\r\n"


@pytest.fixture
async def intake(tmp_path: Path) -> AsyncIterator[Intake]:
    async with running_intake(tmp_path, settings=SmtpSettings(port=0, max_message_bytes=20_000)) as running:
        yield running


@pytest.fixture
async def client(intake: Intake) -> AsyncIterator[RawClient]:
    async with connected(intake.port) as connection:
        yield connection


async def test_ehlo_offers_what_is_kept(client: RawClient) -> None:
    assert client.banner == "220 mx.books.example ESMTP Inkpost"
    offers = {line[4:] for line in (await client.greet()).split("\n")}
    assert offers == {
        "mx.books.example",
        "SIZE 20000",
        "8BITMIME",
        "SMTPUTF8",
        "PIPELINING",
        "ENHANCEDSTATUSCODES",
        "HELP",
    }


async def test_mail_is_stored_with_its_way_and_its_job(intake: Intake, client: RawClient) -> None:
    await client.greet()
    reply = await client.bring(MAIL % 1, rcpt="books+S3cret@books.example")
    (mail,) = intake.mails()
    assert reply == f"250 2.0.0 queued as {mail.reference}"
    assert (mail.intake, mail.peer_ip, mail.helo, mail.tls) == ("smtp", "127.0.0.1", "client.example", False)
    assert (mail.mail_from, mail.rcpt_tos) == ("a@example.org", ["books+S3cret@books.example"])
    assert (mail.raw, mail.size_bytes) == (MAIL % 1, len(MAIL % 1))
    assert intake.jobs() == [("process_mail", mail.id)]


async def test_several_mails_come_on_one_connection(intake: Intake, client: RawClient) -> None:
    await client.greet()
    for number in range(3):
        assert (await client.bring(MAIL % number)).startswith("250 2.0.0")
    assert [mail.raw for mail in intake.mails()] == [MAIL % number for number in range(3)]


async def test_mail_that_comes_again_gets_its_first_reference_and_no_second_job(
    intake: Intake, client: RawClient
) -> None:
    await client.greet()
    first = await client.bring(MAIL % 1)
    again = await client.bring(b"Received: from elsewhere\r\n" + MAIL % 1)
    assert first == again
    assert len(intake.mails()) == len(intake.jobs()) == 1


async def test_null_reverse_path_is_stored_as_empty(intake: Intake, client: RawClient) -> None:
    await client.greet()
    await client.bring(MAIL % 1, sender="")
    assert [mail.mail_from for mail in intake.mails()] == [""]


async def test_commands_in_one_segment_are_obeyed_in_order(intake: Intake, client: RawClient) -> None:
    await client.send(
        b"EHLO a\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<bot@books.example>\r\nDATA\r\n"
        + (MAIL % 1)
        + b".\r\nMAIL FROM:<b@example.org>\r\nQUIT\r\n"
    )
    codes = [line[:3] for line in (await client.rest()).splitlines() if line[3] == " "]
    assert codes == ["250", "250", "250", "354", "250", "250", "221"]
    assert len(intake.mails()) == 1


async def test_client_that_half_closes_after_its_mail_is_answered(intake: Intake, client: RawClient) -> None:
    await client.greet()
    await client.start_mail()
    await client.send((MAIL % 1) + b".\r\n")
    client.writer.write_eof()
    (mail,) = [line for line in (await client.rest()).splitlines() if line.startswith("250 2.0.0 queued")]
    assert mail.endswith(intake.mails()[0].reference)


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("NOOP", "250 2.0.0"),
        ("NOOP anything", "250 2.0.0"),
        ("RSET", "250 2.0.0"),
        ("HELP", "214 2.0.0"),
        ("VRFY books", "252 2.5.0"),
        ("EXPN books", "502 5.5.1"),
        ("QUIT", "221 2.0.0"),
        ("HELO client.example", "250 mx.books.example"),
        ("EHLO", "501 5.5.4"),
        ("HELO " + "x" * 300, "501 5.5.4"),
        ("FOOBAR", "500 5.5.1"),
        ("", "500 5.5.1"),
        ("BDAT 3 LAST", "500 5.5.1"),
        ("STARTTLS", "454 4.7.0"),
        ("AUTH PLAIN", "502 5.5.1"),
        ("MAIL FROM:<a@example.org>", "503 5.5.1"),
        ("RCPT TO:<bot@books.example>", "503 5.5.1"),
        ("DATA", "503 5.5.1"),
        ("GET / HTTP/1.1", "554 5.5.1"),
        ("NOOP " + "x" * 20_000, "500 5.5.2"),
        ("NOOP " + "x" * 400_000, "500 5.5.2"),
        ("NOOP a\0b", "500 5.5.2"),
        ("NOOP a\rMAIL FROM:<a@example.org>", "500 5.5.2"),
    ],
)
async def test_reply_to_a_first_command(client: RawClient, line: str, reply: str) -> None:
    assert (await client.say(line)).startswith(reply)


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("MAIL FROM:<(any@legitimate.example>", "501 5.1.7"),
        ("MAIL FROM:<a@example.org> SIZE=20001", "552 5.3.4"),
        ("MAIL FROM:<a@example.org> RET=HDRS", "555 5.5.4"),
        ("MAIL FROM:<jürgen@example.org>", "553 5.6.7"),
        ("MAIL FROM:<jürgen@example.org> SMTPUTF8", "250 2.1.0"),
        ("mail from:<a@example.org> size=20000", "250 2.1.0"),
    ],
)
async def test_reply_to_mail(client: RawClient, line: str, reply: str) -> None:
    await client.greet()
    assert (await client.say(line)).startswith(reply)


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("RCPT TO:<bot@books.example>", "250 2.1.5"),
        ("RCPT TO:<Postmaster>", "250 2.1.5"),
        ("RCPT TO:<nobody@books.example>", "550 5.1.1"),
        ("RCPT TO:<victim@elsewhere.example>", "550 5.7.1"),
        ("RCPT TO:<books>", "501 5.1.3"),
        ("MAIL FROM:<b@example.org>", "503 5.5.1"),
        ("DATA", "503 5.5.1"),
    ],
)
async def test_reply_to_rcpt(client: RawClient, line: str, reply: str) -> None:
    await client.greet()
    await client.say("MAIL FROM:<a@example.org>")
    assert (await client.say(line)).startswith(reply)


async def test_octets_that_are_no_utf8_are_no_address(client: RawClient) -> None:
    await client.greet()
    await client.send(b"MAIL FROM:<a\xff@example.org> SMTPUTF8\r\n")
    assert (await client.reply()).startswith("501 5.1.7")


async def test_rset_forgets_the_transaction(client: RawClient) -> None:
    await client.greet()
    await client.say("MAIL FROM:<a@example.org>")
    await client.say("RSET")
    assert (await client.say("RCPT TO:<bot@books.example>")).startswith("503")


async def test_refused_recipient_does_not_keep_the_others_out(intake: Intake, client: RawClient) -> None:
    await client.greet()
    await client.say("MAIL FROM:<a@example.org>")
    await client.say("RCPT TO:<nobody@books.example>")
    await client.say("RCPT TO:<bot@books.example>")
    await client.say("RCPT TO:<bot@books.example>")
    await client.say("DATA")
    await client.send((MAIL % 1) + b".\r\n")
    assert (await client.reply()).startswith("250")
    assert [mail.rcpt_tos for mail in intake.mails()] == [["bot@books.example"]]


async def test_hundred_and_first_recipient_is_for_another_mail(client: RawClient) -> None:
    await client.greet()
    await client.say("MAIL FROM:<a@example.org>")
    replies = [await client.say(f"RCPT TO:<books+{number}@books.example>") for number in range(101)]
    assert {reply[:9] for reply in replies[:100]} == {"250 2.1.5"}
    assert replies[100].startswith("452 4.5.3")


async def test_mail_over_the_limit_is_refused_and_the_connection_goes_on(intake: Intake, client: RawClient) -> None:
    await client.greet()
    assert (await client.bring(b"x" * 998 + b"\r\n" + b"y" * 25_000 + b"\r\n")).startswith("552 5.3.4")
    assert (await client.bring(MAIL % 1)).startswith("250")
    assert len(intake.mails()) == 1


async def test_tls_to_a_port_that_begins_in_the_clear_is_answered(client: RawClient) -> None:
    await client.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    assert (await client.rest()).startswith("554 5.7.0")


async def test_our_fault_is_never_the_peers(tmp_path: Path) -> None:
    async def fails(_: Acceptor, mail: ReceivedMail) -> Receipt:
        raise RuntimeError("password=hunter2")

    with capture_logs() as logs:
        async with talking_to(tmp_path, accept=fails) as (_, client):
            await client.greet()
            assert await client.bring(MAIL % 1) == "451 4.3.0 something failed here, try again later"
            assert (await client.say("NOOP")).startswith("250")
    assert ("smtp_command_failed", "error") in [(line["event"], line["log_level"]) for line in logs]


async def test_dependency_that_is_away_is_told_as_a_wait(tmp_path: Path) -> None:
    async def away(_: Acceptor, mail: ReceivedMail) -> Receipt:
        raise Unavailable("the database is away")

    with capture_logs() as logs:
        async with talking_to(tmp_path, accept=away) as (_, client):
            await client.greet()
            assert (await client.bring(MAIL % 1)).startswith("451 4.3.0")
    assert ("mail_postponed", "warning") in [(line["event"], line["log_level"]) for line in logs]


async def test_log_names_addresses_and_no_subaddress(tmp_path: Path) -> None:
    with capture_logs() as logs:
        async with talking_to(tmp_path) as (_, client):
            await client.greet()
            await client.bring(MAIL % 1, rcpt="books+S3cret@books.example")
            await client.say("MAIL FROM:<a@example.org>")
            await client.say("RCPT TO:<book+S3cret@books.example>")
    assert "a@example.org" in str(logs)
    assert "book+…@books.example" in str(logs)
    assert "S3cret" not in str(logs)


async def test_recipients_over_the_rate_wait(tmp_path: Path) -> None:
    edge = EdgeSettings(recipients="2 per hour", trusted_networks=())
    async with running_intake(tmp_path, edge=edge) as intake, connected(intake.port) as client:
        await client.greet()
        await client.say("MAIL FROM:<a@example.org>")
        replies = [await client.say("RCPT TO:<bot@books.example>") for _ in range(3)]
    assert [reply[:9] for reply in replies] == ["250 2.1.5", "250 2.1.5", "451 4.7.1"]


async def test_domain_over_its_rate_is_told_to_come_later(tmp_path: Path) -> None:
    edge = EdgeSettings(mails_of_domain="1 per hour", trusted_networks=())
    async with running_intake(tmp_path, edge=edge) as intake, connected(intake.port) as client:
        await client.greet()
        replies = []
        for sender in ("a@flood.example", "b@flood.example", "a@other.example"):
            replies.append(await client.say(f"MAIL FROM:<{sender}>"))
            await client.say("RSET")

    assert [reply[:9] for reply in replies] == ["250 2.1.0", "451 4.7.1", "250 2.1.0"]


async def test_connections_over_the_rate_are_told_to_come_later(tmp_path: Path) -> None:
    edge = EdgeSettings(connections="1 per hour", trusted_networks=())
    async with running_intake(tmp_path, edge=edge) as intake, connected(intake.port), connected(intake.port) as second:
        assert second.banner.startswith("421 4.7.0")
