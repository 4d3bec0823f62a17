"""A mailbox on the loopback that stands in for the outside world: takes every mail by SMTP and keeps it as a file."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

PATIENCE_SECONDS = 120.0  # work has the lowest priority: beside other programs it may have a tenth of a processor


@dataclass(frozen=True, slots=True)
class ReceivedMail:
    """A mail that somebody out there got."""

    rcpt_to: str
    raw: bytes
    path: Path

    @property
    def message(self) -> EmailMessage:
        return message_from_bytes(self.raw, policy=policy.default)


@dataclass
class LoopbackMailbox:
    """Every address of the world, in one folder: `<rcpt_to>/<number>.eml`."""

    folder: Path
    on_mail: Callable[[ReceivedMail], None] = field(default=lambda mail: None)
    mails: list[ReceivedMail] = field(default_factory=list)
    _server: asyncio.Server | None = None
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def open(self, *, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen, and say on which port."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: SMTP(self, loop=loop, hostname="mailbox.localhost", data_size_limit=0, enable_SMTPUTF8=True),
            host,
            port,
        )
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        raw = envelope.original_content or b""
        for rcpt_to in envelope.rcpt_tos:
            mail = ReceivedMail(rcpt_to=rcpt_to, raw=raw, path=self._path(rcpt_to))
            await asyncio.to_thread(_write, mail)
            self.mails.append(mail)
            self.on_mail(mail)
        async with self._arrived:
            self._arrived.notify_all()
        return f"250 2.0.0 kept as number {len(self.mails)}"

    async def wait_for(
        self, rcpt_to: str, *, count: int = 1, timeout_seconds: float = PATIENCE_SECONDS
    ) -> ReceivedMail:
        """The `count`-th mail to an address, as soon as it is there. Raises `TimeoutError`."""

        def there() -> ReceivedMail | None:
            mine = [mail for mail in self.mails if mail.rcpt_to == rcpt_to]
            return mine[count - 1] if len(mine) >= count else None

        try:
            async with asyncio.timeout(timeout_seconds), self._arrived:
                await self._arrived.wait_for(lambda: there() is not None)
        except TimeoutError as error:
            raise TimeoutError(f"mail {count} to {rcpt_to} has not come in {timeout_seconds:.0f} s") from error
        found = there()
        assert found is not None
        return found

    async def wait_for_all(self, count: int, *, timeout_seconds: float = PATIENCE_SECONDS) -> None:
        """Until so many mails have come, to whomever. Raises `TimeoutError`."""
        async with asyncio.timeout(timeout_seconds), self._arrived:
            await self._arrived.wait_for(lambda: len(self.mails) >= count)

    def _path(self, rcpt_to: str) -> Path:
        name = "".join(letter if letter.isalnum() or letter in "@.-" else "_" for letter in rcpt_to)
        return self.folder / name / f"{next(self._numbers):03}.eml"


def _write(mail: ReceivedMail) -> None:
    mail.path.parent.mkdir(parents=True, exist_ok=True)
    mail.path.write_bytes(mail.raw)
