"""DKIM signatures of what we send (RFC 6376, RFC 8301, RFC 8463): the body is hashed as it is streamed, never held."""

from __future__ import annotations

import base64
import hashlib
import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from core.mail.canonical import hash_body
from core.mail.fields import Field, split_header
from core.ports import MailBody

SIGNED = (
    *("from", "sender", "reply-to", "to", "cc", "subject", "date", "message-id", "in-reply-to", "references"),
    *("mime-version", "content-type", "content-transfer-encoding", "auto-submitted"),
    *("list-id", "list-help", "list-unsubscribe", "list-unsubscribe-post"),
)
"""RFC 6376 5.4.1, and for one click RFC 8058 4: List-Unsubscribe and List-Unsubscribe-Post."""

SEALED = frozenset({"from", "reply-to", "to", "cc", "subject", "date", "message-id", "content-type"})
"""Named once more than they stand in the mail, so that nobody can put a second one on top (RFC 6376 8.15)."""

MIN_RSA_BITS = 2048  # RFC 8301 3.2: signers should use at least so many
_END_OF_HEADER = b"\r\n\r\n"
_COLUMNS = 72


@dataclass(frozen=True, slots=True)
class DkimKey:
    """A private key and where its public half stands in DNS. Raises `ValueError` for one that no receiver takes."""

    domain: str
    selector: str
    private: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

    def __post_init__(self) -> None:
        if isinstance(self.private, rsa.RSAPrivateKey) and self.private.key_size < MIN_RSA_BITS:
            raise ValueError(f"an RSA key for DKIM has at least {MIN_RSA_BITS} bits")

    @classmethod
    def from_pem(cls, pem: bytes, *, domain: str, selector: str) -> DkimKey:
        """Of a key in PEM, without a passphrase."""
        private = serialization.load_pem_private_key(pem, password=None)
        if not isinstance(private, rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey):
            raise ValueError("a key for DKIM is RSA or Ed25519")
        return cls(domain.lower(), selector.lower(), private)

    @property
    def name(self) -> str:
        """Where its record belongs."""
        return f"{self.selector}._domainkey.{self.domain}"

    @property
    def record(self) -> str:
        """What belongs there, as a TXT record (RFC 6376 3.6.1, RFC 8463 4)."""
        public = self.private.public_key()
        if isinstance(public, rsa.RSAPublicKey):
            form = serialization.PublicFormat.SubjectPublicKeyInfo
            octets = public.public_bytes(serialization.Encoding.DER, form)
            return f"v=DKIM1; k=rsa; p={base64.b64encode(octets).decode()}"
        octets = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return f"v=DKIM1; k=ed25519; p={base64.b64encode(octets).decode()}"

    @property
    def algorithm(self) -> str:
        return "rsa-sha256" if isinstance(self.private, rsa.RSAPrivateKey) else "ed25519-sha256"

    def sign(self, data: bytes) -> bytes:
        if isinstance(self.private, rsa.RSAPrivateKey):
            return self.private.sign(data, padding.PKCS1v15(), hashes.SHA256())
        return self.private.sign(hashlib.sha256(data).digest())  # RFC 8463 3: of the hash, not of the data


@dataclass(frozen=True, slots=True)
class SignedBody:
    """See `MailBody`: another one with a signature on top."""

    field: bytes
    body: MailBody

    @property
    def size_bytes(self) -> int:
        return len(self.field) + self.body.size_bytes

    def chunks(self) -> Iterator[bytes]:
        yield self.field
        yield from self.body.chunks()


def sign_body(body: MailBody, key: DkimKey, *, signed_at: int) -> SignedBody:
    """The mail with our signature. Reads it once, in pieces, and raises what its `chunks` raises. Blocks.

    `signed_at` is in seconds since 1970.
    """
    digest = hashlib.sha256()
    header, pieces = _split(body.chunks())
    hash_body(_lines(pieces), digest, algorithm="relaxed")
    return SignedBody(_signature_field(header, digest.digest(), key, signed_at=signed_at), body)


def _split(chunks: Iterator[bytes]) -> tuple[bytes, Iterable[bytes]]:
    """The header block, and the body in the pieces that it comes in."""
    start = b""
    for chunk in chunks:
        start += chunk
        end = start.find(_END_OF_HEADER)
        if end >= 0:
            rest = start[end + len(_END_OF_HEADER) :]
            return start[: end + 2], _after(rest, chunks)
    return start, ()


def _after(first: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from chunks


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same octets, cut where lines end."""
    tail = b""
    for piece in pieces:
        end = piece.rfind(b"\n") + 1
        if end:
            yield tail + piece[:end]
            tail = b""
        tail += piece[end:]
    if tail:
        yield tail


def _signature_field(header: bytes, body_hash: bytes, key: DkimKey, *, signed_at: int) -> bytes:
    fields = split_header(header).fields
    names = _names(fields)
    tags = (
        f"v=1; a={key.algorithm}; c=relaxed/relaxed; d={key.domain}; s={key.selector}; t={signed_at};"
        f" h={': '.join(names)}; bh={base64.b64encode(body_hash).decode()}; b="
    )
    unsigned = _folded(tags)
    data = b"".join(_canonical(name, value) for name, value in _selected(fields, names))
    data += _canonical(b"DKIM-Signature", unsigned).removesuffix(b"\r\n")
    signature = base64.b64encode(key.sign(data)).decode()
    lines = (signature[start : start + _COLUMNS] for start in range(0, len(signature), _COLUMNS))
    return b"DKIM-Signature: " + unsigned + b"".join(f"\r\n {line}".encode() for line in lines) + b"\r\n"


def _names(fields: Sequence[Field]) -> list[str]:
    present = Counter(name.decode("ascii").lower() for name, _ in fields)
    return [name for name in SIGNED for _ in range(present[name] + (name in SEALED))]


def _selected(fields: Sequence[Field], names: Sequence[str]) -> Iterator[Field]:
    """RFC 6376 5.4.2: each name means the last field of it that was not taken yet; none, where there are no more."""
    left = list(reversed(fields))
    for wanted in names:
        for place, (name, _) in enumerate(left):
            if name.decode("ascii").lower() == wanted:
                yield left.pop(place)
                break


def _canonical(name: bytes, value: bytes) -> bytes:
    """RFC 6376 3.4.2, relaxed."""
    unfolded = re.sub(rb"[ \t]+", b" ", re.sub(rb"\r?\n", b"", value)).strip(b" \t\r\n")
    return name.lower() + b":" + unfolded + b"\r\n"


def _folded(tags: str) -> bytes:
    """In lines of at most 78 columns (RFC 5322 2.1.1), the field's name counted in."""
    name = "DKIM-Signature: "
    lines = textwrap.wrap(name + tags, _COLUMNS, subsequent_indent=" ", break_long_words=False, break_on_hyphens=False)
    return "\r\n".join(lines).removeprefix(name).encode("ascii")
