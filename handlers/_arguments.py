"""Arguments validated at the boundary: what several commands take, and how they say that it is not that."""

from __future__ import annotations

from typing import Any

from core.errors import BadRequest
from core.i18n import _
from core.mail.answer import Paragraph
from core.mail.grammar import Command
from core.pages import Page

LAST_PAGE = 1_000_000  # beyond any library; a number that a database still counts with


def page_of(command: Command) -> int:
    """The page that `list 2` or `list page 2` names, 1 where none is. Raises `BadRequest`."""
    if not command.words:
        return 1
    word = command.words[-1].lstrip("#")
    if not (word.isascii() and word.isdigit() and 1 <= int(word[:9]) <= LAST_PAGE):
        raise BadRequest(
            _("“{words}” is not a page.").format(words=" ".join(command.words)), fix=_("A page is a number: 1, 2, 3, …")
        )
    return int(word)


def beyond(wanted: int, page: Page[Any]) -> tuple[Paragraph, ...]:
    """What is said where there is no such page, and the last is shown."""
    if wanted <= page.pages:
        return ()
    if page.pages == 1:
        return (Paragraph(_("There is only one page.")),)
    return (Paragraph(_("There is no page {page}: this is the last.").format(page=wanted)),)


def phrase(command: Command, preposition: str) -> str:
    """The words behind a preposition as one text, "" where there are none."""
    return " ".join(command.phrases.get(preposition, ()))


def refuse_unknown_options(command: Command, known: tuple[str, ...]) -> None:
    """Raises `BadRequest` for an option that the command does not take, rather than leave it unheard."""
    unknown = [key for key in command.options if key not in known]
    if unknown:
        raise BadRequest(
            _("There is nothing called “{unknown}” here.").format(unknown=unknown[0]),
            fix=_("What can be given: {known}. A value that has an = of its own stands in quotes.").format(
                known=", ".join(f"{key}=…" for key in known)
            ),
        )


def yes_or_no(key: str, text: str) -> bool:
    """Whether a person said yes or no. Raises `BadRequest` for anything else."""
    match text.strip().lower():
        case "on" | "yes" | "y" | "true" | "1" | "ja" | "an" | "si" | "sí":
            return True
        case "off" | "no" | "n" | "false" | "0" | "nein" | "aus":
            return False
    raise BadRequest(
        _("“{text}” is neither on nor off.").format(text=text), fix=_("Write {key}=on or {key}=off.").format(key=key)
    )
