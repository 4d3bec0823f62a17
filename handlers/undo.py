"""`undo`: the book that was removed last comes back."""

from __future__ import annotations

from core.i18n import _
from core.mail.answer import Answer, Step, Steps
from core.mail.grammar import CommandSpec
from core.values import Trust
from handlers._request import Request

SPEC = CommandSpec(
    name="undo",
    summary="Bring back what you removed last",
    usage=("undo",),
    details="Works for 24 hours after a book was removed; several in a row bring back several.",
    aliases=("restore", "rückgängig", "deshacer"),
    max_words=2,
    trust=Trust.DELIVER,
)


def handle(request: Request) -> Answer:
    book = request.books.undo(request.user.id)
    return Answer(
        _("Back in your library: {book}").format(book=book.title), (Steps((Step(_("Details"), f"show #{book.id}"),)),)
    )
