"""`unsuspend <address>`: a suspended user is obeyed again."""

from __future__ import annotations

from core.i18n import _
from core.mail.answer import Answer, Steps
from core.mail.grammar import CommandSpec, Example
from core.values import Trust
from handlers._administration import GROUP, administration, only_address, turn_of
from handlers._request import Request

SPEC = CommandSpec(
    name="unsuspend",
    summary="Obey a suspended user again",
    usage=("unsuspend <address>",),
    aliases=("unsuspend user", "entsperre", "entsperren", "reactiva"),
    min_words=1,
    max_words=1,
    trust=Trust.CHANGE,
    for_administrators=True,
    group=GROUP,
    examples=(Example("unsuspend bob@example.org", "he is obeyed again"),),
)


def handle(request: Request) -> Answer:
    user = administration(request).unsuspend(only_address(request))
    return Answer(_("Active again: {address}").format(address=user.address), (Steps(turn_of(user, by=request.user)),))
