"""`remove <book>`: out of the library, with a day to think better of it."""

from __future__ import annotations

from core.i18n import _
from core.mail.answer import Answer, Paragraph, Step, Steps
from core.mail.grammar import CommandSpec, Example
from core.values import Trust
from handlers._books import meant_book
from handlers._request import Request

SPEC = CommandSpec(
    name="remove",
    summary="Take a book out of your library",
    usage=("remove <book>",),
    details="“undo” brings the last removed book back for 24 hours. A misspelt “remove” is never guessed at.",
    aliases=("delete", "del", "rm", "lösche", "löschen", "entferne", "borrar", "borra", "elimina", "quitar"),
    min_words=1,
    takes_one_book=True,
    trust=Trust.CHANGE,
    is_destructive=True,
    examples=(Example("remove 2", "the second book of your last list"),),
)


def handle(request: Request) -> Answer:
    book = meant_book(request, request.command.undivided or request.command.words)
    request.books.remove(request.user.id, book.id)
    return Answer(
        _("Removed: {book}").format(book=book.title),
        (
            Paragraph(_("You can bring it back for 24 hours.")),
            Steps((Step(_("Undo"), f"undo #{book.id}", reply="undo"), Step(_("My books"), "list"))),
        ),
    )
