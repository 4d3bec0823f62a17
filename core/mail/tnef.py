"""winmail.dat: the files in a TNEF stream (MS-OXTNEF), which Outlook sends to those whom it takes for Outlook.

Own, since tnefparse 1.4 can be held for hours by an attachment of 41 bytes (it counts to whatever number of properties
one claims) and copies the whole stream for each object in it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from core.mail.charset import decode

SIGNATURE = b"\x78\x9f\x3e\x22"  # MS-OXTNEF 2.1.3.2: 0x223E9F78
_MAX_DEPTH = 10  # messages within messages
_MAX_FILES = 1000
_MAX_ATTRIBUTES = 20_000  # a file takes seven
_MAX_PROPERTIES = 10_000

# MS-OXTNEF 2.1.3.3 and 2.1.3.4, identifier and type as one number.
_OEM_CODEPAGE, _REND_DATA, _ATTACH_TITLE, _ATTACH_DATA, _ATTACHMENT = (
    0x00069007,
    0x00069002,
    0x00018010,
    0x0006800F,
    0x00069005,
)
# MS-OXPROPS: PidTagAttachLongFilename, PidTagAttachFilename, PidTagDisplayName, PidTagAttachDataBinary/Object.
_LONG_FILENAME, _FILENAME, _DISPLAY_NAME, _DATA = 0x3707, 0x3704, 0x3001, 0x3701
_FIXED_SIZES = {1: 0, 2: 2, 3: 4, 4: 4, 5: 8, 6: 8, 7: 8, 10: 4, 11: 2, 20: 8, 64: 8, 72: 16}
_STRING8, _UNICODE, _OBJECT, _BINARY, _UNSPECIFIED = 0x1E, 0x1F, 0x0D, 0x102, 0x00
_MULTIPLE, _NAMED = 0x1000, 0x8000  # MS-OXCDATA 2.11.1.1; MS-OXTNEF 2.1.3.4
_IID_IMESSAGE = bytes.fromhex("0703020000000000c000000000000046")


@dataclass(slots=True)
class TnefFile:
    """A file in a TNEF stream."""

    name: str = ""
    content: memoryview = field(default_factory=lambda: memoryview(b""))
    is_forwarded: bool = False
    """It stood in a message that was attached."""


def tnef_files(stream: memoryview, *, depth: int = 0) -> list[TnefFile]:
    """The files in a TNEF stream, as far as it can be read; [] for what is none. Never raises."""
    if stream[:4] != SIGNATURE or depth > _MAX_DEPTH:
        return []
    files: list[TnefFile] = []
    charset = "cp1252"
    for attribute, content in islice(_attributes(stream), _MAX_ATTRIBUTES):
        if attribute == _OEM_CODEPAGE and len(content) >= 4:
            charset = f"cp{int.from_bytes(content[:4], 'little')}"
        elif attribute == _REND_DATA:
            if len(files) >= _MAX_FILES:
                break
            files.append(TnefFile())
        elif not files:
            continue
        elif attribute == _ATTACH_TITLE:
            files[-1].name = files[-1].name or _text(bytes(content), charset)
        elif attribute == _ATTACH_DATA:
            files[-1].content = content
        elif attribute == _ATTACHMENT:
            _apply_properties(files[-1], content, charset=charset)
    return [found for one in files for found in _opened(one, depth=depth)]


def _opened(file: TnefFile, *, depth: int) -> list[TnefFile]:
    """The file itself, or the files of the message that it is."""
    if file.content[:16] != _IID_IMESSAGE:
        return [file]
    inner = tnef_files(file.content[16:], depth=depth + 1)
    for found in inner:
        found.is_forwarded = True
    return inner


def _attributes(stream: memoryview) -> Iterator[tuple[int, memoryview]]:
    """(attribute, its data) of a stream in order; MS-OXTNEF 2.1.3.1: level, id, length, data, checksum."""
    position = 6
    while position + 9 <= len(stream):
        _, attribute, length = struct.unpack_from("<BII", stream, position)
        yield attribute, stream[position + 9 : position + 9 + length]
        position += 9 + length + 2


def _apply_properties(file: TnefFile, properties: memoryview, *, charset: str) -> None:
    names: dict[int, str] = {}
    try:
        for identifier, kind, value in _properties(properties):
            if identifier in (_LONG_FILENAME, _FILENAME, _DISPLAY_NAME):
                names[identifier] = _text(bytes(value), "utf-16-le" if kind == _UNICODE else charset)
            elif identifier == _DATA and len(value):
                file.content = value
    except struct.error:
        pass  # The stream ends within a property: those before it hold.
    file.name = names.get(_LONG_FILENAME) or file.name or names.get(_FILENAME) or names.get(_DISPLAY_NAME, "")


def _properties(data: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """(identifier, type, first value) of a property list, MS-OXTNEF 2.1.3.4. Raises `struct.error` where it breaks."""
    (count,) = struct.unpack_from("<I", data)
    position = 4
    for _ in range(min(count, _MAX_PROPERTIES)):
        kind, identifier = struct.unpack_from("<HH", data, position)
        position += 4
        if identifier >= _NAMED:
            position = _behind_name(data, position + 16)
        is_multiple, kind = bool(kind & _MULTIPLE), kind & ~_MULTIPLE
        if kind in _FIXED_SIZES:
            values = 1
            if is_multiple:
                (values,) = struct.unpack_from("<I", data, position)
                position += 4
            size = values * _FIXED_SIZES[kind]
            yield identifier, kind, data[position : position + _FIXED_SIZES[kind]]
            position += _padded(size)
        elif kind in (_STRING8, _UNICODE, _OBJECT, _BINARY, _UNSPECIFIED):
            (values,) = struct.unpack_from("<I", data, position)
            position += 4
            for number in range(min(values, _MAX_PROPERTIES)):
                (size,) = struct.unpack_from("<I", data, position)
                if number == 0:
                    yield identifier, kind, data[position + 4 : position + 4 + size]
                position += 4 + _padded(size)
        else:
            return


def _behind_name(data: memoryview, position: int) -> int:
    (is_text,) = struct.unpack_from("<I", data, position)
    (size,) = struct.unpack_from("<I", data, position + 4)
    return position + 8 + (_padded(size) if is_text else 0)


def _padded(size: int) -> int:
    return (size + 3) // 4 * 4


def _text(raw: bytes, charset: str) -> str:
    return decode(raw, charset).rstrip("\x00")
