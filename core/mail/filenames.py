"""File names of strangers, made clean: one line, no path, no tricks; the name that a part claims for its file.

Not by pathvalidate, which takes 0.2 ms a name: a mail with 2,000 names would be half a second of it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from core.mail.charset import decode_words, one_line

MAX_LENGTH = 150
MAX_BYTES = 255  # what file systems take, in UTF-8
_MAX_SUFFIX = 20
_REFUSED = re.compile(r'[<>:"/\\|?*]')  # by Windows; by others the slash alone
_DEVICE = re.compile(r"^(?:con|prn|aux|nul|com\d|lpt\d)(?=\.|$)", re.IGNORECASE)  # names of devices there


def claimed_filename(disposition: Mapping[str, str], content_type: Mapping[str, str]) -> str | None:
    """The clean name of a part's file from its parameters: `filename` of the disposition, else `name` of the type."""
    return next(
        (
            cleaned
            for claimed in (disposition.get("filename"), content_type.get("name"))
            if claimed and (cleaned := clean_filename(claimed))
        ),
        None,
    )


def clean_filename(name: str) -> str | None:
    """`name` without path, control and bidi characters and what file systems refuse, at most 150 characters.

    RFC 2047 words are decoded: RFC 2231 forbids them here, and most mail programs write them. None if nothing is left.
    """
    base = one_line(decode_words(name)).replace("\\", "/").rpartition("/")[2]
    base = unicodedata.normalize("NFC", base)  # Macs send decomposed names
    cleaned = _DEVICE.sub(
        r"\g<0>_",
        _REFUSED.sub("_", _shortened(base)),
    ).rstrip(". ")
    return cleaned if cleaned.strip(". _") else None


def _shortened(name: str) -> str:
    """The name cut to its limits in its stem, so that the suffix stays."""
    stem, dot, suffix = name.rpartition(".")
    if not stem or len(suffix) > _MAX_SUFFIX:
        stem, dot, suffix = name, "", ""
    stem = stem[: MAX_LENGTH - len(dot + suffix)]
    return stem.encode()[: MAX_BYTES - len((dot + suffix).encode())].decode("utf-8", "ignore") + dot + suffix
