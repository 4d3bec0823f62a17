"""Bytes of a mail to text: declared charsets as browsers read them, a guess where they lie, RFC 2047 words."""

from __future__ import annotations

import binascii
import codecs
import re
import unicodedata

_AS_BROWSERS_DO = {
    "": "utf-8",
    "ascii": "utf-8",
    "us-ascii": "utf-8",
    "unknown-8bit": "utf-8",
    "8bit": "utf-8",
    "iso-8859-1": "cp1252",
    "iso8859-1": "cp1252",
    "latin1": "cp1252",
    "latin-1": "cp1252",
    "iso-8859-9": "cp1254",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "x-sjis": "cp932",
    "ks_c_5601-1987": "cp949",
    "euc-kr": "cp949",
    "iso-8859-8-i": "iso-8859-8",
    "big5": "big5hkscs",
}
"""WHATWG Encoding Standard, 4.2: what these labels hold in the wild is the superset, and ASCII is whatever fits."""

_NOT_FOR_MAIL = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem"})
"""Python codecs that no mail means; two of them take quadratic time."""

_CHARSET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,39}")
_TOLERATED = 100  # one undecodable character in a hundred is damage; more is another charset
_SAMPLE_BYTES = 20_000
_SHORT = 40

_ENCODED_WORD = re.compile(r"=\?([^?\s*]+)(?:\*[^?\s]*)?\?([bBqQ])\?((?:[^?]|\?(?!=))*)\?=")
_MAX_ENCODED = 10_000  # a field of words is read to here; RFC 2047 holds a word to 75 characters
_KEPT_FORMAT_CHARACTERS = "\u200c\u200d"  # joiners: part of Persian and Indic spelling, and of emoji


def decode(raw: bytes, charset: str | None = None) -> str:
    """Text of `raw`: as declared if that holds, else UTF-8, else a guess. Never raises, never a lone surrogate."""
    codec = _codec(charset)
    if codec is not None:
        try:
            return _well_formed(raw.decode(codec).removeprefix("\ufeff"))
        except UnicodeError:
            pass
    for candidate in dict.fromkeys(("utf-8", codec or "utf-8")):
        text = raw.decode(candidate, "replace")
        if text.count("\ufffd") * _TOLERATED <= len(text):
            return _well_formed(text.removeprefix("\ufeff"))
    return raw.decode(_guess(raw), "replace")


def _codec(charset: str | None) -> str | None:
    """Python's name of a declared charset, None if there is no such charset."""
    label = (charset or "").strip().strip("\"'").lower()
    label = _AS_BROWSERS_DO.get(label, label)
    if not _CHARSET_NAME.fullmatch(label):
        return None
    try:
        codec = codecs.lookup(label)
    except LookupError:
        return None
    is_text = getattr(codec, "_is_text_encoding", True)  # false for base64, zlib, rot13: transforms, not charsets
    return codec.name if is_text and codec.name.replace("-", "_") not in _NOT_FOR_MAIL else None


def _guess(raw: bytes) -> str:
    eight_bit = sum(byte > 127 for byte in raw[:_SAMPLE_BYTES])
    if len(raw) <= _SHORT and eight_bit * 3 < len(raw):
        return "cp1252"  # an accent in a short text: too little for statistics, and Latin letters around it
    import chardet  # 0.15 s and 40 MB, and only a mail that lies about its charset needs it

    found = chardet.detect(raw[:_SAMPLE_BYTES], encoding_era=chardet.EncodingEra.MODERN_WEB, prefer_superset=True)[
        "encoding"
    ]
    return _codec(found) or "cp1252"


def _well_formed(text: str) -> str:
    """Without lone surrogates: Python's UTF-7 makes them, and no database takes them."""
    if text.isascii() or not re.search("[\ud800-\udfff]", text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def decode_words(value: str) -> str:
    """`value` with its RFC 2047 encoded-words decoded; words that are none stay as they are.

    More tolerant than the RFC: words stand anywhere, in quotes too, and a character may be cut by the end of a word.
    """
    if "=?" not in value:
        return value
    value, rest = value[:_MAX_ENCODED], value[_MAX_ENCODED:]
    pieces: list[str] = []
    pending, charset, end = b"", "", 0
    for word in _ENCODED_WORD.finditer(value):
        between = value[end : word.start()]
        raw = _decode_payload(word[3], encoding=word[2])
        if raw is None:
            continue
        if between.strip() or not end or word[1].lower() != charset:
            pieces.append(decode(pending, charset))
            pending = b""
        if between.strip() or not end:
            pieces.append(between)
        pending, charset, end = pending + raw, word[1].lower(), word.end()
    pieces += (decode(pending, charset), value[end:], rest)
    return "".join(pieces)


def _decode_payload(payload: str, *, encoding: str) -> bytes | None:
    """The bytes of an encoded word, None if there are none in it."""
    raw = payload.encode("utf-8", "replace")
    if encoding in "qQ":
        return binascii.a2b_qp(raw, header=True)
    try:
        return binascii.a2b_base64(raw + b"==") or None
    except binascii.Error:
        return None


def one_line(text: str) -> str:
    """`text` on one line with single blanks, without control, bidi and other invisible characters."""
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    spaced = re.sub(r"[\r\n\t\v\f\x85\u2028\u2029]", " ", text)
    kept = (
        letter
        for letter in spaced
        if letter in _KEPT_FORMAT_CHARACTERS or unicodedata.category(letter) not in ("Cc", "Cf", "Cs")
    )
    return " ".join("".join(kept).split())


_DROPPED_CONTROLS = dict.fromkeys([*range(9), 11, *range(14, 32), *range(127, 160)])


def many_lines(text: str) -> str:
    """`text` with LF line ends and no control characters but those and tabs."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n")
    return text.translate(_DROPPED_CONTROLS)
