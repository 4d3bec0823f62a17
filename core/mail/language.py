"""Which language the author of a mail reads, as far as the mail shows it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from core.i18n import LANGUAGES, preferred
from core.mail.grammar import Command, NotUnderstood
from core.mail.message import ParsedMessage

# Content-Language (RFC 3282) is of the text, as Outlook and Thunderbird write it; Accept-Language of who wrote it.
_FIELDS = ("Content-Language", "Accept-Language")


def language_of(message: ParsedMessage, commands: Sequence[Command | NotUnderstood] = ()) -> str | None:
    """A key of `core.i18n.LANGUAGES`, None where the mail does not say: by the words of its commands, which its author
    has typed, before what their program writes into the header."""
    said = [each.language for each in commands if isinstance(each, Command) and each.language in LANGUAGES]
    fields = (tag for name in _FIELDS for value in message.all_headers(name) for tag in value.split(","))
    return said[0] if said else preferred(fields)
