"""A gateway that behaves as Amazon's is known to: it takes every mail by SMTP, and writes back later, if at all.

Its rules and words are those that senders have published; it never confirms anything, and drops mail to addresses
that do not exist without a word.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import make_msgid

from bot.mailbox import ReceivedMail

SUPPORT = "do-not-reply@amazon.com"
BOUNCES = "20260420@bounces.amazon.com"
PROBLEM = "There was a problem with the document(s) you sent to Kindle"
MOST_BYTES = 50_000_000
TAKEN = frozenset({"application/epub+zip", "application/pdf", "text/plain", "application/rtf"})

SendMail = Callable[[EmailMessage, str, str], Awaitable[None]]


@dataclass
class AmazonGateway:
    """Everything behind @kindle.com."""

    accounts: dict[str, set[str]] = field(default_factory=dict)
    """Kindle address -> the senders that its owner has approved, exactly."""
    kindles: dict[str, list[str]] = field(default_factory=dict)
    """Kindle address -> file names of what really got there."""
    asks_to_confirm: bool = False
    suspended: set[str] = field(default_factory=set)
    dislikes: str = ""
    """Something in a package that its converter stumbles over, as nobody outside knows."""

    def judge(self, mail: ReceivedMail) -> EmailMessage | None:
        """What comes of a mail: the notice that goes back, or None for silence."""
        approved = self.accounts.get(mail.rcpt_to)
        if approved is None:
            return None
        message = mail.message
        sender = message["From"].addresses[0].addr_spec
        files = [part for part in message.iter_attachments() if part.get_content_disposition() == "attachment"]
        at = datetime.now(UTC).strftime("%I:%M %p on %a, %b %d, %Y GMT")
        if sender in self.suspended:
            names = " ".join(str(part.get_filename()) for part in files)
            return _notice(
                sender,
                "Send to Kindle",
                f"We apologize for the inconvenience, but there is problem with {sender}’s account and we are unable "
                f"to deliver the document {names} they sent to you.",
            )
        if sender not in approved:
            return _refusal(
                sender, f"Your Send to Kindle request at {at}, could not be processed due to E014 - Unapproved sender "
                f"email address.\nUnapproved sender email address: {sender}"
            )  # fmt: skip
        text = message.get_body(("plain",))
        if not files or message.get_content_type() != "multipart/mixed" or not message["Subject"] or text is None:
            return _refusal(
                sender, f"Your Send to Kindle request at {at}, could not be processed due to E009 - No Attachment."
            )
        for part in files:
            code = self._fault(part, size=len(mail.raw))
            if code:
                return _refusal(
                    sender, f"Dear customer, The following document(s), sent at {at}, could not be delivered due to "
                    f"{code}: * {part.get_filename()}"
                )  # fmt: skip
        if self.asks_to_confirm:
            return _notice(
                sender,
                "Verify your Send to Kindle document request",
                "Please verify this request within 48 hours.\n\nVerify Request "
                "(https://www.amazon.com/sendtokindle/verification/confirm/A0EXAMPLE/00000000-0000-4000-8000-000000000000)",
            )
        self.kindles.setdefault(mail.rcpt_to, []).extend(str(part.get_filename()) for part in files)
        return None

    def _fault(self, part: EmailMessage, *, size: int) -> str:
        name = str(part.get_filename()).lower()
        if name.endswith((".mobi", ".azw3")):
            return "E001 - Unsupported File Format"
        if size > MOST_BYTES or part.get_content_type() not in TAKEN or not name.isascii():
            return "E999 - Send to Kindle Internal Error"
        if name.endswith(".epub") and not _is_sound(part.get_content(), dislikes=self.dislikes):
            return "E999 - Send to Kindle Internal Error"
        return ""


def _is_sound(epub: bytes, *, dislikes: str) -> bool:
    """The causes of E999 that are told most often: no language, or one that is none; pictures without a source."""
    try:
        with zipfile.ZipFile(io.BytesIO(epub)) as book:
            names = book.namelist()
            package = next(book.read(name).decode() for name in names if name.endswith(".opf"))
            pages = b"".join(book.read(name) for name in names if name.endswith("html"))
    except (zipfile.BadZipFile, StopIteration, UnicodeDecodeError):
        return False
    if dislikes and dislikes in package:
        return False
    language = re.search(r"<dc:language[^>]*>\s*([A-Za-z]{2,3})(?:-[\w-]+)?\s*</dc:language>", package)
    has_sources = all(b"src=" in tag for tag in re.findall(rb"<img\b[^>]*>", pages))
    return language is not None and language[1].lower() not in ("und", "unk") and has_sources


def _refusal(to: str, text: str) -> EmailMessage:
    return _notice(to, PROBLEM, text)


def _notice(to: str, subject: str, text: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = f"Amazon Kindle Support <{SUPPORT}>", to, subject
    message["Date"], message["Message-ID"] = datetime.now(UTC), make_msgid(domain="email.amazonses.com")
    message.set_content(text)
    return message
