"""ZIPs written without packing anew what is packed already: 50 MB of pictures cost a copy, not a compression.

APPNOTE.TXT 6.3 is the format. `zipfile` cannot take over a member as it is packed, and sets flags by its own rules.
"""

from __future__ import annotations

import struct
import zlib
from types import TracebackType
from typing import BinaryIO, Final, Self

from core.books.packed import Packed

MIMETYPE: Final = b"application/epub+zip"
STORED, DEFLATED = 0, 8  # APPNOTE 4.4.5
LEVEL: Final = 6
_LOCAL: Final = struct.Struct("<4sHHHHHLLLHH")
_CENTRAL: Final = struct.Struct("<4sHHHHHHLLLHHHHHLL")
_END: Final = struct.Struct("<4sHHHHLLH")
_VERSION: Final = 20  # APPNOTE 4.4.3: folders and Deflate
_UTF8: Final = 1 << 11  # APPNOTE 4.4.4, bit 11
_DATE, _TIME = (1 << 5) | 1, 0  # 1 January 1980: the same book is the same file


class ZipWriter:
    """Writes members one after the other; the directory comes with the end of the `with`. No ZIP64: the limits of a
    book are far below its 4 GB and 65,535 members."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._directory: list[bytes] = []
        self._offset = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None:
            return
        directory = b"".join(self._directory)
        count = len(self._directory)
        end = _END.pack(b"PK\x05\x06", 0, 0, count, count, len(directory), self._offset, 0)
        self._file.write(directory + end)

    def add(self, name: str, data: bytes, *, is_stored: bool = False) -> None:
        """Bytes, deflated unless that gains nothing."""
        method, packed = STORED, data
        if not is_stored:
            squeeze = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
            deflated = squeeze.compress(data) + squeeze.flush()
            if len(deflated) < len(data):
                method, packed = DEFLATED, deflated
        self.copy(name, Packed(packed, method, zlib.crc32(data), len(data)))

    def copy(self, name: str, packed: Packed) -> None:
        """A member as it was packed elsewhere."""
        encoded = name.encode("utf-8")
        flags = 0 if name.isascii() else _UTF8
        head = (_VERSION, flags, packed.method, _TIME, _DATE, packed.crc, len(packed.data), packed.size_bytes)
        self._file.write(_LOCAL.pack(b"PK\x03\x04", *head, len(encoded), 0) + encoded)
        self._file.write(packed.data)
        self._directory.append(
            _CENTRAL.pack(b"PK\x01\x02", _VERSION, *head, len(encoded), 0, 0, 0, 0, 0, self._offset) + encoded
        )
        self._offset += _LOCAL.size + len(encoded) + len(packed.data)
