"""`list [page]`: the user's books, newest first."""

from __future__ import annotations

from core.i18n import _, ngettext
from core.mail.answer import Answer, Items, Paragraph, Step, Steps
from core.mail.grammar import CommandSpec, Example
from handlers._arguments import beyond, page_of
from handlers._books import BOOKS, item
from handlers._request import Request

SPEC = CommandSpec(
    name="list",
    summary="Show your books, newest first",
    usage=("list [page]",),
    details=(
        "Twenty books stand on a page. Each has a number, and until your next list “send 3” or “show 3” means the "
        "book at that number."
    ),
    aliases=(
        "ls", "books", "library", "list all", "list books", "list my books", "list all books", "my books",
        "my library", "show my books", "show my library", "show all books", "show all", "show books",
        "list page", "page", "liste", "bücher", "meine bücher", "bibliothek", "zeige meine bücher", "lista",
        "libros", "mis libros", "biblioteca",
    ),
    max_words=1,
    examples=(Example("list", "your newest books"), Example("list 2", "the second page")),
)  # fmt: skip


def handle(request: Request) -> Answer:
    wanted = page_of(request.command)
    page = request.books.list_page(request.user.id, wanted)
    if not page.rows:
        return Answer(
            _("Your library is empty"),
            (
                Paragraph(_("Mail me a book as an attachment, and it is in your library. No command is needed.")),
                Steps((Step(_("What can I write?"), "help"),)),
            ),
        )
    return Answer(
        ngettext("Your library: {count} book", "Your library: {count} books", page.total).format(count=page.total),
        (
            *beyond(wanted, page),
            Items(
                items=tuple(item(number, book) for number, book in enumerate(page.rows, start=page.first_number)),
                kind=BOOKS,
                item_ids=tuple(book.id for book in page.rows),
                page=page.page,
                pages=page.pages,
                total=page.total,
                more=Step(_("Next page"), f"list {page.page + 1}", reply="more") if page.page < page.pages else None,
            ),
        ),
    )
