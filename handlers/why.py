"""`why <n>`: how good a story was thought to be, and why. `why <book>`: what was changed in the copy that was sent."""

from __future__ import annotations

from core.books.kindle.words import RECIPE_WORDS, RULE_WORDS
from core.errors import NotFound
from core.i18n import _, dated
from core.mail.answer import Answer, Block, Fact, Facts, Item, Items, Paragraph, Step, Steps
from core.mail.grammar import CommandSpec, Example
from core.models import Book, Derived, DigestIssue
from handlers._books import meant_book
from handlers._request import Request
from handlers._stories import meant_stories

_SHOWN = 3  # changes of one rule: a book can have a thousand

SPEC = CommandSpec(
    name="why",
    summary="Say why a story stands in your paper, or what was changed in a book",
    usage=("why <number>", "why <number> in <issue>", "why <book>"),
    details=(
        "Each story has a score from 0 to 100; the answer says what it is made of. What is below the “min_quality” of "
        "your digest stays out. In reply to an issue its numbers are meant, else those of the newest one.\n\n"
        "A title, or the number with # of a book, tells what was changed in the copy that was sent to your device, and "
        "for what reason. What you mailed me is never changed."
    ),
    aliases=("warum", "por qué"),
    prepositions=("in",),
    min_words=1,
    examples=(
        Example("why 3", "the third story of the issue"),
        Example("why dune", "what was changed in the copy of a book"),
    ),
    group="News",
)


def handle(request: Request) -> Answer:
    if not all(word.isdigit() for word in request.command.words):
        return _why_book(request, meant_book(request, request.command.undivided))
    try:
        stories = meant_stories(request)
    except NotFound:
        # Whoever has never had an issue, and writes a number, means the list of books that they have just seen.
        if DigestIssue.shown(request.work.session, user_id=request.user.id) is not None:
            raise
        return _why_book(request, meant_book(request, request.command.words))
    blocks: list[Block] = []
    for story in stories:
        issue = request.work.session.get_one(DigestIssue, story.issue_id)
        behind = f"{story.number} in {issue.reference}"
        day = dated(issue.local_date, _("dd MMM yyyy"))
        facts = (
            Fact(_("Score"), _("{score} of 100").format(score=story.score)),
            Fact(_("Stood in"), f"{issue.title}, {day}"),
        )
        reasons = tuple(Item(number, reason) for number, reason in enumerate(story.reasons, start=1))
        links = (Fact(_("Page"), story.url),) if story.url else ()
        blocks += [
            Facts((Fact(_("Story"), story.title), *facts, *links)),
            Items(reasons, kind="reasons"),
            Steps((Step(_("More like this"), f"more {behind}"), Step(_("Less like this"), f"less {behind}"))),
        ]
    return Answer(
        _("Why story {numbers}").format(numbers=", ".join(str(story.number) for story in stories)), tuple(blocks)
    )


def _why_book(request: Request, book: Book) -> Answer:
    """What the copy that was made last is, rule by rule, each with its reason."""
    copy = Derived.newest(request.work.session, book.id)
    send = Steps((Step(_("Send it"), f"send #{book.id}"), Step(_("All about it"), f"show #{book.id}")))
    if copy is None:
        return Answer(
            _("No copy was made of {book}").format(book=book.title),
            (Paragraph(_("It goes to your devices as you mailed it, or has not gone to any yet.")), send),
        )
    fixes = copy.fixes.get("fixes", [])
    made = Facts((Fact(_("Book"), book.title), Fact(_("Made"), copy.created_at), Fact(_("Recipe"), _recipe(copy))))
    if not fixes:
        return Answer(
            _("Nothing was changed in {book}").format(book=book.title), (made, Paragraph(_("It needed nothing.")), send)
        )
    items = tuple(
        Item(number, *_told(fix["rule"], fix["changes"], count=fix["count"]))
        for number, fix in enumerate(fixes, start=1)
    )
    kept = Paragraph(_("The text and the pictures are as they were. What you mailed me is kept as it is."))
    return Answer(
        _("What was changed in the copy of {book}").format(book=book.title),
        (made, Items(items, kind="reasons"), kept, send),
    )


def _recipe(copy: Derived) -> str:
    words = _(RECIPE_WORDS.get(copy.recipe, ""))
    return (
        _("{recipe}, version {version}: {words}")
        .format(recipe=copy.recipe, version=copy.version, words=words)
        .rstrip(": ")
    )


def _told(rule: str, changes: list[list[str]], *, count: int) -> tuple[str, str]:
    """A heading, and below it the reason and what it was in this book."""
    said = "; ".join(f"{place.rpartition('/')[2]}: {what}" if place else what for place, what in changes[:_SHOWN])
    more = _("; and {count} more").format(count=count - _SHOWN) if count > _SHOWN else ""
    known = RULE_WORDS.get(rule)
    return (_(known.mends), f"{_(known.reason)} ({said}{more})") if known is not None else (said, "")
