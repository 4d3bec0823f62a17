"""`rename <feed> to <name>`: what the reader calls a feed."""

from __future__ import annotations

from core.errors import BadRequest
from core.i18n import _
from core.mail.answer import Answer, Step, Steps
from core.mail.grammar import CommandSpec, Example
from core.values import Trust
from handlers._arguments import phrase
from handlers._feeds import meant_feeds
from handlers._request import Request

SPEC = CommandSpec(
    name="rename",
    makes=True,
    summary="Give a feed another name",
    usage=("rename <feed> to <name>", "rename <feed> in <section>"),
    details="The name stands below the feed's stories in your paper. With “in …” the feed moves to a section of it.",
    aliases=("rename feed", "move", "umbenennen", "renombrar"),
    prepositions=("to", "in"),
    min_words=1,
    trust=Trust.DELIVER,
    examples=(
        Example("rename 2 to Quanta", "the second feed of your list"),
        Example("rename Quanta in Science", "moves it to a section"),
    ),
    group="News",
)


def handle(request: Request) -> Answer:
    name, section = phrase(request.command, "to"), phrase(request.command, "in")
    if not name and not section:
        raise BadRequest(_("What is its new name?"), fix=_("Write for example: rename 2 to Quanta"))
    feeds = meant_feeds(request, request.command.words)
    if len(feeds) > 1 and name:
        raise BadRequest(
            _("You gave one name for {count} feeds.").format(count=len(feeds)),
            fix=_("Rename each with a command of its own."),
        )
    before = [feed.name for feed in feeds]
    sections = [feed.section for feed in feeds]
    for feed in feeds:
        if name:
            request.news.rename(feed, name)
        if section:
            request.news.move(feed, section)
    done = (
        _("{before} is now called {name}").format(before=before[0], name=feeds[0].name)
        if name
        else _("{feeds}: moved to {section}").format(feeds=", ".join(before), section=section)
    )
    back = tuple(_back(feed.name, *was) for feed, *was in zip(feeds, before, sections, strict=True))
    return Answer(done, (Steps((*back, Step(_("My feeds"), "feeds"))),))


def _back(name: str, was: str, section: str) -> Step:
    place = f' in "{section}"' if section else ""
    return Step(_("Undo"), f'rename "{name}" to "{was}"{place}', reply="undo")
