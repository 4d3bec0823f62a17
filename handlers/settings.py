"""`settings`: language, time zone, name, and whether books are sent by themselves."""

from __future__ import annotations

from collections.abc import Iterable

from core.errors import BadRequest
from core.i18n import LANGUAGES, _, speaking, spoken
from core.mail.answer import Answer, Fact, Facts, Step, Steps
from core.mail.grammar import CommandSpec, Example
from core.models import User
from core.values import Trust
from handlers._arguments import phrase, refuse_unknown_options, yes_or_no
from handlers._request import Request

SPEC = CommandSpec(
    name="settings",
    summary="Show or change your settings",
    usage=(
        "settings",
        "settings language=<language>",
        "settings timezone=<zone>",
        "settings name=…",
        "settings autosend=on|off",
        "settings links=now|later",
    ),
    details=(
        "language is English, Deutsch or Español. timezone is a name such as Europe/Berlin; times in answers are told "
        "in it. With autosend=on each book that you add goes to your default device at once. links says where a mail "
        "with nothing but links leads: later is into your next paper, now is onto your e-reader at once."
    ),
    aliases=("set", "setting", "preferences", "config", "einstellungen", "ajustes", "configuración"),
    prepositions=("to",),
    keys=("timezone", "language", "name", "autosend", "links"),
    max_words=3,
    reading_words=("",),
    trust=Trust.CHANGE,
    group="You",
    examples=(
        Example("settings", "shows them"),
        Example("settings timezone=Europe/Berlin", "sets your time zone"),
        Example("settings language=de", "answers come in German"),
        Example("settings autosend=on", "sends every new book to your default device"),
        Example("settings links=now", "pages that you share are on your e-reader at once"),
    ),
)


def handle(request: Request) -> Answer:
    wanted = _wanted(request)
    before = _before(request.user, wanted)
    for key, text in wanted.items():
        match key:
            case "timezone":
                request.accounts.set_timezone(request.user.id, text)
            case "language":
                request.accounts.set_language(request.user.id, text)
            case "name":
                request.accounts.set_name(request.user.id, text)
            case "links":
                request.accounts.set_reads_links_now(request.user.id, enabled=_is_now(text))
            case _:
                request.accounts.set_autosend(request.user.id, enabled=yes_or_no(key, text))
    with speaking(request.user.language):  # the answer is in the language that was asked for
        return _shown(request, changed=tuple(wanted), before=before)


def _before(user: User, keys: Iterable[str]) -> str:
    """The settings of before as the options that bring them back."""
    said = {
        "timezone": user.timezone,
        "language": user.language,
        "name": user.name.replace('"', "”"),
        "autosend": "on" if user.autosend else "off",
        "links": "now" if user.reads_links_now else "later",
    }
    return " ".join(f'{key}="{said[key]}"' for key in keys)


def _shown(request: Request, *, changed: tuple[str, ...], before: str) -> Answer:
    user = request.user
    zone = _("{zone}, where it is {time}").format(
        zone=user.timezone, time=f"{request.now.astimezone(request.zone):%H:%M}"
    )
    shown = Facts(
        (
            Fact(_("Name"), user.name or _("(none)")),
            Fact(_("Address"), user.address),
            Fact(_("Language"), LANGUAGES[spoken()]),
            Fact(_("Time zone"), zone),
            Fact(_("Autosend"), _("on") if user.autosend else _("off")),
            Fact(
                _("Links alone"), _("onto your e-reader at once") if user.reads_links_now else _("into your next paper")
            ),
        )
    )
    title = _("Changed: {what}").format(what=", ".join(changed)) if changed else _("Your settings")
    undo = (Step(_("Undo"), f"settings {before}", reply="undo"),) if before else ()
    return Answer(title, (shown, Steps((*undo, Step(_("My devices"), "kindle list")))))


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
            _("There is no setting “{name}”.").format(name=" ".join(command.words)),
            fix=_("There are language, timezone, name, autosend and links."),
        )
    return {**command.options, key.lower(): value}


def _is_now(text: str) -> bool:
    match text.strip().lower():
        case "now" | "jetzt" | "sofort" | "ahora" | "read":
            return True
        case "later" | "später" | "spaeter" | "luego" | "paper":
            return False
    raise BadRequest(
        _("“{word}” is neither now nor later.").format(word=text), fix=_("Write links=now or links=later.")
    )
