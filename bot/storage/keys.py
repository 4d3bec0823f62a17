"""What a key may be, the same for every store."""

from __future__ import annotations

MAX_KEY_BYTES = 900  # Cloud Storage allows 1,024 bytes a name, and the configured prefix stands before the key
MAX_SEGMENT_BYTES = 255  # NAME_MAX of Linux file systems


def check_key(key: str) -> str:
    """The key itself. Raises `ValueError` if it breaks the rule of `BlobStore`."""
    segments = key.split("/")
    if (
        any(not segment or segment.startswith(".") or len(segment.encode()) > MAX_SEGMENT_BYTES for segment in segments)
        or "\\" in key
        or not key.isprintable()
        or len(key.encode()) > MAX_KEY_BYTES
    ):
        raise ValueError(f"{key!r} is no key of a blob")
    return key
