"""DKIM signatures (RFC 6376, 8301, 8463) and ARC chains (RFC 8617) of a mail in a file, checked against keys that were
looked up before.

dkimpy does the cryptography. What it would believe and we do not: signatures over a part of the body (`l=`), SHA-1,
names that no DNS holds, keys for other purposes, and headers that it reads in another way than we do.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dkim
from dkim.util import InvalidTagValueList, parse_tag_value

from core.mail.canonical import hash_body, lines_of
from core.mail.fields import Field, split_header

MAX_SIGNATURES = 10  # of one mail; lists and forwarders add two or three
MAX_ARC_SETS = 50  # RFC 8617 4.2.1
MAX_HEADER_BYTES = 1024 * 1024
MIN_RSA_BITS = 1024  # RFC 8301 3.2

_BLANK_LINE = re.compile(rb"\n\r?\n")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})+")  # RFC 1123 2.1: what is a host to every reader
_SELECTOR = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_](?:[a-z0-9_-]{0,62}))*")
_MAX_NAME = 253
_ARC_FIELDS = (b"arc-message-signature", b"arc-seal")
_AAR = b"arc-authentication-results"
# A bad signature is no error of ours, and the row keeps why. Nobody else is to hear of it: no child of the root logger.
# Not one of the tree: nothing that anybody sets up for loggers may make it speak.
_SILENT = logging.Logger("dkimpy", level=logging.CRITICAL + 1)  # noqa: LOG001 - see above
_INSTANCE = re.compile(rb"^\s*i\s*=\s*(\d{1,3})\s*;", re.IGNORECASE)

Keys = Mapping[str, str | None]
"""Key records by the name that they stand at; "" where there is none, None where the name servers did not answer."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a DKIM-Signature says of itself. `refusal` says why it is not worth a look, "" if it is."""

    domain: str
    selector: str
    signed: tuple[str, ...]
    """Names of `h=`, lower case, as often as they stand there."""
    refusal: str = ""

    @property
    def key_name(self) -> str:
        return f"{self.selector}._domainkey.{self.domain}"


@dataclass(frozen=True, slots=True)
class SignatureResult:
    """`result` is a word of RFC 8601 2.7.1: `pass`, `fail`, `policy`, `permerror`, `temperror`."""

    domain: str
    result: str
    why: str = ""
    fields: frozenset[str] = frozenset()
    """Header fields that nobody can have added to or changed: every one of that name is signed."""


@dataclass(frozen=True, slots=True)
class ArcChain:
    """`result` is `pass`, `fail`, `none` or `temperror`."""

    result: str = "none"
    why: str = ""
    sealers: tuple[str, ...] = ()
    """Domains of the seals, oldest first."""
    first_results: str = ""
    """What the first forwarder found: its ARC-Authentication-Results without the instance."""
    fields: frozenset[str] = frozenset()
    """Those that the newest message signature holds on to; see `SignatureResult`."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a mail says of its signatures, read before any key is known."""

    signatures: tuple[Claim, ...] = ()
    arc_key_names: frozenset[str] = frozenset()

    @property
    def key_names(self) -> frozenset[str]:
        """All the names to look up."""
        return frozenset(claim.key_name for claim in self.signatures if not claim.refusal) | self.arc_key_names


@dataclass(frozen=True, slots=True)
class Findings:
    """What came of the signatures, in the order of the mail."""

    signatures: tuple[SignatureResult, ...] = ()
    arc: ArcChain = field(default_factory=ArcChain)


def read_claims(path: Path) -> Claims:
    """The signatures of the mail in a file, unchecked. Blocks; raises `OSError` only."""
    block, _ = _read_header(path)
    fields = _fields(block)
    signatures = tuple(_claim(value) for name, value in fields if name == b"dkim-signature")[:MAX_SIGNATURES]
    sets = [value for name, value in fields if name in _ARC_FIELDS]
    if len(sets) > 2 * MAX_ARC_SETS:
        return Claims(signatures)
    names = {claim.key_name for claim in map(_claim, sets) if claim.domain and claim.selector}
    return Claims(signatures, frozenset(names))


def check_signatures(path: Path, keys: Keys) -> Findings:
    """Check all signatures of the mail in a file. Blocks, for half a second with a mail of 68 MB; for a worker process.

    Never raises for what a mail or a key record holds.
    """
    block, body_start = _read_header(path)
    fields = _fields(block)
    body = _BodyHashes(path, body_start)
    present = Counter(name for name, _ in fields)
    results = []
    values = [value for name, value in fields if name == b"dkim-signature"][:MAX_SIGNATURES]
    for index, value in enumerate(values):
        results.append(_check(block, index, _claim(value), keys=keys, body=body, present=present))
    return Findings(tuple(results), _check_arc(block, fields, keys=keys, body=body, present=present))


