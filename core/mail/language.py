"""Which language the author of a mail reads, as far as the mail shows it. Pure."""

from __future__ import annotations

from core.i18n import preferred
from core.mail.message import ParsedMessage

# Content-Language (RFC 3282) is of the text, as Outlook and Thunderbird write it; Accept-Language of who wrote it.
_FIELDS = ("Content-Language", "Accept-Language")


def language_of(message: ParsedMessage) -> str | None:
    """A key of `core.i18n.LANGUAGES`, None where the mail does not say."""
    return preferred(tag for name in _FIELDS for value in message.all_headers(name) for tag in value.split(","))
