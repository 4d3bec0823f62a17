"""`find <words>`: search in titles, authors, series, tags and descriptions."""

from __future__ import annotations

from core.errors import BadRequest
from core.mail.answer import Answer, Paragraph, Step, Steps
from core.mail.grammar import CommandSpec, Example
from core.services.book_manager import FOUND
from handlers._books import numbered
from handlers._request import Request

SPEC = CommandSpec(
    name="find",
    summary="Search your library",
    usage=("find <words>",),
    details=(
        "Looks in titles, authors, series, genres, tags and descriptions; accents and case do not matter, and the "
        "last word may be only a beginning. Where nothing matches, words that are spelt nearly like yours are tried."
    ),
    aliases=(
        "search", "search for", "look for", "lookup", "suche", "suchen", "suche nach", "finde", "buscar",
        "busca", "encuentra",
    ),
    min_words=1,
    takes_bare_words=True,
    examples=(Example("find dune", "books with “dune”"), Example("find tolkein", "finds Tolkien all the same")),
)  # fmt: skip


def handle(request: Request) -> Answer:
    words = " ".join(request.command.undivided or request.command.words)
    if not words:
        raise BadRequest("What shall I look for?", fix="Write find and a word or two, such as: find dune")
    found = request.books.find(request.user.id, words)
    if not found.books:
        return Answer(
            f"Nothing found for “{words}”",
            (Steps((Step("All my books", "list"), Step("What can I write?", "help"))),),
        )
    count = len(found.books)
    items = numbered(found.books)
    if found.corrected_to is None:
        many = f"The best {count} books" if count == FOUND else f"{count} book{'s' * (count != 1)}"
        return Answer(f"{many} with “{words}”", (items,))
    return Answer(
        f"Nothing with “{words}”, but with “{found.corrected_to}”",
        (Paragraph(f"Nothing in your library has “{words}”. These have “{found.corrected_to}”:"), items),
    )
