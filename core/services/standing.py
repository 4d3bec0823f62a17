"""How a mail of the outbox stands, in the true words for it."""

from __future__ import annotations

from typing import assert_never
from zoneinfo import ZoneInfo

from core.i18n import _, dated
from core.models import OutboxMail
from core.models.outbox import OutboxState


def describe(mail: OutboxMail, timezone: str) -> str:
    """How a mail stands, in the words that are used everywhere; times in the IANA zone of the reader.

    "Sent" and "delivered" do not occur: what comes behind the relay is not known here.
    """
    match mail.state:
        case OutboxState.QUEUED:
            waits = _(mail.notice.partition(": ")[0]) + mail.notice[len(mail.notice.partition(": ")[0]) :]
            return _("queued") + _next_try(mail, timezone, " ({})") + (f", {waits}" if waits else "")
        case OutboxState.SENDING:
            next_try = _next_try(mail, timezone, ", {}")
            return _("sending (attempt {number}{next_try})").format(number=mail.attempts, next_try=next_try)
        case OutboxState.ACCEPTED:
            return _accepted(mail)
        case OutboxState.NEEDS_CLICK:
            until = mail.settle_at.astimezone(ZoneInfo(timezone)) if mail.settle_at is not None else None
            if until is None:
                return _("needs your click: confirm it at the gateway")
            when = dated(until, _("dd MMM HH:mm"))
            return _("needs your click: confirm it at the gateway by {when}").format(when=when)
        case OutboxState.NO_REFUSAL:
            return _("{accepted}; no refusal seen since").format(accepted=_accepted(mail))
        case OutboxState.REJECTED:
            return _("rejected by the gateway: {notice}").format(notice=mail.notice)
        case OutboxState.BOUNCED:
            return _("sent back: {notice}").format(notice=mail.notice)
        case OutboxState.FAILED:
            return _("failed: {reply}").format(reply=mail.last_reply)
        case OutboxState.UNKNOWN:
            return _("unknown: the relay may have it ({reply})").format(reply=mail.last_reply)
        case OutboxState.DROPPED:
            return _("dropped by the operator")
        case _:
            assert_never(mail.state)


def _accepted(mail: OutboxMail) -> str:
    # Without a relay (a Maildir) there is no relay that could have accepted it: no reply code, no such word.
    text = _("accepted by the relay: {reply}") if mail.last_reply[:3].isdigit() else _("accepted: {reply}")
    return text.format(reply=mail.last_reply)


def _next_try(mail: OutboxMail, timezone: str, words: str) -> str:
    if mail.next_try_at is None:
        return ""
    when = dated(mail.next_try_at.astimezone(ZoneInfo(timezone)), _("dd MMM HH:mm"))
    return words.format(_("next try at {when}").format(when=when))
