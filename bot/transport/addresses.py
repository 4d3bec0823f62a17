"""The last look at an address before it stands on a command line or in a header field of its own."""

from __future__ import annotations

import re

# RFC 5321 4.1.2: dot-string or quoted-string, and no character that could end a path. Looser than the grammar on
# purpose: what a mail server makes of an odd address is its affair, that it stays one address is ours.
_MAILBOX = re.compile(
    r'(?:"(?:[^"\\\x00-\x1f\x7f]|\\[^\x00-\x1f\x7f])*"|[^\s<>"\x00-\x1f\x7f]+)@[^\s<>"@\x00-\x1f\x7f]+'
)

BAD_ADDRESS = "553 5.1.3 not an address that can be written on an SMTP command line"


def is_mailbox(address: str) -> bool:
    return _MAILBOX.fullmatch(address) is not None


def is_reverse_path(address: str) -> bool:
    """A mailbox, or "" for the null reverse-path."""
    return address == "" or is_mailbox(address)
