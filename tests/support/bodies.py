"""Message bodies for tests of transports."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

HEADER = b"From: books@inkpost.example\r\nTo: reader@example.org\r\nSubject: x\r\n\r\n"


@dataclass(frozen=True)
class BytesBody:
    """See `MailBody`: `raw` in pieces of `piece_bytes`."""

    raw: bytes
    piece_bytes: int = 64 * 1024

    @property
    def size_bytes(self) -> int:
        return len(self.raw)

    def chunks(self) -> Iterator[bytes]:
        for start in range(0, len(self.raw), self.piece_bytes):
            yield self.raw[start : start + self.piece_bytes]


@dataclass(frozen=True)
class BreakingBody:
    """Says that it is of a size, and raises in the midst of it."""

    error: Exception
    size_bytes: int = 1_000_000

    def chunks(self) -> Iterator[bytes]:
        yield HEADER
        for _ in range(8):
            yield b"so far so good\r\n" * 1000
        raise self.error


def text_body(text: str = "Hello.") -> BytesBody:
    return BytesBody(HEADER + text.encode() + b"\r\n")
