"""A member of a ZIP as it lies there, to be taken over into another one."""

from __future__ import annotations

from typing import NamedTuple


class Packed(NamedTuple):
    """The bytes, and what the directory says of them (APPNOTE.TXT 6.3, 4.4)."""

    data: bytes
    method: int
    crc: int
    size_bytes: int
    """Unpacked."""
