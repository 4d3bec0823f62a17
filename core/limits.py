"""How much of our space one person may have, as data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryLimits:
    """Of one user's library, without what was removed. A file that two users have counts for both."""

    books: int = 100_000  # a large public library's; a page of 20 is then still a quick walk over an index
    size_bytes: int = 100_000_000_000  # so many books of 1 MB


LIBRARY_LIMITS = LibraryLimits()
