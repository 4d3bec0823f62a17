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
    usage=("undo", "undo <book>"),
    details=(
        "Works for 24 hours after a book was removed; several in a row bring back several. In reply to an answer it "
        "takes back what that answer tells of, where that can be done."
    ),
    aliases=("restore", "rückgängig", "deshacer"),
    max_words=2,
    trust=Trust.DELIVER,
)


def handle(request: Request) -> Answer:
    named = [word[1:19] for word in request.command.words if word.startswith("#") and word[1:].isdecimal()]
    book = request.books.undo(request.user.id, book_id=int(named[0]) if named else None)
    return Answer(
        _("Back in your library: {book}").format(book=book.title), (Steps((Step(_("Details"), f"show #{book.id}"),)),)
    )
