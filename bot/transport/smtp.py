"""The way out through an SMTP relay (RFC 5321), by aiosmtplib; messages are streamed, and every reply has a meaning.

Leans on aiosmtplib 5.1 for one thing that it does not document: `SMTPProtocol._drain_helper`, the flow control that it
copied from asyncio. `execute_data_command`, which it does document, wants the message as one piece, runs regular
expressions over it and hands it to the socket at once: 68 MB stop the event loop for 0.7 to 2 s and take 390 MB.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from itertools import islice

import aiosmtplib
from aiosmtplib.protocol import SMTPProtocol

from bot.transport.addresses import BAD_ADDRESS, is_mailbox, is_reverse_path
from bot.transport.connections import Connection, ConnectionPool, RelayDown, RelaySettings
from core.mail.status import clean_reply
from core.ports import Deferred, Delivered, MailBody, Refused, SendResult

SLOWEST_BYTES_PER_SECOND = 100_000  # a slow uplink; what is slower than this for a minute is taken for dead
CHUNKS_AT_ONCE = 4  # read in one go in a thread: 256 KiB, so that a small mail needs one change of thread
LAST_WORDS_SECONDS = 1.0  # a relay that cuts a connection may have said why
END_OF_DATA = b".\r\n"

# RFC 4954 6, RFC 3207 4: not logged in, or not so. Our configuration's fault, and none of the mail's.
_LOGIN_CODES = frozenset({530, 534, 535, 538})


class _StaleConnection(Exception):
    """A kept connection turned out to be dead before anything of the message had gone."""


class SmtpTransport:
    """See `Transport`. Bodies are 7-bit, but for header fields of mails from or to internationalised addresses."""

    def __init__(self, settings: RelaySettings, *, ehlo_name: str) -> None:
        self._settings = settings
        self._pool = ConnectionPool(settings, ehlo_name=ehlo_name)
        self._size_limit: int | None = None

    async def send(
        self,
        *,
        mail_from: str,
        rcpt_to: str,
        body: MailBody,
        before_data: Callable[[], Awaitable[None]] | None = None,
    ) -> SendResult:
        if not is_reverse_path(mail_from) or not is_mailbox(rcpt_to):
            return Refused(BAD_ADDRESS)
        while True:
            try:
                async with self._pool.connection() as connection:
                    return await self._transact(connection, mail_from, rcpt_to, body, before_data)
            except _StaleConnection:
                self._pool.discard_idle()
            except RelayDown as error:
                return Deferred(error.reply, is_peer_down=True)

    async def check(self) -> str | None:
        """Opens a connection of its own, logs in and says goodbye."""
        try:
            connection = await self._pool.open()
        except RelayDown as error:
            return f"The relay {self._settings.host}:{self._settings.port} cannot be used: {error.reply}"
        await connection.quit()
        return None

    async def size_limit(self) -> int | None:
        """Asked once; what the operator has set goes before what the relay says, if it is less."""
        if self._size_limit is None:
            try:
                connection = await self._pool.open()
            except RelayDown:
                return self._settings.max_mail_bytes or None
            self._size_limit = connection.size_limit or 0
            await connection.quit()
        return min(filter(None, (self._size_limit, self._settings.max_mail_bytes)), default=None)

    async def close(self) -> None:
        await self._pool.close()

    async def _transact(
        self,
        connection: Connection,
        mail_from: str,
        rcpt_to: str,
        body: MailBody,
        before_data: Callable[[], Awaitable[None]] | None,
    ) -> SendResult:
        needs_utf8 = not (mail_from + rcpt_to).isascii()
        if (refusal := _beforehand(connection, body.size_bytes, needs_utf8=needs_utf8)) is not None:
            return refusal
        connection.needs_reset = True
        options = _options(connection, body.size_bytes, needs_utf8=needs_utf8)
        for command in (f"MAIL FROM:<{mail_from}>{options}", f"RCPT TO:<{rcpt_to}>"):
            reply = await self._command(connection, command)
            if not 200 <= reply.code <= 299:
                return _meaning(reply)
        if before_data is not None:
            await before_data()
        reply = await self._command(connection, "DATA")
        if reply.code != 354:
            if 200 <= reply.code <= 299:
                connection.abort()  # it may be waiting for a message that it will not get, or not: out of step
            return _meaning(reply)
        return await self._upload(connection, body)

    async def _command(self, connection: Connection, command: str) -> aiosmtplib.SMTPResponse:
        """The reply to a command; `RelayDown` where there is none.

        A kept connection that is dead, or that the relay closes now, is `_StaleConnection`: the relay may be in the
        best of health, so the mail is tried on a new one. Nothing of it has gone yet, so it cannot come twice.
        """
        try:
            reply = await connection.client.execute_command(command.encode())
        except (aiosmtplib.SMTPException, OSError) as error:
            if connection.is_reused:
                raise _StaleConnection from error
            why = error.message if isinstance(error, aiosmtplib.SMTPResponseException) else error  # no SMTP at all
            raise RelayDown(clean_reply(f"no answer to {command.split()[0]}: {why}")) from error
        if reply.code == 421 and connection.is_reused:
            raise _StaleConnection
        return reply

    async def _upload(self, connection: Connection, body: MailBody) -> SendResult:
        """Send the message and await the verdict, which may come early: a relay can give up in the midst of it."""
        protocol = connection.client.protocol
        if protocol is None:
            return Deferred("the connection was lost after DATA", is_peer_down=True)
        reply = asyncio.ensure_future(protocol.read_response())
        upload = asyncio.ensure_future(_write(protocol, body))
        try:
            seconds = max(self._settings.timeout_seconds, body.size_bytes / SLOWEST_BYTES_PER_SECOND)
            await asyncio.wait({reply, upload}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            is_complete = upload.done() and upload.result()
            if not reply.done() and upload.done():
                wait_seconds = self._settings.final_timeout_seconds if is_complete else LAST_WORDS_SECONDS
                await asyncio.wait({reply}, timeout=wait_seconds)
            result = _verdict(reply, is_complete=is_complete)
        finally:
            upload.cancel()
            reply.cancel()
            await asyncio.gather(upload, reply, return_exceptions=True)
        if isinstance(result, Delivered):
            connection.needs_reset = False
        else:
            connection.abort()  # words in the midst of the mail may be followed by others at its end: out of step
        return result


async def _write(protocol: SMTPProtocol, body: MailBody) -> bool:
    """Write the message up to its final dot; False where the connection was lost before that.

    Raises what `body.chunks` raises. Files are read in a thread, and never further ahead than the socket takes it.
    """
    pieces = dot_stuffed(body.chunks())
    while batch := await asyncio.to_thread(lambda: list(islice(pieces, CHUNKS_AT_ONCE))):
        for piece in batch:
            try:
                protocol.write(piece)
                await protocol._drain_helper()
            except (aiosmtplib.SMTPException, OSError):
                return False
    try:
        protocol.write(END_OF_DATA)
    except (aiosmtplib.SMTPException, OSError):
        return False
    return True


def dot_stuffed(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """RFC 5321 4.5.2: a dot before each line that begins with one; and a line end at the end, if there is none."""
    before = b"\r\n"
    for chunk in chunks:
        yield (before + chunk).replace(b"\r\n.", b"\r\n..")[len(before) :]
        before = (before + chunk)[-2:]
    if before != b"\r\n":
        yield b"\r\n"


def _beforehand(connection: Connection, size_bytes: int, *, needs_utf8: bool) -> Refused | None:
    """What the relay's EHLO says that it will not take."""
    if needs_utf8 and not connection.client.supports_extension("smtputf8"):
        return Refused("553 5.6.7 the relay does not carry addresses with letters beyond ASCII")
    limit = connection.size_limit
    if limit is not None and size_bytes > limit:
        return Refused(
            f"552 5.3.4 the mail has {size_bytes / 1e6:.1f} MB, and the relay takes at most {limit / 1e6:.1f} MB"
        )
    return None


