"""`export`: the reader's feeds as a file that any feed reader takes, attached to the answer."""

from __future__ import annotations

from core.errors import NotFound
from core.i18n import _
from core.mail.answer import Answer, AnswerFile, Paragraph, Step, Steps
from core.mail.grammar import CommandSpec, Example
from core.news.opml import OpmlFeed, write_opml
from handlers._request import Request

SPEC = CommandSpec(
    name="export",
    summary="Have your feeds as a file",
    usage=("export",),
    details=(
        "A list in OPML, which every feed reader can import, with your names and sections. Mail such a list to me, and "
        "you are subscribed to all that is in it."
    ),
    aliases=(
        "export feeds", "export my feeds", "opml", "exportiere", "exportieren", "exportiere feeds", "exportar",
        "exporta",
    ),
    max_words=1,
    examples=(Example("export", "all your feeds"),),
    group="News",
)  # fmt: skip

FILENAME = "inkpost-feeds.opml"
MEDIA_TYPE = "text/x-opml; charset=utf-8"  # the type is not registered at IANA, and what feed readers give it


def handle(request: Request) -> Answer:
    mine = sorted(request.news.all_of(request.user.id), key=lambda one: (one.section.lower(), one.name_key))
    if not mine:
        raise NotFound(
            _("You read no feeds yet, so there is nothing to export."),
            fix=_("Subscribe to one: subscribe https://example.org"),
            code="feeds.none",
        )
    feeds = (OpmlFeed(url=one.feed.url, title=one.name, section=one.section) for one in mine)
    name = request.user.name or request.user.address
    opml = write_opml(feeds, title=_("Feeds of {name}").format(name=name), made_at=request.now)
    return Answer(
        _("Your feeds as a file: {count}").format(count=len(mine)),
        (
            Paragraph(
                _("{FILENAME} is attached. Every feed reader can import it, and so can I: mail it to me.").format(
                    FILENAME=FILENAME
                )
            ),
            Steps((Step(_("My feeds"), "feeds"),)),
        ),
        files=(AnswerFile(FILENAME, MEDIA_TYPE, opml),),
    )
