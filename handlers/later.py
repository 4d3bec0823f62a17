"""`later <url>`: an article of the web in the reader's next issue."""

from __future__ import annotations

from core.mail.answer import Answer
from core.mail.grammar import CommandSpec, Example
from core.values import Trust
from handlers._links import take_links
from handlers._pages import put_aside
from handlers._request import Request

SPEC = CommandSpec(
    name="later",
    summary="Put an article of the web into your next paper",
    usage=("later <address>",),
    details=(
        "The article is fetched and stands in the next issue of your first digest, under “Saved for later”. No limit "
        "of the digest keeps it out.\n\n"
        "A mail that holds nothing but one to five addresses means the same: share a page from your phone to me. If "
        "you want such pages on your e-reader at once, write: settings links=now"
    ),
    aliases=("read later", "später", "más tarde", "luego"),
    min_words=1,
    trust=Trust.DELIVER,
    takes_links=True,
    takes_bare_links=True,
    examples=(Example("later https://example.org/a-long-story", "tomorrow at breakfast"),),
    group="News",
)


def handle(request: Request) -> Answer:
    return take_links(request) if request.command.is_implied else put_aside(request)
