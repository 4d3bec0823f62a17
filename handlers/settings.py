"""`settings`: time zone, name, and whether books are sent by themselves."""

from __future__ import annotations

from core.errors import BadRequest
from core.mail.answer import Answer, Fact, Facts, Step, Steps
from core.mail.grammar import CommandSpec, Example
from core.values import Trust
from handlers._arguments import phrase, refuse_unknown_options, yes_or_no
from handlers._request import Request

SPEC = CommandSpec(
    name="settings",
    summary="Show or change your settings",
    usage=("settings", "settings timezone=<zone>", "settings name=…", "settings autosend=on|off"),
    details=(
        "timezone is a name such as Europe/Berlin; times in answers are told in it. With autosend=on each book that "
        "you add goes to your default device at once."
    ),
    aliases=("set", "setting", "preferences", "config", "einstellungen", "ajustes", "configuración"),
    prepositions=("to",),
    keys=("timezone", "name", "autosend"),
    max_words=3,
    reading_words=("",),
    trust=Trust.CHANGE,
    group="You",
    examples=(
        Example("settings", "shows them"),
        Example("settings timezone=Europe/Berlin", "sets your time zone"),
        Example("settings autosend=on", "sends every new book to your default device"),
    ),
)


def handle(request: Request) -> Answer:
    wanted = _wanted(request)
    for key, text in wanted.items():
        match key:
            case "timezone":
                request.accounts.set_timezone(request.user.id, text)
            case "name":
                request.accounts.set_name(request.user.id, text)
            case _:
                request.accounts.set_autosend(request.user.id, enabled=yes_or_no(key, text))
    user = request.user
    shown = Facts(
        (
            Fact("Name", user.name or "(none)"),
            Fact("Address", user.address),
            Fact("Time zone", f"{user.timezone}, where it is {request.now.astimezone(request.zone):%H:%M}"),
            Fact("Autosend", "on" if user.autosend else "off"),
        )
    )
    title = f"Changed: {', '.join(wanted)}" if wanted else "Your settings"
    return Answer(title, (shown, Steps((Step("My devices", "kindle list"),))))


def _wanted(request: Request) -> dict[str, str]:
    """`settings timezone=X`, and as people say it: `settings timezone X`, `set autosend to on`."""
    command = request.command
    refuse_unknown_options(command, SPEC.keys)
    if not command.words:
        return dict(command.options)
    key, *rest = command.words
    value = phrase(command, "to") or " ".join(rest)
    if key.lower() not in SPEC.keys or not value:
        raise BadRequest(
            f"There is no setting “{' '.join(command.words)}”.", fix="There are timezone, name and autosend."
        )
    return {**command.options, key.lower(): value}
