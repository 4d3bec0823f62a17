"""RTF (specification 1.9.1): the document information group."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from core.books.claims import Claims, split_authors, split_keywords
from core.books.limits import BookLimits
from core.books.refusals import damaged
from core.i18n import _

_HEAD_BYTES = 1024 * 1024
"""Of the beginning: the group stands behind the font and style tables."""
_INFO_BYTES = 32 * 1024
_INFO = re.compile(rb"\{\\info\b")
_CODE_PAGE = re.compile(rb"\\ansicpg([0-9]{3,5})")
_FIELD = re.compile(rb"\{\\(title|author|subject|category|keywords|doccomm)\b ?((?:[^{}\\]|\\.){0,4000})\}", re.DOTALL)
_TOKEN = re.compile(
    rb"\\'(?P<hex>[0-9A-Fa-f]{2})|\\u(?P<unicode>-?[0-9]{1,5}) ?|\\[a-zA-Z]{1,32}-?[0-9]{0,10} ?"
    rb"|\\?(?P<text>[^\r\n])",
    re.DOTALL,
)


def read(path: Path, limits: BookLimits) -> Claims:
    """See `core.books.open.Reader`."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if len(head) < _HEAD_BYTES and b"}" not in head[-64:]:
        raise damaged("RTF", _("it is cut short, its end is missing"))
    start = _INFO.search(head)
    charset = _charset(head)
    info = head[start.end() : start.end() + _INFO_BYTES] if start else b""
    fields = {name.decode(): _decode(body, charset=charset) for name, body in _FIELD.findall(info)}
    return Claims(
        title=fields.get("title", ""),
        authors=split_authors(fields.get("author", "")),
        genre=fields.get("category", ""),
        tags=split_keywords(fields.get("keywords", "")),
        description=fields.get("doccomm", "") or fields.get("subject", ""),
    )


def _charset(head: bytes) -> str:
    """Of \\'xx escapes: the code page that the document names, if Python knows it."""
    page = _CODE_PAGE.search(head, 0, 4096)
    try:
        return codecs.lookup(f"cp{page[1].decode()}").name if page else "cp1252"
    except LookupError:
        return "cp1252"


def _decode(body: bytes, *, charset: str) -> str:
    """Text of a field: bytes in `charset`, and UTF-16 units as `\\u`, each with one substitute behind it (\\uc1)."""
    units: list[str] = []
    pending, skip = bytearray(), 0
    for token in _TOKEN.finditer(body):
        if token["unicode"]:
            units += [pending.decode(charset, "replace"), chr(int(token["unicode"]) & 0xFFFF)]
            pending, skip = bytearray(), 1
        elif token["hex"] or token["text"]:
            character = bytes.fromhex(token["hex"].decode()) if token["hex"] else token["text"]
            pending += character[skip:]
            skip = 0
    text = "".join(units) + pending.decode(charset, "replace")
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
