"""Mails about mails of ours: notices of gateways and reports of mail servers, and notices that a reader passes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from core.i18n import _
from core.mail.answer import Answer, Fact, Facts, Problem, Result, Step, Steps
from core.mail.dsn import read_bounce
from core.mail.message import ParsedMessage
from core.mail.notices import Notice, NoticeKind, read_notice, read_words
from core.services.fates import Fates
from core.values import Envelope
from core.work import Work

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Report:
    """What a mail says became of others, and how to write it down."""

    outcome: str
    """Of the mail in the inbound ledger: `notice`, `report`, `unbelieved`."""
    reason: str
    note: Callable[[Work], str]
    """Writes it down in the transaction that closes the mail; whom it was about, for the operator."""
    user_id: int | None = None
    """Whose mail it is, where that is known."""


def read_notice_of_gateway(message: ParsedMessage, envelope: Envelope, *, is_proven: bool) -> Report | None:
    """None for a mail that is about something else; never answered. Believed only if its domain is proven."""
    notice = read_notice(message)
    if notice is None:
        return None
    if not is_proven:
        why = "it looks like a notice of a gateway, and nothing proves that the gateway wrote it"
        return Report("unbelieved", why, lambda _work: "")
    return _noticed(notice, envelope)


async def read_report(path: Path) -> Report | None:
    """None for a mail that is no report; never answered. Believed for the id that it gives back."""
    bounce = await asyncio.to_thread(read_bounce, path)
    if bounce is None:
        return None

    def note(work: Work) -> str:
        mail = Fates(work).take_bounce(bounce)
        return mail.reference if mail is not None else "no mail of ours"

    return Report("report", f"{bounce.kind.value}: ", note)


def _noticed(notice: Notice, envelope: Envelope) -> Report:
    if notice.kind is NoticeKind.SUSPENDED:
        log.error("a gateway has suspended us: nothing is sent to it any more", words=notice.words)

    def note(work: Work) -> str:
        mails = Fates(work).take_notice(notice, rcpt_tos=envelope.rcpt_tos)
        return ", ".join(mail.reference for mail in mails) or "no delivery that it could be about"

    return Report("notice", f"{notice.kind.value} {notice.code}".strip() + ": ", note)


def take_passed_on(work: Work, message: ParsedMessage, *, user_id: int) -> Result:
    """A notice that a believed reader has forwarded (`core.mail.routes`), put down to a delivery of theirs."""
    notice = read_words(message.subject, message.text)
    mails = [] if notice is None else Fates(work).take_notice(notice, rcpt_tos=(), user_id=user_id)
    line = message.subject or _("Amazon's notice")
    if not mails:
        text = _("I have read Amazon's notice, and cannot tell which of your deliveries it is about.")
        return Result(line, Problem("notice.unknown", text, fix=_("Write “status” for the newest.")))
    told = tuple(Fact(mail.reference, f"{mail.subject}: {mail.state.value}") for mail in mails)
    return Result(
        line, Answer(_("Amazon's notice is noted"), (Facts(told), Steps((Step(_("My deliveries"), "status"),))))
    )
