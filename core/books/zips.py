"""ZIP containers of strangers: a central directory under caps, names that cannot climb, reading that is counted.

APPNOTE.TXT 6.3 is the format. Nothing is ever unpacked by the names in it: members are read into memory by look-up.
"""

from __future__ import annotations

import io
import lzma
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
    RuntimeError,  # an encrypted member; NotImplementedError of an unknown compression
    IndexError,
    KeyError,
)
"""All that `zipfile` of Python 3.11 to 3.14 raises on damaged input."""


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
