"""Comics as ZIPs of pictures, with ComicInfo.xml (Anansi project, version 2.0) where a tool left one."""

from __future__ import annotations

import re
from pathlib import Path

from core.books.claims import Claims, split_keywords
from core.books.limits import BookLimits
from core.books.refusals import damaged
from core.books.xml import find, parse_xml, text_of
from core.books.zips import Members, open_members
from core.i18n import _

PICTURE = re.compile(r"(?!__MACOSX/).*\.(jpe?g|png|gif|webp|bmp|avif|tiff?)", re.IGNORECASE | re.DOTALL)


def read(path: Path, limits: BookLimits) -> Claims:
    """See `core.books.open.Reader`."""
    with open_members(path, limits, kind="CBZ") as members:
        pages = sorted(filter(PICTURE.fullmatch, members.names), key=natural_order)
        if not pages:
            raise damaged("comic", _("there is no page in it"))
        claims = _read_info(members)
        claims.page_count = len(pages)
        claims.cover = members.read_if_sound(pages[0])
        return claims


def natural_order(name: str) -> list[tuple[int, str]]:
    """Page 2 before page 10."""
    return [(int(digits or 0), text.casefold()) for digits, text in re.findall(r"(\d{1,18})|(\D+)", name)]


def _read_info(members: Members) -> Claims:
    name = next((name for name in members.names if name.casefold().endswith("comicinfo.xml")), None)
    info = parse_xml(members.read(name)) if name else None
    series, number = text_of(find(info, "Series")), text_of(find(info, "Number"))
    return Claims(
        title=text_of(find(info, "Title")) or f"{series} {number}".strip(),
        authors=split_keywords(text_of(find(info, "Writer"))),
        languages=[text_of(find(info, "LanguageISO"))],
        series=series,
        series_index=number,
        tags=split_keywords(text_of(find(info, "Genre"))),
        description=text_of(find(info, "Summary")),
    )
