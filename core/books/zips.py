"""ZIP containers of strangers: a central directory under caps, names that cannot climb, reading that is counted.

APPNOTE.TXT 6.3 is the format. Nothing is ever unpacked by the names in it: members are read into memory by look-up.
"""

from __future__ import annotations

import errno
import io
import lzma
import posixpath
import re
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import IO, BinaryIO
from urllib.parse import unquote

from core.books.limits import BookLimits
from core.books.packed import Packed
from core.books.refusals import damaged, hostile, locked, too_large, too_many
from core.books.salvage import open_salvaged
from core.books.text import clean_line
from core.errors import BotError
from core.i18n import _

MAX_DIRECTORY_BYTES = 4 * 1024 * 1024
"""Of the central directory, which `zipfile` reads and parses whole: 10,000 entries of 400 bytes, and an entry is 46
bytes and a name. A hostile one of 46-byte entries then costs 90,000 objects (55 MB, 0.4 s), not millions."""

ZIP_ERRORS = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    ValueError,  # UnicodeDecodeError of a name, a negative seek, a member that was closed
    OverflowError,
    struct.error,  # a header that is cut short
    RuntimeError,  # an encrypted member; NotImplementedError of an unknown compression
    IndexError,
    KeyError,
)
"""All that `zipfile` of Python 3.11 to 3.14 raises on damaged input."""


_OWN_FAULTS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE})


def is_own_fault(error: BaseException) -> bool:
    """Whether our disk failed, not their file: a seek to a place that does not exist is an `OSError` just as well."""
    return isinstance(error, OSError) and error.errno in _OWN_FAULTS


class DirectoryTooLarge(ValueError):
    """The central directory is over `MAX_DIRECTORY_BYTES`."""


class _CappedFile(io.BufferedReader):
    """A file of which nobody gets more than the cap at once: `zipfile` takes the directory's size on trust."""

    def read(self, size: int | None = -1, /) -> bytes:
        read = super().read(MAX_DIRECTORY_BYTES + 1 if size is None or size < 0 else min(size, MAX_DIRECTORY_BYTES + 1))
        if len(read) > MAX_DIRECTORY_BYTES:
            raise DirectoryTooLarge(size)
        return read


@contextmanager
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """The archive at `path` for reading; raises one of `ZIP_ERRORS` if it is none, or a damaged one."""
    with _CappedFile(io.FileIO(path)) as file, zipfile.ZipFile(file) as archive:
        yield archive


def is_symlink(info: zipfile.ZipInfo) -> bool:
    """Unix mode in the upper half of the external attributes (APPNOTE 4.4.15)."""
    return stat.S_ISLNK(info.external_attr >> 16)


_CHUNK_BYTES = 256 * 1024
"""Of a member at once: `zipfile` asks the file for as much as it is asked for, and the file is capped."""


class Members:
    """The members of an archive that was checked, read into memory by their names.

    `kind` is the word for it in refusals ("EPUB"). Raises `RefusedFile` for an archive that is locked, or built to harm
    whoever unpacks it, and `DamagedFile` for a member that cannot be unpacked.
    """

    def __init__(self, archive: zipfile.ZipFile, limits: BookLimits, *, kind: str, is_salvaged: bool = False) -> None:
        """`is_salvaged` if its own directory could not be read, and another one was made: see `core.books.salvage`."""
        self.is_salvaged = is_salvaged
        self._archive = archive
        self._limits = limits
        self._kind = kind
        self._infos = _checked(archive.infolist(), limits)

    @cached_property
    def _folded(self) -> dict[str, str]:
        return {name.casefold(): name for name in self._infos}

    @property
    def names(self) -> list[str]:
        """Of files, in the order of the directory."""
        return list(self._infos)

    def find(self, href: str, *, base: str = "") -> str | None:
        """The member that `href` means in a document in the folder `base`; its case and its %-escapes may be wrong.

        None if there is none, or if the reference leaves the archive.
        """
        path = href.partition("#")[0].replace("\\", "/")
        for candidate in (path, unquote(path)):
            name = posixpath.normpath(posixpath.join(base, candidate))
            if name in self._infos:
                return name
            if name.casefold() in self._folded:
                return self._folded[name.casefold()]
        return None

    @property
    def limits(self) -> BookLimits:
        return self._limits

    def size_of(self, name: str) -> int:
        """Of the member when it is unpacked, as declared."""
        return self._infos[name].file_size

    def packed_size_of(self, name: str) -> int:
        return self._infos[name].compress_size

    def is_within(self, name: str, size_bytes: int) -> bool:
        """Whether the member has at most `size_bytes` when it is unpacked, as declared."""
        return self.size_of(name) <= size_bytes

    def is_first_and_stored(self, name: str) -> bool:
        """As OCF has it of the mimetype: the first in the archive, not compressed, nothing in its extra field."""
        info = self._infos.get(name)
        return info is not None and (info.header_offset, info.compress_type, info.extra) == (0, zipfile.ZIP_STORED, b"")

    def packed(self, name: str) -> Packed:
        """The member as it lies in the archive, for another archive. What is wrong with its bytes goes with them."""
        info = self._infos[name]
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            # OCF 3.3 4.2.2 allows no other way.
            data = self.read(name, limit_bytes=self._limits.unpacked_bytes)
            return Packed(data, zipfile.ZIP_STORED, info.CRC, len(data))
        with self._reading(name):
            file = self._archive.fp
            assert file is not None
            file.seek(info.header_offset)
            local = file.read(30)  # APPNOTE 4.3.7
            file.seek(info.header_offset + 30 + sum(struct.unpack_from("<HH", local, 26)))
            data = _read_fully(file, info.compress_size)
        return Packed(data, info.compress_type, info.CRC, info.file_size)

    def read(self, name: str, *, limit_bytes: int | None = None) -> bytes:
        """Content of a member, at most `limit_bytes` (default: of a document), counted while it is unpacked."""
        limit = self._limits.document_bytes if limit_bytes is None else limit_bytes
        content = bytearray()
        with self._open(name) as member:
            while chunk := member.read(_CHUNK_BYTES):
                content += chunk
                if len(content) > limit:
                    raise too_large(_("A part of the file"), limit_bytes=limit)
        return bytes(content)

    def read_if_sound(self, name: str) -> bytes | None:
        """Content of a picture, None if it is too large or damaged: without its cover a book is still a book."""
        try:
            return self.read(name, limit_bytes=self._limits.picture_bytes)
        except BotError:
            return None

    def copy(self, name: str, target: BinaryIO) -> None:
        """Unpack a member into `target`, never more than the directory says."""
        with self._open(name) as member:
            shutil.copyfileobj(member, target, _CHUNK_BYTES)

    @contextmanager
    def _open(self, name: str) -> Iterator[IO[bytes]]:
        with self._reading(name), self._archive.open(self._infos[name]) as member:
            yield member

    @contextmanager
    def _reading(self, name: str) -> Iterator[None]:
        try:
            yield
        except ZIP_ERRORS as error:
            if is_own_fault(error):
                raise
            shown = clean_line(posixpath.basename(name), max_length=60)
            raise damaged(self._kind, _("a part of it, “{shown}”, cannot be unpacked").format(shown=shown)) from error


