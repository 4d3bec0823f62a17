"""`forwarded paper|book|pick`: what becomes of a mail that was passed on without a word; the taps of that question."""

from __future__ import annotations

from core import jobs
from core.errors import BadRequest, NotFound
from core.i18n import _
from core.mail.answer import Answer, Paragraph, Step, Steps
from core.mail.grammar import CommandSpec, Example
from core.models import Forwarded
from core.values import Trust
from handlers._arguments import phrase
from handlers._forwarded import ask_about, list_files
from handlers._request import Request

SPEC = CommandSpec(
    name="forwarded",
    summary="Say what shall become of a mail that you forwarded",
    usage=("forwarded paper", "forwarded book", "forwarded pick [<numbers>|all]", "forwarded … in <reference>"),
    details=(
        "Forward me a mail without a word, and I ask: keep it as an article, or pick its attachments? These are the "
        "answers. “paper” puts what it says into your next issue, “book” makes an EPUB of it in your library, “pick” "
        "lists the files in it and adds those that you choose. Without a reference the mail that you forwarded last is "
        "meant; a mail is kept for 30 days."
    ),
    prepositions=("in",),
    subcommands=("paper", "book", "pick"),
    reading_words=("",),
    trust=Trust.DELIVER,
    examples=(
        Example("forwarded paper", "the mail that you forwarded last, in your next issue"),
        Example("forwarded pick 1 3", "its first and its third attachment"),
    ),
    group="News",
)


def handle(request: Request) -> Answer:
    forwarded = request.forwards.find(request.user.id, phrase(request.command, "in"))
    match request.command.words:
        case ():
            return ask_about(forwarded)
        case ("paper",):
            return _keep(request, forwarded, as_book=False)
        case ("book",):
            return _keep(request, forwarded, as_book=True)
        case ("pick", *numbers):
            return _pick(request, forwarded, numbers)
        case words:
            raise BadRequest(
                _("“{words}” is nothing that I can do with it.").format(words=" ".join(words)),
                fix=_("Paper, book or pick."),
            )


def _keep(request: Request, forwarded: Forwarded, *, as_book: bool) -> Answer:
    request.work.defer(jobs.keep_forwarded(forwarded.id, as_book=as_book, cause=request.cause))
    if as_book:
        return Answer(
            _("Making a book of “{title}”").format(title=forwarded.title),
            (Paragraph(_("You hear from me when it is in your library.")),),
        )
    request.digests.ensure(request.user.id)
    return Answer(
        _("For your next paper: {title}").format(title=forwarded.title),
        (
            Steps(
                (
                    Step(_("A paper now"), "digest now"),
                    Step(_("As a book instead"), f"forwarded book in {forwarded.reference}"),
                )
            ),
        ),
    )


def _pick(request: Request, forwarded: Forwarded, numbers: list[str]) -> Answer:
    places = list(forwarded.files)
    if not places:
        raise NotFound(
            _("“{title}” carries no file that I can keep.").format(title=forwarded.title), code="forwarded.no-files"
        )
    if not numbers:
        return list_files(forwarded)
    chosen = places if numbers == ["all"] else [places[_index(word, len(places))] for word in dict.fromkeys(numbers)]
    request.work.defer(jobs.add_forwarded(forwarded.id, places=",".join(chosen), cause=request.cause))
    names = ", ".join(forwarded.files[place] for place in chosen)
    return Answer(
        _("Adding {names}").format(names=names), (Paragraph(_("You hear from me when it is in your library.")),)
    )


def _index(word: str, count: int) -> int:
    number = word.strip("#.,")
    if not (number.isascii() and number.isdigit() and 1 <= int(number[:6]) <= count):
        raise BadRequest(
            _("There is no attachment {number}.").format(number=word),
            fix=_("They have the numbers 1 to {count}.").format(count=count),
        )
    return int(number[:6]) - 1
