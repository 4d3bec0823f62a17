"""DOCX (ECMA-376, part 2: core properties) and its thumbnail."""

from __future__ import annotations

from pathlib import Path

from core.books.claims import Claims, split_authors, split_keywords
from core.books.limits import BookLimits
from core.books.refusals import damaged
from core.books.xml import find, parse_xml, text_of
from core.books.zips import Members, open_members
from core.i18n import _


def read(path: Path, limits: BookLimits) -> Claims:
    """See `core.books.open.Reader`."""
    with open_members(path, limits, kind="DOCX") as members:
        if not any(name.startswith("word/document") for name in members.names):
            raise damaged("DOCX", _("its text is missing"))
        claims = _read_properties(members)
        claims.cover = read_thumbnail(members, "docProps/thumbnail.jpeg")
        return claims


def _read_properties(members: Members) -> Claims:
    name = members.find("docProps/core.xml")
    root = parse_xml(members.read(name)) if name else None
    category = text_of(find(root, "category"))
    return Claims(
        title=text_of(find(root, "title")),
        authors=split_authors(text_of(find(root, "creator"))),
        languages=[text_of(find(root, "language"))],
        genre=category,
        tags=split_keywords(text_of(find(root, "keywords"))),
        description=text_of(find(root, "description")),
    )


def read_thumbnail(members: Members, name: str) -> bytes | None:
    """The picture of the first page that office programs can leave in a document."""
    found = members.find(name)
    return members.read_if_sound(found) if found else None
