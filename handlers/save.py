"""`save <n>`: a story of an issue becomes a book in the library; with a book attached it is `add`."""

from __future__ import annotations

from core import jobs
from core.i18n import _, in_quotes
from core.mail.answer import Answer, Paragraph, Step, Steps
from core.mail.grammar import CommandSpec, Example
from core.values import AttachmentKind, Trust
from handlers._adding import ADD_KEYS, add_attached
from handlers._request import Request
from handlers._stories import meant_stories

SPEC = CommandSpec(
    name="save",
    makes=True,
    summary="Keep a story of your paper as a book",
    usage=("save <number>", "save <number> in <issue>"),
    details=(
        "The story becomes an EPUB in your library, with its pictures. In reply to an issue its numbers are meant, "
        "else those of the newest one.\n\n"
        "With a book attached, “save” means “add”."
    ),
    aliases=("speichern", "guardar"),
    prepositions=("in",),
    keys=ADD_KEYS,
    trust=Trust.DELIVER,
    takes_attachments=frozenset({AttachmentKind.BOOK}),
    examples=(Example("save 2", "the second story of the issue"),),
    group="News",
)


def handle(request: Request) -> Answer:
    if request.attachments:
        return add_attached(request)
    stories = meant_stories(request)
    for story in stories:
        request.work.defer(
            jobs.save_story(story.article_id, user_id=request.user.id, cause=f"{request.cause}:{story.number}")
        )
    titles = in_quotes(story.title for story in stories)
    return Answer(
        _("Saving {titles}").format(titles=titles),
        (Paragraph(_("You hear from me when it is in your library.")), Steps((Step(_("My books"), "list"),))),
    )
