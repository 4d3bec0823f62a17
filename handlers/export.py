"""`export`: the reader's feeds as a file that feed readers take; `export all`: everything that is kept about them."""

from __future__ import annotations

from core.errors import BadRequest, NotFound
from core.i18n import _, ngettext
from core.mail.answer import Answer, AnswerFile, Paragraph, Step, Steps
from core.mail.grammar import CommandSpec, Example
from core.mail.words import fold
from core.models.feed import FeedState
from core.news.opml import OpmlFeed, write_opml
from core.services.takeouts import Takeouts
from handlers._arguments import page_of
from handlers._request import Request

SPEC = CommandSpec(
    name="export",
    summary="Have your feeds as a file, or all that is kept about you",
    usage=("export", "export all [page]"),
    details=(
        "A list in OPML, which every feed reader can import, with your names and sections. Mail such a list to me, and "
        "you are subscribed to all that is in it.\n\n"
        "“export all” makes archives of your books, feeds, settings, mails and all rows about you (JSON), and mails "
        "them: at most ten mails at once. A book that no mail takes comes as a link that is good for a week, where the "
        "service can make such links."
    ),
    aliases=(
        "export feeds", "export my feeds", "opml", "exportiere", "exportieren", "exportiere feeds", "exportar",
        "exporta",
    ),
    max_words=3,
    examples=(Example("export", "all your feeds"), Example("export all", "everything that is kept about you")),
    group="News",
)  # fmt: skip

FILENAME = "inkpost-feeds.opml"
MEDIA_TYPE = "text/x-opml; charset=utf-8"  # the type is not registered at IANA, and what feed readers give it


EVERYTHING = frozenset(("all", "everything", "data", "alles", "daten", "todo", "datos"))
SMALL = frozenset(("my", "meine", "mis"))


def handle(request: Request) -> Answer:
    words = [fold(word) for word in request.command.words if fold(word) not in SMALL]
    if words and words[0] in EVERYTHING:
        return _everything(request, page_of(request.command) if len(words) > 1 else 1)
    if words and words != ["feeds"]:
        raise BadRequest(
            _("“{words}” cannot be exported.").format(words=" ".join(request.command.words)),
            fix=_("Write export for your feeds, or export all for everything."),
        )
    return _feeds(request)


def _everything(request: Request, page: int) -> Answer:
    """Made later: it may be many books."""
    Takeouts(request.work).ask(request.user.id, page=page, cause=request.cause)
    return Answer(
        _("Your data is being put together"),
        (
            Paragraph(_("You hear from me when it is ready. The archives come as mails to this address.")),
            Steps((Step(_("My feeds as a file"), "export"),)),
        ),
    )


def _feeds(request: Request) -> Answer:
    fetched = [one for one in request.news.all_of(request.user.id) if one.feed.state is not FeedState.LETTERS]
    mine = sorted(fetched, key=lambda one: (one.section.lower(), one.name_key))
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
        ngettext("Your {count} feed as a file", "Your {count} feeds as a file", len(mine)).format(count=len(mine)),
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
