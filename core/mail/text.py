"""The words of a mail's author: without what they quote, forward and sign with, in the languages people write in.

A quoted command must never run: our own mails are full of commands, and people answer them with all of it below. So
where a quote may begin, it begins. Where mail programs of all languages share a shape (a date and a colon, dashes on
both sides) the shape decides; the rest stands in `core.mail.quoting`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import islice

from core.i18n import N_, all_of
from core.mail.quoting import FROM_FIELD, OTHER_FIELD, PREFIXES, SENT_FROM, SEPARATORS, WROTE
from core.mail.words import clean_line

REPLY_MARKER = "-- reply above this line --"
"""Stands on top of all that we send: the one cut that works in every language and mail program."""

TAP_LINE = N_("Just press send: this mail says it all.")
"""Stands in the mails that our links write, whose subject is the command; no command is ever looked for in it."""

MAX_COMMAND_LINES = 50
_MAX_LINES = 200  # read of a text: four times as many as hold commands
_MAX_LINE = 1000  # longer than any command, and a bound to the time that patterns take
_MAX_WRAPPED_LINES = 3
_HEADER_LINES = 4
"""Within so many lines a header shows a second field."""

_INVISIBLE = dict.fromkeys(
    [0x00AD, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x206A), 0xFEFF, 0xFFFC]
)
_MARKER_LETTERS = "reply above this line"
_SIGNATURE = re.compile(r"[-\u2014_]{2,3}|\u2014")  # RFC 3676 4.3 is "-- "; its blank is often lost
_RULE = re.compile(r"_{5,}|[-=~*#]{10,}")  # Outlook puts one above what it quotes
_FRAMED = re.compile(r"[-_=*~]{3,}\s*\w.{0,80}?[-_=*~]{3,}|-{4,}\s*\w.*")  # "-------- Original Message --------"
_CLEAR_SIGNED = re.compile(r"\s*-----BEGIN PGP SIGNED MESSAGE-----\s*\n(?:Hash:.*\n)*")  # RFC 9580 7
_HEADER_LINE = re.compile(r"[*>\s]*[^\W\d_][\w .'-]{0,30}\*?\s?[:：]")

_ENDS_WITH_VERB = re.compile(rf"\S.*(?:{WROTE})\s*[:：]", re.IGNORECASE)
_HAS_VERB = re.compile(rf"(?:{PREFIXES})\b.*\b(?:{WROTE})\b.*[:：]", re.IGNORECASE)
_HAS_DATE = re.compile(r"\b(?:19|20)\d\d\b|\d{4}\s?[年년]|\b\d{1,2}[:.h]\d\d\b")
_HAS_PLACE = re.compile(r"@|[年년]|\b\d{1,2}[:.h]\d\d\b")
_STARTS_DATED = re.compile(
    rf"(?:(?:{PREFIXES})\b(?=.*\d)|\d{{4}}\s?[年년./-]|\d{{1,2}}[./-]\d{{1,2}}[./-])", re.IGNORECASE
)
_STARTS_NAMED = re.compile(rf".*<\S+@\S+>.*(?:{WROTE}|\d{{4}})", re.IGNORECASE)


def unflow(text: str, *, delsp: str = "no") -> str:
    """Text of `format=flowed` with its paragraphs on one line each (RFC 3676 4.2). Quoted lines stay as they are."""
    lines: list[str] = []
    is_open = False
    for line in text.split("\n"):
        is_quoted = line.startswith(">")
        plain = line if is_quoted else line.removeprefix(" ")  # 4.4: space-stuffing
        if is_open and not is_quoted and plain != "-- ":
            lines[-1] += plain
        else:
            lines.append(plain)
        is_open = plain.endswith(" ") and not is_quoted and plain != "-- "
        if is_open and delsp.lower() == "yes":
            lines[-1] = lines[-1][:-1]
    return "\n".join(lines)


def own_text(text: str) -> str:
    """The author's words at the beginning of a text: up to the first quote, forwarded message or signature.

    Below a quote that stands on top with `>` before its lines, up to the next one. Normalised (NFKC, no invisible
    characters), and at most 200 lines of 1,000 characters; "" if it is all quote.
    """
    signed = _CLEAR_SIGNED.match(text)  # its signature stands in a frame, as what is quoted does
    text = text[signed.end() :] if signed else text
    lines = [_normal(line) for line in text.split("\n", _MAX_LINES)[:_MAX_LINES]]
    return "\n".join(_own_lines(lines)).strip()


def command_lines(text: str) -> list[str]:
    """The lines of `own_text` that are not empty, cleaned: at most 50, of at most 1,000 characters."""
    cleaned = (clean_line(line) for line in own_text(text).split("\n"))
    return list(islice((line for line in cleaned if line), MAX_COMMAND_LINES))


def _normal(line: str) -> str:
    return unicodedata.normalize("NFKC", line[:_MAX_LINE].translate(_INVISIBLE))[:_MAX_LINE].strip()


def _own_lines(lines: Sequence[str]) -> list[str]:
    own: list[str] = []
    index = 0
    while index < len(lines):
        line = lines[index]
        if line in all_of(TAP_LINE):
            index += 1
            continue
        # Within a quote it says nothing of what is below: our own marker is the first line of whatever answers us.
        is_quoted = all(each.startswith(">") for each in lines[index : index + 2])
        if (_ends_own_words(line) and not is_quoted) or _is_header(lines, index):
            break
        is_first = not any(own)
        width = _attribution_width(lines, index)
        if width:
            below = next((place for place in range(index + width, len(lines)) if lines[place]), None)
            if below is None or not lines[below].startswith(">"):
                break
            index = below
        elif line.startswith(">"):
            if not is_first:
                break
            index = _behind_quote(lines, index)
        else:
            own.append(line)
            index += 1
    return own


def _ends_own_words(line: str) -> bool:
    if _MARKER_LETTERS in line.lower() and re.sub(r"[^a-z]+", " ", line.lower()).strip() == _MARKER_LETTERS:
        return True
    return any(pattern.fullmatch(line) for pattern in (_SIGNATURE, _RULE, _FRAMED, SEPARATORS, SENT_FROM))


def _behind_quote(lines: Sequence[str], start: int) -> int:
    """The empty line behind a quote: until there, a line without its `>` may be the wrapped end of one with it."""
    return next((place for place in range(start, len(lines)) if not lines[place]), len(lines))


def _is_header(lines: Sequence[str], index: int) -> bool:
    """Whether the header of a quoted mail begins here."""
    near = lines[index + 1 : index + _HEADER_LINES]
    if FROM_FIELD.match(lines[index]):
        return any(map(_HEADER_LINE.match, near))
    return OTHER_FIELD.match(lines[index]) is not None and any(map(OTHER_FIELD.match, near))


def _attribution_width(lines: Sequence[str], index: int) -> int:
    """How many lines the attribution of a quote takes that begins here ("On ... wrote:"), 0 if there is none."""
    if _is_attribution(lines[index]):
        return 1
    if not _STARTS_DATED.match(lines[index]) and not _STARTS_NAMED.match(lines[index]):
        return 0
    joined = lines[index]
    for width in range(2, _MAX_WRAPPED_LINES + 1):
        following = lines[index + width - 1] if index + width <= len(lines) else ""
        if not following or following.startswith(">") or _STARTS_DATED.match(following):
            return 0
        joined += " " + following
        if _is_attribution(joined):
            return width
    return 0


def _is_attribution(line: str) -> bool:
    line = line.rstrip("*_ ")
    if not line.endswith((":", "：")) or len(line) > 2 * _MAX_LINE:
        return False
    if _HAS_DATE.search(line) and _HAS_PLACE.search(line):
        return True
    return _ENDS_WITH_VERB.fullmatch(line) is not None or _HAS_VERB.fullmatch(line) is not None
