"""The three steps that somebody begins with: they go with the answer to the first mail of whoever was invited."""

from __future__ import annotations

from dataclasses import replace

from core.i18n import _
from core.mail.answer import Paragraph, Result, Step, Steps


def with_three_steps(results: tuple[Result, ...]) -> tuple[Result, ...]:
    """The answer to what they asked, and below it how to go on; a first mail is no moment for a second answer."""
    *before, last = results
    steps = (
        Step(_("Add a book"), "help add", _("A book that you mail as an attachment is in your library")),
        Step(_("Add your Kindle"), "help kindle", _("Books and papers come to your Kindle by themselves")),
        Step(_("Subscribe to a site"), "help subscribe", _("The news of a site stand in your paper every morning")),
    )
    welcome = (
        Paragraph(_("Welcome! This was your first mail to me. Three steps make a library and a morning paper of it.")),
        Steps(steps, heading=_("Three steps")),
    )
    return (*before, replace(last, outcome=replace(last.outcome, blocks=(*last.outcome.blocks, *welcome))))
