"""What a file claims of itself, as written; and the cleaned metadata that the library keeps of it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TypeVar

from core.books.language import language_tag
from core.books.text import clean_line, plain_text
from core.values import BookMetadata

_T = TypeVar("_T")

TITLE_LENGTH = 500
AUTHOR_LENGTH = 200
GENRE_LENGTH = 100
SERIES_LENGTH = 300
IDENTIFIER_LENGTH = 200
DESCRIPTION_LENGTH = 4000
MAX_AUTHORS = 20
MAX_TAGS = 30
MAX_IDENTIFIERS = 10
MAX_CLAIMED = 200
"""Of each kind, looked at to find as many that are good."""
FIELD_LENGTH = 5000
"""Of a field that holds several things, before it is split."""


@dataclass(slots=True)
class Claims:
    """Filled by a format's reader while it reads. Nothing in here is cleaned, checked or believed."""

    title: str = ""
    authors: list[str] = field(default_factory=list)
    languages: list[str] = field(default_factory=list)
    """In order of preference; the first that is one is taken."""
    identifiers: list[tuple[str, str]] = field(default_factory=list)
    """(scheme or "", value)."""
    series: str = ""
    series_index: str = ""
    genre: str = ""
    """Falls back to the first tag."""
    tags: list[str] = field(default_factory=list)
    description: str = ""
    page_count: int | None = None
    cover: bytes | None = None
    """An encoded picture of any kind."""


_NO_TITLES = frozenset({"", "unknown", "untitled", "untitled document", "no title", "[no title]", "title", "-"})
_NO_AUTHORS = frozenset({"", "unknown", "unknown author", "author", "none", "n/a", "-"})
_NO_WORDS = frozenset({"", "unknown", "unspecified", "none", "n/a", "-"})
"""What programs write where nobody wrote anything."""


def metadata(claims: Claims, *, filename: str) -> BookMetadata:
    """Cleaned, within the library's lengths; the title falls back to `filename`."""
    title = clean_line(claims.title, max_length=TITLE_LENGTH)
    tags = _distinct(clean_line(tag, max_length=GENRE_LENGTH) for tag in claims.tags[:MAX_CLAIMED])[:MAX_TAGS]
    description = plain_text(claims.description, max_length=DESCRIPTION_LENGTH)
    genre = clean_line(claims.genre, max_length=GENRE_LENGTH) or next(iter(tags), None)
    series = clean_line(claims.series, max_length=SERIES_LENGTH) or None
    return BookMetadata(
        title=title_from(filename) if title.casefold() in _NO_TITLES else title,
        authors=_authors(claims.authors[:MAX_CLAIMED]),
        language=next(filter(None, map(language_tag, claims.languages[:MAX_CLAIMED])), None),
        identifiers=_distinct(filter(None, map(_identifier, claims.identifiers[:MAX_CLAIMED])))[:MAX_IDENTIFIERS],
        series=series,
        series_index=_number(claims.series_index) if series else None,
        genre=genre,
        tags=tags,
        description=None if description.casefold() in _NO_WORDS else description,
        page_count=claims.page_count,
    )


def title_from(filename: str) -> str:
    """A readable title out of a file's name."""
    base = PurePosixPath(filename.replace("\\", "/")).name
    stem = re.sub(r"(\.(fb2|kepub))?\.[A-Za-z0-9]{1,8}$", "", base)
    return clean_line(stem.replace("_", " "), max_length=TITLE_LENGTH) or "Untitled"


def split_authors(written: str) -> list[str]:
    """Several people in one field, as Calibre and Word write them: "A & B", "A; B"."""
    return [name for name in re.split(r"\s+&\s+|;", written[:FIELD_LENGTH]) if name.strip()]


def split_keywords(written: str) -> list[str]:
    """Keywords as people type them into one field."""
    return re.split(r"[,;\n]", written[:FIELD_LENGTH])


def _authors(written: Iterable[str]) -> tuple[str, ...]:
    names = (clean_line(name, max_length=AUTHOR_LENGTH) for name in written)
    return _distinct(name for name in names if name.casefold() not in _NO_AUTHORS)[:MAX_AUTHORS]


def _distinct(items: Iterable[_T]) -> tuple[_T, ...]:
    return tuple(dict.fromkeys(item for item in items if item))


def _number(written: str) -> float | None:
    """A place in a series; None for anything but a plain decimal number of at most four digits before the point."""
    match = re.fullmatch(r"\s*([0-9]{1,4}(?:[.,][0-9]{1,3})?)\s*", written[:20])
    return float(match[1].replace(",", ".")) if match else None


_URN = re.compile(r"(?:urn:)?(isbn|uuid|doi|issn|asin|mobi-asin|amazon)\s*[:=]?\s*(.+)", re.IGNORECASE)
_SCHEMES = {"mobi-asin": "asin", "amazon": "asin", "isbn13": "isbn", "isbn-13": "isbn", "isbn10": "isbn"}


def _identifier(written: tuple[str, str]) -> tuple[str, str] | None:
    """(scheme in lower case, value); an ISBN only with a right check digit, unknown schemes as `id` or `uri`."""
    scheme = clean_line(written[0], max_length=30).casefold()
    value = clean_line(written[1], max_length=IDENTIFIER_LENGTH)
    match = _URN.fullmatch(value)
    if match:
        scheme, value = match[1].casefold(), match[2]
    scheme = _SCHEMES.get(scheme, scheme)
    isbn = _isbn(value)
    if isbn and scheme in ("isbn", "", "id"):
        return "isbn", isbn
    # Calibre's own numbers mean something in one person's Calibre only.
    if value.casefold() in _NO_WORDS or scheme in ("isbn", "calibre"):
        return None
    if scheme == "asin" and not re.fullmatch(r"[A-Z0-9]{10}", value):
        # Converters put a UUID there, so that a Kindle takes the book for a bought one.
        return None
    if scheme in ("", "uri", "url"):
        scheme = "uri" if re.match(r"(https?|urn|tag):", value) else "id"
    return re.sub(r"[^\w.-]+", "-", scheme), value


def _isbn(written: str) -> str | None:
    """Digits of a valid ISBN (ISO 2108): 10 with weights 10..1 modulo 11, 13 with 1 and 3 in turn modulo 10."""
    digits = re.sub(r"[\s-]", "", written).upper()
    if re.fullmatch(r"97[89][0-9]{10}", digits):
        return digits if sum(int(d) * (1, 3)[i % 2] for i, d in enumerate(digits)) % 10 == 0 else None
    if re.fullmatch(r"[0-9]{9}[0-9X]", digits):
        values = [10 if d == "X" else int(d) for d in digits]
        return digits if sum(value * (10 - i) for i, value in enumerate(values)) % 11 == 0 else None
    return None
