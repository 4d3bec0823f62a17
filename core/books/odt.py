"""OpenDocument texts (OASIS ODF 1.3, parts 2 and 3): meta.xml and its thumbnail."""

from __future__ import annotations

from pathlib import Path

from core.books.claims import Claims, split_authors, split_keywords
from core.books.docx import read_thumbnail
from core.books.limits import BookLimits
from core.books.refusals import damaged, locked
from core.books.xml import attribute, children, find, parse_xml, text_of
from core.books.zips import Members, open_members
from core.i18n import _


def read(path: Path, limits: BookLimits) -> Claims:
    """See `core.books.open.Reader`."""
    with open_members(path, limits, kind="ODT") as members:
        manifest = members.find("META-INF/manifest.xml")
        if manifest and b"encryption-data" in members.read(manifest):
            raise locked()
        if members.find("content.xml") is None:
            raise damaged("ODT", _("its text is missing"))
        claims = _read_meta(members)
        claims.cover = read_thumbnail(members, "Thumbnails/thumbnail.png")
        return claims


def _read_meta(members: Members) -> Claims:
    name = members.find("meta.xml")
    meta = find(parse_xml(members.read(name)) if name else None, "meta")
    if meta is None:
        return Claims()
    statistic = find(meta, "document-statistic")
    pages = attribute(statistic, "page-count") if statistic is not None else ""
    return Claims(
        title=text_of(find(meta, "title")),
        # The creator is who changed it last.
        authors=split_authors(text_of(find(meta, "initial-creator")) or text_of(find(meta, "creator"))),
        languages=[text_of(find(meta, "language"))],
        tags=[tag for keyword in children(meta, "keyword") for tag in split_keywords(text_of(keyword))],
        description=text_of(find(meta, "description")),
        page_count=int(pages) if pages.isdecimal() and len(pages) < 6 else None,
    )
