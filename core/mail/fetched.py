"""The envelope of a mail that lay in a mailbox: what the servers before us wrote into its header."""

from __future__ import annotations

import re

from core.mail.authenticity import OurAddresses
from core.mail.author import NoAuthor, decide_author
from core.mail.fields import field_text, split_header
from core.values import Envelope

MAX_HEADER_BYTES = 256 * 1024  # of the header; an address further down than that is in no honest mail
MAX_RECIPIENTS = 100  # RFC 5321 4.5.3.1.8
RECIPIENT_FIELDS = (
    *(b"delivered-to", b"x-delivered-to", b"x-original-to", b"envelope-to"),  # the last server's word comes first
    *(b"to", b"cc", b"resent-to", b"resent-cc"),
)
_ADDRESS = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[\w.-]{1,255}")
_PATH = re.compile(r"<([^<>\s]{0,320})>")  # as wide as our row


def fetched_envelope(content: bytes, ours: OurAddresses, *, mailbox: str) -> Envelope:
    """Who sent a mail and which of our addresses it was for, as far as its first octets say; `mailbox` if none.

    The reverse-path is what the last server left in Return-Path, or else the author. Anybody can write any of these
    fields: they say where an answer goes and which secret was known, and are no proof of anything else.
    """
    end = re.search(rb"\r?\n\r?\n", content[:MAX_HEADER_BYTES])
    block = content[: end.start() if end else MAX_HEADER_BYTES].replace(b"\r\n", b"\n") + b"\n"
    header = split_header(block)
    texts = [field_text(value) for name in RECIPIENT_FIELDS for field, value in header.fields if field.lower() == name]
    found = [address for text in texts for address in _ADDRESS.findall(text) if ours.takes_mail(address)]
    rcpt_tos = tuple(dict.fromkeys(found))[:MAX_RECIPIENTS] or (mailbox,)
    path = _PATH.search(header.text(b"return-path"))
    return Envelope(path[1] if path else _author(block), rcpt_tos)


def _author(block: bytes) -> str:
    try:
        return decide_author(block).address
    except NoAuthor:
        return ""
