"""`why <n>`: how good a story was thought to be, and why."""

from __future__ import annotations

from core.mail.answer import Answer, Block, Fact, Facts, Item, Items, Step, Steps
from core.mail.grammar import CommandSpec, Example
from core.models import DigestIssue
from handlers._request import Request
from handlers._stories import meant_stories

SPEC = CommandSpec(
    name="why",
    summary="Say why a story stands in your paper",
    usage=("why <number>", "why <number> in <issue>"),
    details=(
        "Each story has a score from 0 to 100; the answer says what it is made of. What is below the “min_quality” of "
        "your digest stays out. In reply to an issue its numbers are meant, else those of the newest one."
    ),
    aliases=("warum", "por qué"),
    prepositions=("in",),
    min_words=1,
    max_words=3,
    examples=(Example("why 3", "the third story of the issue"),),
    group="News",
)


def handle(request: Request) -> Answer:
    stories = meant_stories(request)
    blocks: list[Block] = []
    for story in stories:
        issue = request.work.session.get_one(DigestIssue, story.issue_id)
        behind = f"{story.number} in {issue.reference}"
        facts = (
            Fact("Score", f"{story.score} of 100"),
            Fact("Stood in", f"{issue.title}, {issue.local_date:%d %b %Y}"),
        )
        reasons = tuple(Item(number, reason) for number, reason in enumerate(story.reasons, start=1))
        links = (Fact("Page", story.url),) if story.url else ()
        blocks += [
            Facts((Fact("Story", story.title), *facts, *links)),
            Items(reasons, kind="reasons"),
            Steps((Step("More like this", f"more {behind}"), Step("Less like this", f"less {behind}"))),
        ]
    return Answer(f"Why story {', '.join(str(story.number) for story in stories)}", tuple(blocks))
