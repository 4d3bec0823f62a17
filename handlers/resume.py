"""`resume <feed>`: a paused feed is in the papers again."""

from __future__ import annotations

from core.i18n import _
from core.mail.answer import Answer, Paragraph, Step, Steps
from core.mail.grammar import CommandSpec, Example
from core.mail.words import as_one_word
from core.values import Trust
from handlers._feeds import meant_feeds
from handlers._request import Request

SPEC = CommandSpec(
    name="resume",
    summary="Have a paused feed in your paper again",
    usage=("resume <feed>",),
    details="A paused paper goes on with: digest resume",
    aliases=("unpause", "unmute", "fortsetzen", "reanudar"),
    min_words=1,
    trust=Trust.DELIVER,
    examples=(Example("resume 3", "the third feed of your list"),),
    group="News",
)


def handle(request: Request) -> Answer:
    feeds = meant_feeds(request, request.command.words)
    for feed in feeds:
        request.news.resume(feed)
    label = _("Pause it") if len(feeds) == 1 else _("Pause {feed}")
    back = tuple(Step(label.format(feed=feed.name), f"pause {as_one_word(feed.name)}", reply="undo") for feed in feeds)
    return Answer(
        _("Resumed: {feeds}").format(feeds=", ".join(feed.name for feed in feeds)),
        (
            Paragraph(
                _("It is in your papers again, from yesterday's stories on.")
                if len(feeds) == 1
                else _("They are in your papers again, from yesterday's stories on.")
            ),
            Steps((*back, Step(_("My feeds"), "feeds"))),
        ),
    )
