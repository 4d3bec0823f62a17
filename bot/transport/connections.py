"""Connections to the relay: opened, logged in, kept for the next mail, and let go (RFC 5321, 3207, 4954)."""

from __future__ import annotations

import asyncio
import enum
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import cast

import aiosmtplib
from pydantic import SecretStr

from bot.tls import trusting
from core.mail.status import clean_reply

QUIT_SECONDS = 5.0
RESET_AFTER_IDLE_SECONDS = 5.0  # a connection that was quiet for longer is asked for a sign of life first


class Security(enum.StrEnum):
    PLAIN = "plain"
    STARTTLS = "starttls"
    TLS = "tls"


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """The SMTP relay (smarthost) that takes all outgoing mail."""

    host: str = ""
    """Its name. Where empty, mail is kept in a Maildir in the data folder and goes nowhere."""
    port: int = 587
    """587 for STARTTLS, 465 for TLS, 25 for a relay of your own without either."""
    security: Security = Security.STARTTLS
    """`starttls`, `tls` or `plain`. The first two are never given up for less."""
    username: str = ""
    """To log in with; no login where empty."""
    password: SecretStr = field(default=SecretStr(""))
    """To log in with; goes to another machine only where `security` is not `plain`."""
    ca_file: str = ""
    """A PEM file of authorities to believe instead of the system's, for a relay with a certificate of your own."""
    connections: int = 5
    """Connections at once."""
    mails_per_connection: int = 100
    """A connection is closed after so many mails."""
    idle_seconds: float = 30.0
    """A connection that is not used for so long is closed."""
    timeout_seconds: float = 60.0
    """How long an answer to a command may take; a large mail has a second for every 100 KB if that is longer."""
    max_mail_bytes: int = 0
    """The provider's cap on a whole encoded mail, where its server does not say it, or says too much; 0 for none.
    Books are made to fit."""
    final_timeout_seconds: float = 600.0
    """How long the relay may think about a whole mail (RFC 5321 4.5.3.2.6 has ten minutes)."""
    resends_unknown: bool = False
    """Send a mail once more where the relay had all of it and its answer was lost (RFC 1047): it may come twice then.
    If not, its state is `unknown`, and `inkpost outbox retry` sends it."""

    def __post_init__(self) -> None:
        if self.username and self.security is Security.PLAIN and not is_loopback(self.host):
            raise ValueError("a login needs security = 'starttls' or 'tls', so that nobody on the way can read it")


class RelayDown(Exception):
    """No connection can be had; `reply` says why."""

    def __init__(self, reply: str) -> None:
        super().__init__(reply)
        self.reply = reply


@dataclass(slots=True, eq=False)
class Connection:
    """A client that has said EHLO and logged in."""

    client: aiosmtplib.SMTP
    mails: int = 0
    """Transactions that were begun on it."""
    is_reused: bool = False
    needs_reset: bool = False
    """A transaction was begun, and the message was not taken."""
    expiry: asyncio.TimerHandle | None = None
    idle_since: float = 0.0

    @property
    def size_limit(self) -> int | None:
        """The relay's SIZE (RFC 1870), None if it names none."""
        declared = self.client.esmtp_extensions.get("size", "")
        return int(declared) or None if declared.isdecimal() else None

    def abort(self) -> None:
        """Close without a word and without what is still in the buffer."""
        if self.client.transport is not None:
            cast(asyncio.WriteTransport, self.client.transport).abort()
        self.client.close()

    async def quit(self) -> None:
        with suppress(aiosmtplib.SMTPException, OSError):
            await self.client.quit(timeout=QUIT_SECONDS)
        self.client.close()


