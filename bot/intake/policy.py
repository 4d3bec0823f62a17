"""What is taken at MAIL, RCPT and the end of data: pure decisions on the raw arguments of RFC 5321 4.1.1.2 and 4.1.1.3.

The grammar is RFC 5321's, not RFC 5322's: no comment, folding, route or obsolete form. What one reader takes for a
comment and another for an address is how one domain is shown to SPF and a different one to DMARC.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from core.mail.authenticity import ALIAS_MARK, SECRET_SEPARATOR, OurAddresses
from core.mail.author import NoAuthor, NoFromField, decide_author
from core.values import Envelope, Peer

MAX_ADDRESS_CHARS = 320  # our rows' width: 64 + "@" + 255; RFC 5321 4.5.3.1 asks for no stricter limit on either half
MAX_DOMAIN_CHARS = 255  # RFC 5321 4.5.3.1.2
POSTMASTER = "postmaster"

_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\U0010ffff-]"  # RFC 5322 3.2.3, and RFC 6531 3.3 for what is not ASCII
_QUOTED = r'"(?:[ !#-\[\]-~\x80-\U0010ffff]|\\[ -~])*"'
_MAILBOX = re.compile(rf"(?P<local>{_ATEXT}+(?:\.{_ATEXT}+)*|{_QUOTED})@(?P<domain>[^@\s]+)")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"  # RFC 1035 2.3.1: at most 63
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_BLANK_LINE = re.compile(rb"\n\r?\n")  # where a reader sees the end of the header, who takes a bare LF for a line end
_LITERAL = re.compile(r"\[(?P<v6>IPv6:)?(?P<address>[0-9A-Fa-f:.]+)\]")
_ARGUMENT = re.compile(rf"(?P<keyword>[A-Za-z]+): *<(?P<path>(?:{_QUOTED}|[^<>\"])*)>(?: +(?P<parameters>.*))?")
_PARAMETER = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9-]*)(?:=(?P<value>[!-<>-~]+))?")  # RFC 5321 4.1.2


@dataclass(frozen=True, slots=True)
class Refusal:
    """`reply` is what the peer is told: a code, an enhanced status code (RFC 3463) and one line of text."""

    reply: str


@dataclass(frozen=True, slots=True)
class ReversePath:
    """The sender of a transaction; `address` is "" for the null reverse-path."""

    address: str
    is_utf8: bool
    """The client said SMTPUTF8, so that addresses need not be ASCII."""


@dataclass(frozen=True, slots=True)
class ForwardPath:
    """One recipient that is ours."""

    address: str
    alias: str = ""
    """The secret of a newsletter's address: whether there is one is for the caller to find out."""


BAD_SENDER = Refusal("501 5.1.7 sender is not MAIL FROM:<address>")
BAD_RECIPIENT = Refusal("501 5.1.3 recipient is not RCPT TO:<address>")
BAD_PARAMETER = Refusal("501 5.5.4 parameter or its value is not understood")
UNKNOWN_PARAMETER = Refusal("555 5.5.4 parameter was not offered")
TOO_LARGE = Refusal("552 5.3.4 message is larger than this server takes")
NEEDS_UTF8 = Refusal("553 5.6.7 address is not ASCII and SMTPUTF8 was not asked for")
NO_RELAY = Refusal("550 5.7.1 this server does not relay")
NO_MAILBOX = Refusal("550 5.1.1 no such mailbox here")


def judge_sender(argument: str, *, is_extended: bool, max_message_bytes: int) -> ReversePath | Refusal:
    """What follows `MAIL `. Parameters are only taken from who said EHLO, and only those that it was offered."""
    match = _ARGUMENT.fullmatch(argument)
    if match is None or match["keyword"].upper() != "FROM":
        return BAD_SENDER
    parameters = _parameters(match["parameters"] or "")
    if parameters is None or (parameters and not is_extended):
        return BAD_PARAMETER
    if (refusal := _judge_parameters(parameters, max_message_bytes)) is not None:
        return refusal
    address = match["path"]
    is_utf8 = "SMTPUTF8" in parameters
    if address and not is_mailbox(address):
        return BAD_SENDER
    return ReversePath(address, is_utf8) if is_utf8 or address.isascii() else NEEDS_UTF8


