"""`popular`: the user's books by how often they were sent."""

from __future__ import annotations

from core.i18n import _
from core.mail.answer import Answer, Paragraph, Step, Steps
from core.mail.grammar import CommandSpec
from handlers._books import numbered
from handlers._request import Request

SPEC = CommandSpec(
    name="popular",
    summary="Show which of your books you send most",
    usage=("popular",),
    details="Only your own books count: nobody sees what others read.",
    aliases=("top", "most popular", "beliebt", "populares"),
    max_words=1,
)


def handle(request: Request) -> Answer:
    books = request.books.popular(request.user.id)
    if not books:
        return Answer(
            _("No book was sent yet"),
            (Paragraph(_("Send one with: send <book>")), Steps((Step(_("My books"), "list"),))),
        )
    return Answer(_("What you send most"), (numbered(books),))
