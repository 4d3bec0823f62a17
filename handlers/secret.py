"""`secret new|revoke`: the address that is yours alone, made anew or taken away."""

from __future__ import annotations

from core.errors import BadRequest
from core.i18n import _
from core.mail.answer import Answer, Fact, Facts, Paragraph, Step, Steps
from core.mail.authenticity import SECRET_SEPARATOR
from core.mail.grammar import CommandSpec, Example
from core.values import Trust
from handlers._request import Request

SPEC = CommandSpec(
    name="secret",
    summary="Change or take away your secret address",
    usage=("secret", "secret new", "secret revoke"),
    details=(
        "Whoever writes to your secret address is obeyed as you are; it is also your password for sending by SMTP. If "
        "somebody may have seen it, write “secret new”: the old one is worth nothing at once, and the new one comes to "
        "your registered address only.\n\n"
        "“secret revoke” leaves you without one. You then write to the plain address, and your mail provider's "
        "signature says that it is you."
    ),
    aliases=("secret address", "my secret address"),
    subcommands=("new", "revoke"),
    destructive_subcommands=("new", "revoke"),
    reading_words=("",),
    max_words=1,
    trust=Trust.CHANGE,
    group="You",
    examples=(Example("secret new", "a new secret address; the old one is over"),),
)


def handle(request: Request) -> Answer:
    match request.command.words:
        case ():
            return _show(request)
        case ("new",):
            return _make(request)
        case ("revoke",):
            return _revoke(request)
        case words:
            raise BadRequest(
                _("“{words}” is nothing that I can do with it.").format(words=" ".join(words)), fix=_("New or revoke.")
            )


def _show(request: Request) -> Answer:
    """Not the address itself: only its hash is known here."""
    if request.user.secret_hash is None:
        told = Paragraph(_("Mail to such an address is obeyed as yours: nobody else knows it."))
        return Answer(_("You have no secret address"), (told, Steps((Step(_("Make one"), "secret new"),))))
    return Answer(
        _("You have a secret address"),
        (
            Paragraph(_("It was told you once, when it was made: I keep no copy that I could show.")),
            Steps((Step(_("Make a new one"), "secret new"), Step(_("Take it away"), "secret revoke"))),
        ),
    )


def _make(request: Request) -> Answer:
    secret = request.accounts.rotate_secret(request.user.id)
    local_part, _at, domain = request.identity.address.rpartition("@")
    address = f"{local_part}{SECRET_SEPARATOR}{secret}@{domain}"
    return Answer(
        _("Your new secret address"),
        (
            Facts((Fact(_("Write to"), address),)),
            Paragraph(_("Put it into your address book. The old one is worth nothing from now on.")),
        ),
    )


def _revoke(request: Request) -> Answer:
    request.accounts.revoke_secret(request.user.id)
    return Answer(
        _("Your secret address is gone"),
        (
            Paragraph(
                _("Write to {address} from {user} from now on.").format(
                    address=request.identity.address, user=request.user.address
                )
            ),
            Steps((Step(_("Make a new one"), "secret new"),)),
        ),
    )
