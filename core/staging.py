"""Where blobs stand: keys made of the SHA-256 of what they hold, so that the same bytes are the same blob."""

from __future__ import annotations

import enum
from hashlib import file_digest
from pathlib import Path


class BlobKind(enum.StrEnum):
    """First segment of a key."""

    BOOK = "books"
    """As it came; never changed."""
    COVER = "covers"
    MAIL = "mails"
    """Raw inbound mails that are too large for a row."""
    COPY = "copies"
    """Books as a device takes them, made of those that came."""
    ISSUE = "issues"
    """Papers that we made."""
    TAKEOUT = "takeouts"
    """All that is kept about somebody, for them."""


def blob_key(kind: BlobKind, sha256: str, *, extension: str) -> str:
    """`books/ab/ab12….epub`; `sha256` is lower-case hex, `extension` has no dot."""
    return f"{kind.value}/{sha256[:2]}/{sha256}.{extension}"


def file_sha256(path: Path) -> str:
    """Lower-case hex of a file's content. Blocks."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
