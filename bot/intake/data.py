"""What follows the 354: a mail in a stream, up to the one sequence that ends it (RFC 5321 4.1.1.4 and 4.5.2)."""

from __future__ import annotations

import asyncio

from bot.intake.policy import TOO_LARGE, Refusal
from bot.intake.spool import MailSpool

END_OF_DATA = b"\r\n.\r\n"  # and nothing like it: a bare CR or LF ends no line, or a second mail could be smuggled in
PIECE_BYTES = 128 * 1024  # a connection holds some three times this; a hop to the disk's thread is cheap against it
MAX_LINE_BYTES = 1024 * 1024 + 1  # with its CR. RFC 5321 4.5.3.1.6 promises 1,000, but 0.8 % of real mails have more
LINE_TOO_LONG = Refusal("554 5.6.0 a line of the mail is longer than 1 MiB")


class Transparency:
    """Takes away the dots of RFC 5321 4.5.2 from a mail that comes in pieces cut anywhere."""

    def __init__(self) -> None:
        self._tail = b"\r\n"  # the last octets before the piece: a mail begins as if a line had ended

    def restore(self, piece: bytes) -> bytes:
        """What the sender wrote. Only a dot behind CRLF goes: a bare CR or LF is content like any other octet."""
        tail, self._tail = self._tail, (self._tail + piece[-2:])[-2:]
        if b"." not in piece:  # so it is with base64, and this is ten times faster than to look for CRLF and dot
            return piece
        return (tail + piece).replace(b"\r\n.", b"\r\n")[len(tail) :]


class LineLength:
    """Watches for endless lines. Exact for lines that are longer than a piece, and no other can be too long."""

    def __init__(self) -> None:
        self._open_bytes = 0

    def is_exceeded(self, piece: bytes) -> bool:
        first = piece.find(b"\n")
        self._open_bytes += len(piece) if first < 0 else first
        is_exceeded = self._open_bytes > MAX_LINE_BYTES
        if first >= 0:
            self._open_bytes = len(piece) - piece.rfind(b"\n") - 1
        return is_exceeded


async def receive_data(reader: asyncio.StreamReader, spool: MailSpool, *, max_bytes: int) -> Refusal | None:
    """Everything up to the end of data into the spool; the refusal if it may not be taken.

    A mail that is refused, or that the disk does not take (`OSError`), is read to its end all the same: what is left of
    it must not be read as commands. Raises `IncompleteReadError` where the peer goes away.
    """
    transparency, line = Transparency(), LineLength()
    refusal: Refusal | None = None
    failure: OSError | None = None
    received_bytes, is_last = 0, False
    # A mail may be empty: its end may begin with the CRLF of the DATA command. StreamReader takes nothing back; for its
    # buffer's name see `LineConnection`.
    reader._buffer[:0] = b"\r\n"  # type: ignore[attr-defined] # not in the type's public face
    start = 2
    while not is_last:
        raw, is_last = await _next_piece(reader)
        piece = transparency.restore(raw[start : len(raw) - 3 if is_last else len(raw)])
        start = 0
        received_bytes += len(piece)
        refusal = refusal or _judge(piece, received_bytes, line, max_bytes=max_bytes)
        if refusal is None and failure is None:
            try:
                await spool.write(piece)
            except OSError as error:
                failure = error
        else:
            spool.discard()
    if failure is not None and refusal is None:
        raise failure
    return refusal


def _judge(piece: bytes, received_bytes: int, line: LineLength, *, max_bytes: int) -> Refusal | None:
    if received_bytes > max_bytes:
        return TOO_LARGE
    return LINE_TOO_LONG if line.is_exceeded(piece) else None


async def _next_piece(reader: asyncio.StreamReader) -> tuple[bytes, bool]:
    """The next octets, and whether they are the last, which end with the end of data."""
    try:
        return await reader.readuntil(END_OF_DATA), True
    except asyncio.LimitOverrunError as error:
        # As much as cannot be part of an end; asyncio keeps the last four octets back.
        return await reader.readexactly(error.consumed), False
