"""Markdown: front matter as Jekyll and Pandoc write it, else the first heading."""

from __future__ import annotations

import re
from pathlib import Path

from core.books.claims import Claims, split_authors
from core.books.limits import BookLimits
from core.books.text import decode_text
from core.books.txt import HEAD_BYTES

_FRONT_MATTER = re.compile(r"\A(?:---|\+\+\+)[ \t]*\n(.*?)\n(?:---|\.\.\.|\+\+\+)[ \t]*(?:\n|\Z)", re.DOTALL)
_FIELD = re.compile(r"^([A-Za-z]+)[ \t]*[:=][ \t]*(.*)$")
_LIST_ITEM = re.compile(r"^[ \t]*-[ \t]+(.+)$")
_ATX_HEADING = re.compile(r"^ {0,3}#[ \t]+(.+)$", re.MULTILINE)
_SETEXT_HEADING = re.compile(r"^ {0,3}(\S.{0,300})\n {0,3}={3,}[ \t]*$", re.MULTILINE)


def read(path: Path, limits: BookLimits) -> Claims:
    """See `core.books.open.Reader`."""
    with path.open("rb") as file:
        text = decode_text(file.read(HEAD_BYTES)).replace("\r\n", "\n").lstrip("\ufeff")
    matter = _FRONT_MATTER.match(text)
    fields = _fields(matter[1]) if matter else {}
    title = next(iter(fields.get("title", [])), "") or _heading(text[matter.end() :] if matter else text)
    authors = fields.get("author", []) + fields.get("authors", [])
    return Claims(
        title=title,
        authors=[name for written in authors for name in split_authors(written)],
        languages=fields.get("lang", []) + fields.get("language", []),
        tags=fields.get("tags", []) + fields.get("keywords", []),
        description=next(iter(fields.get("description", [])), ""),
    )


def without_front_matter(text: str) -> str:
    """`text` has LF between its lines."""
    matter = _FRONT_MATTER.match(text)
    return text[matter.end() :] if matter else text


def _fields(matter: str) -> dict[str, list[str]]:
    """Single values and flat lists; of YAML and TOML no more is used in front matter."""
    fields: dict[str, list[str]] = {}
    values: list[str] = []
    for line in matter.split("\n"):
        field, item = _FIELD.match(line), _LIST_ITEM.match(line)
        if field:
            values = fields.setdefault(field[1].lower(), [])
            values += [_unquoted(value) for value in _listed(field[2].strip()) if _unquoted(value)]
        elif item:
            values.append(_unquoted(item[1]))
    return fields


def _listed(value: str) -> list[str]:
    return value[1:-1].split(",") if value.startswith("[") and value.endswith("]") else [value]


def _unquoted(value: str) -> str:
    return value.strip().strip("\"'").strip()


def _heading(text: str) -> str:
    found = [match for match in (_ATX_HEADING.search(text), _SETEXT_HEADING.search(text)) if match]
    first = min(found, key=lambda match: match.start(), default=None)
    title = first[1][:1000].rstrip("# \t") if first else ""
    return re.sub(r"[*_`]{1,3}(.+?)[*_`]{1,3}", r"\1", title)
