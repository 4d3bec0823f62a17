"""LMTP (RFC 2033): mail from a mail server in front of us, which is told of each recipient what became of the mail.

Postfix says with XFORWARD (https://www.postfix.org/XFORWARD_README.html) whose client it took the mail from.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from pathlib import Path

import structlog

from bot.intake.connection import OpenConnections
from bot.intake.listener import BACKLOG, Listener
from bot.intake.policy import MAX_DOMAIN_CHARS, Refusal
from bot.intake.received import Receipt, ReceivedMail
from bot.intake.session import (
    KnowsAlias,
    SmtpConnection,
    SmtpHouse,
    SmtpService,
    Transaction,
    knows_no_alias,
    refuse_alias,
)
from bot.intake.spool import SpoolFolder
from core.values import Envelope, Peer

FORWARDED = ("NAME", "ADDR", "PORT", "PROTO", "HELO", "IDENT", "SOURCE")
"""What we offer to hear of the first client. Postfix sends only what is offered; we keep ADDR and HELO."""
UNKNOWN = frozenset({"[UNAVAILABLE]", "[TEMPUNAVAIL]"})
_XTEXT = re.compile(r"\+([0-9A-F]{2})")  # RFC 3461 4

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LmtpSettings:
    """LMTP, for a mail server in front of us (docs/postfix.md). The limits of [smtp] hold here too."""

    socket: str = ""
    """Path of a Unix socket to listen on, such as /var/spool/postfix/inkpost/lmtp. Its folder says who gets there."""
    socket_mode: str = "0660"
    """Permissions of the socket, in octal: who may write to it may bring mail, and say whose it is."""
    host: str = "127.0.0.1"
    """Address to listen on, where there is a port."""
    port: int | None = None
    """Port of LMTP; none where it is not set. Never one that the world can reach, and never 25 (RFC 2033 5)."""

    def __post_init__(self) -> None:
        if not 0 <= int(self.socket_mode, 8) <= 0o777:
            raise ValueError("socket_mode is three octal digits, such as 0660")


class LmtpConnection(SmtpConnection):
    """A mail server's conversation with us."""

    intake = "lmtp"
    protocol = "LMTP"

    def __init__(self, service: SmtpService, *, loop: asyncio.AbstractEventLoop) -> None:
        self._forwarded: dict[str, str] = {}
        super().__init__(service, loop=loop)

    def smtp_LHLO(self, hostname: str) -> None:  # noqa: N802 - aiosmtpd's name
        super().smtp_EHLO(hostname)

    def smtp_EHLO(self, hostname: str) -> None:  # noqa: N802 - aiosmtpd's name
        self._reply("500 5.5.1 this is LMTP, which begins with LHLO")  # RFC 2033 4.1: never a positive reply

    smtp_HELO = smtp_EHLO  # noqa: N815 - aiosmtpd's name

    def _offers(self) -> Iterator[str]:
        yield from super()._offers()
        if self._house.guard.is_trusted(self.ip):
            yield f"XFORWARD {' '.join(FORWARDED)}"

    def smtp_XFORWARD(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        """Who brought the mail to the server in front of us; for one mail, as in Postfix."""
        if not self._house.guard.is_trusted(self.ip):
            self._reply("550 5.7.0 not from here")
        elif not self._helo or self._transaction.sender is not None:
            self._reply("503 5.5.1 XFORWARD belongs after LHLO and before MAIL")
        elif (forwarded := read_forwarded(arg)) is None:
            self._reply("501 5.5.4 an attribute is not known, or its value is not understood")
        else:
            self._forwarded |= forwarded
            self._reply("250 2.0.0 OK")

    def _refuse_author(self, header: bytes, envelope: Envelope, peer: Peer) -> Refusal | None:
        """Nobody: the server in front of us has taken the mail, and would tell a sender of it who may be forged."""
        return None

    def _set_post_data_state(self) -> None:
        super()._set_post_data_state()
        self._forwarded = {}

    def _peer(self) -> Peer:
        """The first client, where we were told of it, and never the server in front of us in its place."""
        if not self._forwarded:
            return super()._peer()
        return Peer(self._forwarded.get("ADDR") or None, helo=self._forwarded.get("HELO", ""), tls=self.is_tls)

    def _reply_to_mail(self, reply: str, transaction: Transaction) -> str:
        """RFC 2033 4.2: one reply for each recipient that was taken, also for one that was named again.

        The mail is one row, so what is true of one recipient is true of all.
        """
        return "\r\n".join([reply] * transaction.recipients)


def read_forwarded(argument: str) -> dict[str, str] | None:
    """The attributes of an XFORWARD by name, "" for what the sender does not know; None for what is no such list."""
    found: dict[str, str] = {}
    for word in argument.split():
        name, equals, value = word.partition("=")
        value = _XTEXT.sub(lambda octet: chr(int(octet[1], 16)), value)
        if not equals or name.upper() not in FORWARDED or len(value) > MAX_DOMAIN_CHARS or not value.isprintable():
            return None
        found[name.upper()] = "" if value.upper() in UNKNOWN else value
    try:
        if address := found.get("ADDR"):
            found["ADDR"] = str(ip_address(address[5:] if address[:5].upper() == "IPV6:" else address))
    except ValueError:
        return None
    return found or None


class LmtpListener(Listener):
    """Receives mail by LMTP; with neither socket nor port in its settings it does nothing."""

    def __init__(
        self,
        settings: LmtpSettings,
        *,
        house: SmtpHouse,
        accept: Callable[[ReceivedMail], Awaitable[Receipt]],
        spool: SpoolFolder,
        knows_alias: KnowsAlias = knows_no_alias,
    ) -> None:
        limits = house.settings
        super().__init__(OpenConnections(limits.bounds), grace_seconds=limits.shutdown_grace_seconds)
        self._settings = settings
        self._service = SmtpService(
            house,
            accept=accept,
            spool=spool,
            connections=self.connections,
            refuse_alias=partial(refuse_alias, knows_alias, house.guard),
            verify=None,
            tls_context=None,
        )

    async def start(self) -> None:
        """Listen. Raises OSError if the port is taken or the socket's folder is not there, and does not listen then."""
        await self._listen(self._openings())
        if self._servers:
            log.info("lmtp_listening", socket=self._settings.socket, addresses=self.addresses)

    def _openings(self) -> Iterator[Awaitable[asyncio.Server]]:
        loop, settings = asyncio.get_running_loop(), self._settings
        make_connection = partial(LmtpConnection, self._service, loop=loop)
        if settings.socket:
            yield self._open_socket(make_connection)
        if settings.port is not None:
            yield loop.create_server(make_connection, settings.host, settings.port, backlog=BACKLOG)

    async def _open_socket(self, make_connection: Callable[[], LmtpConnection]) -> asyncio.Server:
        bound = _bind(Path(self._settings.socket), mode=int(self._settings.socket_mode, 8))
        return await asyncio.get_running_loop().create_unix_server(make_connection, sock=bound, backlog=BACKLOG)

    def _stop_listening(self) -> None:
        super()._stop_listening()
        if self._settings.socket and self._servers:
            Path(self._settings.socket).unlink(missing_ok=True)


def _bind(path: Path, *, mode: int) -> socket.socket:
    """A Unix socket in its place, with its permissions before it listens, so that nobody slips in. Raises OSError."""
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.is_socket():  # a crash leaves it; a second process of ours is kept out by the data folder's lock
            path.unlink()
        bound.bind(str(path))
        path.chmod(mode)
    except OSError as error:  # which names no file
        bound.close()
        raise OSError(f"lmtp.socket {path}: {error}") from error
    return bound
