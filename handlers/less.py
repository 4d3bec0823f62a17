"""`less <n>`: the reader wants less like this story."""

from __future__ import annotations

from core.mail.answer import Answer
from core.mail.grammar import CommandSpec, Example
from core.news.quality import Wish
from core.values import Trust
from handlers._request import Request
from handlers._stories import take_feedback

SPEC = CommandSpec(
    name="less",
    summary="Ask for less like a story of your paper",
    usage=("less <number>", "less <number> in <issue>"),
    details=(
        "It counts for the story's feed, its author and the words of its title, and moves what is like it up or down. "
        "In reply to an issue its numbers are meant, else those of the newest one."
    ),
    aliases=("fewer", "less like", "weniger", "menos"),
    prepositions=("in",),
    min_words=1,
    max_words=5,
    trust=Trust.DELIVER,
    examples=(Example("less 4", "like the fourth story of the issue"),),
    group="News",
)


def handle(request: Request) -> Answer:
    return take_feedback(request, Wish.LESS)
