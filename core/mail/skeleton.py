"""The parts of a mail as places in its file (RFC 2046 5.1), found in one pass that copies nothing.

Why not the standard library's parser: it holds a mail five times over in memory, takes 16 ms a megabyte with the
interpreter locked and 130 us a part, and raises on deep nesting. What it reads out of a mail is what this reads: the
tests hold the two side by side. See docs/decisions/reading-mail.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from core.mail.fields import Header, media_type, parameters, split_header
from core.mail.mailfile import MailFile
from core.mail.marks import Mark, find_marks

_BLANK_LINE = re.compile(rb"(?:\A|(\n))\r?\n")
_PART_START = re.compile(rb"Content-[A-Za-z-]+[ \t]*:", re.IGNORECASE)
_FIRST_LOOK_BYTES = 4096

MESSAGE_TYPES = frozenset({"message/rfc822", "message/global", "message/news"})
"""Types that hold a whole message (RFC 2046 5.2.1, RFC 6532 3.7)."""

ENCODED = frozenset({"base64", "quoted-printable"})
"""Encodings under which a body's structure cannot be seen before it is decoded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How far a mail's structure is followed; what is beyond is cut off and told as a defect."""

    header_bytes: int = 256 * 1024
    parts: int = 2000
    depth: int = 50


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entity stands in the tree."""

    depth: int = 0
    is_forwarded: bool = False
    """In a message within the mail."""
    parent_type: str = ""
    """The multipart that it stands in, "" at the top of a message."""


@dataclass(frozen=True, slots=True)
class Part:
    """A leaf of the tree: its header, and its body from `start` to `end` of `file`."""

    file: MailFile
    header: Header
    start: int
    end: int
    content_type: str
    """Lower case; `multipart/...` only where its parts cannot be told from one another."""
    type_parameters: dict[str, str]
    encoding: str
    """Content-Transfer-Encoding in lower case; "" and unknown ones mean that nothing is encoded."""
    place: Place


_TOP = Place()


def _transfer_encoding(header: Header) -> str:
    words = header.text(b"content-transfer-encoding").lower().split()
    return words[0].strip("\"';") if words else ""


@dataclass(slots=True)
class Skeleton:
    """All leaves of a mail in order, with the header of the whole."""

    block: bytes = b""
    """The header block as it came, to its blank line."""
    header: Header = field(default_factory=lambda: Header((), 0, has_junk=False))
    content_type: str = "text/plain"
    is_header_cut: bool = False
    parts: list[Part] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)

    def note(self, defect: str) -> None:
        if defect not in self.defects:
            self.defects.append(defect)


@dataclass(frozen=True, slots=True)
class _Level:
    """An open multipart."""

    boundary: bytes
    inside: Place
    """Of its parts."""


@dataclass(frozen=True, slots=True)
class _Head:
    """The header of an entity. `body_start` is None where the header is too large to be read."""

    block: bytes
    header: Header
    body_start: int | None


def read_skeleton(file: MailFile, bounds: Bounds, place: Place = _TOP) -> Skeleton:
    """The skeleton of the mail in `file`. Blocks on disk; never raises for what the mail holds.

    `place` is that of a mail which was encoded as a whole, in the mail that it was taken out of.
    """
    walk = _Walk(file, bounds)
    walk.run(place)
    return walk.skeleton


