"""The question about a mail that was passed on without a word, and its files as a list."""

from __future__ import annotations

from core.i18n import _
from core.mail.answer import Answer, Item, Items, Paragraph, Step, Steps
from core.models import Forwarded

FILES = "forwarded-files"
"""The kind of the list that numbers them; the taps name the mail, so that no such list has to be kept."""


def ask_about(forwarded: Forwarded) -> Answer:
    """“Keep it as an article, or pick its attachments?”, with a tap for each."""
    reference = forwarded.reference
    files = len(forwarded.files)
    pick = (Step(_("Pick its attachments"), f"forwarded pick in {reference}"),) if files else ()
    told = (
        _("You forwarded “{title}”. What shall become of it?")
        if files
        else _("You forwarded “{title}”. It carries no file that I can keep. Shall I keep what it says?")
    )
    return Answer(
        _("Keep it as an article, or pick its attachments?") if files else _("Keep it as an article?"),
        (
            Paragraph(told.format(title=forwarded.title)),
            Steps(
                (
                    Step(_("Into my next paper"), f"forwarded paper in {reference}"),
                    Step(_("As a book in my library"), f"forwarded book in {reference}"),
                    *pick,
                )
            ),
        ),
    )


def list_files(forwarded: Forwarded) -> Answer:
    """Its files by number, with a tap for each and one for all."""
    names = list(forwarded.files.values())
    items = tuple(
        Item(number, name, command=f"forwarded pick {number} in {forwarded.reference}")
        for number, name in enumerate(names, start=1)
    )
    return Answer(
        _("The attachments of “{title}”").format(title=forwarded.title),
        (
            Items(items, kind=FILES, total=len(items)),
            Steps((Step(_("All of them"), f"forwarded pick all in {forwarded.reference}"),)),
        ),
    )
