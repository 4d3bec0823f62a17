"""`newsletter new|list|mute|burn|unsubscribe`: secret addresses at which newsletters come for the paper."""

from __future__ import annotations

from collections.abc import Callable

from core import jobs
from core.errors import BadRequest, Conflict
from core.i18n import _
from core.mail.answer import Answer, Fact, Facts, Item, Items, Paragraph, Step, Steps
from core.mail.authenticity import SECRET_SEPARATOR
from core.mail.grammar import CommandSpec, Example
from core.models import Newsletter
from core.services.newsletters import NEWSLETTERS, UNDO_HOURS
from core.values import Trust
from handlers._feeds import short_time
from handlers._request import Request

SPEC = CommandSpec(
    name="newsletter",
    summary="Have newsletters in your paper",
    usage=(
        "newsletter new [name]",
        "newsletter list",
        "newsletter show <name>",
        "newsletter mute <name>",
        "newsletter unmute <name>",
        "newsletter unsubscribe <name>",
        "newsletter burn <name>",
        "newsletter unburn <name>",
    ),
    details=(
        "“newsletter new” gives you a secret address. Type it into the form of a newsletter: its issues then stand in "
        "your next paper, without what counts you, and a request to confirm is shown to you at once. Take one address "
        "for each newsletter, so that you can see who passed yours on.\n\n"
        "“mute” keeps its issues out of your paper. “burn” ends the address: mail for it is refused, and within 24 "
        "hours “unburn” takes that back. “unsubscribe” asks its sender to stop: by one click where the newsletter "
        "offers it and its signature shows that the offer is its own; else I give you the mail to send.\n\n"
        "Nothing that comes to such an address is ever obeyed or answered."
    ),
    aliases=("newsletters", "my newsletters", "boletín", "boletines"),
    subcommands=("new", "list", "show", "mute", "unmute", "unsubscribe", "burn", "unburn"),
    destructive_subcommands=("burn", "unsubscribe"),
    reading_words=("", "list", "show"),
    trust=Trust.DELIVER,
    examples=(
        Example("newsletter new The Daily", "an address for it"),
        Example("newsletter list", "all of them, with their addresses"),
        Example("newsletter burn daily", "the end of that one"),
    ),
    group="News",
)


def handle(request: Request) -> Answer:
    verb, *words = request.command.words or ("list",)
    act = _VERBS.get(verb.lower())
    if act is None:
        raise BadRequest(
            _("“{word}” is nothing that I can do with a newsletter.").format(word=verb),
            fix=_("New, list, show, mute, unmute, unsubscribe, burn or unburn."),
        )
    return act(request, " ".join(words))


def _new(request: Request, name: str) -> Answer:
    newsletter = request.newsletters.create(request.user.id, name=name, signer=request.signer)
    address = _address(request, newsletter)
    plain = address.partition(SECRET_SEPARATOR)[2]
    return Answer(
        _("An address for {name}").format(name=request.newsletters.name_of(newsletter)),
        (
            Facts((Fact(_("Address"), address), Fact(_("Where no + is taken"), plain))),
            Paragraph(
                _(
                    "Type it into the newsletter's form. What asks you to confirm comes to you at once, and the issues "
                    "stand in your next paper."
                )
            ),
            Steps(
                (Step(_("My newsletters"), "newsletter list"), Step(_("Burn it"), f"newsletter burn #{newsletter.id}"))
            ),
        ),
    )


def _list(request: Request, _words: str) -> Answer:
    mine = request.newsletters.with_burnt(request.user.id)
    if not mine:
        return Answer(
            _("You have no newsletters here yet"),
            (
                Paragraph(_("“newsletter new” gives you an address to subscribe to one with.")),
                Steps((Step(_("An address for a newsletter"), "newsletter new"),)),
            ),
        )
    return Answer(
        _("Your newsletters"),
        (
            Items(
                tuple(_item(request, number, one) for number, one in enumerate(mine, start=1)),
                kind=NEWSLETTERS,
                item_ids=tuple(one.id for one in mine),
                total=len(mine),
            ),
            Steps((Step(_("Another address"), "newsletter new"), Step(_("My feeds"), "feeds"))),
        ),
    )


def _item(request: Request, number: int, one: Newsletter) -> Item:
    return Item(
        number=number,
        title=request.newsletters.name_of(one),
        detail=" · ".join((_address(request, one), *_states(request, one))),
        steps=_steps(request, one),
        command=f"newsletter show #{one.id}",
    )


def _show(request: Request, words: str) -> Answer:
    one = _meant(request, words)
    facts = (
        Fact(_("Address"), _address(request, one)),
        Fact(_("State"), ", ".join(_states(request, one))),
        *((Fact(_("Sender"), one.sender),) if one.sender else ()),
        Fact(_("Made"), one.created_at),
    )
    return Answer(request.newsletters.name_of(one), (Facts(facts), Steps(_steps(request, one))))


