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
from core.mail.notices import FROM_GATEWAY, Notice, NoticeKind, read_notice, read_words
from core.ports import Prover
from core.services.fates import Fates
from core.values import Envelope, Peer
from core.work import Work

LONGEST_HEAD = 5_000  # characters in which a mail program says what it forwards

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Report:
    """What a mail says became of others, and how to write it down."""

    outcome: str
    """Of the mail in the inbound ledger: `notice`, `report`, `unbelieved`."""
    reason: str
    note: Callable[[Work], str]
    """Writes it down in the transaction that closes the mail; whom it was about, for the operator."""


async def read_report(
    message: ParsedMessage, *, path: Path, envelope: Envelope, peer: Peer, prover: Prover
) -> Report | None:
    """None for a mail that is about something else; neither kind is ever answered. `path` is the raw mail.

    A notice is believed only if its domain is proven; a report for the id that it gives back.
    """
    if (notice := read_notice(message)) is not None:
        if not await prover.is_proven(message, path, envelope, peer):
            why = "it looks like a notice of a gateway, and nothing proves that the gateway wrote it"
            return Report("unbelieved", why, lambda _work: "")
        return _noticed(notice, envelope)
    if envelope.mail_from and message.content_type != "multipart/report":
        return None
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


def take_passed_on(work: Work, message: ParsedMessage, *, user_id: int) -> Result | None:
    """A notice that a believed reader has forwarded, put down to a delivery of theirs; None for any other mail."""
    if FROM_GATEWAY.search(message.text[:LONGEST_HEAD]) is None:
        return None
    notice = read_words(message.subject, message.text)
    if notice is None:
        return None
    mails = Fates(work).take_notice(notice, rcpt_tos=(), user_id=user_id)
    line = message.subject or _("Amazon's notice")
    if not mails:
        text = _("I have read Amazon's notice, and cannot tell which of your deliveries it is about.")
        return Result(line, Problem("notice.unknown", text, fix=_("Write “status” for the newest.")))
    told = tuple(Fact(mail.reference, f"{mail.subject}: {mail.state.value}") for mail in mails)
    return Result(
        line, Answer(_("Amazon's notice is noted"), (Facts(told), Steps((Step(_("My deliveries"), "status"),))))
    )
