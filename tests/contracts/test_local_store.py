"""What holds for blobs in a directory beyond the contract of `BlobStore`."""

from __future__ import annotations

import errno
import io
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.storage import NoStore, open_store
from bot.storage.local import LocalStore
from core.errors import Unavailable
from core.ports import BlobCorrupt

KEY = "books/ab/abcdef.epub"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "blobs"


@pytest.fixture
def store(root: Path) -> LocalStore:
    return LocalStore(root)


def put(store: LocalStore, content: bytes = b"content") -> bool:
    return store.put(KEY, io.BytesIO(content), size_bytes=len(content), media_type="application/epub+zip")


def files_below(directory: Path) -> list[str]:
    return sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file())


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """(name, whether the blob had its name by then) of all that is synced, in order."""
    found: list[tuple[str, bool]] = []
    really_sync = os.fsync

    def fsync(descriptor: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        named = any(file.name == "abcdef.epub" for file in path.parent.parent.rglob("*"))
        found.append((path.name if path.is_dir() else "the file", named))
        really_sync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    return found


def test_file_is_on_the_disk_before_it_has_its_name_and_its_name_before_put_returns(
    store: LocalStore, synced: list[tuple[str, bool]]
) -> None:
    put(store)

    assert ("the file", False) in synced
    assert synced[-1] == ("ab", True)
    assert ("books", False) in synced  # "ab" is an entry of it
    assert ("blobs", False) in synced


def test_blob_that_another_writer_has_just_named_is_made_durable_before_it_counts(
    store: LocalStore, synced: list[tuple[str, bool]]
) -> None:
    put(store)
    synced.clear()

    put(store)

    assert synced == [("ab", True)]


def test_file_on_the_same_file_system_is_not_copied(store: LocalStore, root: Path, tmp_path: Path) -> None:
    path = tmp_path / "spooled"
    path.write_bytes(b"content")

    store.put_file(KEY, path, media_type="application/epub+zip")

    assert (root / KEY).stat().st_ino == path.stat().st_ino
    assert files_below(root) == [KEY]


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A directory on another file system."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system here")
    directory = Path(tempfile.mkdtemp(dir=memory))
    yield directory
    shutil.rmtree(directory)


def test_file_on_another_file_system_is_copied(store: LocalStore, root: Path, elsewhere: Path) -> None:
    path = elsewhere / "spooled"
    path.write_bytes(b"content")

    assert store.put_file(KEY, path, media_type="application/epub+zip")

    assert (root / KEY).read_bytes() == b"content"
    assert files_below(root) == [KEY]


def test_full_disk_is_unavailable_and_leaves_nothing(
    store: LocalStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(Unavailable, match="No space left"):
        put(store)

    assert files_below(root) == []


def test_refused_source_leaves_no_file(store: LocalStore, root: Path) -> None:
    with pytest.raises(BlobCorrupt):
        store.put(KEY, io.BytesIO(b"short"), size_bytes=100, media_type="application/epub+zip")

    assert files_below(root) == []


def test_disk_that_is_not_mounted_is_unavailable_and_not_empty(store: LocalStore, root: Path) -> None:
    shutil.rmtree(root)

    with pytest.raises(Unavailable):
        store.stat(KEY)
    with pytest.raises(Unavailable), store.open(KEY):
        pass
    with pytest.raises(Unavailable):
        list(store.list())
    with pytest.raises(Unavailable):
        put(store)
    assert not root.exists()


def test_what_a_crash_left_half_written_is_forgotten_after_a_day(root: Path, store: LocalStore) -> None:
    old, young = root / ".unfinished/old", root / ".unfinished/young"
    for path in (old, young):
        path.write_bytes(b"half")
    yesterday = young.stat().st_mtime - 25 * 3600
    os.utime(old, (yesterday, yesterday))

    LocalStore(root)

    assert files_below(root) == [".unfinished/young"]


def test_store_is_opened_by_its_url(root: Path) -> None:
    opened = open_store(f"local:{root}")

    assert isinstance(opened, LocalStore)
    assert put(opened)
    assert files_below(root) == [KEY]


@pytest.mark.parametrize("url", ["", "var/blobs", "local:", "gs://", "gs:bucket", "gs://bucket?x=1", "s3://bucket/x"])
def test_url_of_no_store_is_refused(url: str) -> None:
    with pytest.raises(NoStore, match="is no store"):
        open_store(url)
