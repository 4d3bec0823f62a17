"""How books look in answers, and which book a command means."""

from __future__ import annotations

from collections.abc import Sequence

from core.errors import BadRequest
from core.i18n import N_, _
from core.mail.answer import Fact, Item, Items, Step
from core.models import Book
from core.models.book import SyncStatus
from core.sizes import size_in_words
from handlers._request import Request

BOOKS = "books"
"""The kind of listing whose numbers mean books."""

_SENT = {
    SyncStatus.NEVER: "",
    SyncStatus.PENDING: N_("on its way"),
    SyncStatus.ACCEPTED: N_("handed to the mail relay"),
    SyncStatus.FAILED: N_("could not be sent"),
    SyncStatus.UNKNOWN: N_("may have been sent"),
}


def meant_book(request: Request, words: Sequence[str]) -> Book:
    """The book that words mean: a number of the last list, an id, or words of its title. Raises `BadRequest` for no
    words, `NotFound`, and `Conflict` with a numbered choice for several."""
    if not words:
        raise BadRequest(_("Which book?"), fix=_("Name it by its number in the last list, or by words of its title."))
    may_guess = not request.grammar.specs[request.command.name].is_destructive
    return request.books.resolve(request.user.id, tuple(words), listing=request.shown(BOOKS), may_guess=may_guess)


def one_line(book: Book) -> str:
    """Authors, format, size and what became of its newest delivery."""
    parts = (
        ", ".join(book.authors),
        book.format.value.upper(),
        size_in_words(book.size_bytes),
        _(_SENT[book.sync_status]),
    )
    return " · ".join(part for part in parts if part)


def item(number: int, book: Book) -> Item:
    """A book in a list. What a tap writes names it by its id, which means the same in every mail."""
    return Item(
        number=number,
        title=book.title,
        detail=one_line(book),
        steps=(Step(_("Send"), f"send #{book.id}"),),
        command=f"show #{book.id}",
    )


def numbered(books: Sequence[Book], *, first: int = 1) -> Items:
    """Books as a list of their own, not divided into pages."""
    return Items(
        items=tuple(item(number, book) for number, book in enumerate(books, start=first)),
        kind=BOOKS,
        item_ids=tuple(book.id for book in books),
        total=len(books),
    )


def facts(book: Book) -> tuple[Fact, ...]:
    """All that is known of a book, empty facts left out."""
    series = book.series or ""
    if series and book.series_index is not None:
        series += _(", no. {number}").format(number=f"{book.series_index:g}")
    known = (
        (_("Title"), book.title),
        (_("Author"), ", ".join(book.authors)),
        (_("Series"), series),
        (_("Genre"), book.genre),
        (_("Tags"), ", ".join(book.tags)),
        (_("Language"), book.language),
        (_("Identifiers"), ", ".join(book.identifiers)),
        (_("Format"), f"{book.format.value.upper()}, {size_in_words(book.size_bytes)}"),
        (_("Number"), f"#{book.id}"),
    )
    return tuple(Fact(label, value) for label, value in known if value)
