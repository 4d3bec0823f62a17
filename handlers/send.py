"""`send <book> [to <device>]`: a delivery is queued in the same transaction, and its state is told as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from core import jobs
from core.errors import NotFound
from core.i18n import N_, _, in_quotes
from core.mail.answer import Answer, Fact, Facts, Paragraph, Step, Steps
from core.mail.grammar import Command, CommandSpec, Example
from core.models import Book, Device, IssueStory
from core.services.kindle_sync import Wish
from core.values import Trust
from handlers._arguments import phrase
from handlers._books import meant_book
from handlers._request import Request
from handlers._stories import linked_stories

SPEC = CommandSpec(
    name="send",
    summary="Send a book to your Kindle",
    usage=("send <book> [to <device>]", "send <book> as epub", "send <book> convert"),
    details=(
        "The book is named by its number in the last list, by words of its title, or by the number with # that never "
        "changes. Without “to …” it goes to your default device.\n\n"
        "The answer says that the book is queued. “Sent” is never said for “arrived”: Amazon confirms nothing, so what "
        "can be known is that our mail relay took it, and “status” tells that.\n\n"
        "A Kindle gets a copy that Amazon takes: faults that it refuses books for are mended, text and pictures stay, "
        "and “why <book>” says what was changed. What is too large for a mail gets smaller pictures, or goes in "
        "parts. FB2, comics, ODT and Markdown are made EPUBs; TXT, HTML and DOCX where you write “as epub”. “convert” "
        "has Amazon convert a PDF.\n\n"
        "In reply to an issue of your paper a number means the story of it."
    ),
    aliases=(
        "deliver", "sync", "push", "send book", "schick", "schicke", "sende", "senden", "envía", "enviar",
        "envíame", "manda",
    ),
    prepositions=("to",),
    takes_bare_phrases=True,
    min_words=1,
    takes_one_book=True,
    trust=Trust.DELIVER,
    examples=(
        Example("send 2", "the second book of your last list, to your default device"),
        Example("send dune to kobo", "to the device that you called kobo"),
        Example("send notes as epub", "a text as a book with chapters"),
    ),
    group="Kindle",
)  # fmt: skip


def handle(request: Request) -> Answer:
    if stories := linked_stories(request):
        return _send_stories(request, stories)
    command, wish = _wish(request.command)
    book, device = _book_and_device(replace(request, command=command))
    mail = request.kindle.send(
        request.user.id, book, device, cause=f"delivery:{request.cause}", identity=request.identity, wish=wish
    )
    return Answer(
        _("Queued: {book} to {device}").format(book=book.title, device=device.name),
        (
            Facts(
                (
                    Fact(_("Book"), book.title),
                    Fact(_("To"), f"{device.name} ({device.address})"),
                    Fact(_("Reference"), mail.reference),
                )
            ),
            Paragraph(_("It leaves in a moment. If it cannot be sent, you are told.")),
            *((Paragraph(_(_AMAZON_IS_SILENT)),) if device.kind == "kindle" else ()),
            Steps((Step(_("What became of it?"), f"status {mail.reference}"),)),
        ),
    )


def _send_stories(request: Request, stories: Sequence[IssueStory]) -> Answer:
    """Stories of an issue, each as a book."""
    device = request.kindle.device(request.user.id, phrase(request.command, "to") or None)
    for story in stories:
        cause = f"{request.cause}:{story.number}"
        request.work.defer(jobs.send_story(story.article_id, user_id=request.user.id, cause=cause, device=device.name))
    titles = in_quotes(story.title for story in stories)
    return Answer(
        _("Sending {titles} to {device}").format(titles=titles, device=device.name),
        (
            Paragraph(_("It leaves as soon as it is made a book. If it cannot be sent, you are told.")),
            *((Paragraph(_(_AMAZON_IS_SILENT)),) if device.kind == "kindle" else ()),
            Steps((Step(_("What became of it?"), "status"),)),
        ),
    )


_AMAZON_IS_SILENT = N_("Amazon does not confirm what it takes: look at your Kindle in a few minutes.")


_WISHES = {("as", "epub"): Wish.AS_EPUB, ("convert",): Wish.CONVERT}


def _wish(command: Command) -> tuple[Command, Wish]:
    """The command without the words that say how: “as epub” or “convert” behind the book or behind the device."""
    to = command.phrases.get("to", ())
    for words, wish in _WISHES.items():
        length = len(words)
        for said in (command.words, to):
            if tuple(word.lower() for word in said[-length:]) == words and len(said) > length:
                shorter = {key: behind for key, behind in command.phrases.items() if key != "to"}
                if to:
                    shorter["to"] = _without_end(to, words)
                return (
                    replace(
                        command,
                        words=_without_end(command.words, words),
                        undivided=_without_end(command.undivided, words),
                        phrases=shorter,
                    ),
                    wish,
                )
    return command, Wish.AS_IT_IS


def _without_end(words: tuple[str, ...], end: tuple[str, ...]) -> tuple[str, ...]:
    is_there = tuple(word.lower() for word in words[-len(end) :]) == end
    return words[: -len(end)] if is_there else words


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
