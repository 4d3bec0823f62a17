"""Ways out for mail: an SMTP relay, or a Maildir where there is none."""

from __future__ import annotations

from pathlib import Path

from bot.transport.connections import RelaySettings, Security, is_loopback
from bot.transport.maildir import MaildirTransport
from bot.transport.smtp import SmtpTransport
from core.ports import Transport

__all__ = ["RelaySettings", "Security", "is_loopback", "open_transport"]


def open_transport(settings: RelaySettings, *, ehlo_name: str, maildir: Path) -> Transport:
    """The relay if one is named, else the Maildir. Reads certificates; makes no connection. Raises `OSError`."""
    return SmtpTransport(settings, ehlo_name=ehlo_name) if settings.host else MaildirTransport(maildir)
