"""`status [reference]`: the truth about what was sent, and what was asked."""

from __future__ import annotations

from core.errors import BadRequest, NotFound
from core.i18n import _, dated
from core.mail.answer import Answer, Columns, Fact, Facts, Paragraph, Step, Steps
from core.mail.grammar import CommandSpec, Example
from core.models import OutboxMail
from core.references import parse_reference
from core.services.standing import describe
from handlers._arguments import beyond, page_of
from handlers._request import Request

SPEC = CommandSpec(
    name="status",
    summary="Say what became of what you sent",
    usage=("status", "status <reference>"),
    details=(
        "The states are: queued; sending, with the number of the attempt and the time of the next; accepted by the "
        "relay, with its words; failed, with its words; unknown, where the relay had it and its answer was lost. "
        "There is no state “delivered”: who runs the device does not "
        "confirm, so nobody can know it."
    ),
    aliases=("where is", "queue", "zustand", "estado"),
    max_words=3,
    examples=(Example("status", "your newest deliveries"), Example("status K7Q29-FDM3X", "one of them")),
    group="Kindle",
)


def handle(request: Request) -> Answer:
    words = " ".join(request.command.words)
    if parse_reference(words) is not None:
        return _one(request, words)
    if words and not words[-1].isdigit():
        raise BadRequest(
            _("“{words}” is not a reference.").format(words=words), fix=_("Write “status” for the newest.")
        )
    wanted = page_of(request.command)
    page = request.kindle.deliveries(request.user.id, page=wanted)
    if not page.rows:
        return Answer(
            _("Nothing was sent yet"),
            (Paragraph(_("Send a book with: send <book>")), Steps((Step(_("My books"), "list"),))),
        )
    rows = tuple((_title(mail), describe(mail, request.user.timezone), mail.reference) for mail in page.rows)
    more = (Steps((Step(_("Older ones"), f"status {page.page + 1}", reply="more"),)),) if page.page < page.pages else ()
    return Answer(
        _("Your deliveries"), (*beyond(wanted, page), Columns((_("Book"), _("State"), _("Reference")), rows), *more)
    )


def _one(request: Request, reference: str) -> Answer:
    mail = request.kindle.delivery(request.user.id, reference)
    if mail is None:
        raise NotFound(
            _("None of your mails has the reference {reference}.").format(reference=reference),
            fix=_("Write “status” for the newest."),
        )
    when = mail.created_at.astimezone(request.zone)
    return Answer(
        _title(mail),
        (
            Facts(
                (
                    Fact(_("To"), mail.rcpt_to),
                    Fact(_("Queued"), dated(when, _("dd MMM yyyy, HH:mm"))),
                    Fact(_("State"), describe(mail, request.user.timezone)),
                )
            ),
        ),
    )


def _title(mail: OutboxMail) -> str:
    return mail.subject.removeprefix("Book: ")
