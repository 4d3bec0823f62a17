"""`suspend <address>`: nothing of a user is obeyed any more."""

from __future__ import annotations

from core.i18n import _
from core.mail.answer import Answer, Paragraph, Steps
from core.mail.grammar import CommandSpec, Example
from core.values import Trust
from handlers._administration import GROUP, administration, only_address, turn_of
from handlers._request import Request

SPEC = CommandSpec(
    name="suspend",
    summary="Obey somebody's mails no more",
    usage=("suspend <address>",),
    details="Nothing of theirs is deleted. Their mails are met with silence until you write “unsuspend”.",
    aliases=("suspend user", "sperre", "sperren", "suspende"),
    min_words=1,
    max_words=1,
    trust=Trust.CHANGE,
    is_destructive=True,
    for_administrators=True,
    group=GROUP,
    examples=(Example("suspend bob@example.org", "until you unsuspend him"),),
)


def handle(request: Request) -> Answer:
    user = administration(request).suspend(only_address(request))
    return Answer(
        _("Suspended: {address}").format(address=user.address),
        (Paragraph(_("Nothing of theirs is deleted.")), Steps(turn_of(user, by=request.user))),
    )
