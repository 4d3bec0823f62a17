"""Reports of mail servers on mails of ours that could not be delivered, or not yet: RFC 3464, and the older free forms.

A report is put down to one of our mails by the Message-ID that it gives back, never by its own sender: nobody but us
and the servers on the way has seen that id, and a report comes from the null reverse-path, which proves nothing.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.errors import MessageError
from email.message import Message
from pathlib import Path
from typing import Final

from flufl.bounce import all_failures

from core.mail.status import clean_reply

MOST_BYTES: Final = 256 * 1024  # of a report that are read: the words, the status, and the head of what came back
_MESSAGE_ID: Final = re.compile(rb"<([^<>@\s]{1,200}@[^<>@\s]{1,250})>")
_STATUS: Final = re.compile(r"\b([245])\.\d{1,3}\.\d{1,3}\b")
_FAILED_ACTIONS: Final = frozenset({"failed"})
_WAITING_ACTIONS: Final = frozenset({"delayed", "relayed", "delivered", "expanded"})


class BounceKind(enum.StrEnum):
    FAILED = "failed"
    """It will not be tried again."""
    DELAYED = "delayed"
    """It is still being tried, or has gone on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounce:
    """What a report says of one mail."""

    kind: BounceKind
    message_ids: tuple[str, ...]
    """All that it gives back, with angle brackets, in order; ours among them if it is about a mail of ours."""
    reply: str
    """The server's words, beginning with its status where it gives one: for `core.mail.status.explain`."""


def read_bounce(path: Path) -> Bounce | None:
    """The report in a file, None if it is none. Blocks for some milliseconds; raises `OSError`."""
    with path.open("rb") as file:
        raw = file.read(MOST_BYTES)
    ids = tuple(dict.fromkeys(f"<{found.decode('ascii', 'replace')}>" for found in _MESSAGE_ID.findall(raw)))
    message = message_from_bytes(raw)
    told = _standard(message) or _free(message, raw)
    return None if told is None else Bounce(kind=told[0], message_ids=ids, reply=clean_reply(told[1]))


def _standard(message: Message) -> tuple[BounceKind, str] | None:
    """RFC 3464: the per-recipient fields. One that failed counts more than one that waits."""
    told: list[tuple[BounceKind, str]] = []
    for fields in _recipients(message):
        action = str(fields.get("action", "")).strip().lower()
        status = found[0] if (found := _STATUS.search(str(fields.get("status", "")))) else ""
        words = str(fields.get("diagnostic-code", "")).partition(";")[2].strip() or str(fields.get("status", ""))
        reply = words if _STATUS.match(words) or words[:3].isdigit() else f"{status} {words}".strip()
        if action in _FAILED_ACTIONS or (not action and status.startswith("5")):
            told.append((BounceKind.FAILED, reply))
        elif action in _WAITING_ACTIONS or status.startswith("4"):
            told.append((BounceKind.DELAYED, reply))
    return min(told, key=lambda one: one[0] is not BounceKind.FAILED, default=None)


def _recipients(message: Message) -> Iterator[Message]:
    """The groups of fields behind the first one, which is about the server (RFC 3464 2.1)."""
    for part in message.walk():
        if part.get_content_type() == "message/delivery-status" and isinstance(groups := part.get_payload(), list):
            yield from (one for one in groups if isinstance(one, Message) and ("action" in one or "status" in one))


def _free(message: Message, raw: bytes) -> tuple[BounceKind, str] | None:
    """The forms from before RFC 3464, which flufl.bounce knows: qmail, Exim, Postfix's, Exchange's, and so on."""
    if not isinstance(message["from"], str) or not message["from"].strip():
        del message["from"]  # flufl.bounce 6.0 stumbles over none, and over one that is not ASCII
        message["From"] = "MAILER-DAEMON"
    try:
        temporary, permanent = all_failures(message)
    except (MessageError, LookupError, ValueError, TypeError, AttributeError):
        return None  # it reads what strangers wrote by the standard library's old rules
    if not temporary and not permanent:
        return None
    kind = BounceKind.FAILED if permanent else BounceKind.DELAYED
    return kind, _said(raw.decode("utf-8", "replace"))


def _said(text: str) -> str:
    """The line of a report that looks like a server's reply, or nothing."""
    found = re.search(r"^.*?((?:[45]\d\d[ -])?[45]\.\d\.\d{1,3}\b.*|\b5[0-5]\d[ -]\S.*)$", text, re.MULTILINE)
    return found[1] if found else ""
