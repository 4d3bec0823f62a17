"""The content of a mail on its way in: in memory while it is small, then in a file, hashed as it comes."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from core.values import Envelope

INLINE_LIMIT_BYTES = 256 * 1024  # up to here a mail is a value in a row, above it is a blob
MAX_HEADER_BYTES = 1024 * 1024  # more header than this is none, so that the wait for its end holds no memory

_END_OF_HEADER = b"\r\n\r\n"
_IDENTITY = re.compile(
    rb"^(?:from|to|cc|date|subject|message-id)[ \t]*:.*(?:\r\n[ \t].*)*(?:\r\n|\Z)", re.IGNORECASE | re.MULTILINE
)
_DATED_OR_NAMED = (b"date", b"message-id")
_FILE_PREFIX, _FILE_SUFFIX = "mail-", ".eml"


class MailDigest:
    """The hash of a whole mail, and the key by which the same mail is known when it comes again, by any way.

    Header and body are hashed apart and each once: of a large mail, hashing is the dearest part of taking it.
    """

    def __init__(self) -> None:
        self._body = hashlib.sha256()
        self._header: bytes | None = None  # None while its end has not come
        self._waiting = b""

    def update(self, piece: bytes) -> None:
        if self._header is not None:
            self._body.update(piece)
            return
        self._waiting += piece
        end = self._waiting.find(_END_OF_HEADER, 0, MAX_HEADER_BYTES)
        if end >= 0 and not self._waiting.startswith(b"\r\n"):
            self._split_at(end + 2)
        elif len(self._waiting) >= MAX_HEADER_BYTES or self._waiting.startswith(b"\r\n"):
            self._split_at(0)

    def _split_at(self, end: int) -> None:
        self._header = self._waiting[:end]
        self._body.update(self._waiting[end:])
        self._waiting = b""

    @property
    def content_hash(self) -> str:
        """Lower-case hex of every octet so far: SHA-256 over the SHA-256 of the header and that of the body."""
        header = hashlib.sha256(self.header)
        return hashlib.sha256(header.digest() + self._body.digest()).hexdigest()

    @property
    def header(self) -> bytes:
        """The header block so far, or of a mail that has no body all of it."""
        return self._waiting if self._header is None else self._header

    def mail_key(self, envelope: Envelope) -> str:
        """Lower-case hex: the same for a mail that comes again, also by another way; different for different mails.

        Relays add and change trace fields (Received, Return-Path, Delivered-To), so only what the author wrote counts:
        the fields that tell a mail from another, as they stand, and the body. A mail with neither Message-ID nor Date
        has nothing to tell it from another: for it every octet counts, and its reverse-path.
        """
        fields: list[bytes] = _IDENTITY.findall(self.header)
        if any(field.lower().startswith(_DATED_OR_NAMED) for field in fields):
            content = self._body.digest() + b"".join(fields)
        else:
            content = self.content_hash.encode() + envelope.mail_from.encode("utf-8", "surrogateescape")
        return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True, slots=True)
class SpooledMail:
    """A mail that is here in full. Whoever gets it deletes its file, if it is one."""

    content: bytes | Path
    size_bytes: int
    content_hash: str
    """See `MailDigest`."""
    mail_key: str
    header: bytes
    """The header block; b"" where it has no end within `MAX_HEADER_BYTES`."""


class SpoolFolder:
    """The folder for large mails, and the one thread that writes into it.

    It stands on the file system of the blob store, so that a spooled mail can be linked into its place. One thread for
    all files: what is asked of it is done in order, the event loop never waits for the disk, and the hashing of large
    mails is on the second core.
    """

    def __init__(self, folder: Path, *, inline_limit_bytes: int = INLINE_LIMIT_BYTES) -> None:
        self.folder = folder
        self.inline_limit_bytes = inline_limit_bytes
        self.disk = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spool")

    def prepare(self) -> int:
        """Make the folder, and delete what a crash left there: nothing in it was promised. Returns how many files.

        Blocks; to be called before the first intake starts, by the only process that uses the folder.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        left_over = list(self.folder.rglob(f"{_FILE_PREFIX}*{_FILE_SUFFIX}"))
        for path in left_over:
            path.unlink(missing_ok=True)
        return len(left_over)

    def new(self) -> MailSpool:
        return MailSpool(self)

    def close(self) -> None:
        """Wait for what is being written. Blocks; call it when the intakes are closed."""
        self.disk.shutdown(wait=True)


class MailSpool:
    """Takes one mail piece by piece. Ends with `discard`, which deletes what `finish` has not given away."""

    def __init__(self, spool: SpoolFolder) -> None:
        self._spool = spool
        self._digest = MailDigest()
        self._pieces: list[bytes] = []
        self._file: BinaryIO | None = None
        self._path: Path | None = None
        self.size_bytes = 0

    @property
    def _is_large(self) -> bool:
        return self.size_bytes > self._spool.inline_limit_bytes

    async def write(self, piece: bytes) -> None:
        """Append a piece; some 100 KiB at a time is best. Raises `OSError` where the disk does not take it."""
        self.size_bytes += len(piece)
        self._pieces.append(piece)
        if self._is_large:
            pieces, self._pieces = self._pieces, []
            await asyncio.get_running_loop().run_in_executor(self._spool.disk, self._append, pieces)

    async def finish(self, envelope: Envelope) -> SpooledMail:
        """The whole mail, whose file, if it is one, is the caller's from here on. Raises `OSError`."""
        if not self._is_large:
            content = b"".join(self._pieces)
            self._digest.update(content)
            return self._spooled(content, envelope)
        await asyncio.get_running_loop().run_in_executor(self._spool.disk, self._close)
        path, self._path = self._path, None
        assert path is not None
        return self._spooled(path, envelope)

    def take_back(self, mail: SpooledMail) -> None:
        """Have `discard` delete the file of a mail that `finish` gave away and nobody wants."""
        if isinstance(mail.content, Path):
            self._path = mail.content

    def discard(self) -> None:
        """Forget the mail. Does not block; a cancelled `write` may still be on the disk's thread."""
        self._pieces = []
        if self._is_large:
            self._spool.disk.submit(self._delete)

    def _spooled(self, content: bytes | Path, envelope: Envelope) -> SpooledMail:
        digest = self._digest
        return SpooledMail(content, self.size_bytes, digest.content_hash, digest.mail_key(envelope), digest.header)

    def _append(self, pieces: list[bytes]) -> None:
        if self._file is None:
            descriptor, name = tempfile.mkstemp(_FILE_SUFFIX, _FILE_PREFIX, self._spool.folder)
            self._file, self._path = os.fdopen(descriptor, "wb"), Path(name)
        for piece in pieces:
            self._digest.update(piece)
            self._file.write(piece)

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _delete(self) -> None:
        try:
            self._close()
        finally:  # a full disk makes even the close fail, and the file is what fills it
            path, self._path = self._path, None
            if path is not None:
                path.unlink(missing_ok=True)