def _read_header(path: Path) -> tuple[bytes, int]:
    """The header block without its blank line, and where the body begins; (b"", 0) if there is no such block."""
    with path.open("rb") as file:
        start = file.read(MAX_HEADER_BYTES)
    blank = _BLANK_LINE.search(start)
    if blank is None:
        return (start, len(start)) if len(start) < MAX_HEADER_BYTES else (b"", 0)
    return start[: blank.start() + 1], blank.end()


def _fields(block: bytes) -> list[Field]:
    """The fields by their names in lower case; none where a line among them is no field.

    There, the library reads on where we see the body begin: what stands between would be ours to obey and nobody's to
    have signed.
    """
    header = split_header(block)
    if header.has_junk or header.length < len(block) or b"\x00" in block:
        return []
    return [(name.lower(), value) for name, value in header.fields]


def _claim(value: bytes) -> Claim:
    try:
        tags = parse_tag_value(_unfolded(value))
    except InvalidTagValueList:
        return Claim("", "", (), "tags that cannot be read")
    domain, selector = _name(tags.get(b"d", b"")), _name(tags.get(b"s", b""))
    signed = tuple(word.decode("ascii", "replace").lower() for word in re.split(rb"\s*:\s*", tags.get(b"h", b"")))
    return Claim(domain, selector, signed, _refusal(tags, domain, selector, signed))


def _unfolded(value: bytes) -> bytes:
    return re.sub(rb"\r?\n(?=[ \t])", b"", value)


def _name(value: bytes) -> str:
    """A part of a name in DNS, lower case; what is none becomes something that no pattern takes."""
    return value.decode("ascii", "replace").lower() if len(value) <= _MAX_NAME else ""


def _refusal(tags: Mapping[bytes, bytes], domain: str, selector: str, signed: Sequence[str]) -> str:
    if not _DOMAIN.fullmatch(domain):
        return "d= is no domain"
    if not _SELECTOR.fullmatch(selector):
        return "s= is no selector"
    if b"l" in tags:
        return "l=: only the beginning of the body is signed"
    if tags.get(b"a", b"").lower().endswith(b"sha1"):
        return "SHA-1 (RFC 8301)"
    return "" if "from" in signed else "From is not signed"


def _check(
    block: bytes, index: int, claim: Claim, *, keys: Keys, body: _BodyHashes, present: Counter[bytes]
) -> SignatureResult:
    """The `index`-th signature of a mail."""
    if claim.refusal:
        return SignatureResult(claim.domain, "policy", claim.refusal)
    key = keys.get(claim.key_name)
    if key is None:
        return SignatureResult(claim.domain, "temperror", "the name servers did not answer")
    if problem := _key_problem(key):
        return SignatureResult(claim.domain, "permerror", problem)
    result, why = _verified(lambda: _Dkim(block, body).verify(index, _answering(keys)))
    return SignatureResult(claim.domain, result, why, _kept(claim.signed, present))


def _key_problem(record: str) -> str:
    """What RFC 6376 3.6.1 asks of a key record and dkimpy does not."""
    if not record:
        return "there is no such key"
    try:
        tags = parse_tag_value(record.encode("ascii", "replace"))
    except InvalidTagValueList:
        return "a key record that cannot be read"
    if not tags.get(b"p"):
        return "the key was revoked"
    if b"h" in tags and b"sha256" not in re.split(rb"\s*:\s*", tags[b"h"].lower()):
        return "a key for other hashes"
    services = re.split(rb"\s*:\s*", tags.get(b"s", b"*").lower())
    return "" if {b"*", b"email"} & set(services) else "a key for other services"


def _kept(signed: Sequence[str], present: Counter[bytes]) -> frozenset[str]:
    """Names whose every field is signed: `h=` names each of them as often as it stands there."""
    covered = Counter(signed)
    return frozenset(name for name in covered if covered[name] >= present[name.encode("ascii", "replace")])


def _verified(verify: Callable[[], bool]) -> tuple[str, str]:
    try:
        return ("pass", "") if verify() else ("fail", "the signature does not match")
    except MemoryError:
        raise
    except dkim.DKIMException as error:
        return "fail", str(error)[:200]
    except Exception as error:  # noqa: BLE001 - of hostile tags and keys dkimpy 1.1 raises what its parsers met
        return "permerror", type(error).__name__


