"""`share <book> with <person>`, `share feeds with <person>`: what one of the household lets another have."""

from __future__ import annotations

from core.errors import BadRequest
from core.i18n import _, ngettext
from core.mail.answer import Answer, Block, Fact, Facts, Item, Items, Paragraph, Step, Steps
from core.mail.grammar import CommandSpec, Example
from core.models import Book, User
from core.services.household import called
from core.values import Trust
from handlers._arguments import beyond, page_of, phrase
from handlers._books import meant_book
from handlers._request import Request
from handlers._sharing import household, is_about_feeds

SPEC = CommandSpec(
    name="share",
    summary="Let somebody else here have a book, or your list of feeds",
    usage=("share [page]", "share <book> with <person>", "share feeds with <person>"),
    details=(
        "The person is somebody who uses this service too, by name or address. They are told by mail, and the book is "
        "in their library: it counts there as any book of theirs, and they may remove it. “unshare” takes it back.\n\n"
        "Who has your list of feeds subscribes to all of them by one tap, whenever they like: what you have added by "
        "then is in it.\n\n"
        "“share” alone shows what others have from you."
    ),
    aliases=("lend", "teile", "teilen", "compartir", "comparte"),
    prepositions=("with",),
    takes_one_book=True,
    trust=Trust.CHANGE,
    reading_words=("",),
    examples=(
        Example("share dune with Bob", "Dune is in Bob's library too"),
        Example("share 2 with bob@example.org", "the second book of your last list"),
        Example("share feeds with Bob", "Bob may read what you read"),
    ),
)


def handle(request: Request) -> Answer:
    whom, words = phrase(request.command, "with"), request.command.words
    if not whom:
        if len(words) > 1 or (words and not words[0].isdigit()):
            raise BadRequest(_("With whom?"), fix=_("Write: share {book} with <person>").format(book=" ".join(words)))
        return _given(request)
    reader = household(request).person(request.user.id, whom)
    if is_about_feeds(words):
        return _feeds(request, reader)
    return _book(request, meant_book(request, words), reader)


def _book(request: Request, book: Book, reader: User) -> Answer:
    given = household(request).share(book, reader)
    if not given.is_new:
        return Answer(
            _("{name} has it already: {title}").format(name=called(reader), title=book.title),
            (Steps((Step(_("What I share"), "share"),)),),
        )
    back = Step(_("Take it back"), f"unshare #{book.id} from {reader.address}")
    return Answer(
        _("Shared with {name}: {title}").format(name=called(reader), title=book.title),
        (Paragraph(_("They are told by mail.")), Steps((back, Step(_("What I share"), "share")))),
    )


def _feeds(request: Request, reader: User) -> Answer:
    count = household(request).share_feeds(request.user.id, reader)
    title = ngettext(
        "Your list of {count} feed is shared with {name}", "Your list of {count} feeds is shared with {name}", count
    )
    back = Step(_("Take it back"), f"unshare feeds from {reader.address}")
    return Answer(
        title.format(count=count, name=called(reader)),
        (
            Paragraph(_("They are told by mail, and subscribe with one tap.")),
            Steps((back, Step(_("My feeds"), "feeds"))),
        ),
    )


def _given(request: Request) -> Answer:
    """What others have from this reader, with page two."""
    wanted = page_of(request.command)
    page = household(request).given_page(request.user.id, wanted)
    readers = household(request).feed_readers(request.user.id)
    if not page.rows and not readers:
        return Answer(
            _("You share nothing yet"),
            (
                Paragraph(_("A book goes to somebody else here with: share <book> with <person>")),
                Steps((Step(_("My books"), "list"), Step(_("How it is done"), "help share"))),
            ),
        )
    blocks: list[Block] = [*beyond(wanted, page)]
    if page.rows:
        items = tuple(_item(request, *one) for one in enumerate(page.rows, start=page.first_number))
        more = Step(_("Next page"), f"share {page.page + 1}") if page.page < page.pages else None
        blocks.append(Items(items, kind="shares", page=page.page, pages=page.pages, total=page.total, more=more))
    if readers:
        blocks.append(Facts((Fact(_("Your feeds"), ", ".join(called(one) for one in readers)),)))
    blocks.append(Steps((*(Step(_("Feeds: take back"), f"unshare feeds from {one.address}") for one in readers),)))
    title = ngettext("You share {count} book", "You share {count} books", page.total).format(count=page.total)
    return Answer(title, tuple(blocks))


def _item(request: Request, number: int, book: Book) -> Item:
    reader = request.work.session.get_one(User, book.user_id)
    own = household(request).own_copy(request.user.id, book)
    return Item(
        number=number,
        title=book.title,
        detail=called(reader),
        steps=(Step(_("Take it back"), f"unshare #{own.id} from {reader.address}"),) if own is not None else (),
    )
