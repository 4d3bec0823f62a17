"""`find <words>`: search in titles, authors, series, tags and descriptions."""

from __future__ import annotations

from core.errors import BadRequest
from core.i18n import _, ngettext
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
        raise BadRequest(_("What shall I look for?"), fix=_("Write find and a word or two, such as: find dune"))
    found = request.books.find(request.user.id, words)
    if not found.books:
        return Answer(
            _("Nothing found for “{words}”").format(words=words),
            (Steps((Step(_("All my books"), "list"), Step(_("What can I write?"), "help"))),),
        )
    count = len(found.books)
    items = numbered(found.books)
    if found.corrected_to is None:
        many = ngettext("{count} book with “{words}”", "{count} books with “{words}”", count)
        title = _("The best {count} books with “{words}”") if count == FOUND else many
        return Answer(title.format(count=count, words=words), (items,))
    return Answer(
        _("Nothing with “{words}”, but with “{other}”").format(words=words, other=found.corrected_to),
        (
            Paragraph(
                _("Nothing in your library has “{words}”. These have “{other}”:").format(
                    words=words, other=found.corrected_to
                )
            ),
            items,
        ),
    )
