"""`pause <feed>`: it stays out of the papers until it is resumed."""

from __future__ import annotations

from core.errors import BadRequest
from core.mail.answer import Answer, Paragraph, Step, Steps
from core.mail.grammar import CommandSpec, Example
from core.mail.words import fold
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


_PAPER = frozenset({"until", "till", "digest", "paper", "bis", "hasta", "zeitung"})
"""What begins what is meant for a digest, and is no feed's name."""


def handle(request: Request) -> Answer:
    if (first := fold(request.command.words[0])) in _PAPER:
        until = " ".join(request.command.words[first in ("digest", "paper", "zeitung") :])
        raise BadRequest(
            "This pauses a feed, and I think that you mean your paper.",
            fix=f"Write: digest pause {until}".strip(),
            blocks=(Steps((Step("Pause my paper", f"digest pause {until}".strip()),)),),
        )
    feeds = meant_feeds(request, request.command.words)
    for feed in feeds:
        request.news.pause(feed)
    back = tuple(Step(f"Resume {feed.name}", f"resume {feed.name}") for feed in feeds)
    return Answer(
        f"Paused: {', '.join(feed.name for feed in feeds)}",
        (
            Paragraph("It stays out of your papers until you resume it."),
            Steps((*back, Step("My feeds", "feeds"))),
        ),
    )
