"""The contract of `BlobStore`, for every store and for the fake."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.ports import BlobCorrupt, BlobNotFound, BlobStore
from tests.support.durable_store import DurableStore

KEY = "books/ab/abcdef.epub"
CONTENT = b"PK\x03\x04 the whole of a book" * 100
LARGE = os.urandom(1 << 16) * 200  # 12.5 MiB: above the limit where Cloud Storage is written in several requests


def put(store: BlobStore, key: str = KEY, content: bytes = CONTENT) -> bool:
    return store.put(key, io.BytesIO(content), size_bytes=len(content), media_type="application/epub+zip")


def read(store: BlobStore, key: str = KEY) -> bytes:
    with store.open(key) as file:
        return file.read()


def keys(store: BlobStore, prefix: str = "") -> list[str]:
    return [blob.key for blob in store.list(prefix)]


@pytest.mark.parametrize("content", [CONTENT, b"", LARGE], ids=["small", "empty", "large"])
def test_what_was_put_is_read_back(store: BlobStore, content: bytes) -> None:
    created = put(store, content=content)

    assert created
    assert read(store) == content
    assert store.stat(KEY).size_bytes == len(content)  # type: ignore[union-attr] # None fails the test


def test_second_put_of_the_same_content_creates_nothing(store: BlobStore) -> None:
    put(store)

    assert put(store) is False
    assert keys(store) == [KEY]


def test_source_is_read_from_its_position(store: BlobStore) -> None:
    source = io.BytesIO(b"header" + CONTENT)
    source.seek(6)

    store.put(KEY, source, size_bytes=len(CONTENT), media_type="application/epub+zip")

    assert read(store) == CONTENT


def test_source_that_can_be_read_only_once_is_stored(store: BlobStore) -> None:
    reader, writer = os.pipe()
    os.write(writer, CONTENT)
    os.close(writer)

    with open(reader, "rb") as source:
        created = store.put(KEY, source, size_bytes=len(CONTENT), media_type="application/epub+zip")

    assert created
    assert read(store) == CONTENT


class PieceSource(io.BytesIO):
    """Remembers the largest piece that was asked for; -1 is all there is."""

    largest = 0

    def read(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        self.largest = max(self.largest, size if size >= 0 else sys.maxsize)
        return super().read(size)


def test_large_source_is_read_in_pieces(durable_store: DurableStore) -> None:
    source = PieceSource(LARGE)

    durable_store.store.put(KEY, source, size_bytes=len(LARGE), media_type="application/epub+zip")

    assert 0 < source.largest <= 8 << 20


@pytest.mark.parametrize("claimed", [len(CONTENT) + 1, len(CONTENT) - 1], ids=["short", "long"])
def test_source_of_another_size_is_refused_and_leaves_nothing(store: BlobStore, claimed: int) -> None:
    with pytest.raises(BlobCorrupt):
        store.put(KEY, io.BytesIO(CONTENT), size_bytes=claimed, media_type="application/epub+zip")

    assert store.stat(KEY) is None
    assert keys(store) == []


def test_other_content_under_a_key_is_told(store: BlobStore) -> None:
    put(store)

    with pytest.raises(BlobCorrupt):
        put(store, content=CONTENT + b"!")

    assert read(store) == CONTENT


def test_one_of_several_racing_writers_creates_the_blob(store: BlobStore) -> None:
    start = threading.Barrier(8)

    def race(_: int) -> bool:
        start.wait()
        return put(store)

    with ThreadPoolExecutor(8) as threads:
        created = list(threads.map(race, range(8)))

    assert sorted(created) == [False] * 7 + [True]
    assert read(store) == CONTENT


def test_file_is_put_whole_and_its_name_stays_the_callers(store: BlobStore, tmp_path: Path) -> None:
    path = tmp_path / "spooled"
    path.write_bytes(CONTENT)

    created = store.put_file(KEY, path, media_type="application/epub+zip")
    path.unlink()

    assert created
    assert read(store) == CONTENT


def test_file_whose_content_is_there_already_creates_nothing(store: BlobStore, tmp_path: Path) -> None:
    path = tmp_path / "spooled"
    path.write_bytes(CONTENT)
    put(store)

    assert store.put_file(KEY, path, media_type="application/epub+zip") is False


def test_blob_becomes_a_file_that_may_be_deleted(store: BlobStore, tmp_path: Path) -> None:
    put(store)

    store.get_file(KEY, tmp_path / "book.epub")

    assert (tmp_path / "book.epub").read_bytes() == CONTENT
    (tmp_path / "book.epub").unlink()
    assert read(store) == CONTENT


def test_file_of_an_absent_blob_is_told_and_not_made(store: BlobStore, tmp_path: Path) -> None:
    with pytest.raises(BlobNotFound):
        store.get_file(KEY, tmp_path / "book.epub")

    assert not (tmp_path / "book.epub").exists()


def test_blob_can_be_read_from_any_place(store: BlobStore) -> None:
    put(store)

    with store.open(KEY) as file:
        file.seek(-4, os.SEEK_END)
        end = file.read()
        file.seek(2)
        part = file.read(2)

    assert (part, end) == (CONTENT[2:4], CONTENT[-4:])


def test_absent_blob_is_told(store: BlobStore) -> None:
    put(store, "books/ab/other.epub")

    with pytest.raises(BlobNotFound), store.open(KEY):
        pass
    with pytest.raises(BlobNotFound), store.open("books/ab"):
        pass
    assert store.stat(KEY) is None
    assert store.stat("books/ab") is None
    assert store.stat("books/ab/other.epub/x") is None


def test_deleting_twice_is_no_error(store: BlobStore) -> None:
    put(store)

    store.delete(KEY)
    store.delete(KEY)

    assert store.stat(KEY) is None
    assert keys(store) == []


def test_deleted_blob_can_be_put_again(store: BlobStore) -> None:
    put(store)
    store.delete(KEY)

    assert put(store)
    assert read(store) == CONTENT


def test_blobs_are_listed_in_order_of_their_keys(store: BlobStore) -> None:
    shuffled = ["b/1", "a/z", "a-b/1", "a/b/c", "a.x", "a/é", "a/Z", "a0"]
    for key in shuffled:
        put(store, key)

    assert keys(store) == sorted(shuffled)


def test_list_can_be_narrowed_to_the_start_of_a_key(store: BlobStore) -> None:
    for key in ("books/ab/1", "books/ab/2", "books/ac/3", "books/b", "covers/ab/1"):
        put(store, key)

    assert keys(store, "books/ab/") == ["books/ab/1", "books/ab/2"]
    assert keys(store, "books/a") == ["books/ab/1", "books/ab/2", "books/ac/3"]
    assert keys(store, "books/ab/2x") == []
    assert keys(store, "nothing") == []


BAD_KEYS = ["", "/", "/a", "a/", "a//b", "..", "../a", "a/../b", ".", "./a", "a/.b", ".unfinished/a", "a\\b", "a\0b"]
BAD_KEYS += ["a\nb", "x" * 256, "/".join(["x" * 200] * 5)]
CALLS: dict[str, Callable[[BlobStore, str], object]] = {
    "put": put,
    "put_file": lambda store, key: store.put_file(key, Path(__file__), media_type="text/plain"),
    "open": read,
    "stat": lambda store, key: store.stat(key),
    "delete": lambda store, key: store.delete(key),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_bad_keys_are_refused(store: BlobStore, call: Callable[[BlobStore, str], object]) -> None:
    for key in BAD_KEYS:
        with pytest.raises(ValueError, match="is no key"):
            call(store, key)
    assert keys(store) == []


PUT_AND_HANG = """
import io, sys
from bot.storage import open_store

class HangingSource(io.BytesIO):
    reads_to_come = int(sys.argv[2])

    def read(self, size=-1):
        if self.tell() == 0:
            self.reads_to_come -= 1
        if self.reads_to_come == 0 and self.tell() > 0:
            print("half way", flush=True)
            sys.stdin.read()
        return super().read(size)

content = bytes(20 << 20)
open_store(sys.argv[1]).put("books/ab/abcdef.epub", HangingSource(content), size_bytes=len(content), media_type="x/y")
"""


def test_writer_killed_half_way_leaves_no_blob(durable_store: DurableStore) -> None:
    command = [sys.executable, "-c", PUT_AND_HANG, durable_store.url, str(durable_store.reads_of_source)]
    environment = os.environ | durable_store.environment
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as writer:
        assert writer.stdout is not None
        half_way = writer.stdout.readline()
        writer.kill()

    assert half_way == b"half way\n"
    assert durable_store.store.stat(KEY) is None
    assert keys(durable_store.store) == []
    assert put(durable_store.store)
