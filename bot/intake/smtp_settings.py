"""What an operator says of SMTP, and the certificate that stands there."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from bot.intake.connection import Bounds


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
    busy_connections: int = 4
    """From so many at one time on, a process of its own speaks SMTP, on a core beside the service's; it takes some 40
    MB, and ends when no client has come for some minutes. 0: never."""
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


def open_tls(settings: SmtpSettings) -> ssl.SSLContext | None:
    """Its certificate, if there is one. Raises OSError where that cannot be read."""
    if not settings.certificate_file:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(settings.certificate_file, settings.key_file or None)
    except OSError as error:  # ssl names no file
        with_key = f" with the key {settings.key_file}" if settings.key_file else ""
        raise OSError(f"the certificate {settings.certificate_file}{with_key}: {error}") from error
    return context
