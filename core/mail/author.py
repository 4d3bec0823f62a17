"""Who wrote a mail, decided on the bytes of its header block: one From field with one address, or nobody.

RFC 5322 3.6.2 allows several authors, and mail programs read what is malformed each in their own way: an address that
one shows and another checks is how mails are forged (Chen, Paxson, Jiang: "Composition Kills", USENIX Security 2020).
So whatever could be read in two ways has no author here, and a decoded word is never an address.
"""

from __future__ import annotations

import functools
import re
import unicodedata

import idna

from core.mail.charset import decode, decode_words, one_line
from core.mail.message import Author

_FROM_LINE = re.compile(rb"^[ \t]*From[ \t]*(?:\r?\n[ \t]+)*:", re.IGNORECASE | re.MULTILINE)
"""Every spelling that some program takes for a From field: indented, with blanks before the colon, folded there."""

_FROM_FIELD = re.compile(rb"^From:([^\n]*(?:\n[ \t][^\n]*)*)", re.IGNORECASE | re.MULTILINE)
_FROM_BEHIND_CR = re.compile(rb"\r[ \t]*From[ \t]*:", re.IGNORECASE)
_BROKEN_LINE = re.compile(rb"^(?![!-9;-~]+:|[ \t]|\r?$)", re.MULTILINE)
"""A line that is no field and no continuation: to many readers the header ends there."""

_ADDRESS_FOLLOWS = re.compile(rb"[^:;=\n]*@")

_MAX_FROM_BYTES = 2000  # two lines of RFC 5322 2.1.1; a name and an address need one
_MAX_LOCAL_PART_BYTES = 64  # RFC 5321 4.5.3.1.1
_MAX_DOMAIN_BYTES = 253  # RFC 1035 2.3.4: 255 octets on the wire
_MAX_NAME = 200

_TOKEN = re.compile(r'(?P<quoted>"(?:[^"\\]|\\.)*")|<(?P<angle>[^<>]*)>|[^"<>()\\]+')
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_DOT_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\u00a1-\U0010ffff-]+")  # RFC 5322 3.2.3, RFC 6532 3.2
_QUOTED_LOCAL_PART = re.compile(r'"[A-Za-z0-9 !#-\[\]-~]+"')  # RFC 5321 4.1.2, without quoted pairs
_LDH_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")  # RFC 1123 2.1


class NoAuthor(ValueError):
    """Why a mail has no author, in a short phrase."""


class NoFromField(NoAuthor):
    """There is nothing that could be mistaken for an author."""


def decide_author(block: bytes) -> Author:
    """The one author by the raw header block. Raises `NoAuthor`."""
    if b"\x00" in block:
        raise NoAuthor("a NUL in the header")
    return _parse_mailbox(decode(_only_from(block)))


def _only_from(block: bytes) -> bytes:
    """The value of the only From field, unfolded."""
    lines = [line for line in _FROM_LINE.finditer(block) if _is_from(block, line)]
    if not lines:
        raise NoFromField("no From field")
    if len(lines) > 1 or _FROM_BEHIND_CR.search(block):
        raise NoAuthor("several From fields")
    field = _FROM_FIELD.match(block, lines[0].start())
    if field is None:
        raise NoAuthor("a misspelt From field")
    first_line_end = block.find(b"\n") + 1 if block.startswith(b"From ") else 0  # of a mailbox file
    if _BROKEN_LINE.search(block, first_line_end, field.start()):
        raise NoAuthor("a From field behind a broken line")
    value = re.sub(rb"\r?\n(?=[ \t])", b"", field[1]).strip()
    if len(value) > _MAX_FROM_BYTES:
        raise NoAuthor("a From field of absurd length")
    if re.search(rb"[\x01-\x08\x0a-\x1f\x7f]", value):
        raise NoAuthor("control characters in the From field")
    return value


