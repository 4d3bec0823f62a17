"""A mail as we read it: frozen values that `core.mail.parse` makes and everybody else reads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from core.values import AttachmentKind, BookFormat


@dataclass(frozen=True, slots=True)
class Author:
    """The one author, decided on the raw From field: exactly one field, one addr-spec, no ambiguity."""

    address: str
    """addr-spec; the domain in lower case and IDNA A-labels, the local part as written."""
    name: str = ""
    """Display name, cleaned; for showing only, never for deciding."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that a mail carries, decoded into the work directory of the parse."""

    filename: str | None
    """Clean: no path, no control or bidi characters, at most 150 characters."""
    declared_type: str
    path: Path
    size_bytes: int
    sha256: str
    format: BookFormat | None
    """What it is by its content, None if nothing that a library holds (a ZIP of books is `archive`)."""
    is_feed_list: bool = False
    """A list of feeds (OPML)."""
    is_archive: bool = False
    """A ZIP that is not itself a book."""
    is_inline: bool = False
    """Content-Disposition inline or referenced by cid: a picture in the text, or what the mail is signed or encrypted
    with; not a file somebody sent."""
    is_forwarded: bool = False
    """It stood inside a forwarded message."""

    @property
    def kind(self) -> AttachmentKind | None:
        """What it is to commands, None if nothing."""
        if self.is_feed_list:
            return AttachmentKind.FEED_LIST
        return AttachmentKind.BOOK if self.format or self.is_archive else None


@dataclass(frozen=True, slots=True)
class ParsedMessage:
    """Everything we use of a mail. Text fields are decoded and cleaned; nothing in here is trusted."""

    author: Author | None
    author_defect: str
    """Why there is no author ("" if there is one)."""
    subject: str
    message_id: str | None
    """With its angle brackets, as written."""
    in_reply_to: tuple[str, ...]
    references: tuple[str, ...]
    date: datetime | None
    text: str
    """The author's own text, LF line ends, from text/plain or else HTML; quotes and signature still in it, the text
    of forwarded messages (message/rfc822) never."""
    html: str
    """The HTML part as written, "" if there is none. Hostile."""
    attachments: tuple[Attachment, ...]
    headers: tuple[tuple[str, str], ...]
    """All header fields in order: (name as written, unfolded value; 8-bit decoded, encoded-words not decoded)."""
    content_type: str
    """Of the whole mail, lower case: `multipart/report`."""
    defects: tuple[str, ...]
    """What is wrong with the mail, a short phrase each, in order of discovery."""
    holds_mail: bool = False
    """Another mail goes with it as a part (message/rfc822)."""

    def header(self, name: str) -> str | None:
        """First value of a field, or None."""
        return next(iter(self.all_headers(name)), None)

    def all_headers(self, name: str) -> list[str]:
        """All values of a field, in order."""
        wanted = name.lower()
        return [value for field, value in self.headers if field.strip().lower() == wanted]
