"""Values that the files of this room hand to each other and to the services. Frozen; times are aware and UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from core.errors import InkpostError

WORDS_A_MINUTE = 230
"""Silent reading of non-fiction (Brysbaert 2019, 238, rounded down for screens)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Validators:
    """What makes a GET conditional (RFC 9110 13.1): the feed row keeps them."""

    etag: str = ""
    last_modified: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A 200 whose body was read within its limits."""

    url: str
    """Where the body came from at last, after all redirects."""
    moved_to: str | None = None
    """Where an unbroken chain of permanent redirects (301, 308) led: the address to keep. None: do not move."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""
    body: bytes
    """Decompressed."""

    @property
    def validators(self) -> Validators:
        return Validators(etag=self.headers.get("etag", ""), last_modified=self.headers.get("last-modified", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class NotModified:
    """A 304."""

    url: str
    moved_to: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class FetchFailed(InkpostError):
    """A page was not to be had. `text` is a sentence for a reader, `code` is stable (`fetch.timeout`)."""

    def __init__(
        self,
        text: str,
        *,
        code: str,
        status: int | None = None,
        retry_after_seconds: float | None = None,
        is_host_down: bool = False,
    ) -> None:
        super().__init__(text)
        self.text = text
        self.code = code
        """`fetch.dns`, `fetch.connect`, `fetch.tls`, `fetch.timeout`, `fetch.too-large`, `fetch.forbidden-address`,
        `fetch.bad-url`, `fetch.redirects`, `fetch.media-type`, `fetch.http` (see `status`), `fetch.resting` (the host's
        circuit is open)"""
        self.status = status
        self.retry_after_seconds = retry_after_seconds
        """What the host's Retry-After asked for, or when its circuit lets one through again."""
        self.is_host_down = is_host_down
        """Counts against the host's circuit: it did not answer, or with a 5xx."""

    def __reduce__(self) -> tuple[object, ...]:
        state = (self.text, self.code, self.status, self.retry_after_seconds, self.is_host_down)
        return _fetch_failed, state


def _fetch_failed(
    text: str, code: str, status: int | None, retry_after_seconds: float | None, is_host_down: bool
) -> FetchFailed:
    return FetchFailed(
        text, code=code, status=status, retry_after_seconds=retry_after_seconds, is_host_down=is_host_down
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One item as its feed has it: read, not yet cleaned."""

    guid: str = ""
    """The feed's own id (RSS guid, Atom id, JSON id); "" where it has none. Never made up from another field."""
    url: str = ""
    """Absolute http(s); "" where it has none."""
    title: str = ""
    """Plain text, one line, entities resolved."""
    authors: tuple[str, ...] = ()
    published_at: datetime | None = None
    updated_at: datetime | None = None
    content: str = ""
    """HTML as the feed has it, hostile until sanitised: the fuller of content and summary."""
    base_url: str = ""
    """What relative links of `content` are relative to."""
    summary: str = ""
    """HTML, hostile, "" where the feed has only one of the two."""
    language: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedFeed:
    """A feed's document, read."""

    title: str = ""
    site_url: str = ""
    language: str | None = None
    kind: str = ""
    """`rss20`, `atom10`, `json1`, ... as feedparser calls them."""
    ttl_seconds: int | None = None
    """How long the publisher says that it may be kept (RSS ttl, sy:updatePeriod)."""
    entries: tuple[Entry, ...] = ()
    """In the feed's order, at most as many as the limits allow."""
    defects: tuple[str, ...] = ()
    """What was wrong with it, in words for `feeds`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A text made fit for e-readers: what stands in the paper."""

    html: str
    """Well-formed XHTML fragment: no script, style, form, frame, event handler, tracker; links http(s) or mailto."""
    text: str
    """The same in plain paragraphs, divided by empty lines."""
    words: int
    """Words, where a CJK letter counts as half of one."""
    pictures: tuple[str, ...] = ()
    """Absolute URLs of the `<img>` in `html`, in order, each once."""
    link_share: float = 0.0
    """How much of the text is the text of links, 0.0 to 1.0."""
    language: str | None = None
    """Two-letter code, declared or recognised."""
    title: str = ""
    authors: tuple[str, ...] = ()
    published_at: datetime | None = None

    @property
    def minutes(self) -> int:
        """Reading time, at least 1."""
        return max(1, round(self.words / WORDS_A_MINUTE))
