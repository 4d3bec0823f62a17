"""Which story of which issue a command means: `more 4`, in reply to an issue or about the newest one."""

from __future__ import annotations

from collections.abc import Sequence

from core.errors import BadRequest, NotFound
from core.i18n import _, in_quotes
from core.mail.answer import Answer, Paragraph, Step, Steps
from core.models import DigestIssue, IssueStory
from core.news.quality import Wish
from core.references import parse_reference
from core.services.threads import forgotten
from handlers._arguments import phrase
from handlers._request import Request


def meant_stories(request: Request) -> tuple[IssueStory, ...]:
    """The stories at the numbers that a command names, of the issue behind “in”, else of the one that the mail answers,
    else of the newest. Raises `BadRequest`, `NotFound`."""
    return stories_at(request, request.command.words, issue=_issue(request, phrase(request.command, "in")))


def stories_at(request: Request, words: Sequence[str], *, issue: DigestIssue) -> tuple[IssueStory, ...]:
    """Raises `BadRequest`, `NotFound`."""
    name = request.command.name
    if not words:
        raise BadRequest(_("Which story?"), fix=_("Name it by its number: {name} 4").format(name=name))
    for word in words:
        if not _is_number(word):
            raise BadRequest(
                _("“{word}” is not the number of a story.").format(word=word),
                fix=_("Write it as in: {name} 4").format(name=name),
            )
    return tuple(request.digests.story(issue, int(word)) for word in dict.fromkeys(words))


def linked_stories(request: Request) -> tuple[IssueStory, ...]:
    """Those that a command means which is mostly about books: only if it names an issue as the links of one do
    (`send 5 in K7Q29-FDM3X`), or is a bare number in reply to one. A device may follow. () for a book."""
    match request.command.words:
        case [*numbers, "in", reference] if parse_reference(reference) and all(map(_is_number, numbers)):
            return stories_at(request, numbers, issue=_issue(request, reference))
        case [*numbers] if numbers and all(map(_is_number, numbers)) and (issue := _answered(request)) is not None:
            return stories_at(request, numbers, issue=issue)
    return ()


def take_feedback(request: Request, wish: Wish) -> Answer:
    """What `more` and `less` have in common."""
    stories = meant_stories(request)
    for story in stories:
        request.digests.give_feedback(request.user.id, story, wish)
    other = Wish.LESS if wish is Wish.MORE else Wish.MORE
    numbers = " ".join(str(story.number) for story in stories)
    return Answer(
        (_("Noted: more like {stories}") if wish is Wish.MORE else _("Noted: less like {stories}")).format(
            stories=in_quotes(story.title for story in stories)
        ),
        (
            Paragraph(
                _(
                    "It counts for the feed, the author and the words of the title, from your next issue "
                    "on. “why” and a story's number tells how."
                )
            ),
            Steps(
                (
                    Step(
                        _("No, more like this") if other is Wish.MORE else _("No, less like this"),
                        f"{other} {numbers} in {_reference(request, stories[0])}",
                    ),
                )
            ),
        ),
    )


def _reference(request: Request, story: IssueStory) -> str:
    issue = request.work.session.get_one(DigestIssue, story.issue_id)
    return issue.reference or ""


def _issue(request: Request, reference: str) -> DigestIssue:
    wanted = parse_reference(reference) if reference else None
    if reference and wanted is None:
        raise BadRequest(
            _("“{reference}” names no issue.").format(reference=reference),
            fix=_("Leave it out, and the newest issue is meant."),
        )
    if wanted is None and request.is_too_old:
        raise forgotten()
    found = DigestIssue.shown(
        request.work.session, user_id=request.user.id, reference=wanted, replied_to=request.replied_to
    )
    if found is None:
        raise NotFound(
            _("You have had no issue {reference}.").format(reference=reference)
            if reference
            else _("You have had no issue yet."),
            fix=_("Write “digest now” for one."),
            code="issue.not-found",
        )
    return found


def _answered(request: Request) -> DigestIssue | None:
    """The issue whose letter the mail replies to."""
    found = DigestIssue.shown(request.work.session, user_id=request.user.id, replied_to=request.replied_to)
    return found if found is not None and found.message_id in request.replied_to else None


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) < 9
