"""What the parts of a mail hold: its author's text, and files, decoded into a folder."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from core.books.identify import identify
from core.mail.charset import decode, many_lines
from core.mail.fields import parameters
from core.mail.filenames import claimed_filename, clean_filename
from core.mail.mailfile import MailFile
from core.mail.message import Attachment
from core.mail.skeleton import MESSAGE_TYPES, Bounds, Part, Place, Skeleton, read_skeleton
from core.mail.text import unflow
from core.mail.tnef import SIGNATURE, tnef_files
from core.mail.transfer import decoded_body, looks_like_base64, uu_begin, uu_line, whole_lines
from core.news.opml import is_opml

_TNEF_TYPES = frozenset({"application/ms-tnef", "application/vnd.ms-tnef"})
_BODY = frozenset({"text/plain", "text/html"})
_NOT_BODY = frozenset({"text/calendar", "text/vcard", "text/x-vcard", "text/directory", "text/css", "text/csv"})
# What a mail is signed or encrypted with, and keys: programs attach them (RFC 3156, RFC 8551), and no person does.
_SEAL = re.compile(r"application/(?:pgp-|(?:x-)?pkcs7-)")
_UNKNOWN_TYPE = "application/octet-stream"
_MAX_BYTES_A_CHARACTER = 4
_SAMPLE_BYTES = 4096
_TOP = Place()


@dataclass(frozen=True, slots=True)
class _Origin:
    """What is known of a file before it is decoded."""

    filename: str | None
    declared_type: str
    looks_inline: bool
    is_forwarded: bool


@dataclass(slots=True)
class Contents:
    """Collects the text, HTML and files of a mail and of the mails in it. Files go into `folder`, under our names."""

    folder: Path
    bounds: Bounds
    files: int
    """How many are taken at most."""
    text_chars: int
    texts: list[str] = field(default_factory=list)
    htmls: list[str] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)
    holds_mail: bool = False
    """Whether any part is of a mail within the mail."""
    _parts_left: int = field(init=False)
    _inner_messages: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._parts_left = self.bounds.parts

    def note(self, defect: str) -> None:
        if defect not in self.defects:
            self.defects.append(defect)

    def add_message(self, file: MailFile, place: Place = _TOP) -> Skeleton:
        """Take in all parts of the mail in `file`. Blocks; raises `OSError` if the folder cannot be written."""
        skeleton = read_skeleton(file, replace(self.bounds, parts=self._parts_left), place)
        self._parts_left = max(self._parts_left - len(skeleton.parts), 0)
        for defect in skeleton.defects:
            self.note(defect)
        for part in skeleton.parts:
            try:
                self._add(part)
            except (OSError, MemoryError):
                raise  # ours: a full disk, a limit of the process
            except Exception as error:  # noqa: BLE001 - libraries read here what strangers wrote: only a part is lost
                self.note(f"a part of type {part.content_type} that cannot be read ({type(error).__name__})")
        return skeleton

    def _add(self, part: Part) -> None:
        self.holds_mail = self.holds_mail or part.place.is_forwarded
        disposition_field = part.header.text(b"content-disposition")
        disposition = disposition_field.partition(";")[0].strip().lower()
        filename = claimed_filename(parameters(disposition_field), part.type_parameters)
        if part.content_type in MESSAGE_TYPES:
            self._add_inner_message(part)
        elif part.content_type.startswith("message/") or part.content_type == "text/rfc822-headers":
            self._pass_over(part)
        elif _is_body(part, disposition=disposition, filename=filename):
            self._add_text(part)
        elif not _is_other_form(part, filename=filename):
            looks_inline = _looks_inline(part, disposition=disposition)
            origin = _Origin(filename, part.content_type, looks_inline, part.place.is_forwarded)
            if part.content_type in _TNEF_TYPES or (filename or "").lower() == "winmail.dat":
                self._add_tnef(part, origin)
            else:
                self._add_file(_decoded(part), origin)

    def _pass_over(self, part: Part) -> None:
        """Reports say nothing to us here; a fragment, or a file that lies elsewhere, cannot be had."""
        if part.content_type in ("message/partial", "message/external-body"):
            self.note(f"{part.content_type}, which is not followed")

    def _add_inner_message(self, part: Part) -> None:
        """A message that was encoded as a whole, which RFC 2046 5.2.1 forbids and mail programs do."""
        self._inner_messages += 1
        path = self.folder / f"message-{self._inner_messages}"
        _write(_decoded(part), path)
        with path.open("rb", buffering=0) as file:
            self.add_message(MailFile(file), Place(part.place.depth + 1, is_forwarded=True))
        path.unlink()

    def _add_text(self, part: Part) -> None:
        part = _without_false_encoding(part)
        raw = _beginning(_decoded(part), size=self.text_chars * _MAX_BYTES_A_CHARACTER)
        if b"begin " in raw and part.content_type != "text/html":
            raw = self._take_uuencoded(part)
        if part.place.is_forwarded:
            return
        texts = self.htmls if part.content_type == "text/html" else self.texts
        room = self.text_chars - sum(map(len, texts))
        text = many_lines(decode(raw, part.type_parameters.get("charset")))
        if len(text) > room:
            self.note(f"text cut at {self.text_chars} characters")
            text = text[:room]
        if part.type_parameters.get("format", "").lower() == "flowed":
            text = unflow(text, delsp=part.type_parameters.get("delsp", ""))
        texts.append(text)

    def _take_uuencoded(self, part: Part) -> bytes:
        """Take the uuencoded files out of a text; what is left of it, to the size that is read of a text."""
        lines = _Lines(line for block in whole_lines(_decoded(part)) for line in block.splitlines(keepends=True))
        left: list[bytes] = []
        size = 0
        for line in lines:
            name = uu_begin(line)
            if name is not None and uu_line(lines.peek() or b"") and self._has_room():
                origin = _Origin(
                    clean_filename(decode(name)), "application/octet-stream", False, part.place.is_forwarded
                )
                self._add_file(self._uuencoded(lines), origin)
            elif size < self.text_chars * _MAX_BYTES_A_CHARACTER:
                left.append(line)
                size += len(line)
        return b"".join(left)

    def _uuencoded(self, lines: _Lines) -> Iterator[bytes]:
        """The bytes of the file whose lines come next, to its end or to the first line that is none of it."""
        while (line := lines.peek()) is not None:
            if line.strip() == b"end":
                next(lines)
                return
            decoded = uu_line(line)
            if decoded is None:
                break
            next(lines)
            yield decoded
        self.note("a uuencoded file without its end")

    def _add_tnef(self, part: Part, origin: _Origin) -> None:
        stream = b"".join(_decoded(part))
        if not stream.startswith(SIGNATURE):
            self._add_file([stream], origin)
            return
        for file in tnef_files(memoryview(stream)):
            inner = replace(
                origin,
                filename=clean_filename(file.name),
                declared_type=_UNKNOWN_TYPE,
                is_forwarded=origin.is_forwarded or file.is_forwarded,
            )
            self._add_file([file.content], inner)

    def _has_room(self) -> bool:
        if len(self.attachments) >= self.files:
            self.note("too many files")
            return False
        return True

    def _add_file(self, blocks: Iterable[bytes | memoryview], origin: _Origin) -> None:
        if not self._has_room():
            return
        path = self.folder / f"file-{len(self.attachments) + 1}"
        size_bytes, sha256 = _write(blocks, path)
        identified = identify(path, filename=origin.filename)
        with path.open("rb") as file:
            is_feed_list = is_opml(file.read(_SAMPLE_BYTES))
        # Which never belong to a text:
        is_wanted = is_feed_list or identified.format is not None or identified.is_archive
        is_seal = _SEAL.match(origin.declared_type) is not None
        self.attachments.append(
            Attachment(
                filename=origin.filename,
                declared_type=origin.declared_type,
                path=path,
                size_bytes=size_bytes,
                sha256=sha256,
                format=None if is_feed_list else identified.format,
                is_feed_list=is_feed_list,
                is_archive=identified.is_archive,
                is_inline=is_seal or (origin.looks_inline and not is_wanted),
                is_forwarded=origin.is_forwarded,
            )
        )


class _Lines:
    """An iterator that can be asked what comes next."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = iter(lines)
        self._next = next(self._lines, None)

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> bytes:
        if self._next is None:
            raise StopIteration
        line, self._next = self._next, next(self._lines, None)
        return line

    def peek(self) -> bytes | None:
        return self._next


