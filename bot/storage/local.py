"""Blobs as files of a directory, created by `link`: whole and on the disk, or not there."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from bot.storage.keys import check_key
from core.errors import Unavailable
from core.ports import BlobCorrupt, BlobNotFound, BlobStat

COPY_BYTES = 1 << 20  # measured: 64 KiB to 4 MiB make no difference, the disk does
UNFINISHED = ".unfinished"  # no key may start with a dot, so no blob can stand in there
UNFINISHED_KEPT_SECONDS = 24 * 3600.0  # no put lasts a day: what is older was left by a crash
_NO_LINK = (errno.EXDEV, errno.EPERM, errno.EMLINK)  # another file system, or one without hard links
_NO_BLOB = (FileNotFoundError, IsADirectoryError, NotADirectoryError)  # the latter two: part of a key, or too much


class LocalStore:
    """See `BlobStore`. Blobs live under `root`; several processes may share it.

    That the same content is there already is judged by its size, the key being the hash of the content.
    """

    def __init__(self, root: Path) -> None:
        """Makes the directory and forgets what a crash left half written. Raises `Unavailable`."""
        self._root = root
        self._unfinished = root / UNFINISHED
        with _unavailable_on_os_error(str(root)):
            self._unfinished.mkdir(parents=True, exist_ok=True)
            _delete_older(self._unfinished, than=time.time() - UNFINISHED_KEPT_SECONDS)

    def put(self, key: str, source: BinaryIO, *, size_bytes: int, media_type: str) -> bool:
        target = self._path(key)
        with _unavailable_on_os_error(key):
            if self._holds(target, size_bytes=size_bytes):
                return False
            descriptor, name = tempfile.mkstemp(dir=self._unfinished)
            unfinished = Path(name)
            try:
                with open(descriptor, "wb") as file:
                    shutil.copyfileobj(source, file, COPY_BYTES)
                    if file.tell() != size_bytes:
                        raise BlobCorrupt(f"{key}: {file.tell()} bytes came instead of {size_bytes}")
                    file.flush()
                    os.fsync(descriptor)
                return self._link(unfinished, target, size_bytes=size_bytes)
            finally:
                unfinished.unlink(missing_ok=True)

    def put_file(self, key: str, path: Path, *, media_type: str) -> bool:
        target = self._path(key)
        with _unavailable_on_os_error(key):
            size_bytes = path.stat().st_size
            if self._holds(target, size_bytes=size_bytes):
                return False
            if path.stat().st_dev == self._root.stat().st_dev:
                _sync(path)
                return self._link(path, target, size_bytes=size_bytes)
        with _unavailable_on_os_error(key), path.open("rb") as source:
            return self.put(key, source, size_bytes=size_bytes, media_type=media_type)

    @contextmanager
    def open(self, key: str) -> Iterator[BinaryIO]:
        path = self._path(key)
        with _unavailable_on_os_error(key):
            try:
                file = path.open("rb")
            except _NO_BLOB:
                self._check_root()
                raise BlobNotFound(key) from None
        with file:
            yield file

    def get_file(self, key: str, path: Path) -> None:
        source = self._path(key)
        with _unavailable_on_os_error(key):
            try:
                os.link(source, path)
            except _NO_BLOB:
                self._check_root()
                raise BlobNotFound(key) from None
            except OSError as error:
                if error.errno not in _NO_LINK:
                    raise
                with self.open(key) as blob, path.open("xb") as file:
                    shutil.copyfileobj(blob, file, COPY_BYTES)

    def stat(self, key: str) -> BlobStat | None:
        path = self._path(key)
        with _unavailable_on_os_error(key):
            if path.is_file():
                return BlobStat(key, path.stat().st_size)
            self._check_root()
            return None

    def delete(self, key: str) -> None:
        path = self._path(key)
        with _unavailable_on_os_error(key):
            path.unlink(missing_ok=True)

    def link(self, key: str, *, filename: str, seconds: float) -> None:
        check_key(key)

    def list(self, prefix: str = "") -> Iterator[BlobStat]:
        with _unavailable_on_os_error(prefix):
            self._check_root()
            yield from _walk(self._root, parent="", prefix=prefix)

    def _path(self, key: str) -> Path:
        return self._root / check_key(key)

    def _check_root(self) -> None:
        """An absent root is a disk that is not mounted, and says nothing about the blobs on it."""
        if not self._unfinished.is_dir():
            raise Unavailable(f"{self._root}: the store is not there")

    def _holds(self, target: Path, *, size_bytes: int) -> bool:
        """Whether the blob is there, durably: whoever linked it may not have synced the directory yet."""
        try:
            found = target.stat().st_size
        except FileNotFoundError:
            self._check_root()
            return False
        if found != size_bytes:
            raise BlobCorrupt(f"{target.name}: {found} bytes are there instead of {size_bytes}")
        _sync(target.parent)
        return True

    def _link(self, source: Path, target: Path, *, size_bytes: int) -> bool:
        """Give a finished file its name. `link` fails where there is one already; `rename` would replace it."""
        self._make_directory(target.parent)
        try:
            os.link(source, target)
        except FileExistsError:
            return not self._holds(target, size_bytes=size_bytes)
        _sync(target.parent)
        return True

    def _make_directory(self, directory: Path) -> None:
        """Make a directory below the root and sync what names it: a blob is lost with its directory's entry."""
        if directory.is_dir() or directory == self._root:
            return
        self._make_directory(directory.parent)
        directory.mkdir(exist_ok=True)
        _sync(directory.parent)


def _walk(directory: Path, *, parent: str, prefix: str) -> Iterator[BlobStat]:
    """Blobs in order of their keys: a directory sorts by its name with the slash, as its keys have it."""
    with os.scandir(directory) as entries:
        names = sorted(f"{entry.name}/" if entry.is_dir() else entry.name for entry in entries if entry.name[0] != ".")
    for name in names:
        key = parent + name
        if name.endswith("/"):
            if key.startswith(prefix) or prefix.startswith(key):
                yield from _walk(directory / name, parent=key, prefix=prefix)
        elif key.startswith(prefix):
            with suppress(FileNotFoundError):  # deleted since
                yield BlobStat(key, (directory / name).stat().st_size)


def _delete_older(directory: Path, *, than: float) -> None:
    for path in directory.iterdir():
        with suppress(FileNotFoundError):  # another process has just finished it
            if path.stat().st_mtime < than:
                path.unlink()


def _sync(path: Path) -> None:
    """fsync of a file or of a directory (its entries)."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _unavailable_on_os_error(what: str) -> Iterator[None]:
    """A full, broken or read-only disk is our fault and not for ever; a corrupt blob stays what it is."""
    try:
        yield
    except BlobCorrupt:
        raise
    except OSError as error:
        raise Unavailable(f"{what}: {error.strerror or error}") from error
