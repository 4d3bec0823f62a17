"""Sizes in words."""

from __future__ import annotations


def size_in_words(size_bytes: int) -> str:
    """`812 bytes`, `34 kB`, `1.2 MB`: decimal units, as mail providers count their limits."""
    if size_bytes < 1000:
        return f"{size_bytes} bytes"
    if size_bytes < 999_500:
        return f"{size_bytes / 1000:.0f} kB"
    if size_bytes < 999_500_000:
        return f"{size_bytes / 1e6:.1f} MB"
    return f"{size_bytes / 1e9:.1f} GB"
