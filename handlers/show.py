"""`show <book>`: all that is known of a book."""

from __future__ import annotations

from core.i18n import _
from core.mail.answer import Answer, Facts, Paragraph, Step, Steps
from core.mail.grammar import CommandSpec, Example
from core.mail.words import as_one_word
from handlers._books import facts, meant_book
from handlers._request import Request

SPEC = CommandSpec(
    name="show",
    summary="Show all that is known of a book",
    usage=("show <book>",),
    aliases=("details", "info", "about", "zeige", "zeig", "muestra", "mostrar"),
    min_words=1,
    takes_one_book=True,
    takes_bare_number=True,
    examples=(Example("show 2", "the second book of your last list"), Example("show dune", "the book called so")),
)


def handle(request: Request) -> Answer:
    book = meant_book(request, request.command.undivided or request.command.words)
    description = (Paragraph(book.description),) if book.description else ()
    steps = Steps(
        (
            Step(_("Send to my Kindle"), f"send #{book.id}"),
            Step(_("Correct it"), f"edit #{book.id} title={as_one_word(book.title)}"),
            Step(_("Remove it"), f"remove #{book.id}"),
        )
    )
    return Answer(book.title, (Facts(facts(book), book_id=book.id), *description, steps))