class ConnectionPool:
    """A few connections to one relay, the most recently used first."""

    def __init__(self, settings: RelaySettings, *, ehlo_name: str) -> None:
        self._settings = settings
        self._ehlo_name = ehlo_name
        self._tls = _tls_context(settings)
        self._places = asyncio.Semaphore(settings.connections)
        self._idle: list[Connection] = []
        self._quitting: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection for one transaction; kept afterwards if it is still in step. Raises `RelayDown`."""
        async with self._places:
            connection = await self._take_idle() or await self.open()
            try:
                yield connection
            except BaseException:
                connection.abort()  # in the midst of something: out of step with the relay
                raise
            connection.mails += 1
            self._keep(connection)

    async def open(self) -> Connection:
        """A new connection, logged in. Raises `RelayDown`."""
        settings = self._settings
        client = aiosmtplib.SMTP(
            hostname=settings.host,
            port=settings.port,
            local_hostname=self._ehlo_name,  # else the library asks the resolver, and may wait for it
            username=settings.username or None,
            password=settings.password.get_secret_value() if settings.username else None,
            use_tls=settings.security is Security.TLS,
            start_tls=settings.security is Security.STARTTLS,
            tls_context=self._tls,
            timeout=settings.timeout_seconds,
        )
        try:
            await client.connect()
            await _greet(client)
        except aiosmtplib.SMTPResponseException as error:
            client.close()
            code = f"{error.code} " if error.code > 0 else ""  # -1: not SMTP what the other side speaks
            raise RelayDown(clean_reply(code + error.message)) from error
        except (aiosmtplib.SMTPException, OSError, UnicodeError) as error:  # OSError holds ssl.SSLError and timeouts
            client.close()
            raise RelayDown(clean_reply(str(error) or type(error).__name__)) from error
        except BaseException:
            client.close()
            raise
        return Connection(client)

    def discard_idle(self) -> None:
        """Forget the kept connections: one of them was dead, so the relay has probably been restarted."""
        while self._idle:
            self._let_go(self._idle.pop())

    async def close(self) -> None:
        """Say goodbye on all kept connections."""
        self.discard_idle()
        if self._quitting:
            await asyncio.wait(self._quitting)

    async def _take_idle(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.expiry is not None:
                connection.expiry.cancel()
            if await self._is_ready(connection):
                connection.is_reused = True
                return connection
        return None

    async def _is_ready(self, connection: Connection) -> bool:
        """Alive, and without anything left of the transaction before."""
        quiet_seconds = asyncio.get_running_loop().time() - connection.idle_since
        if not connection.client.is_connected:
            return False
        if not connection.needs_reset and quiet_seconds < RESET_AFTER_IDLE_SECONDS:
            return True  # RFC 5321 4.1.1.4: the reply to the final dot has cleared the relay's buffers
        try:
            await connection.client.rset()
        except (aiosmtplib.SMTPException, OSError):
            connection.abort()
            return False
        except BaseException:
            connection.abort()
            raise
        connection.needs_reset = False
        return True

    def _keep(self, connection: Connection) -> None:
        if not connection.client.is_connected:
            return
        if connection.mails >= self._settings.mails_per_connection:
            self._let_go(connection)
            return
        loop = asyncio.get_running_loop()
        connection.idle_since = loop.time()
        connection.expiry = loop.call_later(self._settings.idle_seconds, self._expire, connection)
        self._idle.append(connection)

    def _expire(self, connection: Connection) -> None:
        if connection in self._idle:
            self._idle.remove(connection)
            self._let_go(connection)

    def _let_go(self, connection: Connection) -> None:
        if connection.expiry is not None:
            connection.expiry.cancel()
        task = asyncio.get_running_loop().create_task(connection.quit())
        self._quitting.add(task)
        task.add_done_callback(self._quitting.discard)


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _tls_context(settings: RelaySettings) -> ssl.SSLContext | None:
    """Made once: reading the system's authorities takes some 15 ms."""
    if settings.security is Security.PLAIN:
        return None
    return trusting(settings.ca_file)


async def _greet(client: aiosmtplib.SMTP) -> None:
    """EHLO, unless logging in or STARTTLS has brought it with it; HELO for a relay from before 1995."""
    if not client.is_ehlo_or_helo_needed:
        return
    try:
        await client.ehlo()
    except aiosmtplib.SMTPHeloError:
        if not client.is_connected:
            raise
        await client.helo()