def _judge_parameters(parameters: dict[str, str | None], max_message_bytes: int) -> Refusal | None:
    for name, value in parameters.items():
        match name, value:
            case "SIZE", str() if value.isdecimal() and len(value) <= 20:  # RFC 1870 5
                if int(value) > max_message_bytes:
                    return TOO_LARGE
            case "BODY", str() if value.upper() in ("7BIT", "8BITMIME"):  # RFC 6152 2
                pass
            case ("SMTPUTF8", None) | ("AUTH", str()):  # RFC 6531 3.4; RFC 4954 5, which nobody need believe
                pass
            case (("SIZE" | "BODY" | "SMTPUTF8" | "AUTH"), _):
                return BAD_PARAMETER
            case _:
                return UNKNOWN_PARAMETER
    return None


def judge_recipient(argument: str, ours: OurAddresses, *, is_utf8: bool) -> ForwardPath | Refusal:
    """What follows `RCPT `. Only our addresses pass: there is no relaying, whoever asks.

    `postmaster`, with or without one of our domains, is taken as RFC 5321 4.5.1 demands and becomes a row like any
    other mail. It is no command address (`OurAddresses.takes_commands` is False): the mail is the operator's to read.
    """
    match = _ARGUMENT.fullmatch(argument)
    if match is None or match["keyword"].upper() != "TO":
        return BAD_RECIPIENT
    if match["parameters"]:
        return UNKNOWN_PARAMETER
    address = match["path"]
    if address.lower() == POSTMASTER:
        return ForwardPath(f"{POSTMASTER}@{min(ours.domains)}")
    if not is_mailbox(address):
        return BAD_RECIPIENT
    if not is_utf8 and not address.isascii():
        return NEEDS_UTF8
    if not ours.owns_domain(address):
        return NO_RELAY
    is_ours = ours.takes_mail(address) or address.lower().startswith(f"{POSTMASTER}@")
    return ForwardPath(address, ours.alias_in(address)) if is_ours else NO_MAILBOX


def judge_author(header: bytes, envelope: Envelope, peer: Peer, *, ours: OurAddresses) -> Refusal | None:
    """What the end of data is answered with where the From field cannot be believed whatever is found out later: two
    readers may see two authors in it, or a login speaks for somebody else.

    A mail without any From field passes, to be met with silence, and so do DSNs, which are read whoever they are from,
    and what is for the postmaster alone.
    """
    if not envelope.mail_from or not any(map(ours.takes_commands, envelope.rcpt_tos)):
        return None
    blank = _BLANK_LINE.search(header)
    try:
        author = decide_author(header if blank is None else header[: blank.start() + 1])
    except NoFromField:
        return None
    except NoAuthor as error:
        return Refusal(f"550 5.7.1 the author of the mail is not clear: {error}")
    if peer.auth_user is not None and author.address.lower() != peer.auth_user.lower():
        return Refusal("550 5.7.1 a login may write in its own name only")
    return None


@functools.lru_cache(maxsize=1024)
def is_mailbox(address: str) -> bool:
    """Whether this is RFC 5321's Mailbox: a dot-string or quoted string, "@", a domain or an address literal."""
    if len(address) > MAX_ADDRESS_CHARS or not address.isprintable():
        return False
    match = _MAILBOX.fullmatch(address)
    return match is not None and _is_domain(match["domain"])


def _is_domain(domain: str) -> bool:
    if domain.startswith("["):
        return _is_literal(domain)
    if not domain.isascii():
        try:
            domain = domain.encode("idna").decode(
                "ascii"
            )  # refuses what no name may hold: blanks, controls, bidi marks
        except UnicodeError:
            return False
    return len(domain) <= MAX_DOMAIN_CHARS and _DOMAIN.fullmatch(domain) is not None


def _is_literal(domain: str) -> bool:
    match = _LITERAL.fullmatch(domain)
    if match is None:
        return False
    try:
        IPv6Address(match["address"]) if match["v6"] else IPv4Address(match["address"])
    except AddressValueError:
        return False
    return True


def _parameters(text: str) -> dict[str, str | None] | None:
    """Parameters by their upper-case name; None if one is malformed or stands twice."""
    found: dict[str, str | None] = {}
    for word in text.split():
        match = _PARAMETER.fullmatch(word)
        if match is None or match["name"].upper() in found:
            return None
        found[match["name"].upper()] = match["value"]
    return found


def masked(rcpt_to: str) -> str:
    """A recipient for the log, `books+…@books.example`: who knows a user's subaddress may give commands."""
    local_part, at, domain = rcpt_to.rpartition("@")
    if local_part.lower().startswith(ALIAS_MARK):
        return f"{ALIAS_MARK}…{at}{domain}"
    name, plus, _ = local_part.partition(SECRET_SEPARATOR)
    return f"{name}{plus}{'…' if plus else ''}{at}{domain}"
