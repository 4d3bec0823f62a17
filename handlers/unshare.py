"""`unshare <book> [from <person>]`, `unshare feeds from <person>`: what was shared is taken back."""

from __future__ import annotations

from core.errors import BadRequest
from core.i18n import _, listed
from core.mail.answer import Answer, Paragraph, Step, Steps
from core.mail.grammar import CommandSpec, Example
from core.services.household import called
from core.values import Trust
from handlers._arguments import phrase
from handlers._books import meant_book
from handlers._request import Request
from handlers._sharing import household, is_about_feeds

SPEC = CommandSpec(
    name="unshare",
    summary="Take back what you share",
    usage=("unshare <book> [from <person>]", "unshare feeds from <person>"),
    details=(
        "The book leaves the other's library at once, and they are told. What is on their devices stays there, and so "
        "do the feeds that they subscribed to. Without a person it is taken back from everybody."
    ),
    aliases=("unlend", "stop sharing", "nicht mehr teilen", "dejar de compartir"),
    prepositions=("from", "with"),
    min_words=1,
    trust=Trust.CHANGE,
    is_destructive=True,
    examples=(Example("unshare dune from Bob", "only you have it then"),),
)


def handle(request: Request) -> Answer:
    words = request.command.words
    whom = phrase(request.command, "from") or phrase(request.command, "with")
    reader = household(request).person(request.user.id, whom) if whom else None
    if is_about_feeds(words):
        if reader is None:
            raise BadRequest(_("From whom?"), fix=_("Write: unshare feeds from <person>"))
        household(request).unshare_feeds(request.user.id, reader)
        return Answer(
            _("{name} does not have the list of your feeds any more").format(name=called(reader)),
            (Steps((Step(_("Share it again"), f"share feeds with {reader.address}"),)),),
        )
    book = meant_book(request, words)
    readers = household(request).unshare(book, reader)
    again = tuple(
        Step(
            _("Share it again") if len(readers) == 1 else _("{name}: share it again").format(name=called(one)),
            f"share #{book.id} with {one.address}",
        )
        for one in readers
    )
    return Answer(
        _("Taken back: {title}").format(title=book.title),
        (Paragraph(_("From {names}.").format(names=listed([called(one) for one in readers]))), Steps(again)),
    )
