"""`kindle add|list|default|remove`: where books are sent to."""

from __future__ import annotations

from collections.abc import Callable

from core.errors import BadRequest
from core.i18n import _, ngettext
from core.mail.answer import Answer, Item, Items, Paragraph, Step, Steps
from core.mail.grammar import CommandSpec, Example
from core.models import Device
from core.values import Trust
from handlers._arguments import refuse_unknown_options
from handlers._request import Request

SPEC = CommandSpec(
    name="kindle",
    makes=True,
    summary="Say where books are sent to",
    usage=(
        "kindle add <address> [name=…]",
        "kindle list",
        "kindle default <device>",
        "kindle remove <device>",
        "kindle resume",
    ),
    details=(
        "A Kindle's address ends in @kindle.com; you find it at Amazon under “Manage Your Content and Devices”, "
        "“Preferences”, “Personal Document Settings”. Add there, to the “Approved Personal Document E-mail List”, the "
        "full address that this answer names: Amazon drops what comes from others.\n\n"
        "PocketBook readers (@pbsync.com) and plain e-mail addresses can be devices too. The first device is the "
        "default.\n\n"
        "If Amazon refuses my address, or mail to a device keeps coming back, your books wait here, and you are told. "
        "“kindle resume” sends them on."
    ),
    aliases=("device", "devices", "kindles", "my kindle", "my devices"),
    keys=("name", "kind"),
    subcommands=("add", "list", "default", "remove", "resume"),
    destructive_subcommands=("remove",),
    reading_words=("", "list"),
    trust=Trust.CHANGE,
    group="Kindle",
    examples=(
        Example("kindle add ada_1815@kindle.com", "adds your Kindle"),
        Example("kindle add ada@pbsync.com name=pocket", "adds a reader and gives it a name"),
        Example("kindle default pocket", "books go there from now on"),
    ),
)


def handle(request: Request) -> Answer:
    refuse_unknown_options(request.command, SPEC.keys)
    verb, *words = request.command.words or ("list",)
    if "@" in verb:  # “kindle ada@kindle.com”: nothing else can be meant
        verb, words = "add", [verb, *words]
    act = _VERBS.get(verb)
    if act is None:
        raise BadRequest(
            _("“{verb}” is nothing that I can do with a device.").format(verb=verb),
            fix=_("Add, list, default, remove or resume."),
        )
    return act(request, " ".join(words))


def _add(request: Request, address: str) -> Answer:
    if not address:
        raise BadRequest(_("Which address?"), fix=_("Write for example: kindle add ada_1815@kindle.com"))
    # “Ada <ada@kindle.com>” or a link, as they are copied: a name stands before the address.
    words = address.removeprefix("mailto:").split()
    address = " ".join(words[next((place for place, word in enumerate(words) if "@" in word), 0) :])
    options = request.command.options
    device = request.kindle.add_device(request.user.id, address, name=options.get("name"), kind=options.get("kind"))
    sender = request.identity.for_reader(request.user.id).address
    approve = Paragraph(
        _(
            "One step is left, at Amazon: approve the sender {sender}, the full address, under "
            "“Preferences”, “Personal Document Settings”, “Approved Personal Document E-mail "
            "List”. Amazon silently drops what comes from others."
        ).format(sender=sender)
    )
    notes = {
        "kindle": (approve,),
        "email": (Paragraph(_("This is a plain e-mail address. A Kindle's ends in @kindle.com.")),),
    }
    return Answer(
        _("Added: {device}").format(device=device.name),
        (
            Paragraph(
                (
                    _("Books go to {address} from now on.")
                    if device.is_default
                    else _("Books go to {address} if you say so.")
                ).format(address=device.address)
            ),
            *notes.get(device.kind, ()),
            Steps(
                (
                    Step(_("Undo"), f"kindle remove {device.name}", reply="undo"),
                    Step(_("My devices"), "kindle list"),
                    Step(_("My books"), "list"),
                )
            ),
        ),
    )


def _list(request: Request, _words: str) -> Answer:
    devices = request.kindle.devices(request.user.id)
    if not devices:
        return Answer(
            _("No device yet"),
            (
                Paragraph(_("Add your Kindle: kindle add <its address>@kindle.com")),
                Steps((Step(_("How it is done"), "help kindle"),)),
            ),
        )
    return Answer(_("Your devices"), (Items(tuple(_item(*one) for one in enumerate(devices, 1)), kind="devices"),))


def _item(number: int, device: Device) -> Item:
    steps = () if device.is_default else (Step(_("Make it the default"), f"kindle default {device.name}"),)
    return Item(
        number=number,
        title=_("{device} (default)").format(device=device.name) if device.is_default else device.name,
        detail=device.address,
        command=f"kindle default {device.name}",
        steps=(*steps, Step(_("Remove"), f"kindle remove {device.name}")),
    )


def _default(request: Request, name: str) -> Answer:
    before = [one for one in request.kindle.devices(request.user.id) if one.is_default]
    device = request.kindle.set_default(request.user.id, name)
    back = tuple(Step(_("Undo"), f"kindle default {one.name}", reply="undo") for one in before if one is not device)
    return Answer(
        _("Books go to {device} from now on").format(device=device.name),
        (Steps((*back, Step(_("My devices"), "kindle list"))),),
    )


def _remove(request: Request, name: str) -> Answer:
    device = request.kindle.remove_device(request.user.id, name)
    return Answer(
        _("Removed: {device}").format(device=device.name),
        (
            Paragraph(_("Nothing goes to {address} any more.").format(address=device.address)),
            Steps((Step(_("My devices"), "kindle list"),)),
        ),
    )


def _resume(request: Request, _words: str) -> Answer:
    stops = request.stops.of_user(request.user.id)
    if not stops:
        return Answer(_("Nothing holds your books back"), (Steps((Step(_("What became of them?"), "status"),)),))
    released = sum(request.stops.lift(stop) for stop in stops)
    told = ngettext(
        "One mail that was waiting goes out now.", "{count} mails that were waiting go out now.", released
    ).format(count=released)
    return Answer(
        _("Books go out again"),
        (
            Paragraph(told if released else _("Nothing was waiting.")),
            Steps((Step(_("What became of them?"), "status"),)),
        ),
    )


_VERBS: dict[str, Callable[[Request, str], Answer]] = {
    "add": _add,
    "list": _list,
    "default": _default,
    "remove": _remove,
    "resume": _resume,
}
