"""A ZIP whose directory is broken or cut off, read by the headers of its members: all of them, or nothing.

APPNOTE.TXT 6.3. A directory is made anew and read behind the members, of which nothing is changed or copied; it is made
only if every member unpacks to the size and the checksum that it names itself, one lies right behind the other, and
behind the last one the old directory begins. So nothing can be missing: a file that was cut off earlier has no such
beginning, and one in whose midst something is damaged has a gap.
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from core.books.limits import BookLimits
from core.books.refusals import locked

_LOCAL: Final = struct.Struct("<4sHHHHHIIIHH")  # 4.3.7
_CENTRAL: Final = struct.Struct("<4sBBHHHHHIIIHHHHHII")  # 4.3.12
_END: Final = struct.Struct("<4sHHHHIIH")  # 4.3.16
_DESCRIPTOR: Final = struct.Struct("<III")  # 4.3.9, behind its signature, which may be missing
_LOCAL_MARK, _CENTRAL_MARK, _END_MARK, _DESCRIPTOR_MARK = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"PK\x07\x08"
_ENCRYPTED, _SIZES_BEHIND, _UTF8, _LEVELS = 1, 8, 0x800, 6  # 4.4.4: general purpose bits
_STORED, _DEFLATED = 0, 8
_ZIP64 = 0xFFFFFFFF
_CHUNK_BYTES = 256 * 1024
_TAIL_BYTES = 4 * 1024 * 1024  # of a directory, as in `core.books.zips`


class NotWhole(ValueError):
    """Something of the archive is damaged or missing, or cannot be told to be whole."""


@dataclass(frozen=True, slots=True)
class _Member:
    offset: int
    end: int
    flags: int
    method: int
    when: int
    crc: int
    packed_size: int
    size: int
    name: bytes


def open_salvaged(path: Path, limits: BookLimits) -> io.RawIOBase:
    """The archive at `path` with a new directory. Unpacks all of it to see that it is whole; raises `NotWhole`, and
    `RefusedFile` for one that is locked."""
    with path.open("rb") as file:
        members = _members(file, limits)
    return _Joined(io.FileIO(path), members[-1].end, _directory(members))


def _members(file: BinaryIO, limits: BookLimits) -> list[_Member]:
    found: list[_Member] = []
    left = limits.unpacked_bytes
    file.seek(0)
    while len(head := file.read(_LOCAL.size)) == _LOCAL.size and head.startswith(_LOCAL_MARK):
        if len(found) >= limits.entries:
            raise NotWhole("too many members")
        found.append(_member(file, head, most_bytes=left))
        left -= found[-1].size
        file.seek(found[-1].end)
    if not found:
        raise NotWhole("no members")
    file.seek(found[-1].end)
    _check_tail(file.read(_TAIL_BYTES), found)
    return found


def _member(file: BinaryIO, head: bytes, *, most_bytes: int) -> _Member:
    """The member whose local header was just read, unpacked to see that it is what it says."""
    offset = file.tell() - _LOCAL.size
    _, _, flags, method, time, day, crc, packed_size, size, name_length, extra_length = _LOCAL.unpack(head)
    if flags & _ENCRYPTED:
        raise locked()
    if flags & ~(_SIZES_BEHIND | _UTF8 | _LEVELS) or method not in (_STORED, _DEFLATED):
        raise NotWhole("a member of a kind that no EPUB has")
    name, extra = file.read(name_length), file.read(extra_length)
    start = offset + _LOCAL.size + name_length + extra_length
    if len(extra) < extra_length or _ZIP64 in (packed_size, size):
        raise NotWhole("a header that is cut off, or of the large kind")
    is_behind = bool(flags & _SIZES_BEHIND)
    if is_behind and method == _STORED:
        raise NotWhole("nobody can tell where a member ends")
    most = most_bytes if is_behind else size
    if most > most_bytes:
        raise NotWhole("more than may be unpacked")
    if method == _STORED:
        got = _Unpacked(*_stored(file, packed_size))
    else:
        got = _Unpacked(*_inflated(file, start, most_bytes=most))
    end = start + got.packed_size
    if is_behind:
        (crc, packed_size, size), end = _descriptor(file, end)
    if got != _Unpacked(crc, packed_size, size):
        raise NotWhole("a member that is not what it says")
    return _Member(offset, end, flags, method, day << 16 | time, crc, packed_size, size, name)


@dataclass(frozen=True, slots=True)
class _Unpacked:
    crc: int
    packed_size: int
    size: int


def _stored(file: BinaryIO, size: int) -> tuple[int, int, int]:
    crc, left = 0, size
    while left and (chunk := file.read(min(left, _CHUNK_BYTES))):
        crc, left = zlib.crc32(chunk, crc), left - len(chunk)
    return crc, size - left, size - left


def _inflated(file: BinaryIO, start: int, *, most_bytes: int) -> tuple[int, int, int]:
    """Checksum, packed and unpacked size of what begins here. Raises `NotWhole` where it does not end, or is larger."""
    inflater = zlib.decompressobj(-15)
    crc = size = 0
    fed, data = 0, b""
    while not inflater.eof:
        if not data:
            data = file.read(_CHUNK_BYTES)
            fed += len(data)
            if not data:
                raise NotWhole("a member that is cut off")
        try:
            piece = inflater.decompress(data, _CHUNK_BYTES)
        except zlib.error as error:
            raise NotWhole("a member that is damaged") from error
        data = inflater.unconsumed_tail
        crc, size = zlib.crc32(piece, crc), size + len(piece)
        if size > most_bytes:
            raise NotWhole("more than it says, or than may be unpacked")
    packed_size = fed - len(inflater.unused_data)
    file.seek(start + packed_size)
    return crc, packed_size, size


def _descriptor(file: BinaryIO, at: int) -> tuple[tuple[int, int, int], int]:
    """What stands behind a member of itself (4.3.9), and where that ends."""
    data = file.read(4 + _DESCRIPTOR.size)
    start = 4 if data.startswith(_DESCRIPTOR_MARK) else 0
    if len(data) < start + _DESCRIPTOR.size:
        raise NotWhole("a member that is cut off")
    crc, packed_size, size = _DESCRIPTOR.unpack_from(data, start)
    return (crc, packed_size, size), at + start + _DESCRIPTOR.size


def _check_tail(tail: bytes, members: list[_Member]) -> None:
    """The old directory begins here, and says nothing of members that we do not have."""
    names = {member.name for member in members}
    at = 0
    if not tail.startswith((_CENTRAL_MARK, _END_MARK)) or _LOCAL_MARK in tail:
        raise NotWhole("what follows the last member is no directory")
    while len(tail) >= at + _CENTRAL.size and tail.startswith(_CENTRAL_MARK, at):
        name_length, extra_length, comment_length = struct.unpack_from("<HHH", tail, at + 28)
        name = tail[at + _CENTRAL.size : at + _CENTRAL.size + name_length]
        if len(name) == name_length and name not in names:
            raise NotWhole("the old directory names a member that is not there")
        at += _CENTRAL.size + name_length + extra_length + comment_length
    if len(tail) >= at + _END.size and tail.startswith(_END_MARK, at):
        count = struct.unpack_from("<H", tail, at + 10)[0]
        if count not in (0, len(members)):
            raise NotWhole("the old directory counts other members")


def _directory(members: list[_Member]) -> bytes:
    records = b"".join(
        _CENTRAL.pack(
            _CENTRAL_MARK, 20, 0, 20, one.flags, one.method, one.when & 0xFFFF, one.when >> 16, one.crc,
            one.packed_size, one.size, len(one.name), 0, 0, 0, 0, 0, one.offset,
        )
        + one.name
        for one in members
    )  # fmt: skip
    count = len(members)
    return records + _END.pack(_END_MARK, 0, 0, count, count, len(records), members[-1].end, 0)


class _Joined(io.RawIOBase):
    """The beginning of a file, and bytes behind it, as one file to read."""

    def __init__(self, file: io.FileIO, length: int, behind: bytes) -> None:
        self._file, self._length, self._behind = file, length, behind
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._length + len(self._behind)}[whence]
        if base + offset < 0:
            raise ValueError("a negative seek")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override] # typeshed's Buffer is this in 3.11
        if self._at < self._length:
            self._file.seek(self._at)
            data = self._file.read(min(len(buffer), self._length - self._at)) or b""
        else:
            start = self._at - self._length
            data = self._behind[start : start + len(buffer)]
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()
