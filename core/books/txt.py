"""Plain text: what Project Gutenberg writes in front, else a title page of one line and a "by"."""

from __future__ import annotations

import re
from pathlib import Path

from core.books.claims import Claims
from core.books.limits import BookLimits
from core.books.text import decode_text

HEAD_BYTES = 64 * 1024
"""Of the beginning, where a text says what it is."""

_FIELD = re.compile(r"^(Title|Author|Language):[ \t]*(\S.*)$", re.MULTILINE)
_GUTENBERG = re.compile(r"Project Gutenberg", re.IGNORECASE)
_OLD_TITLE = re.compile(
    r"Project Gutenberg (?:EBook|eText) of (.{1,300}?)(?:, by (.{1,200}))?$", re.MULTILINE | re.IGNORECASE
)
_BY = re.compile(r"(?:by|von|par|di|por)\s+(\S.{1,150})", re.IGNORECASE)


def read(path: Path, limits: BookLimits) -> Claims:
    """See `core.books.open.Reader`."""
    with path.open("rb") as file:
        text = decode_text(file.read(HEAD_BYTES)).replace("\r\n", "\n").replace("\r", "\n")
    if _GUTENBERG.search(text, 0, 1000):
        return _gutenberg(text)
    return _title_page(text)


def _gutenberg(text: str) -> Claims:
    fields: dict[str, list[str]] = {}
    for name, value in _FIELD.findall(text[:8000]):
        fields.setdefault(name, []).append(value)
    old = _OLD_TITLE.search(text, 0, 2000)
    return Claims(
        title=next(iter(fields.get("Title", [])), old[1] if old else ""),
        authors=fields.get("Author", [old[2]] if old and old[2] else []),
        languages=fields.get("Language", []),
    )


def _title_page(text: str) -> Claims:
    """A first line that stands alone and ends like no sentence; whatever else a text begins with is not its title."""
    lines = [line.strip() for line in text.lstrip("\n \t\f\ufeff").split("\n", 12)[:12]]
    title, rest = lines[0], [line for line in lines[1:] if line]
    author = _BY.fullmatch(rest[0]) if rest else None
    stands_alone = len(lines) > 1 and (not lines[1] or author is not None)
    if not stands_alone or not 1 < len(title) <= 100 or title.endswith((".", ",", ";", ":", "-")):
        return Claims()
    return Claims(title=title, authors=[author[1]] if author else [])