def _answering(keys: Keys) -> Callable[..., bytes]:
    """What dkimpy is given for DNS: it never asks any itself."""

    def answer(name: bytes | str, timeout: int = 0) -> bytes:
        text = name.decode("ascii", "replace") if isinstance(name, bytes) else name
        return (keys.get(text.rstrip(".").lower()) or "").encode("ascii", "replace")

    return answer


class _BodyHashes:
    """The hashes of one body, each computed once whatever the number of signatures."""

    def __init__(self, path: Path, start: int) -> None:
        self._path = path
        self._start = start
        self._known: dict[str, bytes] = {}

    def sha256(self, algorithm: str) -> bytes:
        if algorithm not in self._known:
            digest = hashlib.sha256()
            with self._path.open("rb") as file:
                file.seek(self._start)
                hash_body(lines_of(file), digest, algorithm=algorithm)
            self._known[algorithm] = digest.digest()
        return self._known[algorithm]


class _FromFile(dkim.DomainSigner):
    """Leaves everything to dkimpy but the hash of the body, which it would take of the whole body in memory."""

    def __init__(self, block: bytes, body: _BodyHashes) -> None:
        super().__init__(block + b"\r\n", minkey=MIN_RSA_BITS, logger=_SILENT)
        self._body = body

    def verify_sig(
        self, sig: dict[bytes, bytes], include_headers: list[bytes], sig_header: Any, dnsfunc: Callable[..., bytes]
    ) -> bool:
        """dkimpy checks a body's hash where the tags have one: so they have none, once it was checked here."""
        if b"l" in sig or sig[b"a"].lower().endswith(b"sha1"):
            raise dkim.ValidationError("l= or SHA-1")
        if b"bh" in sig:
            wanted = base64.b64decode(re.sub(rb"\s+", b"", sig[b"bh"]))
            if self._body.sha256(_body_algorithm(sig.get(b"c", b""))) != wanted:
                raise dkim.ValidationError("the body was changed")
            sig = {tag: value for tag, value in sig.items() if tag != b"bh"}
        return super().verify_sig(sig, include_headers, sig_header, dnsfunc)


class _Dkim(_FromFile, dkim.DKIM):
    pass


class _Arc(_FromFile, dkim.ARC):
    pass


def _body_algorithm(canonicalization: bytes) -> str:
    """RFC 6376 3.5: `header/body`, each `simple` where it is not named. Raises `KeyError`-like for what is neither."""
    body = canonicalization.partition(b"/")[2].strip().decode("ascii", "replace") or "simple"
    if body not in ("simple", "relaxed"):
        raise dkim.ValidationError("c= is not known")
    return body


def _check_arc(
    block: bytes, fields: Sequence[Field], *, keys: Keys, body: _BodyHashes, present: Counter[bytes]
) -> ArcChain:
    seals = [value for name, value in fields if name == b"arc-seal"]
    if not any(name in (*_ARC_FIELDS, _AAR) for name, _ in fields):
        return ArcChain()
    if len(seals) > MAX_ARC_SETS:
        return ArcChain("fail", "too many seals")
    in_order = sorted(seals, key=_instance)
    claims = [_claim(value) for name, value in fields if name in _ARC_FIELDS]
    if any(claim.key_name in keys and keys[claim.key_name] is None for claim in claims):
        return ArcChain("temperror", "the name servers did not answer")
    result, why = "fail", ""
    try:
        found, _, why = _Arc(block, body).verify(_answering(keys))
        result = "pass" if found == dkim.CV_Pass else "fail"
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - see `_verified`
        why = f"{type(error).__name__}: {error}"[:200]
    first = next((value for name, value in fields if name == _AAR and _instance(value) == 1), b"")
    newest = max((value for name, value in fields if name == _ARC_FIELDS[0]), key=_instance, default=b"")
    return ArcChain(
        result,
        "" if result == "pass" else why,
        sealers=tuple(_claim(value).domain for value in in_order),
        first_results=_INSTANCE.sub(b"", _unfolded(first)).strip().decode("utf-8", "replace"),
        fields=_kept(_claim(newest).signed, present),
    )


def _instance(value: bytes) -> int:
    """`i=` of a field of an ARC set, 0 if it has none."""
    found = re.search(rb"(?:^|[\s;])i\s*=\s*(\d{1,3})", _unfolded(value))
    return int(found[1]) if found else 0
