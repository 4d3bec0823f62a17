"""A mail with nothing but links: into the next paper, or onto the e-reader at once, as its reader has set it."""

from __future__ import annotations

from dataclasses import replace

from core.i18n import _
from core.mail.answer import Answer, Paragraph, Step, Steps
from handlers._pages import fetch_now, put_aside
from handlers._request import Request


def take_links(request: Request) -> Answer:
    """The answer names what was done by itself, with a tap for the other, now and always."""
    urls = " ".join(request.command.words)
    if request.user.reads_links_now:
        answer = fetch_now(request)
        told = _("Links alone are read at once, as you have set it.")
        steps = (
            Step(_("Into my next paper instead"), f"later {urls}"),
            Step(_("Always into my paper"), "settings links=later"),
        )
    else:
        answer = put_aside(request)
        told = _("Links alone go into your next paper.")
        steps = (
            Step(_("On my e-reader now"), f"read {urls}"),
            Step(_("Always at once"), "settings links=now"),
        )
    blocks = tuple(block for block in answer.blocks if not isinstance(block, Steps))
    return replace(answer, blocks=(*blocks, Paragraph(told), Steps(steps)))
