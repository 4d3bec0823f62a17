"""`rename <feed> to <name>`: what the reader calls a feed."""

from __future__ import annotations

from core.errors import BadRequest
from core.i18n import _
from core.mail.answer import Answer, Paragraph, Step, Steps
from core.mail.grammar import CommandSpec, Example
from core.mail.words import as_one_word
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
    moves = "in" in request.command.phrases  # also in "", which is none
    if not name and not moves:
        raise BadRequest(_("What is its new name?"), fix=_("Write for example: rename 2 to Quanta"))
    feeds = meant_feeds(request, request.command.words)
    if len(feeds) > 1 and name:
        raise BadRequest(
            _("You gave one name for {count} feeds.").format(count=len(feeds)),
            fix=_("Rename each with a command of its own."),
        )
    before = [feed.name for feed in feeds]
    sections = [feed.section if moves else None for feed in feeds]
    for feed in feeds:
        if name:
            request.news.rename(feed, name)
        if moves:
            request.news.move(feed, section)
    named = _("{before} is now called {name}").format(before=before[0], name=feeds[0].name)
    moved = (_("{feeds}: moved to {section}") if section else _("{feeds}: in no section any more")).format(
        feeds=", ".join(feed.name for feed in feeds), section=section
    )
    back = tuple(_back(feed.name, was, place) for feed, was, place in zip(feeds, before, sections, strict=True))
    return Answer(
        named if name else moved,
        (*((Paragraph(moved),) if name and moves else ()), Steps((*back, Step(_("My feeds"), "feeds")))),
    )


def _back(name: str, was: str, section: str | None) -> Step:
    to = f" to {as_one_word(was)}" if was != name else ""
    place = f" in {as_one_word(section)}" if section is not None else ""
    return Step(_("Undo"), f"rename {as_one_word(name)}{to}{place}", reply="undo")
