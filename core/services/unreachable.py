"""Readers whose own address sends back what we write: told where they still read, and heard as soon as they write."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from core import jobs
from core.events import DeliveryFailed, EventBus, SendingStopped
from core.i18n import _, dated, ngettext
from core.mail.answer import Answer, Paragraph, Result, Step, Steps
from core.models import Device, OutboxMail, SendingStop, User
from core.models.sending_stop import scope_of_address
from core.services.fates import Fates
from core.services.kindle_sync import KindleSyncService
from core.services.stops import Stops
from core.work import Work

BOUNCES = "bounces"


@dataclass(frozen=True, slots=True)
class Unreached:
    """A reader whose address keeps sending mail back, and what we know of it."""

    user_id: int
    address: str
    words: str
    """The mail server's."""
    since: datetime
    device_id: int | None
    """A device of theirs at another address, which is not held back itself; None if there is none."""
    language: str
    timezone: str


def subscribe(bus: EventBus) -> None:
    bus.subscribe(DeliveryFailed, _count_refusal)
    bus.subscribe(SendingStopped, _tell_elsewhere)


def _count_refusal(work: Work, event: DeliveryFailed) -> None:
    """A relay that knows the address itself refuses at once what another sends back later."""
    mail = work.session.get(OutboxMail, event.outbox_id)
    if mail is not None:
        Fates(work).stop_if_it_keeps_bouncing(mail, words=mail.last_reply)


def _tell_elsewhere(work: Work, event: SendingStopped) -> None:
    """The note for the device is made by a job: no book is made while a transaction is open."""
    user = work.session.get(User, event.user_id) if event.user_id is not None else None
    if user is not None and event.reason == BOUNCES and event.scope == scope_of_address(user.address):
        work.defer(jobs.tell_on_device(user.id))


def find_unreached(work: Work, user_id: int) -> Unreached | None:
    """None where nothing is held back any more."""
    user = work.session.get_one(User, user_id)
    stop = _stop_of(work, user)
    if stop is None:
        return None
    devices = KindleSyncService(work).devices(user.id)
    return Unreached(
        user_id=user.id,
        address=user.address,
        words=stop.words,
        since=stop.since,
        device_id=next((device.id for device in devices if _is_open(work, device)), None),
        language=user.language,
        timezone=user.timezone,
    )


def _is_open(work: Work, device: Device) -> bool:
    return SendingStop.holding(work.session, user_id=device.user_id, rcpt_to=device.address) is None


def _stop_of(work: Work, user: User) -> SendingStop | None:
    stop = SendingStop.of(work.session, scope_of_address(user.address))
    return stop if stop is not None and stop.reason == BOUNCES else None


def welcome_back(work: Work, user: User) -> Result | None:
    """Let out what was held back from a reader who has just written from their own address; None where nothing was.

    Whoever can write can read, mostly. Where that is not so the address is left alone after its next bounce.
    """
    stop = _stop_of(work, user)
    if stop is None:
        return None
    since, words = stop.since, stop.words
    released = Stops(work).lift(stop)
    answer = Answer(
        _("Your address takes mail again"),
        (
            Paragraph(
                _(
                    "Since {day} I had sent you nothing unasked, for what I sent to {address} came back: “{words}”. "
                    "You have written, so I go on."
                ).format(day=dated(since, _("d MMM yyyy")), address=user.address, words=words)
            ),
            Paragraph(_waiting(released)),
            Steps((Step(_("What became of my deliveries?"), "status"),)),
        ),
    )
    return Result("", answer)


def _waiting(count: int) -> str:
    if not count:
        return _("Nothing was waiting.")
    told = ngettext("{count} mail that was waiting goes out now.", "{count} mails that were waiting go out now.", count)
    return told.format(count=count)
