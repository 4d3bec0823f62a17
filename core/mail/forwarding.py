"""Gmail's question whether somebody's mail may be forwarded to one of our addresses: its code and its link.

https://support.google.com/mail/answer/10957: Gmail writes to the address that is to receive the mail, and forwards
nothing before its code was typed in or its link was opened by whoever reads there. That is our reader, not us.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from core.mail.message import ParsedMessage

SENDER: Final = "forwarding-noreply@google.com"
_LONGEST_TEXT: Final = 20_000
_CODE: Final = re.compile(r"\(#\s?(\d{6,12})\)")
_CODE_IN_TEXT: Final = re.compile(r"(?<![\d-])(\d{8,10})(?![\d-])")
_LINK: Final = re.compile(r"https://(?:mail-settings|mail)\.google\.com/mail/vf-[^\s<>\"']{10,500}")
_ADDRESS: Final = re.compile(r"[\w.!#$%&'*/=?^`{|}~+-]{1,64}@[\w-]+(?:\.[\w-]+)+")


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardingRequest:
    """What Gmail asks. Who really wrote it is for the caller to find out."""

    requester: str
    """The address whose mail is to be forwarded, lower case; "" where none is named."""
    code: str
    link: str
    """Opening it says yes: it is passed on and never fetched."""


def read_forwarding_request(message: ParsedMessage) -> ForwardingRequest | None:
    """The request in a mail that says it is Gmail's; None for any other, and for one with neither code nor link."""
    if message.author is None or message.author.address.lower() != SENDER:
        return None
    text = message.text[:_LONGEST_TEXT]
    link = _LINK.search(text) or _LINK.search(message.html[: 5 * _LONGEST_TEXT])
    code = _CODE.search(message.subject) or _CODE_IN_TEXT.search(text)
    if code is None and link is None:
        return None
    named = (found for words in (message.subject, text) for found in _ADDRESS.findall(words))
    requester = next((found.lower() for found in named if not found.lower().endswith("google.com")), "")
    return ForwardingRequest(requester=requester, code=code[1] if code else "", link=link[0] if link else "")