class _Walk:
    """One pass over the marks, with a stack of the multiparts that are open."""

    def __init__(self, file: MailFile, bounds: Bounds) -> None:
        self.skeleton = Skeleton()
        self._file = file
        self._bounds = bounds
        self._marks, self._end = find_marks(file)
        self._last_seen = {mark.text: mark.start for mark in self._marks}
        self._next = 0
        self._levels: list[_Level] = []
        self._index: dict[bytes, int] = {}
        self._entities = 0

    def run(self, place: Place) -> None:
        if self._end < self._file.size:
            self.skeleton.note("too many lines like boundaries")
        if self._file.is_cut:
            self.skeleton.note("bare CR line ends, read to 1 MiB")
        self._enter(0, place)
        while (mark := self._next_boundary(0)) is not None:
            self._next += 1
            level, closes = self._meaning(mark) or (0, True)
            self._close(level if closes else level + 1)
            if closes or self._is_doubled(mark):
                continue
            if self._entities >= self._bounds.parts:
                self.skeleton.note("too many parts")
                return
            self._enter(mark.end, self._levels[level].inside)
        if self._levels:
            self.skeleton.note("a multipart is not closed")

    def _enter(self, position: int, place: Place) -> None:
        """Read the entity at `position`: open it, if it is a multipart, else keep it as a leaf."""
        head = self._read_head(position)
        default = "message/rfc822" if place.parent_type == "multipart/digest" else "text/plain"  # RFC 2046 5.1.5
        declared = head.header.text(b"content-type")
        content_type = media_type(declared) or default
        self._entities += 1
        if self._entities == 1:
            self.skeleton.block, self.skeleton.header = head.block, head.header
            self.skeleton.content_type = content_type
            self.skeleton.is_header_cut = head.body_start is None
        if head.body_start is None:
            self.skeleton.note(f"a header of more than {self._bounds.header_bytes // 1024} KiB")
            return
        if place.depth > self._bounds.depth:
            self.skeleton.note(f"nested deeper than {self._bounds.depth}")
            return
        encoding = _transfer_encoding(head.header)
        if content_type in MESSAGE_TYPES and encoding not in ENCODED:
            self._enter(head.body_start, Place(place.depth + 1, is_forwarded=True))
            return
        type_parameters = parameters(declared)
        if content_type.startswith("multipart/"):
            boundary = self._find_boundary(type_parameters.get("boundary", ""), head.body_start)
            if boundary:
                inside = Place(place.depth + 1, is_forwarded=place.is_forwarded, parent_type=content_type)
                self._open(_Level(boundary, inside), head.body_start)
                return
            self.skeleton.note("a multipart without its boundary")
        end = self._body_end(head.body_start)
        self.skeleton.parts.append(
            Part(self._file, head.header, head.body_start, end, content_type, type_parameters, encoding, place)
        )

    def _read_head(self, position: int) -> _Head:
        """The header at `position`, to its blank line, or to the first line that is no field, such as a boundary."""
        block, blank = b"", None
        for size in (_FIRST_LOOK_BYTES, self._bounds.header_bytes):
            block = self._file.read(position, min(position + size, self._end))
            blank = _BLANK_LINE.search(block)
            if blank is not None or position + len(block) >= self._end:
                break
        block = block[: blank.start() + len(blank[1] or b"")] if blank else block
        header = split_header(block)
        if header.length < len(block):
            return _Head(block, header, position + header.length)
        if blank is not None:
            return _Head(block, header, position + blank.end())
        is_whole = position + len(block) >= self._end
        return _Head(block, header, self._end if is_whole else None)

    def _find_boundary(self, declared: str, body_start: int) -> bytes:
        """The boundary of a multipart that begins at `body_start`, b"" if there is none to be found.

        Where the declared one never comes, the first line that looks like a boundary with a part behind it is taken
        for it: everything would be lost with it otherwise.
        """
        boundary = declared.rstrip().encode()
        if boundary and boundary not in self._index and self._last_seen.get(boundary, -1) >= body_start:
            return boundary
        following = (mark for mark in self._marks[self._next : self._next + 100] if mark.start >= body_start)
        mark = next(following, None)
        if mark is None or not mark.text or self._meaning(mark) is not None:
            return b""
        if not _PART_START.match(self._file.read(mark.end, mark.end + 200)):
            return b""
        self.skeleton.note("a multipart whose boundary was guessed")
        return mark.text

    def _open(self, level: _Level, body_start: int) -> None:
        self._index[level.boundary] = len(self._levels)
        self._levels.append(level)
        self._next_boundary(body_start)  # what looks like a boundary in its header is none

    def _close(self, level: int) -> None:
        for closed in self._levels[level:]:
            del self._index[closed.boundary]
        del self._levels[level:]

    def _meaning(self, mark: Mark) -> tuple[int, bool] | None:
        """(which open multipart it belongs to, whether it ends it), or None if it is no boundary here."""
        level = self._index.get(mark.text)
        if level is not None:
            return level, False
        level = self._index.get(mark.text[:-2]) if mark.text.endswith(b"--") else None
        return None if level is None else (level, True)

    def _next_boundary(self, position: int) -> Mark | None:
        """The next boundary of an open multipart from `position` on. What is passed over cannot become one later."""
        while self._next < len(self._marks):
            mark = self._marks[self._next]
            if mark.start >= position and self._meaning(mark) is not None:
                return mark
            self._next += 1
        return None

    def _is_doubled(self, mark: Mark) -> bool:
        """Whether the same boundary comes again at once: it divides nothing, then."""
        following = self._marks[self._next : self._next + 1]
        return bool(following) and following[0].start == mark.end and following[0].text == mark.text

    def _body_end(self, start: int) -> int:
        """Where a body ends: before the next boundary, or before the end of an open multipart.

        The line end before a boundary belongs to it (RFC 2046 5.1.1), and so it does where the boundary is missing.
        """
        mark = self._next_boundary(start)
        if mark is None and not self._levels:
            return self._end
        end = mark.start if mark else self._end
        before = self._file.read(max(end - 2, 0), end)
        line_end = 2 if before == b"\r\n" else 1 if before.endswith(b"\n") else 0
        return max(start, end - line_end)
