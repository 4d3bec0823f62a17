"""Sizes in words."""

from __future__ import annotations

import re
from typing import Final

from core.i18n import _, decimal

_UNITS: Final = {"b": 1, "bytes": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_SIZE: Final = re.compile(rf"(?P<number>\d{{1,9}}(?:[.,]\d{{1,3}})?)\s*(?P<unit>{'|'.join(_UNITS)})")


def size_in_words(size_bytes: int) -> str:
    """`812 bytes`, `34 kB`, `1.2 MB`: decimal units, as mail providers count their limits."""
    if size_bytes < 1000:
        return _("{count} bytes").format(count=size_bytes)
    if size_bytes < 999_500:
        return f"{size_bytes / 1000:.0f} kB"
    if size_bytes < 999_500_000:
        return f"{decimal(size_bytes / 1e6, places=1)} MB"
    return f"{decimal(size_bytes / 1e9, places=1)} GB"


def size_from_words(text: str) -> int | None:
    """Bytes of `5 GB`, `500MB`, `1.5 gb` or `1,5 GB`; None for what is no size."""
    found = _SIZE.fullmatch(text.strip().lower())
    if found is None:
        return None
    return int(float(found["number"].replace(",", ".")) * _UNITS[found["unit"]])
