"""`unsubscribe <feed>`: its stories stay out of the reader's papers from now on."""

from __future__ import annotations

from core.i18n import _
from core.mail.answer import Answer, Paragraph, Step, Steps
from core.mail.grammar import CommandSpec, Example
from core.mail.words import as_one_word
from core.models import Subscription
from core.models.feed import FeedState
from core.values import Trust
from handlers._feeds import meant_feeds
from handlers._request import Request

SPEC = CommandSpec(
    name="unsubscribe",
    summary="Leave a feed",
    usage=("unsubscribe <feed>",),
    details="The feed is named by its number in “feeds”, by its name or words of it, or by its address.",
    aliases=("unsub", "unfollow", "unsubscribe from", "stop feed", "abbestellen", "abbestelle", "desuscribir"),
    min_words=1,
    trust=Trust.CHANGE,
    is_destructive=True,
    examples=(
        Example("unsubscribe 2", "the second feed of your list"),
        Example("unsubscribe Quanta", "the feed called so"),
    ),
    group="News",
)


def handle(request: Request) -> Answer:
    feeds = meant_feeds(request, request.command.words)
    label = _("Subscribe again") if len(feeds) == 1 else _("{feed} again")
    back = tuple(Step(label.format(feed=feed.name), _again(feed), reply="undo") for feed in feeds)
    for feed in feeds:
        request.news.unsubscribe(feed)
    return Answer(
        _("Unsubscribed: {feeds}").format(feeds=", ".join(feed.name for feed in feeds)),
        (
            Paragraph(_("Nothing of it comes any more.") if len(feeds) == 1 else _("Nothing of them comes any more.")),
            Steps((*back, Step(_("My feeds"), "feeds"))),
        ),
    )


def _again(feed: Subscription) -> str:
    """Under the name and in the section that the reader gave it; a newsletter by its address of before."""
    if feed.feed.state is FeedState.LETTERS:
        return f"newsletter unburn {as_one_word(feed.name)}"
    section = f" in {as_one_word(feed.section)}" if feed.section else ""
    return f"subscribe {feed.feed.url} as {as_one_word(feed.name)}{section}"