def _is_body(part: Part, *, disposition: str, filename: str | None) -> bool:
    """Whether a part is what somebody wrote, rather than a file: text without a name, or one form of a text."""
    if part.content_type.startswith("multipart/"):
        return True  # its parts cannot be told: RFC 2045 leaves showing it as it is
    if part.content_type in _NOT_BODY or not part.content_type.startswith("text/") or disposition == "attachment":
        return False
    if part.place.parent_type == "multipart/alternative":
        return part.content_type in _BODY
    return filename is None  # RFC 2046 4.1.4: text of a kind that one does not know is plain text


def _is_other_form(part: Part, *, filename: str | None) -> bool:
    """Whether a part says the same as the text beside it in yet another way: an invitation, enriched text."""
    is_text = part.content_type.startswith("text/")
    return is_text and filename is None and part.place.parent_type == "multipart/alternative"


def _looks_inline(part: Part, *, disposition: str) -> bool:
    """Whether a part says that it belongs to the text, as pictures do. Telephones say so of all they send."""
    has_id = part.header.raw(b"content-id") is not None
    return disposition == "inline" or (has_id and part.place.parent_type == "multipart/related")


def _decoded(part: Part) -> Iterator[bytes]:
    return decoded_body(part.file, part.start, part.end, encoding=part.encoding)


def _without_false_encoding(part: Part) -> Part:
    if part.encoding == "base64" and not looks_like_base64(part.file.read(part.start, min(part.end, part.start + 500))):
        return replace(part, encoding="")
    return part


def _beginning(blocks: Iterator[bytes], *, size: int) -> bytes:
    """The first blocks, until there are `size` bytes."""
    taken: list[bytes] = []
    length = 0
    for block in blocks:
        taken.append(block)
        length += len(block)
        if length >= size:
            break
    return b"".join(taken)


def _write(blocks: Iterable[bytes | memoryview], path: Path) -> tuple[int, str]:
    """(size in bytes, SHA-256 as lower-case hex) of what was written."""
    digest = hashlib.sha256()
    size = 0
    with path.open("wb", buffering=0) as file:
        for block in blocks:
            file.write(block)
            digest.update(block)
            size += len(block)
    return size, digest.hexdigest()
