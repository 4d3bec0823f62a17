"""Values that pass between rooms. Frozen; addresses are addr-specs, times are aware and UTC."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path

from core.news.opml import Opml


@dataclass(frozen=True, slots=True)
class Peer:
    """Who handed a mail over. `ip` is None where a socket has none (a Unix socket, IMAP)."""

    ip: str | None
    helo: str = ""
    auth_user: str | None = None
    tls: bool = False
    mailbox: str = ""
    """The mailbox at another house that it was fetched from, by its name in our configuration."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """RFC 5321 envelope. `mail_from` is the reverse-path, "" for the null one."""

    mail_from: str
    rcpt_tos: tuple[str, ...]


class Trust(enum.IntEnum):
    """How sure we are of who wrote a mail; each tier may do what the tiers below it may."""

    NONE = 0
    READ = 1
    """Answers, which go to the registered address whoever asks."""
    DELIVER = 2
    """And what can be undone: books are added and sent, feeds are subscribed to."""
    CHANGE = 3
    """And what cannot, or what decides who may do the rest: removing, settings, devices, sharing, the secret."""


class Proof(enum.StrEnum):
    """What a mail may bring to show who wrote it, and what each is good for. docs/security.md holds the same table."""

    LOGIN = "smtp-auth"
    """Brought by SMTP AUTH with the user's secret, From their own address."""
    SECRET = "subaddress"
    """Sent to the user's secret subaddress, whoever it is from."""
    NETWORK = "network"
    """From a network that checks its own senders, as the operator says."""
    UPSTREAM = "upstream"
    """The operator's own mail server says that DMARC passes."""
    REPLY = "reply"
    """Sent to the address that a mail of ours to this user is answered at, From the user's own address."""
    SIGNED_FOR_US = "signed"
    """The author's domain signed it (DKIM), and it was written to us: no copy of a mail to somebody else."""
    DOMAIN = "domain"
    """From the author's domain, by a signature that may be a copy's or by SPF alone, whose hosts many may share."""

    @property
    def trust(self) -> Trust:
        return _TRUST[self]


_TRUST = {
    Proof.LOGIN: Trust.CHANGE,
    Proof.SECRET: Trust.CHANGE,
    Proof.NETWORK: Trust.CHANGE,
    Proof.UPSTREAM: Trust.DELIVER,
    Proof.REPLY: Trust.DELIVER,
    Proof.SIGNED_FOR_US: Trust.DELIVER,
    Proof.DOMAIN: Trust.READ,
}


@dataclass(frozen=True, slots=True)
class SenderVerdict:
    """Who wrote a mail, and why we think so. `user_id` is None when it is nobody that we know or believe."""

    user_id: int | None
    trust: Trust
    method: str
    """A `Proof`, or `none`."""
    why: str
    """One sentence for the operator."""
    is_stranger: bool = False
    """The author's address is nobody's here: whether the mail is really theirs was not looked at."""
    is_administrator: bool = False
    """Of the user: which commands they have."""
    language: str = ""
    """Of the user, as their row has it; "" for nobody, and for somebody who has not shown it yet."""


class AttachmentKind(enum.StrEnum):
    """What a command may do something with."""

    BOOK = "book"
    FEED_LIST = "feed-list"
    """OPML."""


class BookFormat(enum.StrEnum):
    """What a file is, by its content. The value is the file extension without its dot."""

    EPUB = "epub"
    PDF = "pdf"
    MOBI = "mobi"
    AZW3 = "azw3"
    FB2 = "fb2"
    DOCX = "docx"
    RTF = "rtf"
    TXT = "txt"
    HTML = "html"
    CBZ = "cbz"
    ODT = "odt"
    MARKDOWN = "md"

    @property
    def media_type(self) -> str:
        return _MEDIA_TYPES[self]


_MEDIA_TYPES = {
    BookFormat.EPUB: "application/epub+zip",
    BookFormat.PDF: "application/pdf",
    BookFormat.MOBI: "application/x-mobipocket-ebook",
    BookFormat.AZW3: "application/vnd.amazon.ebook",
    BookFormat.FB2: "application/x-fictionbook+xml",
    BookFormat.DOCX: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    BookFormat.RTF: "application/rtf",
    BookFormat.TXT: "text/plain",
    BookFormat.HTML: "text/html",
    BookFormat.CBZ: "application/vnd.comicbook+zip",
    BookFormat.ODT: "application/vnd.oasis.opendocument.text",
    BookFormat.MARKDOWN: "text/markdown",
}


@dataclass(frozen=True, slots=True)
class BookMetadata:
    """What a file says of itself, cleaned: one line each, no control characters, within the library's lengths."""

    title: str
    """1 to 500 characters; falls back to the file's name, so it is never empty."""
    authors: tuple[str, ...] = ()
    language: str | None = None
    """BCP 47, None if absent or not a language."""
    identifiers: tuple[tuple[str, str], ...] = ()
    """(scheme, value), e.g. ("isbn", "9780141439518")."""
    series: str | None = None
    series_index: float | None = None
    genre: str | None = None
    tags: tuple[str, ...] = ()
    description: str | None = None
    """Plain text."""
    page_count: int | None = None


@dataclass(frozen=True, slots=True)
class OpenedBook:
    """A file that was read under limits. `cover_path` is a JPEG of at most 600x800 in the work directory."""

    path: Path
    format: BookFormat
    size_bytes: int
    sha256: str
    metadata: BookMetadata
    cover_path: Path | None = None
    thumbnail: bytes | None = None
    """The cover as small as a mail shows it."""


@dataclass(frozen=True, slots=True)
class StagedBook:
    """An opened book whose bytes are in the BlobStore: ready for a transaction."""

    filename: str
    format: BookFormat
    size_bytes: int
    sha256: str
    storage_key: str
    cover_key: str | None
    metadata: BookMetadata
    thumbnail: bytes | None = None


@dataclass(frozen=True, slots=True)
class RefusedAttachment:
    """An attachment that did not become a book, and what the user is told of it."""

    filename: str
    code: str
    text: str
    fix: str


@dataclass(frozen=True, slots=True)
class StagedFeedList:
    """A list of feeds (OPML) that a mail carried, read."""

    filename: str
    opml: Opml


Staged = StagedBook | StagedFeedList | RefusedAttachment
"""What became of one attachment."""
