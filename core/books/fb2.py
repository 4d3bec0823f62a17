"""FictionBook 2, plain or alone in a ZIP: the description is parsed, the text never is."""

from __future__ import annotations

import base64
import binascii
import re
from pathlib import Path

from lxml import etree

from core.books.claims import Claims
from core.books.limits import BookLimits
from core.books.refusals import damaged
from core.books.text import decode_text
from core.books.xml import attribute, children, find, parse_xml, text_of
from core.books.zips import open_members
from core.i18n import _

_DESCRIPTION_END = re.compile(rb"</(?:[\w.-]{1,20}:)?description\s*>")
_DESCRIPTION_WITHIN = 1024 * 1024
"""Of the beginning: real descriptions have a few KiB, and the tree of one MiB stays under 30."""
_END = re.compile(rb"</(?:[\w.-]{1,20}:)?FictionBook\s*>")


def read(path: Path, limits: BookLimits) -> Claims:
    """See `core.books.open.Reader`."""
    data = load_fb2(path, limits)
    end = _DESCRIPTION_END.search(data, 0, _DESCRIPTION_WITHIN)
    # The text behind the description may be fifty megabytes, and is of no interest here.
    root = parse_xml(data[: end.end()] + b"</FictionBook>") if end else None
    description = find(root, "description")
    if description is None:
        raise damaged("FB2", _("its description, with title and author, is missing"))
    if not _END.search(data[-4096:]):
        raise damaged("FB2", _("it is cut short, its end is missing"))
    return _claims(description, data, limits=limits)


def load_fb2(path: Path, limits: BookLimits) -> bytes:
    """The document, out of its ZIP where it is in one."""
    data = path.read_bytes()
    if data.startswith(b"PK"):
        with open_members(path, limits, kind="FB2") as members:
            name = next(name for name in members.names if name.lower().endswith(".fb2"))
            data = members.read(name, limit_bytes=limits.file_bytes)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        # UTF-16 is rare; brought to UTF-8, of which the markers above can be found.
        data = re.sub(r"^<\?xml[^>]*\?>", "", decode_text(data).lstrip("\ufeff")).encode()
    return data


def _claims(description: etree._Element, data: bytes, *, limits: BookLimits) -> Claims:
    title_info = find(description, "title-info")
    if title_info is None:
        title_info = description
    sequence = find(title_info, "sequence")
    return Claims(
        title=text_of(find(title_info, "book-title")),
        authors=[_person(author) for author in children(title_info, "author")],
        languages=[text_of(find(title_info, "lang"))],
        identifiers=[("isbn", text_of(find(description, "publish-info", "isbn")))],
        series=attribute(sequence, "name") if sequence is not None else "",
        series_index=attribute(sequence, "number") if sequence is not None else "",
        # Codes of the format ("prose_classic"), in words as far as they are some.
        tags=[text_of(genre).replace("_", " ") for genre in children(title_info, "genre")],
        description="\n".join(map(text_of, _annotation(title_info))),
        cover=_cover(title_info, data, limits=limits),
    )


def _person(author: etree._Element) -> str:
    parts = [text_of(find(author, part)) for part in ("first-name", "middle-name", "last-name")]
    return " ".join(filter(None, parts)) or text_of(find(author, "nickname"))


def _annotation(title_info: etree._Element) -> list[etree._Element]:
    annotation = find(title_info, "annotation")
    return list(annotation) if annotation is not None else []


def _cover(title_info: etree._Element, data: bytes, *, limits: BookLimits) -> bytes | None:
    image = find(title_info, "coverpage", "image")
    key = attribute(image, "href").strip().removeprefix("#") if image is not None else ""
    if not key:
        return None
    binary = re.search(
        rb"<(?:[\w.-]{1,20}:)?binary\b[^<>]{0,400}?\bid\s{0,9}=\s{0,9}[\"']"
        + re.escape(key.encode())
        + rb"[\"'][^<>]{0,400}>([^<]*)<",
        data,
    )
    return _decoded(binary[1]) if binary and len(binary[1]) < limits.picture_bytes * 4 // 3 else None


def _decoded(encoded: bytes) -> bytes | None:
    try:
        return base64.b64decode(encoded)
    except binascii.Error:
        return None
