"""Text out of files of strangers: decoded, and cleaned for one line or a few."""

from __future__ import annotations

import codecs
import html
import re
import unicodedata

_KEPT_FORMAT_CHARACTERS = "\u200c\u200d"
"""ZWNJ and ZWJ belong to the spelling of Persian and of Indic scripts; all other format characters go, bidi first."""

_SPACES = re.compile(r"\s+")
_BREAKS = re.compile(r"</?(?:p|div|li|h[1-6]|tr|blockquote|ul|ol|br)\b[^<>]*>", re.IGNORECASE)
_TAGS = re.compile(r"<[^<>]*>")


def clean_line(text: str, *, max_length: int) -> str:
    """One line in NFC without control, format, surrogate or bidi characters; cut to `max_length` with an ellipsis."""
    # Cut first: normalising ten megabytes of "title" is what a hostile file asks for. Characters may join, not split.
    text = unicodedata.normalize("NFC", text[: max_length * 8])
    if not text.isprintable():
        text = _SPACES.sub(" ", text)
        text = "".join(c for c in text if c in _KEPT_FORMAT_CHARACTERS or unicodedata.category(c) not in _UNWANTED)
    text = _SPACES.sub(" ", text).strip()
    return text if len(text) <= max_length else text[: max_length - 1].rstrip() + "…"


_UNWANTED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


def plain_text(marked_up: str, *, max_length: int) -> str:
    """A description, HTML or not, as paragraphs of plain text with LF between them."""
    text = marked_up[: max_length * 4]
    if "<" in text:
        text = html.unescape(_TAGS.sub("", _BREAKS.sub("\n", text)))
    lines = (clean_line(line, max_length=max_length) for line in text.splitlines())
    text = "\n".join(line for line in lines if line)
    return text if len(text) <= max_length else text[: max_length - 1].rstrip() + "…"


_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    # UTF-32's little-endian mark begins with UTF-16's, so it is asked for first.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def utf16_without_bom(sample: bytes) -> str | None:
    """`utf-16-le` or `utf-16-be` if every other byte is often NUL (Latin text) and the others hardly ever are."""
    even, odd = sample[0::2], sample[1::2]
    first, second = even.count(0) / max(len(even), 1), odd.count(0) / max(len(odd), 1)
    if second > 0.3 and first < 0.01:
        return "utf-16-le"
    if first > 0.3 and second < 0.01:
        return "utf-16-be"
    return None


def decode_text(data: bytes, *, declared: str | None = None) -> str:
    """`data` as text, never failing: byte order mark, `declared`, UTF-8 but for some bytes, UTF-16 by its NULs, then
    the best guess.

    A character that is cut at the end is dropped, so that `data` may be the beginning of a file.
    """
    for mark, marked in _BOMS:
        if data.startswith(mark):
            return data.decode(marked, "replace").rstrip("\ufffd")
    for encoding in (declared, "utf-8"):
        strict = _decode_strictly(data, encoding)
        if strict is not None:
            return strict
    mended = data.decode("utf-8", "replace")
    # As `core.news.feed` does it: at least one byte more than letters for each letter that is not ASCII.
    if mended.count("\ufffd") < (len(data) - len(mended)) // 4:
        return mended.rstrip("\ufffd")
    return data.decode(utf16_without_bom(data) or _guessed(data), "replace")


def _decode_strictly(data: bytes, encoding: str | None) -> str | None:
    """None if `data` is not in `encoding`, or Python knows none of that name; NULs mean that it is another one."""
    if encoding is None or (b"\x00" in data and not encoding.lower().startswith(("utf-16", "utf16", "utf-32"))):
        return None
    try:
        return codecs.getincrementaldecoder(encoding)("strict").decode(data)
    except (LookupError, UnicodeError, AttributeError, ValueError, TypeError):
        # AttributeError and TypeError: Python's codecs that are no text encodings ("hex", "idna").
        return None


def _guessed(data: bytes) -> str:
    import chardet  # large tables, wanted for old texts only

    guess = chardet.detect(data[:16384])["encoding"]
    try:
        return codecs.lookup(guess or "cp1252").name
    except LookupError:
        return "cp1252"
