"""`read <url>`: an article of the web as a book on the e-reader, now."""

from __future__ import annotations

from core.errors import BadRequest
from core.i18n import _
from core.mail.answer import Answer
from core.mail.grammar import CommandSpec, Example
from core.mail.words import is_number
from core.values import Trust
from handlers._pages import fetch_now
from handlers._request import Request

SPEC = CommandSpec(
    name="read",
    summary="Send an article of the web to your Kindle",
    usage=("read <address>",),
    details=(
        "The article is fetched, cleaned of everything around it, and sent to your default device as an EPUB. Without "
        "a device it goes into your library.\n\n"
        "A mail that holds nothing but one to five addresses means “later”, or with “settings links=now” this: share a "
        "page from your phone to me."
    ),
    aliases=("lies", "lesen", "leer", "read now", "fetch"),
    min_words=1,
    trust=Trust.DELIVER,
    takes_links=True,
    examples=(Example("read https://example.org/a-long-story", "on your Kindle in a minute"),),
    group="News",
)


def handle(request: Request) -> Answer:
    if request.command.words and all(map(is_number, request.command.words)):
        story = " ".join(request.command.words)
        raise BadRequest(
            _("“{said}” is no address of a web page.").format(said=story),
            fix=_("The full text of a story of your paper goes to your e-reader with: send {story}").format(
                story=story
            ),
        )
    return fetch_now(request)
