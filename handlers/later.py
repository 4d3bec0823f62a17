"""`later <url>`: an article of the web in the reader's next issue."""

from __future__ import annotations

from core.mail.answer import Answer
from core.mail.grammar import CommandSpec, Example
from core.values import Trust
from handlers._pages import put_aside
from handlers._request import Request

SPEC = CommandSpec(
    name="later",
    summary="Put an article of the web into your next paper",
    usage=("later <address>",),
    details=(
        "The article is fetched and stands in the next issue of your first digest, under “Saved for later”. No limit "
        "of the digest keeps it out."
    ),
    aliases=("read later", "später", "más tarde", "luego"),
    min_words=1,
    trust=Trust.DELIVER,
    takes_links=True,
    examples=(Example("later https://example.org/a-long-story", "tomorrow at breakfast"),),
    group="News",
)


def handle(request: Request) -> Answer:
    return put_aside(request)