def _read_fully(file: IO[bytes], size_bytes: int) -> bytes:
    """All of it; raises `EOFError` where it ends too early."""
    parts: list[bytes] = []
    while size_bytes:
        part = file.read(min(size_bytes, _CHUNK_BYTES))
        if not part:
            raise EOFError
        parts.append(part)
        size_bytes -= len(part)
    return b"".join(parts)


@contextmanager
def open_members(path: Path, limits: BookLimits, *, kind: str) -> Iterator[Members]:
    """The checked members of the `kind` ("EPUB") at `path`; `DamagedFile` where its directory cannot be read.

    Of an EPUB it may be broken or cut off, if the members are whole without it.
    """
    with ExitStack() as stack:
        is_salvaged = False
        try:
            archive = stack.enter_context(open_zip(path))
            if kind == "EPUB" and not _leads_to_members(archive):
                raise zipfile.BadZipFile("the directory leads elsewhere")
        except ZIP_ERRORS as error:
            if is_own_fault(error):
                raise
            try:
                if kind != "EPUB" or isinstance(error, DirectoryTooLarge):
                    raise
                raw = stack.enter_context(open_salvaged(path, limits))
                archive = stack.enter_context(zipfile.ZipFile(stack.enter_context(_CappedFile(raw))))
                is_salvaged = True
            except ZIP_ERRORS as why:
                if is_own_fault(why):
                    raise
                raise damaged(
                    kind, _("the list of its parts, which stands at its end, cannot be read"), code="file.cut-short"
                ) from why
        yield Members(archive, limits, kind=kind, is_salvaged=is_salvaged)


def _leads_to_members(archive: zipfile.ZipFile) -> bool:
    """Whether the first member is where the directory says; `zipfile` asks that when it is read."""
    file, infos = archive.fp, archive.infolist()
    if file is None or not infos:
        return True
    file.seek(infos[0].header_offset)
    return file.read(4) == b"PK\x03\x04"


def _checked(infos: list[zipfile.ZipInfo], limits: BookLimits) -> dict[str, zipfile.ZipInfo]:
    if len(infos) > limits.entries:
        raise too_many(len(infos), limit=limits.entries)
    # `zipfile` never yields more of a member than its declared size, so that the sum of these is a true bound.
    if sum(info.file_size for info in infos) > limits.unpacked_bytes:
        raise too_large(_("What is packed into the file"), limit_bytes=limits.unpacked_bytes)
    checked: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        _check_member(info)
        twin = checked.get(info.filename)
        if twin is not None and (twin.CRC, twin.file_size) != (info.CRC, info.file_size):
            raise hostile(_("it holds two different files of one name"))
        if not info.is_dir():
            checked[info.filename] = info
    _check_overlap(infos)
    return checked


_MAX_NAME_LENGTH = 1024
_HOSTILE_NAME = re.compile(r"[\x00-\x1f\x7f]|^[/\\]|^[A-Za-z]:[/\\]|(?:^|[/\\])\.\.(?:[/\\]|$)")


def _check_member(info: zipfile.ZipInfo) -> None:
    if info.flag_bits & 1:  # APPNOTE 4.4.4, bit 0
        raise locked()
    # `filename` was cut at a NUL by `zipfile`; `orig_filename` is as written.
    if _HOSTILE_NAME.search(info.orig_filename) or len(info.orig_filename) > _MAX_NAME_LENGTH:
        raise hostile(_("the name of a part leads out of the file or hides characters"))
    if is_symlink(info):
        raise hostile(_("it holds a link to a file outside of it"))


def _check_overlap(infos: list[zipfile.ZipInfo]) -> None:
    """Records that share their bytes are how a small file unpacks into a huge one (Fifield, 2019)."""
    places = sorted((info.header_offset, info.compress_size) for info in infos)
    for (offset, size), (following, _size) in pairwise(places):
        # 30 bytes of local header (APPNOTE 4.3.7) before name, extra field and content.
        if offset + 30 + size > following:
            raise hostile(_("its parts overlap, as in a ZIP bomb"))
