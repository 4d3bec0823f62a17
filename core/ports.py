"""The ports: what the core needs of the world. A docstring here is the contract that every adapter keeps."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from core.mail.message import ParsedMessage
from core.news.values import Fetched, NotModified, Validators
from core.values import Envelope, Peer, SenderVerdict


@dataclass(frozen=True, slots=True)
class BlobStat:
    """What a store knows of one blob."""

    key: str
    size_bytes: int


class BlobNotFound(KeyError):
    """No blob stands under this key."""


class BlobCorrupt(OSError):
    """What the store holds under a key is not what was put there."""


class BlobStore(Protocol):
    """Bytes under keys, written once and never changed.

    Blocking; safe from any thread. Keys are relative POSIX paths of printable characters, without backslashes, empty
    segments or segments that start with a dot, else `ValueError`. A store that cannot be reached or written raises
    `core.errors.Unavailable`. What stands under a key with another content raises `BlobCorrupt` when it is put again.
    """

    def put(self, key: str, source: BinaryIO, *, size_bytes: int, media_type: str) -> bool:
        """Store what `source` yields; True if created, False if the same content was there already.

        Atomic and durable when it returns: a reader sees the whole blob or none, a crash leaves none. `source` is
        read from its position and must hold `size_bytes`, else `BlobCorrupt`. The same key put twice is one blob.
        """
        ...

    def put_file(self, key: str, path: Path, *, media_type: str) -> bool:
        """Like `put`, of a whole file. The file may become the blob by a hard link: it must never be written again.

        Its name stays the caller's, to delete when they like.
        """
        ...

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        """The blob for reading, from its start, seekable. Raises `BlobNotFound`."""
        ...

    def get_file(self, key: str, path: Path) -> None:
        """The blob as a file at `path`, where none may be. It may be the blob itself by a hard link: never write to it.

        Its name is the caller's to delete. Raises `BlobNotFound`.
        """
        ...

    def stat(self, key: str) -> BlobStat | None: ...

    def delete(self, key: str) -> None:
        """Forget the blob; no error if it is not there."""
        ...

    def link(self, key: str, *, filename: str, seconds: float) -> str | None:
        """A URL from which anybody may fetch the blob for so long, to be saved as `filename`; None where a store
        cannot be reached from outside. Makes no request, and does not look whether the blob is there. Raises
        `Unavailable` where the store's key for signing is not to be had."""
        ...

    def list(self, prefix: str = "") -> Iterator[BlobStat]:
        """All blobs whose key starts with `prefix`, in order of their keys."""
        ...


@dataclass(frozen=True, slots=True)
class Delivered:
    """The peer took the mail: its whole reply, e.g. "250 2.0.0 queued as 4F2A"."""

    reply: str


@dataclass(frozen=True, slots=True)
class Deferred:
    """Not now: a 4yz, a timeout, no connection. `reply` is the peer's word or what went wrong.

    `is_peer_down` tells a relay that cannot be used at all (which counts against its circuit) from one that
    answered 4yz for this mail alone. `is_unknown`: the whole mail went, and no answer came (RFC 1047), so that the
    peer may have it.
    """

    reply: str
    is_peer_down: bool = False
    is_unknown: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """Never: a 5yz about this mail. `reply` is the peer's word."""

    reply: str


SendResult = Delivered | Deferred | Refused


class MailBody(Protocol):
    """A whole RFC 5322 message that can be read more than once: CRLF line ends, no dot-stuffing."""

    @property
    def size_bytes(self) -> int:
        """Exact size of what `chunks` yields in all."""
        ...

    def chunks(self) -> Iterator[bytes]:
        """The message from its start, in pieces of at most 64 KiB. Blocks on disk only."""
        ...


class Transport(Protocol):
    """Gives one mail to one recipient's next hop.

    Called from the event loop. Never raises for what a peer or a network does: that is a `SendResult`. The caller
    records the attempt before and the result after; a transport keeps no state about mails.
    """

    async def send(
        self,
        *,
        mail_from: str,
        rcpt_to: str,
        body: MailBody,
        before_data: Callable[[], Awaitable[None]] | None = None,
    ) -> SendResult:
        """`before_data` is awaited when the next hop is ready for the message, and not a byte of it has gone.

        What it raises is raised here, and so is what `body.chunks` raises; the mail was certainly not sent then.
        """
        ...

    async def check(self) -> str | None:
        """What is wrong with the way out, in one sentence, or None: for `inkpost check` and `/readyz`."""
        ...

    async def size_limit(self) -> int | None:
        """The largest encoded mail that the next hop takes, as far as it says; None if it does not, or is away."""
        ...

    async def close(self) -> None: ...


class RecordType(enum.StrEnum):
    """What one may ask name servers for."""

    TXT = "TXT"
    A = "A"
    AAAA = "AAAA"
    MX = "MX"
    PTR = "PTR"


@dataclass(frozen=True, slots=True)
class DnsAnswer:
    """`records` as text: the strings of a TXT record joined, addresses, host names without the dot at their end."""

    records: tuple[str, ...] = ()
    exists: bool = True
    """False where there is no such name at all (NXDOMAIN)."""


class Dns(Protocol):
    """Asks name servers. From the event loop; many at a time."""

    async def ask(self, name: str, kind: RecordType) -> DnsAnswer:
        """An answer, which may be some time old, or none: what cannot be a name does not exist.

        Raises `Unavailable` where no name server answers in time, or all refuse: then nothing is known of the name.
        """
        ...


class Authenticator(Protocol):
    """Says who wrote a mail. Never raises for what a mail holds; `Unavailable` if it cannot know now."""

    async def authenticate(self, message: ParsedMessage, envelope: Envelope, peer: Peer, *, raw: Path) -> SenderVerdict:
        """`raw` is the file that `message` was read from."""
        ...


class Prover(Protocol):
    """Says whether a mail is from the domain in its From field, registered here or not. `Unavailable` if it cannot
    know now."""

    async def is_proven(self, message: ParsedMessage, path: Path, envelope: Envelope, peer: Peer) -> bool:
        """`path` is the raw mail."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchLimits:
    """What one fetch may take."""

    body_bytes: int
    """Of the decompressed body."""
    seconds: float = 30.0
    """From the first name that is looked up to the last byte, over all redirects."""
    media_types: tuple[str, ...] = ()
    """Prefixes of the media types that are of use (`image/`); () takes all."""


class Fetcher(Protocol):
    """Fetches what a user named. Every address that it connects to is a public one, redirects included."""

    async def fetch(
        self, url: str, *, limits: FetchLimits, validators: Validators | None = None
    ) -> Fetched | NotModified:
        """GET. Raises `FetchFailed` for all that the URL, the host or the network does."""
        ...


class Poster(Protocol):
    """Sends a form to where somebody named. Every address that it connects to is a public one."""

    async def post(self, url: str, *, form: Mapping[str, str], limits: FetchLimits) -> None:
        """POST, once: no redirect is followed, no cookie goes along, and nothing of the answer is read but its status.

        Raises `FetchFailed` for all that the URL, the host or the network does, and for every status but 2yz.
        """
        ...
