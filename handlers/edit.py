"""`edit <book> title=… author=…`: what the library says of a book; the file itself is never changed."""

from __future__ import annotations

from core.errors import BadRequest, NotFound
from core.i18n import _
from core.mail.answer import Answer, Facts, Step, Steps
from core.mail.grammar import CommandSpec, Example
from core.mail.subjects import LONGEST_COMMAND
from core.mail.words import as_one_word
from core.models import Book
from core.values import Trust
from handlers._arguments import refuse_unknown_options
from handlers._books import facts, meant_book
from handlers._request import Request

SPEC = CommandSpec(
    name="edit",
    summary="Change what is said of a book",
    usage=("edit <book> title=… author=… genre=… tags=… series=… language=…",),
    details=(
        "Title 1 to 500 characters, author 1 to 200, genre at most 100. Several authors are divided by semicolons, "
        "tags by commas; an empty value (genre=) takes away what was there. "
        "A value with quotes or an = of its own stands in straight quotes. The file that you mailed is never changed; "
        "the copy that goes to a device as EPUB has title, author and language as you write them."
    ),
    aliases=("change", "correct", "update", "ändere", "bearbeite", "cambia", "editar"),
    keys=("title", "author", "genre", "tags", "series", "language"),
    min_words=1,
    takes_one_book=True,
    trust=Trust.DELIVER,
    examples=(
        Example("edit 2 author=Ursula K. Le Guin", "sets the author"),
        Example("edit dune tags=desert, classic", "sets two tags"),
    ),
)


def handle(request: Request) -> Answer:
    refuse_unknown_options(request.command, SPEC.keys)
    if not request.command.options:
        raise BadRequest(_("What shall be changed?"), fix=_("Write for example: edit 2 title=Dune"))
    book = _book(request)
    before = _before(book, tuple(request.command.options))
    book = request.books.edit(request.user.id, book.id, request.command.options)
    return Answer(
        _("Changed: {book}").format(book=book.title),
        (
            Facts(facts(book)),
            Steps(
                (Step(_("Send to my Kindle"), f"send #{book.id}"), Step(_("My books"), "list"), *_undo(book, before))
            ),
        ),
    )


def _book(request: Request) -> Book:
    try:
        return meant_book(request, request.command.words)
    except NotFound as error:
        if len(request.command.words) == 1:
            raise
        # Of title=“Curly” quotes, the second word is read as one of the book's.
        fix = _("A value that has quotes of its own is put in straight quotes as a whole: {example}")
        raise NotFound(error.text, fix=fix.format(example='title="The “Nautilus”"'), code=error.code) from error


def _before(book: Book, keys: tuple[str, ...]) -> dict[str, str]:
    """What is said of a book, as the options that say it."""
    said = {
        "title": book.title,
        "author": "; ".join(book.authors),
        "genre": book.genre or "",
        "tags": ", ".join(book.tags),
        "series": book.series or "",
        "language": book.language or "",
    }
    return {key: said[key] for key in keys}


def _undo(book: Book, before: dict[str, str]) -> tuple[Step, ...]:
    """() for what no command holds: half a title is not what was there."""
    options = " ".join(f"{key}={as_one_word(value)}" for key, value in before.items())
    line = f"edit #{book.id} {options}"
    return (Step(_("Undo"), line, reply="undo"),) if len(line) <= LONGEST_COMMAND else ()
