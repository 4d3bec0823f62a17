"""`confirm <token>`: do what a mail asked for that could have been written by somebody else."""

from __future__ import annotations

from core.errors import Forbidden
from core.i18n import _
from core.mail.answer import Answer
from core.mail.grammar import CommandSpec
from handlers._request import Request

SPEC = CommandSpec(
    name="confirm",
    summary="Do what I asked you back about",
    usage=("confirm <token>",),
    details=(
        "Some commands remove things or change who may do what. Where a mail alone does not show that it is yours, the "
        "answer holds a link that says it is. The link is good once, for a day, and comes to your own address only."
    ),
    min_words=1,
    max_words=1,
    is_destructive=True,
    group="You",
)


def handle(request: Request) -> Answer:
    command, replied_to = request.confirmations.take(request.user.id, request.command.words[0])
    if command.name == SPEC.name:
        raise Forbidden(_("I did not ask for this."), code="confirm.unknown")
    return request.run_as_sure(command, replied_to)
