"""Web pages: title and meta elements of the head."""

from __future__ import annotations

import re
from pathlib import Path

from lxml import etree

from core.books.claims import Claims, split_authors, split_keywords
from core.books.limits import BookLimits
from core.books.text import decode_text
from core.books.xml import attribute, local_name, text_of

_HEAD_BYTES = 256 * 1024
"""Of the beginning: heads with inlined style sheets are that long, and a hostile tree stays under 8 MB."""
_CHARSET = re.compile(rb"charset\s*=\s*[\"']?\s*([A-Za-z0-9._-]{1,40})", re.IGNORECASE)


def read(path: Path, limits: BookLimits) -> Claims:
    """See `core.books.open.Reader`."""
    with path.open("rb") as file:
        data = file.read(_HEAD_BYTES)
    text = decode_html(data)
    # libxml2 reads UTF-8 with this told; a declaration inside of the text would be believed before it.
    parser = etree.HTMLParser(encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True, huge_tree=False)
    root = etree.fromstring(text.encode("utf-8", "replace"), parser)
    return _claims(root) if root is not None else Claims()


def decode_html(data: bytes) -> str:
    """A page as text, by the encoding that its head names."""
    declared = _CHARSET.search(data[:4096])
    return decode_text(data, declared=declared[1].decode("ascii") if declared else None)


def _claims(root: etree._Element) -> Claims:
    metas: dict[str, list[str]] = {}
    for meta in root.iter("meta"):
        name = (attribute(meta, "name") or attribute(meta, "property")).casefold()
        metas.setdefault(name, []).append(attribute(meta, "content"))

    def first(*names: str) -> str:
        return next((value for name in names for value in metas.get(name, []) if value.strip()), "")

    return Claims(
        title=first("dc.title") or text_of(next(root.iter("title"), None)) or first("og:title") or _heading(root),
        authors=split_authors(first("author", "dc.creator", "article:author")),
        languages=[attribute(root, "lang"), first("dc.language", "language")],
        identifiers=[("", first("dc.identifier"))],
        tags=split_keywords(first("keywords")),
        description=first("description", "dc.description", "og:description"),
    )


def _heading(root: etree._Element) -> str:
    return next((text_of(element) for element in root.iter() if local_name(element) in ("h1", "h2")), "")
