"""Of kind `smtp`: relays that go wrong, and relays that would have us talk in the clear."""

from __future__ import annotations

import asyncio
import json
import ssl
from base64 import b64decode
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import trustme
from pydantic import SecretStr

from bot.transport.connections import RelaySettings, Security
from bot.transport.smtp import SmtpTransport
from core.ports import Deferred, Delivered, Refused, SendResult
from tests.corpus.outcome import Outcome
from tests.support.bodies import text_body
from tests.support.smtp_sink import Phase, Say, SmtpSink

Case = dict[str, Any]


def run_fault(file: Path) -> Outcome:
    """Blocks; in an event loop of its own."""
    case: Case = json.loads(file.read_text("utf-8"))
    return Outcome(case["id"], problem=asyncio.run(_FAULTS[case["id"]]()))


def run_client_tls(file: Path) -> Outcome:
    """A relay and STARTTLS; blocks."""
    case: Case = json.loads(file.read_text("utf-8"))
    return Outcome(case["id"], problem=asyncio.run(_CLIENT_TLS[case["id"]](b64decode(case["plaintext_b64"]))))


async def _send(sink: SmtpSink, *readers: str) -> list[SendResult]:
    """One mail to each, one after the other."""
    transport = SmtpTransport(
        RelaySettings(host=sink.host, port=sink.port, security=Security.PLAIN), ehlo_name="inkpost.example"
    )
    try:
        return [
            await transport.send(mail_from="books@inkpost.example", rcpt_to=reader, body=text_body())
            for reader in readers
        ]
    finally:
        await transport.close()


READER = "reader@example.org"


async def _after_data() -> str:
    async with SmtpSink() as sink:
        sink.script(Phase.END, Say("421 4.3.2 going down"))
        first, second = await _send(sink, READER, READER)
        ids = {mail.message["Message-ID"] for mail in sink.mails}
        good = isinstance(first, Deferred) and isinstance(second, Delivered) and len(sink.mails) == len(ids) == 1
        return "" if good else f"{first}, {second}, {len(sink.mails)} mails"


async def _then_taken() -> str:
    async with SmtpSink() as sink:
        sink.script(Phase.RCPT, Say("451 4.7.1 greylisted"))
        first, second = await _send(sink, READER, READER)
        good = isinstance(first, Deferred) and not first.is_peer_down and isinstance(second, Delivered)
        return "" if good and len(sink.mails) == 1 else f"{first}, {second}, {len(sink.mails)} mails"


async def _greylist() -> str:
    async with SmtpSink() as sink:
        sink.always(Phase.RCPT, Say("451 4.7.1 come again in five minutes"))
        results = await _send(sink, *[READER] * 3)
        if not all(isinstance(one, Deferred) and not one.is_peer_down for one in results):
            return f"{results}"
        sink.heal()
        (last,) = await _send(sink, READER)
        return "" if isinstance(last, Delivered) and len(sink.mails) == 1 else f"{last}, {len(sink.mails)} mails"


def _refused(phase: Phase, reply: str) -> Callable[[], Coroutine[Any, Any, str]]:
    async def play() -> str:
        async with SmtpSink() as sink:
            sink.always(phase, Say(reply))
            (result,) = await _send(sink, READER)
            if not isinstance(result, Refused) or sink.mails:
                return f"{result}, {len(sink.mails)} mails"
            is_clean = result.reply.isprintable() and result.reply.startswith(reply[:3])
            return "" if is_clean else f"the reply is told as {result.reply!r}"

    return play


async def _partial() -> str:
    """We bring one recipient at a time, so that a mail is never taken by halves."""
    async with SmtpSink() as sink:
        sink.script(Phase.RCPT, Say("250 2.1.5 ok"), Say("550 5.1.1 unknown"), Say("250 2.1.5 ok"))
        sink.heal()
        first = await _send(sink, "one@example.org")
        sink.script(Phase.RCPT, Say("550 5.1.1 unknown"))
        others = await _send(sink, "two@example.org", "three@example.org")
        kinds = [type(one) for one in (*first, *others)]
        taken = [mail.rcpt_to for mail in sink.mails]
        good = kinds == [Delivered, Refused, Delivered] and taken == ["one@example.org", "three@example.org"]
        return "" if good else f"{kinds}, {taken}"


_FAULTS: dict[str, Callable[[], Coroutine[Any, Any, str]]] = {
    "421-after-data": _after_data,
    "451-then-250": _then_taken,
    "550-rcpt": _refused(Phase.RCPT, "550 5.1.1 no such user"),
    "greylist-5min": _greylist,
    "multi-line-5xx-utf8": _refused(
        Phase.RCPT, "550 5.7.1 Nachricht abgelehnt: ungültig\n550 \x1b[31m\x07<script>\n550 \u202eende"
    ),
    "nullmx": _refused(Phase.RCPT, "556 5.1.10 the domain takes no mail"),
    "partial-rcpt": _partial,
}


async def _strip(plaintext: bytes) -> str:
    """The relay does not offer STARTTLS, as it was told to by somebody on the way."""
    async with SmtpSink(passwords={"books": "secret"}) as sink:
        result = await _send_by_tls(sink.port)
        said = [command.split(" ")[0].upper() for command in sink.commands]
        good = isinstance(result, Deferred) and not {"AUTH", "MAIL"} & set(said)
        return "" if good else f"{result} after {said}"


async def _injection(plaintext: bytes) -> str:
    """What somebody on the way wrote behind the 220 to STARTTLS is no answer to what is asked inside of TLS."""
    usual, said = await _start_tls(b"220 go ahead\r\n")
    if said[:1] != ["EHLO"]:
        return f"the control went to no EHLO inside of TLS: {usual}, {said}"
    result, said = await _start_tls(plaintext)
    good = not isinstance(result, Delivered) and "AUTH" not in said and said[:1] in ([], ["EHLO"])
    return "" if good else f"{result} after {said} inside of TLS"


async def _start_tls(plaintext: bytes) -> tuple[SendResult, list[str]]:
    """A mail to a relay that answers STARTTLS so, and the verbs that it hears inside of TLS. It never offers AUTH."""
    inside: list[str] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 relay\r\n")
        await reader.readline()
        writer.write(b"250-relay\r\n250 STARTTLS\r\n")
        await reader.readline()
        writer.write(plaintext)
        await writer.start_tls(context)
        while line := await reader.readline():
            inside.append(line.decode().split(" ")[0].strip().upper())
            writer.write(b"250 relay\r\n")
        writer.close()

    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with authority.cert_pem.tempfile() as ca_file:
        server = await asyncio.start_server(_quietly(talk), "127.0.0.1", 0)
        async with server:
            return await _send_by_tls(server.sockets[0].getsockname()[1], ca_file=ca_file), inside


def _quietly(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def quiet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except (OSError, asyncio.CancelledError):  # the client may go when it likes, and then it is over
            writer.transport.abort()

    return quiet


async def _send_by_tls(port: int, *, ca_file: str = "") -> SendResult:
    settings = RelaySettings(
        host="127.0.0.1",
        port=port,
        security=Security.STARTTLS,
        username="books",
        password=SecretStr("secret"),
        ca_file=ca_file,
        timeout_seconds=3,
    )
    transport = SmtpTransport(settings, ehlo_name="inkpost.example")
    try:
        return await transport.send(mail_from="books@inkpost.example", rcpt_to=READER, body=text_body())
    finally:
        await transport.close()


_CLIENT_TLS: dict[str, Callable[[bytes], Coroutine[Any, Any, str]]] = {
    "smtp-client-strip": _strip,
    "smtp-client-response-injection": _injection,
}