def _is_from(block: bytes, line: re.Match[bytes]) -> bool:
    """Whether a line may be taken for a From field.

    An indented one belongs to the line before it, such as the `h=From:To` of a DKIM signature, unless it is the first
    line of all or an address follows.
    """
    is_indented = line[0][:1].isspace()
    return not is_indented or line.start() == 0 or _ADDRESS_FOLLOWS.match(block, line.end()) is not None


@functools.lru_cache(maxsize=1024)  # the same people write again and again
def _parse_mailbox(value: str) -> Author:
    """RFC 5322 3.4 `mailbox`, and nothing else that a From field may hold."""
    phrase, angle, comments = _take_apart(value)
    address = clean_address((phrase if angle is None else angle).strip())
    name = "" if angle is None else _QUOTED.sub(lambda quoted: re.sub(r"\\(.)", r"\1", quoted[1]), phrase)
    bare_phrase = _QUOTED.sub(" ", phrase).strip()
    if angle is not None and bare_phrase.lower() != angle.strip().lower():
        if "@" in bare_phrase:
            raise NoAuthor("two addresses in the From field")
        if re.search("[,;:]", bare_phrase):
            raise NoAuthor("a list or a group in the From field")
    if any("@" in comment and comment.strip().lower() != address.lower() for comment in comments):
        raise NoAuthor("an address in a comment of the From field")
    shown = one_line(decode_words(name or " ".join(comments)))[:_MAX_NAME]
    return Author(address, shown if "@" not in shown else "")  # a name that looks like an address is there to deceive


def _take_apart(value: str) -> tuple[str, str | None, list[str]]:
    """(what stands before angle brackets, or all; what stands in them, or None; the comments)"""
    before, angle = "", None
    comments: list[str] = []
    position = 0
    while position < len(value):
        if value[position] == "(":
            end = _end_of_comment(value, position)
            comments.append(value[position + 1 : end - 1])
            before += " "
            position = end
            continue
        token = _TOKEN.match(value, position)
        if token is None:
            raise NoAuthor("a From field that cannot be read")
        if angle is not None and token[0].strip():
            raise NoAuthor("something behind the address in the From field")
        if token["angle"] is not None:
            angle = token["angle"]
        else:
            before += token[0]
        position = token.end()
    return before, angle, comments


def _end_of_comment(value: str, start: int) -> int:
    """The place behind the comment that begins at `start`; comments may nest (RFC 5322 3.2.2)."""
    depth = 0
    for bracket in re.finditer(r"\\.|[()]", value[start:]):
        depth += {"(": 1, ")": -1}.get(bracket[0], 0)
        if depth == 0:
            return start + bracket.end()
    raise NoAuthor("an open comment in the From field")


def clean_address(address: str) -> str:
    """An addr-spec with its domain in A-labels and lower case; the local part as written."""
    local_part, at, domain = address.rpartition("@")
    if not at or not local_part:
        raise NoAuthor("no address in the From field")
    if "=?" in address:
        raise NoAuthor("an encoded word in the address")
    if not (_DOT_ATOM.fullmatch(local_part) or _QUOTED_LOCAL_PART.fullmatch(local_part)) or not _is_visible(local_part):
        raise NoAuthor("an address that is none")
    if len(local_part.encode()) > _MAX_LOCAL_PART_BYTES:
        raise NoAuthor("an address that is too long")
    return f"{local_part}@{_clean_domain(domain)}"


def _is_visible(text: str) -> bool:
    """No characters that cannot be seen, told apart or decoded (a quoted local part may hold plain blanks)."""
    return "\ufffd" not in text and not any(unicodedata.category(letter)[0] in "CZ" for letter in text if letter != " ")


def _clean_domain(domain: str) -> str:
    try:
        ascii_domain = domain if domain.isascii() else idna.encode(domain, uts46=True).decode()
    except idna.IDNAError as error:
        raise NoAuthor("a domain that is none") from error
    labels = ascii_domain.lower().split(".")
    if len(ascii_domain) > _MAX_DOMAIN_BYTES or not all(map(_LDH_LABEL.fullmatch, labels)) or labels[-1].isdigit():
        raise NoAuthor("a domain that is none")
    return ascii_domain.lower()
