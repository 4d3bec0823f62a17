"""The contract of `Transport`, held against the SMTP relay in each kind of security, and against the Maildir."""

from __future__ import annotations

import asyncio
import email
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from email import policy
from pathlib import Path

import pytest
import trustme
from pydantic import SecretStr

from bot.transport.connections import RelaySettings, Security
from bot.transport.maildir import MaildirTransport
from bot.transport.smtp import SmtpTransport
from core.errors import Unavailable
from core.ports import BlobCorrupt, BlobNotFound, Delivered, MailBody, Refused, SendResult, Transport
from tests.support.bodies import HEADER, BreakingBody, BytesBody, text_body
from tests.support.smtp_sink import SmtpSink

SENDER = "books@inkpost.example"
READER = "reader@example.org"


@dataclass(frozen=True)
class WayOut:
    """A transport, and what has come out at its other end: (mail_from, rcpt_to, raw)."""

    transport: Transport
    received: Callable[[], list[tuple[str, str, bytes]]]

    async def send(self, body: MailBody, *, mail_from: str = SENDER, rcpt_to: str = READER) -> SendResult:
        return await self.transport.send(mail_from=mail_from, rcpt_to=rcpt_to, body=body)


def read_maildir(folder: Path) -> list[tuple[str, str, bytes]]:
    mails = []
    for path in sorted((folder / "new").glob("*"), key=lambda path: path.stat().st_mtime_ns):
        return_path, delivered_to, raw = path.read_bytes().split(b"\r\n", 2)
        mails.append(
            (return_path.decode().removeprefix("Return-Path: ")[1:-1], delivered_to.decode().split(": ")[1], raw)
        )
    return mails


def make_sink(security: Security, authority: trustme.CA) -> SmtpSink:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    match security:
        case Security.PLAIN:
            return SmtpSink()
        case Security.STARTTLS:
            return SmtpSink(starttls=context, passwords={"books": "secret"})
        case Security.TLS:
            return SmtpSink(implicit_tls=context, passwords={"books": "secret"})


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(params=[*Security, "maildir"])
async def way_out(request: pytest.FixtureRequest, tmp_path: Path, authority: trustme.CA) -> AsyncIterator[WayOut]:
    if request.param == "maildir":
        folder = tmp_path / "outgoing"
        yield WayOut(MaildirTransport(folder), lambda: read_maildir(folder))
        return
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    async with make_sink(request.param, authority) as sink:
        settings = RelaySettings(
            host=sink.host,
            port=sink.port,
            security=request.param,
            username="books" if sink.passwords else "",
            password=SecretStr("secret"),
            ca_file=str(tmp_path / "ca.pem"),
            connections=3,
        )
        transport = SmtpTransport(settings, ehlo_name="inkpost.example")
        yield WayOut(transport, lambda: [(mail.mail_from, mail.rcpt_to, mail.raw) for mail in sink.mails])
        await transport.close()


async def test_mail_arrives_with_its_envelope(way_out: WayOut) -> None:
    body = text_body()

    result = await way_out.send(body)

    assert isinstance(result, Delivered)
    assert result.reply
    assert way_out.received() == [(SENDER, READER, body.raw)]


TEXTS = [
    b".\r\n",
    b"..\r\n.\r\n\r\n.a\r\n",
    b"x\r\n.\r\nMAIL FROM:<evil@example.org>\r\n",
    b"." * 500 + b"\r\n",
    b"\r\n\r\n\r\n",
    b"",
]


@pytest.mark.parametrize("piece_bytes", [1, 2, 3, 64 * 1024])
async def test_mails_arrive_byte_for_byte(way_out: WayOut, piece_bytes: int) -> None:
    bodies = [BytesBody(HEADER + text, piece_bytes) for text in TEXTS]

    for body in bodies:
        await way_out.send(body)

    assert [raw for _from, _to, raw in way_out.received()] == [body.raw for body in bodies]


async def test_large_mail_arrives_byte_for_byte(way_out: WayOut) -> None:
    line = b".0123456789abcdef" * 4 + b"\r\n"
    body = BytesBody(HEADER + line * 60_000, 50_021)

    await way_out.send(body)

    assert way_out.received()[0][2] == body.raw


async def test_null_reverse_path_stays_null(way_out: WayOut) -> None:
    assert isinstance(await way_out.send(text_body(), mail_from=""), Delivered)

    assert way_out.received()[0][0] == ""


async def test_mail_after_mail_arrives(way_out: WayOut) -> None:
    for number in range(5):
        assert isinstance(await way_out.send(text_body(f"Number {number}")), Delivered)

    assert [raw.split()[-1] for _from, _to, raw in way_out.received()] == [b"0", b"1", b"2", b"3", b"4"]


async def test_mails_at_once_all_arrive(way_out: WayOut) -> None:
    results = await asyncio.gather(*(way_out.send(text_body(f"Number {number}")) for number in range(20)))

    assert all(isinstance(result, Delivered) for result in results)
    assert len({raw for _from, _to, raw in way_out.received()}) == 20


@pytest.mark.parametrize(
    "address",
    [
        "",
        "nobody",
        "a@b.example>\r\nRCPT TO:<c@d.example",
        "a@b.example> SIZE=1",
        "a b@c.example",
        "<a@b.example>",
        "a@b.example\0",
        '"a\r\nb"@c.example',
        "a@b@c.example c",
    ],
)
async def test_what_is_no_address_is_refused(way_out: WayOut, address: str) -> None:
    assert isinstance(await way_out.send(text_body(), rcpt_to=address), Refused)

    assert way_out.received() == []


@pytest.mark.parametrize("address", ['"john smith"@example.org', "o'brien+tag@example.org", "a@[192.0.2.1]"])
async def test_odd_address_is_one_address(way_out: WayOut, address: str) -> None:
    assert isinstance(await way_out.send(text_body(), rcpt_to=address), Delivered)

    assert way_out.received()[0][1] == address


async def test_internationalised_address_arrives(way_out: WayOut) -> None:
    assert isinstance(await way_out.send(text_body("Привет"), rcpt_to="юлия@пример.example"), Delivered)

    assert way_out.received()[0][1] == "юлия@пример.example"


async def test_mail_that_is_not_wanted_any_more_does_not_go(way_out: WayOut) -> None:
    async def refuse() -> None:
        raise LookupError("overtaken")

    with pytest.raises(LookupError, match="overtaken"):
        await way_out.transport.send(mail_from=SENDER, rcpt_to=READER, body=text_body(), before_data=refuse)

    assert way_out.received() == []
    assert isinstance(await way_out.send(text_body()), Delivered)


@pytest.mark.parametrize("error", [BlobNotFound("books/x"), BlobCorrupt("books/x"), Unavailable("the store is away")])
async def test_half_a_mail_is_never_taken_for_a_whole(way_out: WayOut, error: Exception) -> None:
    with pytest.raises(type(error)):
        await way_out.send(BreakingBody(error))

    assert isinstance(await way_out.send(text_body()), Delivered)
    assert [raw for _from, _to, raw in way_out.received()] == [text_body().raw]


async def test_mail_can_be_read_by_others(way_out: WayOut) -> None:
    await way_out.send(text_body())

    message = email.message_from_bytes(way_out.received()[0][2], policy=policy.default)
    assert message["Subject"] == "x"
    assert message.defects == []


async def test_sound_way_out_has_nothing_wrong(way_out: WayOut) -> None:
    assert await way_out.transport.check() is None


async def test_closing_twice_is_no_error(way_out: WayOut) -> None:
    await way_out.send(text_body())

    await way_out.transport.close()
    await way_out.transport.close()
