"""What is too large to mail can be fetched: by a link to one file, where others can reach the store."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta

from core.i18n import _
from core.mail.answer import Block, Fact, Facts, Paragraph

LINK_LIFE = timedelta(days=7)  # what a signed URL of Cloud Storage (V4) may be good for at most
MakeLink = Callable[[str, str], str | None]
"""From a blob's key and the name to save it as: an https link for `LINK_LIFE`, None where there is none. No request."""

# RFC 3463 3.4 and 3.3: a mail too big for the system or for the mailbox. A 552 without such a code means that as well.
_TOO_LARGE = re.compile(r"55[0-9][ -]5\.(?:3\.4|2\.3)\b|552[ -](?!5\.)")


def is_about_size(reply: str) -> bool:
    """Whether a relay's reply says that the mail is too large for it."""
    return _TOO_LARGE.match(reply) is not None


def link_blocks(make_link: MakeLink, *, key: str, filename: str, now: datetime) -> tuple[Block, ...]:
    """How the reader gets the file that does not fit into a mail, or that there is no such way here."""
    url = make_link(key, filename)
    if url is None:
        no_link = _("Nor is there a link to it: this service keeps its files where nobody can fetch them from outside.")
        return (Paragraph(no_link),)
    return (
        Facts((Fact(_("Or fetch it here"), url, is_link=True), Fact(_("Good until"), now + LINK_LIFE))),
        Paragraph(_("Whoever has this link can fetch this one file with it.")),
    )
