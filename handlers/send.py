"""`send <book> [to <device>]`: a delivery is queued in the same transaction, and its state is told as it is."""

from __future__ import annotations

from collections.abc import Sequence

from core import jobs
from core.errors import NotFound
from core.mail.answer import Answer, Fact, Facts, Paragraph, Step, Steps
from core.mail.grammar import CommandSpec, Example
from core.models import Book, Device, IssueStory
from core.values import Trust
from handlers._arguments import phrase
from handlers._books import meant_book
from handlers._request import Request
from handlers._stories import linked_stories

SPEC = CommandSpec(
    name="send",
    summary="Send a book to your Kindle",
    usage=("send <book> [to <device>]",),
    details=(
        "The book is named by its number in the last list, by words of its title, or by the number with # that never "
        "changes. Without “to …” it goes to your default device.\n\n"
        "The answer says that the book is queued. “Sent” is never said for “arrived”: Amazon confirms nothing, so what "
        "can be known is that our mail relay took it, and “status” tells that.\n\n"
        "In reply to an issue of your paper a number means the story of it."
    ),
    aliases=(
        "deliver", "sync", "push", "send book", "schick", "schicke", "sende", "senden", "envía", "enviar",
        "envíame", "manda",
    ),
    prepositions=("to",),
    takes_bare_phrases=True,
    min_words=1,
    trust=Trust.DELIVER,
    examples=(
        Example("send 2", "the second book of your last list, to your default device"),
        Example("send dune to kobo", "to the device that you called kobo"),
    ),
    group="Kindle",
)  # fmt: skip


def handle(request: Request) -> Answer:
    if stories := linked_stories(request):
        return _send_stories(request, stories)
    book, device = _book_and_device(request)
    mail = request.kindle.send(
        request.user.id, book, device, cause=f"delivery:{request.cause}", identity=request.identity
    )
    return Answer(
        f"Queued: {book.title} to {device.name}",
        (
            Facts(
                (
                    Fact("Book", book.title),
                    Fact("To", f"{device.name} ({device.address})"),
                    Fact("Reference", mail.reference),
                )
            ),
            Paragraph("It leaves in a moment. If it cannot be sent, you are told."),
            *((_AMAZON_IS_SILENT,) if device.kind == "kindle" else ()),
            Steps((Step("What became of it?", f"status {mail.reference}"),)),
        ),
    )


def _send_stories(request: Request, stories: Sequence[IssueStory]) -> Answer:
    """Stories of an issue, each as a book."""
    device = request.kindle.device(request.user.id, phrase(request.command, "to") or None)
    for story in stories:
        cause = f"{request.cause}:{story.number}"
        request.work.defer(jobs.send_story(story.article_id, user_id=request.user.id, cause=cause, device=device.name))
    titles = "”, “".join(story.title for story in stories)
    return Answer(
        f"Sending “{titles}” to {device.name}",
        (
            Paragraph("It leaves as soon as it is made a book. If it cannot be sent, you are told."),
            *((_AMAZON_IS_SILENT,) if device.kind == "kindle" else ()),
            Steps((Step("What became of it?", "status"),)),
        ),
    )


_AMAZON_IS_SILENT = Paragraph("Amazon does not confirm what it takes: look at your Kindle in a few minutes.")


def _book_and_device(request: Request) -> tuple[Book, Device]:
    """Titles have prepositions of their own: where no device is called what stands behind “to”, it is the title's."""
    command = request.command
    wanted = phrase(command, "to")
    if not wanted:
        return meant_book(request, command.words), request.kindle.device(request.user.id, None)
    try:
        device = request.kindle.device(request.user.id, wanted)
    except NotFound:
        if command.undivided == command.words:
            raise
        try:
            return meant_book(request, command.undivided), request.kindle.device(request.user.id, None)
        except NotFound:
            pass  # It was a device after all, and there is none of that name: the first error is the better one.
        raise
    return meant_book(request, command.words), device
