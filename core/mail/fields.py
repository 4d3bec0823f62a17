"""Header fields as bytes and text: RFC 5322 2.2, RFC 2045 5.1 parameters, RFC 2231 continuations."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from core.mail.charset import decode

Field = tuple[bytes, bytes]
"""(name as written, value as written, folded)"""

_FIELD = re.compile(rb"(?!--)([!-9;-~]+)[ \t]*:[ \t]*([^\n]*(?:\n[ \t][^\n]*)*)(?:\n|\Z)")
_LINE = re.compile(rb"[^\n]*(?:\n|\Z)")
_KNOWN_FIELD = re.compile(
    rb"^(?:From|To|Cc|Subject|Date|Sender|Reply-To|Message-ID|In-Reply-To|References|MIME-Version|Content-[a-z-]+"
    rb"|Received|Return-Path|X-[a-z-]+)[ \t]*:",
    re.IGNORECASE | re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Header:
    """The fields of a header block. `length` is how much of the block they take; what is behind it is body."""

    fields: tuple[Field, ...]
    length: int
    has_junk: bool
    """Lines that are no field stood among the fields."""

    def raw(self, name: bytes) -> bytes | None:
        """First value of a field as written, or None. `name` in lower case."""
        return next((value for field, value in self.fields if field.lower() == name), None)

    def text(self, name: bytes) -> str:
        """First value of a field, unfolded and decoded, "" if absent."""
        return field_text(self.raw(name) or b"")


def split_header(block: bytes) -> Header:
    """The fields of a block without its blank line.

    A line that is no field ends the header, as everywhere, unless a field that every mail has comes after it: then it
    is a line that some program broke, and is left out. A line that looks like a boundary always ends it.
    """
    fields: list[Field] = []
    position, last_known = 0, -1
    has_junk = False
    if block.startswith(b"From "):
        position = len(block.partition(b"\n")[0]) + 1  # mboxrd: what divides mails in a mailbox file
    while position < len(block):
        field = _FIELD.match(block, position)
        if field is not None:
            fields.append((field[1], field[2].rstrip(b"\r")))
            position = field.end()
            continue
        if not has_junk:
            has_junk = True
            last_known = max((known.start() for known in _KNOWN_FIELD.finditer(block, position)), default=-1)
        is_stray_continuation = block[position : position + 1] in (b" ", b"\t")
        if block.startswith(b"--", position) or (position > last_known and not is_stray_continuation):
            break
        line = _LINE.match(block, position)
        position = line.end() if line else len(block)
    return Header(tuple(fields), min(position, len(block)), has_junk)


def field_text(raw: bytes) -> str:
    """A value on one line: unfolded, 8-bit as UTF-8 or what it looks like, encoded-words as they are, no NUL."""
    unfolded = re.sub(rb"\r?\n(?=[ \t])", b"", raw).replace(b"\x00", b"").strip()
    return decode(unfolded) if not unfolded.isascii() else unfolded.decode("ascii")


_MEDIA_TYPE = re.compile(r"\s*([!#-'*+.0-9A-Z^-~-]+)\s*/\s*([!#-'*+.0-9A-Z^-~-]+)", re.ASCII)  # RFC 2045 5.1 token
_PARAMETER = re.compile(r";\s*([^\s=;\"]+)\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"?|([^;]*))", re.DOTALL)
_SEGMENT = re.compile(r"([^*]+)(?:\*(\d{1,3}))?(\*)?")


def media_type(value: str) -> str:
    """`type/subtype` in lower case, "" if it has not that form."""
    match = _MEDIA_TYPE.match(value)
    return f"{match[1]}/{match[2]}".lower() if match else ""


def parameters(value: str) -> dict[str, str]:
    """Parameters of a Content-Type or Content-Disposition by their names in lower case, RFC 2231 undone.

    Of two with one name the first counts, as in every other reader. An unquoted value may hold blanks. Values are not
    cleaned, and RFC 2047 words in them are not decoded.
    """
    plain: dict[str, str] = {}
    segments: dict[str, dict[int, tuple[str, bool]]] = {}
    for match in _PARAMETER.finditer(value):
        name = match[1].lower()
        text = re.sub(r"\\([\\\"])", r"\1", match[2]) if match[2] is not None else match[3].strip()
        segment = _SEGMENT.fullmatch(name) if "*" in name else None
        if segment is None:
            plain.setdefault(name, text)
        else:
            number = int(segment[2] or 0)
            segments.setdefault(segment[1], {}).setdefault(number, (text, segment[3] is not None))
    return plain | {name: _join(pieces) for name, pieces in segments.items()}


def _join(pieces: dict[int, tuple[str, bool]]) -> str:
    """RFC 2231 3 and 4: segments in the order of their numbers, the first naming the charset of those with an `*`."""
    charset, raw = "", b""
    first = min(pieces)
    for number, (text, is_extended) in sorted(pieces.items()):
        if number == first and is_extended and text.count("'") >= 2:
            charset, _, text = text.split("'", 2)
        raw += unquote_to_bytes(text) if is_extended else text.encode()
    return decode(raw, charset)
