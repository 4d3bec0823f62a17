"""The command of a letter's List-Unsubscribe (RFC 2369), and the mail that a mail service makes of a click on it."""

from __future__ import annotations

import re

from core.mail.words import clean_line
from core.references import parse_reference

_STOP = re.compile(r"digest off .{1,200} in ([0-9A-Z]{5}-[0-9A-Z]{5})")


def stop_command(digest: str, reference: str) -> str:
    """Ends a digest. The reference is the letter's: a token of 50 bits that only who has the letter knows, and it
    names the digest whatever its name is by then."""
    return f"digest off {digest} in {reference}"


def stopped_letter(subject: str) -> str | None:
    """The reference in a subject that is `stop_command` to the letter, with nothing before or behind it; else None.

    No `Re:`: an automatic answer to a mail of ours, or a bounce of it, never has this for its subject.
    """
    found = _STOP.fullmatch(clean_line(subject))
    return parse_reference(found[1]) if found else None
