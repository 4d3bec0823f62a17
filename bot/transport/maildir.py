"""The way out where no relay is configured: a Maildir, in which everything that would have been sent can be read.

https://cr.yp.to/proto/maildir.html. Files hold the message as a relay would have got it, CRLF line ends and all, behind
a Return-Path and a Delivered-To field that keep the envelope (RFC 5321 4.4).
"""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from bot.transport.addresses import BAD_ADDRESS, is_mailbox, is_reverse_path
from core.mail.status import clean_reply
from core.ports import BlobCorrupt, Deferred, Delivered, MailBody, Refused, SendResult


class MaildirTransport:
    """See `Transport`. A disk that is full or read-only is a peer that is down."""

    def __init__(self, folder: Path) -> None:
        """The folder is made with the first mail."""
        self._folder = folder
        self._numbers = itertools.count(1)
        self._host = socket.gethostname().replace("/", r"\057").replace(":", r"\072")  # as the specification has it

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
        if before_data is not None:
            await before_data()
        envelope = f"Return-Path: <{mail_from}>\r\nDelivered-To: {rcpt_to}\r\n".encode()
        try:
            name = await asyncio.to_thread(self._deliver, envelope, body)
        except BlobCorrupt:
            raise
        except OSError as error:
            return Deferred(clean_reply(f"the Maildir cannot be written: {error.strerror}"), is_peer_down=True)
        return Delivered(f"kept in the Maildir as {name}")

    async def check(self) -> str | None:
        try:
            await asyncio.to_thread(self._make_folders)
        except OSError as error:
            return f"The Maildir {self._folder} cannot be written: {error.strerror}"
        return None if os.access(self._folder / "new", os.W_OK) else f"The Maildir {self._folder} cannot be written."

    async def size_limit(self) -> int | None:
        return None

    async def close(self) -> None:
        pass

    def _deliver(self, envelope: bytes, body: MailBody) -> str:
        """The name of the file in `new`, on the disk when this returns."""
        self._make_folders()
        moment = time.time_ns()
        unique = f"M{moment // 1000 % 1_000_000}P{os.getpid()}Q{next(self._numbers)}"
        name = f"{moment // 1_000_000_000}.{unique}.{self._host}"
        unfinished = self._folder / "tmp" / name
        try:
            with unfinished.open("xb") as file:
                file.write(envelope)
                for chunk in body.chunks():
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            unfinished.rename(self._folder / "new" / name)
        finally:
            unfinished.unlink(missing_ok=True)
        _sync(self._folder / "new")
        return name

    def _make_folders(self) -> None:
        for name in ("tmp", "new", "cur"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)


def _sync(folder: Path) -> None:
    """A name is on the disk when its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
