"""What a mail server's reply means: cleaned for keeping, its enhanced status (RFC 3463), and plain words for people."""

from __future__ import annotations

import re

from core.i18n import N_, _

REPLY_LENGTH = 1000  # the columns `outbox.last_reply` and `attempt.reply`

_ENHANCED = re.compile(r"^(?:[245]\d\d )?([245])\.(\d{1,3})\.(\d{1,3})(?=\s|$)")
_CODE = re.compile(r"^([245]\d\d)(?=\s|$)")

_NO_SUCH_ADDRESS = N_("the address does not exist, or does not take mail")
_FULL = N_("the mailbox is full")
_TOO_LARGE = N_("the mail is larger than the mail server on the way takes")
_NOT_ALLOWED = N_("the mail server on the way does not let this mail through")
_NOT_UNDERSTOOD = N_("the mail server on the way did not accept the mail as it was written")
_BROKEN_ROUTE = N_("no way was found to the address's mail server")

_BY_DETAIL = {  # RFC 3463 3.2 to 3.8, RFC 7505 (null MX: 1.10), RFC 6531 (6.7), RFC 7372 (7.20 and after)
    "1.7": _NOT_ALLOWED, "1.8": _NOT_ALLOWED,  # the sender's address is at fault
    "2.2": _FULL, "2.3": _TOO_LARGE, "3.4": _TOO_LARGE, "4.6": _BROKEN_ROUTE, "4.4": _BROKEN_ROUTE,
    "4.7": N_("the mail server could not hand the mail on in time"),
    "6.7": N_("the address has letters that the mail server on the way cannot carry"),
}  # fmt: skip
_BY_SUBJECT = {
    "1": _NO_SUCH_ADDRESS, "2": N_("the mailbox does not take this mail"),
    "3": N_("the mail server cannot take this mail"),
    "4": _BROKEN_ROUTE, "5": _NOT_UNDERSTOOD, "6": _NOT_UNDERSTOOD, "7": _NOT_ALLOWED,
}  # fmt: skip
_BY_CODE = {  # RFC 5321 4.2.3, where a server gives no enhanced status
    "550": _NO_SUCH_ADDRESS, "551": _NO_SUCH_ADDRESS, "552": _TOO_LARGE, "553": _NO_SUCH_ADDRESS,
    "554": _NOT_ALLOWED, "556": _NO_SUCH_ADDRESS,
}  # fmt: skip


def clean_reply(text: str) -> str:
    """A peer's words on one line: no control, format or undecodable characters, at most `REPLY_LENGTH`."""
    visible = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(visible.split())[:REPLY_LENGTH]


def enhanced_status(reply: str) -> str | None:
    """`5.1.1` of "550 5.1.1 no such user", or None."""
    found = _ENHANCED.match(reply)
    return ".".join(found.groups()) if found else None


def is_bad_address(reply: str) -> bool:
    """Whether a refusal for good is of the address itself, rather than of this one mail to it."""
    return reply.startswith("5") and explain(reply) == _NO_SUCH_ADDRESS


def explain(reply: str) -> str:
    """Why a mail was refused, for a reader who knows no SMTP: half a sentence without a full stop."""
    if (status := enhanced_status(reply)) is not None:
        _kind, subject, detail = status.split(".")
        by_status = _BY_DETAIL.get(f"{subject}.{detail}") or _BY_SUBJECT.get(subject)
        if by_status is not None:
            return _(by_status)
    code = _CODE.match(reply)
    if code is None:
        return _("it could not be handed over")
    return _(_BY_CODE.get(code[1], N_("the mail server on the way refused it")))
