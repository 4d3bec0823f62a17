"""The SMTP listener: its settings, and where it listens."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Network, IPv6Network

import structlog

from bot.guards import EdgeGuard
from bot.intake.connection import Bounds, OpenConnections
from bot.intake.listener import BACKLOG, Listener
from bot.intake.received import Receipt, ReceivedMail
from bot.intake.session import KnowsAlias, SmtpConnection, SmtpService, Verify, knows_no_alias
from bot.intake.spool import SpoolFolder
from core.mail.authenticity import OurAddresses

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """How mail is received by SMTP."""

    host: str = "127.0.0.1"
    """Address to listen on: 0.0.0.0 or :: to be reached from elsewhere."""
    port: int = 2525
    """Port of SMTP, with STARTTLS where there is a certificate."""
    tls_port: int | None = None
    """Port of SMTP inside of TLS (RFC 8314)."""
    certificate_file: str = ""
    """PEM file of the certificate and its chain."""
    key_file: str = ""
    """PEM file of its key; empty if the key stands in the certificate's file."""
    max_message_bytes: int = 68_500_000
    """Largest mail that is taken: an attachment of 50 MB, which base64 makes 1.37 times as large."""
    max_recipients: int = 100
    """Recipients of one mail (RFC 5321 4.5.3.1.8); a sender brings the rest in another."""
    max_connections: int = 500
    """Connections at one time."""
    max_connections_per_client: int = 100
    """Connections at one time from one address."""
    max_commands: int = 500
    """Commands in a row that bring no mail; then the connection is closed."""
    max_errors: int = 20
    """Refused commands in a row that bring no mail; then the connection is closed."""
    idle_timeout_seconds: float = 300.0
    """Silence after which a connection is closed (RFC 5321 4.5.3.2.7). A mail that comes slowly is not silence."""
    mail_timeout_seconds: float = 3600.0
    """Time from the connection, or from the mail before, to a whole mail: 68.5 MB at 150 kbit/s."""
    shutdown_grace_seconds: float = 20.0
    """How long mails that are on their way may take to come in when the service stops."""
    plaintext_login_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """Networks from which a password is taken without TLS, such as 127.0.0.0/8."""

    @property
    def bounds(self) -> Bounds:
        return Bounds(
            max_connections=self.max_connections,
            max_connections_per_client=self.max_connections_per_client,
            max_commands=self.max_commands,
            max_errors=self.max_errors,
            idle_timeout_seconds=self.idle_timeout_seconds,
            mail_timeout_seconds=self.mail_timeout_seconds,
        )


class SmtpListener(Listener):
    """Receives mail by SMTP."""

    def __init__(
        self,
        settings: SmtpSettings,
        *,
        hostname: str,
        ours: OurAddresses,
        accept: Callable[[ReceivedMail], Awaitable[Receipt]],
        spool: SpoolFolder,
        guard: EdgeGuard,
        knows_alias: KnowsAlias = knows_no_alias,
        verify: Verify | None = None,
        security_contact: str = "",
        upstream_networks: tuple[IPv4Network | IPv6Network, ...] = (),
    ) -> None:
        """Reads the certificate, and raises OSError (`ssl.SSLError` is one) if it cannot. AUTH needs `verify`."""
        super().__init__(OpenConnections(settings.bounds), grace_seconds=settings.shutdown_grace_seconds)
        self._settings = settings
        self._service = SmtpService(
            hostname=hostname,
            ours=ours,
            accept=accept,
            spool=spool,
            guard=guard,
            knows_alias=knows_alias,
            connections=self.connections,
            verify=verify,
            tls_context=_tls_context(settings),
            max_message_bytes=settings.max_message_bytes,
            max_recipients=settings.max_recipients,
            plaintext_login_networks=settings.plaintext_login_networks,
            security_contact=security_contact,
            upstream_networks=upstream_networks,
        )

    async def start(self) -> None:
        """Listen. Raises OSError if a port is taken, and listens on none then."""
        loop = asyncio.get_running_loop()
        make_connection = partial(SmtpConnection, self._service, loop=loop)
        ports: list[tuple[int, ssl.SSLContext | None]] = [(self._settings.port, None)]
        if self._settings.tls_port is not None:
            ports.append((self._settings.tls_port, self._service.tls_context))
        await self._listen(
            loop.create_server(make_connection, self._settings.host, port, ssl=context, backlog=BACKLOG)
            for port, context in ports
        )
        log.info("smtp_listening", addresses=self.addresses)


def _tls_context(settings: SmtpSettings) -> ssl.SSLContext | None:
    if not settings.certificate_file:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(settings.certificate_file, settings.key_file or None)
    return context