def _options(connection: Connection, size_bytes: int, *, needs_utf8: bool) -> str:
    """Of MAIL: RFC 1870 SIZE, and RFC 6531 SMTPUTF8, whose header fields are 8-bit."""
    size = f" SIZE={size_bytes}" if connection.client.supports_extension("size") else ""
    return size + (" BODY=8BITMIME SMTPUTF8" if needs_utf8 else "")


def _meaning(reply: aiosmtplib.SMTPResponse) -> Deferred | Refused:
    """Of a reply that is not the one that was hoped for."""
    words = clean_reply(f"{reply.code} {reply.message}")
    if reply.code == 421 or reply.code in _LOGIN_CODES:
        return Deferred(words, is_peer_down=True)
    if 500 <= reply.code <= 599:
        return Refused(words)
    return Deferred(words)  # 4yz, and what stands in no RFC: such a mail is better tried again than given up


def _verdict(reply: asyncio.Future[aiosmtplib.SMTPResponse], *, is_complete: bool) -> SendResult:
    """What came of the message; `is_complete` if its final dot was written."""
    if not reply.done() or reply.exception() is not None:
        what = "the connection broke" if reply.done() else "the relay was silent for too long"
        if is_complete:
            # RFC 1047: the relay may have the mail or not. If it is sent again, then under the same Message-ID.
            what = f"outcome unknown: the whole mail was sent, and {what} before it was answered"
        else:
            what = f"{what} in the midst of the mail"
        return Deferred(what, is_peer_down=True, is_unknown=is_complete)
    answer = reply.result()
    if 200 <= answer.code <= 299:
        if is_complete:
            return Delivered(clean_reply(f"{answer.code} {answer.message}"))
        return Deferred(clean_reply(f"the relay answered before the end of the mail: {answer.code} {answer.message}"))
    return _meaning(answer)
