"""EPUBs whose ZIP directory is broken: whole, or refused. Never less than there was."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.books.kindle.compiler import compile_book
from core.books.kindle.order import Order, cook
from core.books.limits import DEFAULT_LIMITS, BookLimits
from core.books.open import open_book
from core.books.zips import open_members
from core.errors import BotError, DamagedFile, RefusedFile
from tests.factories.kindle_books import pack, sound_members, write

BOOK = pack(sound_members())
DIRECTORY = BOOK.index(b"PK\x01\x02")
END = BOOK.index(b"PK\x05\x06")


class _Pipe(io.RawIOBase):
    """Cannot be sought in, so that `zipfile` writes sizes and checksums behind the members."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object, /) -> int:
        self.data += bytes(data)  # type: ignore[call-overload] # any buffer
        return len(bytes(data))  # type: ignore[call-overload] # any buffer


def streamed(members: dict[str, bytes]) -> bytes:
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return bytes(pipe.data)


def contents(path: Path, limits: BookLimits = DEFAULT_LIMITS) -> dict[str, bytes]:
    with open_members(path, limits, kind="EPUB") as members:
        assert members.is_salvaged
        return {name: members.read(name) for name in members.names}


BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "cut before the end record": lambda book: book[: book.index(b"PK\x05\x06")],
    "cut in the end record": lambda book: book[:-10],
    "cut in the directory": lambda book: book[: book.index(b"PK\x01\x02") + 60],
    "cut at the directory's first mark": lambda book: book[: book.index(b"PK\x01\x02") + 4],
    "a directory elsewhere": lambda book: book[:-6] + struct.pack("<I", 7) + book[-2:],
    "no end record but bytes": lambda book: book[: book.index(b"PK\x05\x06")] + b"\0" * 500,
    "a directory overwritten": lambda book: book[: book.index(b"PK\x01\x02") + 54] + b"\xff" * 300,
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("make", [pack, streamed])
def test_members_are_all_there_without_the_directory(
    tmp_path: Path, name: str, make: Callable[[dict[str, bytes]], bytes]
) -> None:
    members = sound_members()
    path = write(tmp_path / "book.epub", BROKEN[name](make(members)))

    assert contents(path) == members


def test_broken_book_is_kept_as_it_came_and_its_copy_is_whole(tmp_path: Path) -> None:
    path = write(tmp_path / "book.epub", BOOK[:END])

    opened = open_book(path, filename="book.epub", work_dir=tmp_path)
    compiled = compile_book(path, tmp_path / "copy.epub")

    assert opened.metadata.title
    assert path.read_bytes() == BOOK[:END]
    assert [fix.rule for fix in compiled.fixes] == ["directory"]
    with zipfile.ZipFile(tmp_path / "copy.epub") as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == sound_members()


def test_devices_that_get_originals_get_one_with_a_directory(tmp_path: Path) -> None:
    path = write(tmp_path / "book.epub", BOOK[:END])
    (tmp_path / "made").mkdir()

    dish = cook("fit", path, tmp_path / "made", Order(title="A Tale"))

    (made,) = dish.files
    assert zipfile.is_zipfile(made.path)
    assert [fix.rule for fix in dish.fixes] == ["directory"]


def damaged_member(book: bytes) -> bytes:
    """A byte of the last member before the directory is another one."""
    return book[: DIRECTORY - 9] + bytes([book[DIRECTORY - 9] ^ 1]) + book[DIRECTORY - 8 : END]


REFUSED: dict[str, bytes] = {
    "cut at the end of a member": BOOK[:DIRECTORY],
    "cut in a member": BOOK[: DIRECTORY - 5],
    "cut at the end of another member": BOOK[: BOOK.rindex(b"PK\x03\x04")],
    "a damaged member": damaged_member(BOOK),
    "a gap": BOOK[:DIRECTORY] + b"??" + BOOK[DIRECTORY:END],
    "a member whose mark is damaged": BOOK.replace(
        BOOK[BOOK.rindex(b"PK\x03\x04") :][:4], b"PK\x03\x00"
    )[:END],
    "a member that is gone": BOOK[: BOOK.rindex(b"PK\x03\x04")] + BOOK[DIRECTORY:END],
    "another count": BOOK[:END] + BOOK[END : END + 8] + b"\x63\0\x63\0" + b"\xff" * 8 + b"\0\0",
    "a name in the directory that is no member's": BOOK[: DIRECTORY + 46] + b"\xff" * 300,
    "no members": BOOK[DIRECTORY:END],
    "nothing": b"PK\x03\x04",
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_book_that_may_not_be_whole_is_refused_in_one_sentence(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "book.epub", REFUSED[name])

    with pytest.raises(DamagedFile, match="the list of its parts"), open_members(path, DEFAULT_LIMITS, kind="EPUB"):
        pass


def test_locked_book_is_told_as_that(tmp_path: Path) -> None:
    locked = BOOK[:6] + b"\x01" + BOOK[7:END]
    path = write(tmp_path / "book.epub", locked)

    with pytest.raises(RefusedFile), open_members(path, DEFAULT_LIMITS, kind="EPUB"):
        pass


def test_bomb_without_a_directory_is_not_unpacked(tmp_path: Path) -> None:
    bomb = streamed({"mimetype": b"application/epub+zip", "a": bytes(3_000_000)})
    path = write(tmp_path / "book.epub", bomb[: bomb.index(b"PK\x05\x06")])

    with pytest.raises(DamagedFile), open_members(path, BookLimits(unpacked_bytes=1_000_000), kind="EPUB"):
        pass
    with pytest.raises(DamagedFile), open_members(path, BookLimits(entries=1), kind="EPUB"):
        pass
    assert contents(path, BookLimits(unpacked_bytes=4_000_000)).keys() == {"mimetype", "a"}


def test_names_are_checked_as_in_any_archive(tmp_path: Path) -> None:
    climbing = pack({"mimetype": b"application/epub+zip", "../evil": b"x"})
    path = write(tmp_path / "book.epub", climbing[: climbing.index(b"PK\x05\x06")])

    with pytest.raises(RefusedFile), open_members(path, DEFAULT_LIMITS, kind="EPUB"):
        pass


def test_other_archives_are_not_salvaged(tmp_path: Path) -> None:
    path = write(tmp_path / "book.zip", BOOK[:END])

    with pytest.raises(DamagedFile), open_members(path, DEFAULT_LIMITS, kind="ZIP"):
        pass


@settings(max_examples=150, deadline=None)
@given(
    length=st.integers(0, len(BOOK)),
    flips=st.lists(st.tuples(st.integers(0, len(BOOK) - 1), st.integers(1, 255)), max_size=3),
    cut=st.tuples(st.integers(0, len(BOOK)), st.integers(0, 60)),
)
def test_what_is_salvaged_is_what_was_there(
    tmp_path_factory: pytest.TempPathFactory, length: int, flips: list[tuple[int, int]], cut: tuple[int, int]
) -> None:
    data = bytearray(BOOK)
    for at, bits in flips:
        data[at] ^= bits
    del data[cut[0] : cut[0] + cut[1]]
    path = write(tmp_path_factory.getbasetemp() / "salvaged.epub", bytes(data[:length]))

    try:
        with open_members(path, DEFAULT_LIMITS, kind="EPUB") as members:
            if not members.is_salvaged:
                return
            found = {name: members.read(name) for name in members.names}
    except BotError:
        return
    # A name is covered by no checksum: one of another spelling may be told from the directory only where it is left.
    assert sorted(found.values()) == sorted(sound_members().values())
