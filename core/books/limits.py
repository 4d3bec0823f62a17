"""How much of a stranger's file is read, and the words for what goes over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from core.errors import RefusedFile

_MB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class BookLimits:
    """Absolute bounds. A ratio is none: sound books that shrink to a hundredth exist."""

    file_bytes: int = 100 * _MB
    entries: int = 10_000
    """Members of a ZIP."""
    unpacked_bytes: int = 400 * _MB
    """Of all members of a ZIP together."""
    document_bytes: int = 8 * _MB
    """Of one XML document that is read as a tree, which takes up to 30 times that (see `core.books.xml`)."""
    picture_bytes: int = 30 * _MB
    """Of one encoded picture."""
    archive_books: int = 100
    """Files in a ZIP of books."""


DEFAULT_LIMITS: Final = BookLimits()


def too_large(what: str, *, limit_bytes: int) -> RefusedFile:
    """The refusal of `what` ("The file", "A part of the file") for having more than `limit_bytes`."""
    return RefusedFile(
        f"{what} is larger than the {limit_bytes // _MB} MB that are read.",
        fix="Send a smaller copy, for example with smaller pictures.",
        code="file.too-large",
    )
