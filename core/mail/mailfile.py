"""A file that holds a mail, read in pieces: never more of it in memory than a block, however large the mail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

BLOCK_BYTES = 256 * 1024
_HEAD_BYTES = 1024 * 1024  # most mails fit in, and are then read from the disk once


class MailFile:
    """A mail's bytes by position, with LF or CRLF line ends. Blocks on disk; one thread at a time."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = file.seek(0, 2)
        file.seek(0)
        self._head = file.read(_HEAD_BYTES)
        self.is_cut = False
        if b"\r" in self._head and b"\n" not in self._head:
            # Old Macs ended lines in CR alone. Such a mail is not worth a reader of its own: as much of it as one
            # would write is turned into LF.
            self._head = self._head.replace(b"\r", b"\n")
            self.is_cut = self.size > len(self._head)
            self.size = len(self._head)

    def read(self, start: int, end: int) -> bytes:
        """The bytes from `start` to `end`, fewer at the end of the file."""
        end = min(end, self.size)
        if end <= len(self._head):
            return self._head[start:end]
        self._file.seek(start)
        return self._file.read(max(end - start, 0))

    def blocks(self, start: int, end: int, block_bytes: int = BLOCK_BYTES) -> Iterator[bytes]:
        """The bytes from `start` to `end` in blocks of one size, the last one shorter."""
        for position in range(start, end, block_bytes):
            yield self.read(position, min(position + block_bytes, end))
