"""`stats`: the user's library in numbers."""

from __future__ import annotations

from core.i18n import _, ngettext
from core.mail.answer import Answer, Fact, Facts, Step, Steps
from core.mail.grammar import CommandSpec
from core.services.room import Room
from core.sizes import size_in_words
from handlers._request import Request

SPEC = CommandSpec(
    name="stats",
    summary="Count your books",
    usage=("stats",),
    aliases=("statistics", "statistik", "estadísticas"),
    max_words=0,
    group="You",
)


def handle(request: Request) -> Answer:
    stats = request.books.stats(request.user.id)
    room = Room.of(request.work, request.user.id)
    formats = ", ".join(f"{count} {name.upper()}" for name, count in stats.by_format)
    return Answer(
        ngettext("{count} book in your library", "{count} books in your library", stats.books).format(
            count=stats.books
        ),
        (
            Facts(
                (
                    Fact(_("Books"), f"{stats.books}" + (f" ({formats})" if formats else "")),
                    Fact(_("Size"), size_in_words(stats.size_bytes)),
                    Fact(_("May hold"), room.most_in_words),
                    Fact(_("Added in 30 days"), str(stats.added_lately)),
                    Fact(_("Handed to the relay"), str(stats.sent)),
                )
            ),
            Steps((Step(_("My books"), "list"),)),
        ),
    )