def _states(request: Request, one: Newsletter) -> tuple[str, ...]:
    if one.burnt_at is not None:
        return (_("burnt: mail for it is refused"),)
    subscription, at = request.newsletters.subscription(one), one.feed.last_success_at
    muted = (_("muted"),) if subscription is not None and subscription.paused_at is not None else ()
    left = (_("its sender was asked to stop"),) if one.left_at is not None else ()
    if at is None:
        return (*muted, *left, _("nothing has come yet"))
    newest = _("newest letter {time}").format(time=short_time(at, zone=request.zone, now=request.now))
    return (*muted, *left, newest)


def _steps(request: Request, one: Newsletter) -> tuple[Step, ...]:
    if one.burnt_at is not None:
        return (Step(_("Bring it back"), f"newsletter unburn #{one.id}"),)
    subscription = request.newsletters.subscription(one)
    is_muted = subscription is not None and subscription.paused_at is not None
    mute = (
        Step(_("Unmute"), f"newsletter unmute #{one.id}") if is_muted else Step(_("Mute"), f"newsletter mute #{one.id}")
    )
    leave = (Step(_("Unsubscribe"), f"newsletter unsubscribe #{one.id}"),) if one.sender else ()
    return (mute, *leave, Step(_("Burn"), f"newsletter burn #{one.id}"))


def _mute(request: Request, words: str) -> Answer:
    one = _meant(request, words)
    request.newsletters.mute(one)
    return _told(
        request, one, _("Muted: {name}"), _("Its issues stay out of your papers until you unmute it."),
        Step(_("Unmute"), f"newsletter unmute #{one.id}"),
    )  # fmt: skip


def _unmute(request: Request, words: str) -> Answer:
    one = _meant(request, words)
    request.newsletters.unmute(one)
    return _told(request, one, _("Unmuted: {name}"), _("Its issues stand in your papers again."))


def _burn(request: Request, words: str) -> Answer:
    one = _meant(request, words)
    request.newsletters.burn(one)
    told = _("Mail for its address is refused from now on. For {hours} hours you can take that back.").format(
        hours=f"{UNDO_HOURS:.0f}"
    )
    return _told(
        request, one, _("Burnt: {name}"), told, Step(_("Bring it back"), f"newsletter unburn #{one.id}", reply="undo")
    )


def _unburn(request: Request, words: str) -> Answer:
    one = _meant(request, words)
    request.newsletters.bring_back(one)
    return _told(request, one, _("Back: {name}"), _("Its address takes mail again."))


def _unsubscribe(request: Request, words: str) -> Answer:
    """By one click (RFC 8058), where a signature covers the offer; else by the mail that its reader sends."""
    one = _meant(request, words)
    name = request.newsletters.name_of(one)
    burn = Step(_("Burn its address"), f"newsletter burn #{one.id}")
    if one.one_click_url:
        request.work.defer(jobs.leave_newsletter(one.id, cause=request.cause))
        return Answer(
            _("Asking {sender} to stop {name}").format(sender=one.sender, name=name),
            (Paragraph(_("You hear from me what came of it.")), Steps((burn,))),
        )
    if one.leave_mailto:
        return Answer(
            _("{name} takes you off its list by a mail").format(name=name),
            (
                Paragraph(
                    _(
                        "It offers no one-click unsubscription that its signature covers, so I ask nobody. Send this "
                        "mail:"
                    )
                ),
                Facts((Fact(_("Mail"), one.leave_mailto),)),
                Steps((burn, Step(_("Mute"), f"newsletter mute #{one.id}"))),
            ),
        )
    raise Conflict(
        _("{name} says nowhere how one leaves it.").format(name=name),
        fix=_("Burn its address: mail for it is then refused."),
        code="newsletter.no-way-out",
        blocks=(Steps((burn,)),),
    )


def _told(request: Request, one: Newsletter, title: str, told: str, *steps: Step) -> Answer:
    return Answer(
        title.format(name=request.newsletters.name_of(one)),
        (Paragraph(told), Steps((*steps, Step(_("My newsletters"), "newsletter list")))),
    )


def _meant(request: Request, words: str) -> Newsletter:
    if not words:
        raise BadRequest(
            _("Which newsletter?"), fix=_("Name it by its number in “newsletter list”, or by words of its name.")
        )
    return request.newsletters.resolve(request.user.id, words, listing=request.shown(NEWSLETTERS))


def _address(request: Request, one: Newsletter) -> str:
    shown = request.newsletters.address(one, identity=request.identity, signer=request.signer)
    return shown or _("(an address that I cannot show any more: the service has a new key)")


_VERBS: dict[str, Callable[[Request, str], Answer]] = {
    "new": _new,
    "list": _list,
    "show": _show,
    "mute": _mute,
    "unmute": _unmute,
    "burn": _burn,
    "unburn": _unburn,
    "unsubscribe": _unsubscribe,
}
