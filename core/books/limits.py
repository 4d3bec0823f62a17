"""How much of a stranger's file is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_MB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class BookLimits:
    """How much of one file is read. These are absolute: sound books that shrink to a hundredth when packed exist."""

    file_bytes: int = 100 * _MB
    """Of one file."""
    entries: int = 10_000
    """Members of a ZIP."""
    unpacked_bytes: int = 400 * _MB
    """Of all members of a ZIP together."""
    document_bytes: int = 8 * _MB
    """Of one XML document in a book, such as the list of its parts."""
    picture_bytes: int = 30 * _MB
    """Of one encoded picture."""
    archive_books: int = 100
    """Files in a ZIP of books."""


DEFAULT_LIMITS: Final = BookLimits()
