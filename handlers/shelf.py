"""`shelf [name] [page]`, `shelf <book> on <shelf>`, `shelf <book> off <shelf>`: books in an order of one's own."""

from __future__ import annotations

from core.errors import BadRequest
from core.i18n import _, ngettext
from core.mail.answer import Answer, Item, Items, Paragraph, Step, Steps
from core.mail.grammar import CommandSpec, Example
from core.mail.words import as_one_word
from core.services.shelves import Shelves
from core.values import Trust
from handlers._arguments import phrase
from handlers._books import BOOKS, item, meant_book
from handlers._request import Request

SPEC = CommandSpec(
    name="shelf",
    summary="Put books on shelves, and see what stands there",
    usage=("shelf [page]", "shelf <name> [page]", "shelf <book> on <shelf>", "shelf <book> off <shelf>"),
    details=(
        "A shelf is there as soon as a book stands on it, and gone with its last one; a book may stand on several. "
        "Shelves are tags: what a file says of its subjects stands on shelves by itself, and “edit 2 tags=…” writes "
        "all of a book's at once. The numbers in the list of a shelf mean its books, for “send 2” too."
    ),
    aliases=("shelves", "my shelves", "tags", "my tags", "regal", "regale", "estante", "estantes"),
    prepositions=("on", "off"),
    trust=Trust.DELIVER,
    reading_words=("",),
    examples=(
        Example("shelf", "your shelves"),
        Example("shelf beach", "the books on one of them"),
        Example("shelf dune on beach", "puts Dune there"),
        Example("shelf 2 off beach", "takes the second book of your last list away"),
    ),
)


def handle(request: Request) -> Answer:
    command = request.command
    if target := phrase(command, "on"):
        return _put(request, target)
    if target := phrase(command, "off"):
        return _take(request, target)
    name, page = _named(request, command.words)
    return _books(request, name, page) if name else _shelves(request, page)


def _named(request: Request, words: tuple[str, ...]) -> tuple[str, int]:
    """The shelf's name, "" for none, and the page: a number at the end is one, unless the name of a shelf has it."""
    text = " ".join(words)
    *name, last = words or ("",)
    is_page = last.isascii() and last.isdigit() and int(last[:9]) > 0
    if not is_page or _on(request).called(request.user.id, text) is not None:
        return text, 1
    return " ".join(name), int(last[:9])


def _shelves(request: Request, page: int) -> Answer:
    found = _on(request).list_page(request.user.id, page)
    if not found.rows:
        return Answer(
            _("You have no shelves yet"),
            (
                Paragraph(_("Put a book on one, and it is there: shelf <book> on <shelf>")),
                Steps((Step(_("My books"), "list"),)),
            ),
        )
    items = tuple(
        Item(
            number=number,
            title=shelf.name,
            detail=ngettext("{count} book", "{count} books", shelf.books).format(count=shelf.books),
            command=f"shelf {as_one_word(shelf.name)}",
        )
        for number, shelf in enumerate(found.rows, start=found.first_number)
    )
    more = Step(_("Next page"), f"shelf {found.page + 1}") if found.page < found.pages else None
    return Answer(
        ngettext("You have {count} shelf", "You have {count} shelves", found.total).format(count=found.total),
        (Items(items, kind="shelves", page=found.page, pages=found.pages, total=found.total, more=more),),
    )


def _books(request: Request, name: str, page: int) -> Answer:
    found = _on(request).books(request.user.id, name, page)
    name = _on(request).called(request.user.id, name) or name
    more = Step(_("Next page"), f"shelf {as_one_word(name)} {found.page + 1}") if found.page < found.pages else None
    return Answer(
        ngettext("On “{name}”: {count} book", "On “{name}”: {count} books", found.total).format(
            name=name, count=found.total
        ),
        (
            Items(
                items=tuple(item(number, book) for number, book in enumerate(found.rows, start=found.first_number)),
                kind=BOOKS,
                item_ids=tuple(book.id for book in found.rows),
                page=found.page,
                pages=found.pages,
                total=found.total,
                more=more,
            ),
            Steps((Step(_("My shelves"), "shelf"), Step(_("My books"), "list"))),
        ),
    )


def _put(request: Request, target: str) -> Answer:
    book = meant_book(request, request.command.words)
    name = _on(request).put(book, target)
    steps = (
        Step(_("The shelf"), f"shelf {as_one_word(name)}"),
        Step(_("Off again"), f"shelf #{book.id} off {as_one_word(name)}"),
    )
    return Answer(_("“{title}” stands on “{name}”").format(title=book.title, name=name), (Steps(steps),))


def _take(request: Request, target: str) -> Answer:
    if not request.command.words:
        raise BadRequest(_("Which book?"), fix=_("Write: shelf <book> off <shelf>"))
    book = meant_book(request, request.command.words)
    _on(request).take(book, target)
    back = Step(_("Put it back"), f"shelf #{book.id} on {as_one_word(target)}")
    return Answer(_("“{title}” is off “{name}”").format(title=book.title, name=target), (Steps((back,)),))


def _on(request: Request) -> Shelves:
    return Shelves(request.work)
