"""MOBI and AZW3 (KF8): PalmDB records, the MOBI header and its EXTH block, read by offsets; the text never is.

No vendor page exists; the layout is the one of the MobileRead wiki (MOBI, PDB), numbers below are its offsets.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from core.books.claims import Claims, split_authors, split_keywords
from core.books.limits import BookLimits
from core.books.refusals import damaged, protected
from core.i18n import _

_PALM_HEADER_BYTES = 78
_NONE = 0xFFFFFFFF

_AUTHOR, _DESCRIPTION, _ISBN, _SUBJECT, _ASIN = 100, 103, 104, 105, 113
_COVER, _THUMBNAIL, _TITLE, _LANGUAGE = 201, 202, 503, 524

_LANGUAGES = {
    1: "ar", 2: "bg", 3: "ca", 4: "zh", 5: "cs", 6: "da", 7: "de", 8: "el", 9: "en", 10: "es", 11: "fi", 12: "fr",
    13: "he", 14: "hu", 15: "is", 16: "it", 17: "ja", 18: "ko", 19: "nl", 20: "no", 21: "pl", 22: "pt", 24: "ro",
    25: "ru", 26: "hr", 27: "sk", 29: "sv", 30: "th", 31: "tr", 33: "id", 34: "uk", 38: "lv", 39: "lt", 42: "vi",
}  # fmt: skip
"""Windows' primary language numbers (MS-LCID), the low byte of the locale in the header."""


@dataclass(frozen=True, slots=True)
class _PalmDatabase:
    """Records lie one behind the other; the end of each is the beginning of the next."""

    file: BinaryIO
    name: str
    offsets: list[int]

    def record(self, number: int, *, limit_bytes: int) -> bytes:
        """Content of a record; empty if there is none of that number or it is over the limit."""
        if not 0 <= number < len(self.offsets) - 1:
            return b""
        start, end = self.offsets[number], self.offsets[number + 1]
        if not start <= end <= start + limit_bytes:
            return b""
        self.file.seek(start)
        return self.file.read(end - start)


def read(path: Path, limits: BookLimits) -> Claims:
    """See `core.books.open.Reader`."""
    with path.open("rb") as file:
        database = _open_database(file, size_bytes=path.stat().st_size)
        # A megabyte is a hundred times what a header with a long description takes.
        header = database.record(0, limit_bytes=1024 * 1024)
        if len(header) < 132 or header[16:20] != b"MOBI":
            raise damaged("MOBI", _("its header is missing"))
        if struct.unpack_from(">H", header, 12)[0]:
            raise protected()
        return _read_header(header, database, limits=limits)


def _open_database(file: BinaryIO, *, size_bytes: int) -> _PalmDatabase:
    header = file.read(_PALM_HEADER_BYTES)
    count = struct.unpack_from(">H", header, 76)[0]
    index = file.read(8 * count)
    if len(index) < 8 * count:
        raise damaged("MOBI", _("it is cut short"))
    offsets = [int(offset) for offset, _ in struct.iter_unpack(">LL", index)]
    if offsets and offsets[-1] >= size_bytes:
        raise damaged("MOBI", _("it is cut short, its end is missing"))
    name = header[:32].split(b"\x00")[0].decode("latin-1").replace("_", " ")
    return _PalmDatabase(file, name, [*offsets, size_bytes])


def _read_header(header: bytes, database: _PalmDatabase, *, limits: BookLimits) -> Claims:
    length, _, encoding = struct.unpack_from(">LLL", header, 20)
    name_at, name_length, locale = struct.unpack_from(">LLL", header, 84)
    first_image, flags = struct.unpack_from(">L", header, 108)[0], struct.unpack_from(">L", header, 128)[0]
    charset = "utf-8" if encoding == 65001 else "cp1252"
    exth = _read_exth(header[16 + length :]) if flags & 0x40 else {}

    def texts(kind: int) -> list[str]:
        return [value.decode(charset, "replace") for value in exth.get(kind, [])]

    return Claims(
        title=next(iter(texts(_TITLE)), header[name_at : name_at + name_length].decode(charset, "replace"))
        or database.name,
        authors=[name for written in texts(_AUTHOR) for name in split_authors(written)],
        languages=[*texts(_LANGUAGE), _LANGUAGES.get(locale & 0xFF, "")],
        identifiers=[("isbn", value) for value in texts(_ISBN)] + [("asin", value) for value in texts(_ASIN)],
        tags=[tag for written in texts(_SUBJECT) for tag in split_keywords(written)],
        description=next(iter(texts(_DESCRIPTION)), ""),
        cover=_read_cover(exth, database, first_image=first_image, limits=limits),
    )


def _read_exth(data: bytes) -> dict[int, list[bytes]]:
    """Values by the kind of their record, in order. Each record is kind, its own length with these 8 bytes, value."""
    values: dict[int, list[bytes]] = {}
    if data[:4] != b"EXTH":
        return values
    count = struct.unpack_from(">L", data, 8)[0]
    at = 12
    for _number in range(min(count, len(data) // 8)):
        kind, length = struct.unpack_from(">LL", data.ljust(at + 8, b"\x00") if at + 8 > len(data) else data, at)
        if length < 8 or at + length > len(data):
            break
        values.setdefault(kind, []).append(data[at + 8 : at + length])
        at += length
    return values


def _read_cover(
    exth: dict[int, list[bytes]], database: _PalmDatabase, *, first_image: int, limits: BookLimits
) -> bytes | None:
    """EXTH gives the cover's place among the images; the thumbnail stands in where there is none."""
    for kind in (_COVER, _THUMBNAIL):
        for value in exth.get(kind, []):
            place = int.from_bytes(value[:4], "big")
            picture = database.record(first_image + place, limit_bytes=limits.picture_bytes)
            if picture and place != _NONE:
                return picture
    return None
