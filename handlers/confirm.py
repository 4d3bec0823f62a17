"""`confirm <token>`: do what a mail asked for that could have been written by somebody else."""

from __future__ import annotations

from core.errors import BadRequest, Forbidden
from core.i18n import _
from core.mail.answer import Answer, Paragraph
from core.mail.grammar import CommandSpec
from core.mail.words import fold
from handlers._request import Request

SPEC = CommandSpec(
    name="confirm",
    summary="Do what I asked you back about",
    usage=("confirm <token>", "confirm no <token>"),
    details=(
        "Some commands remove things or change who may do what. Where a mail alone does not show that it is yours, the "
        "answer holds a link that says it is. The link is good once, for a day, and comes to your own address only. "
        "“Yes” in reply to that answer means the same, and “no” lets the command go."
    ),
    min_words=1,
    max_words=2,
    is_destructive=True,
    group="You",
)


_NO = frozenset({"no", "nein"})


def handle(request: Request) -> Answer:
    if not request.command.words:
        raise BadRequest(_("Confirm what?"), fix=_("Write “yes” in reply to the mail that asked you, or tap its link."))
    *refusal, token = request.command.words
    if refusal and fold(refusal[0]) not in _NO:
        raise Forbidden(_("I did not ask for this."), code="confirm.unknown")
    command, replied_to = request.confirmations.take(request.user.id, token)
    if refusal:
        return Answer(
            _("Not done: “{line}”").format(line=command.line or command.name), (Paragraph(_("It is forgotten.")),)
        )
    if command.name == SPEC.name:
        raise Forbidden(_("I did not ask for this."), code="confirm.unknown")
    return request.run_as_sure(command, replied_to)
