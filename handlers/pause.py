"""`pause <feed>`: it stays out of the papers until it is resumed."""

from __future__ import annotations

from core.errors import BadRequest, NotFound
from core.i18n import _
from core.mail.answer import Answer, Paragraph, Step, Steps
from core.mail.grammar import CommandSpec, Example
from core.mail.words import as_one_word, fold
from core.models import Subscription
from core.values import Trust
from handlers._feeds import meant_feeds
from handlers._request import Request

SPEC = CommandSpec(
    name="pause",
    summary="Keep a feed out of your paper for a while",
    usage=("pause <feed>",),
    details=(
        "Until you write “resume”, its stories stay out of your paper; what comes meanwhile is not made up for.\n\n"
        "A whole paper is paused with: digest pause until 12 Aug"
    ),
    aliases=("mute", "pausiere", "pausar"),
    min_words=1,
    trust=Trust.DELIVER,
    examples=(Example("pause 3", "the third feed of your list"),),
    group="News",
)


_UNTIL = frozenset({"until", "till", "bis", "hasta"})
_PAPER = _UNTIL | {"digest", "paper", "zeitung"}
"""What begins what is meant for a digest, and is no feed's name."""


def handle(request: Request) -> Answer:
    if (first := fold(" ".join(request.command.words[:1]))) in _PAPER:
        until = " ".join(request.command.words[first in ("digest", "paper", "zeitung") :])
        raise BadRequest(
            _("This pauses a feed, and I think that you mean your paper."),
            fix=_("Write: {command}").format(command=f"digest pause {until}".strip()),
            blocks=(Steps((Step(_("Pause my paper"), f"digest pause {until}".strip()),)),),
        )
    feeds = _feeds(request)
    for feed in feeds:
        request.news.pause(feed)
    label = _("Resume it") if len(feeds) == 1 else _("Resume {feed}")
    back = tuple(Step(label.format(feed=feed.name), f"resume {as_one_word(feed.name)}", reply="undo") for feed in feeds)
    return Answer(
        _("Paused: {feeds}").format(feeds=", ".join(feed.name for feed in feeds)),
        (
            Paragraph(
                _("It stays out of your papers until you resume it.")
                if len(feeds) == 1
                else _("They stay out of your papers until you resume them.")
            ),
            Steps((*back, Step(_("My feeds"), "feeds"))),
        ),
    )


def _feeds(request: Request) -> tuple[Subscription, ...]:
    words = request.command.words
    try:
        return meant_feeds(request, words)
    except NotFound as error:
        place = next((place for place, word in enumerate(words) if fold(word) in _UNTIL), None)
        if place is None:
            raise
        feed, day = " ".join(words[:place]), " ".join(words[place:])
        steps = Step(_("Pause the feed"), f"pause {feed}"), Step(_("Pause my paper"), f"digest pause {day}")
        raise BadRequest(
            _("A feed is paused until you resume it, and not until a day; a whole paper can be."),
            fix=_("Write: {command}").format(command=f"pause {feed}"),
            blocks=(Steps(steps),),
        ) from error
