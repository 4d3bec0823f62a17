"""`invite <address> [name]`: somebody new, and the mail that tells them what this is."""

from __future__ import annotations

from core.errors import BadRequest
from core.i18n import _
from core.mail.answer import Answer, Fact, Facts, Paragraph, Step, Steps
from core.mail.authenticity import SECRET_SEPARATOR
from core.mail.grammar import CommandSpec, Example
from core.services.answers import Answers
from core.values import Trust
from handlers._administration import GROUP, administration, only_address
from handlers._request import Request

SPEC = CommandSpec(
    name="invite",
    summary="Let somebody use this service",
    usage=("invite <address> [name]",),
    details=(
        "The person gets one mail with three steps and a secret address of their own. Who was invited before and has "
        "never written gets a new one: the old secret is over."
    ),
    aliases=("invite user", "add user", "lade ein", "einladen", "invita", "invitar"),
    min_words=1,
    trust=Trust.CHANGE,
    for_administrators=True,
    group=GROUP,
    examples=(Example("invite bob@example.org Bob", "Bob gets a mail"),),
)


def handle(request: Request) -> Answer:
    address, *name = request.command.undivided or request.command.words or (only_address(request),)
    if "@" not in address:
        raise BadRequest(_("“{word}” is not a mail address.").format(word=address), fix=_("Write it as name@domain."))
    invited = administration(request).invite(address, name=" ".join(name))
    user = invited.user
    local_part, _at, domain = request.identity.address.rpartition("@")
    secret_address = f"{local_part}{SECRET_SEPARATOR}{invited.secret}@{domain}"
    Answers(request.work).tell(
        _invitation(request, secret_address), user=user, identity=request.identity, cause=f"invite:{request.cause}"
    )
    title = _("Invited again: {address}") if invited.is_again else _("Invited: {address}")
    return Answer(
        title.format(address=user.address),
        (Paragraph(_("A mail with three steps is on its way.")), Steps((Step(_("All users"), "users"),))),
    )


def _invitation(request: Request, secret_address: str) -> Answer:
    """Three steps, and the secret address, which is told this once."""
    host = request.user.name or request.user.address
    return Answer(
        _("{name} invites you to {service}").format(name=host, service=request.identity.name or "Inkpost"),
        (
            Paragraph(_("It is a library and a morning paper that you use by mail. There is nothing to install.")),
            Facts((Fact(_("Your address for it"), secret_address),)),
            Paragraph(
                _("1. Put this address into your address book. It is yours alone: who knows it can write as you.")
            ),
            Paragraph(_("2. Mail a book to it as an attachment, and it is in your library. No command is needed.")),
            Paragraph(_("3. For a paper in the morning, name a site that you like: subscribe https://example.org")),
            Steps((Step(_("Start here"), "help"), Step(_("I have a Kindle"), "help kindle"))),
            Paragraph(_("If you do not want this, do nothing: you hear no more of it.")),
        ),
    )
