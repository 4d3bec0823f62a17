"""The door to all formats: what is refused, under which limits, and ZIPs of books."""

from __future__ import annotations

import errno
import hashlib
import zipfile
from importlib import import_module
from io import BytesIO
from pathlib import Path

import pytest

from core.books import open as door
from core.books.limits import BookLimits
from core.books.open import READER_MODULES, unpack_archive
from core.errors import DamagedFile, RefusedFile
from core.values import BookFormat
from tests.factories.books import make_cbz, make_epub, make_fb2, make_picture, make_zip
from tests.unit.books.conftest import OpenBytes


def test_every_format_has_a_reader() -> None:
    assert set(door._READERS) == set(BookFormat)
    assert all(callable(import_module(module).read) for module in set(door._READERS.values()))
    assert "core.books.cover" in READER_MODULES


def test_book_is_named_by_its_hash(open_bytes: OpenBytes) -> None:
    content = make_epub(cover=make_picture())

    book = open_bytes(content)

    assert book.sha256 == hashlib.sha256(content).hexdigest()
    assert book.cover_path is not None
    assert book.cover_path.parent.name == "work"


def test_what_is_no_book_is_refused_by_its_name(open_bytes: OpenBytes) -> None:
    with pytest.raises(RefusedFile, match="This is a RAR archive") as refusal:
        open_bytes(b"Rar!\x1a\x07\x00", filename="book.epub")

    assert "CBZ" in refusal.value.fix


def test_zip_inside_a_zip_is_refused(open_bytes: OpenBytes) -> None:
    with pytest.raises(RefusedFile) as refusal:
        open_bytes(make_zip({"one.txt": b"1", "two.txt": b"2"}))

    assert refusal.value.code == "file.nested-archive"


def test_file_over_the_limit_is_refused_unread(open_bytes: OpenBytes) -> None:
    with pytest.raises(RefusedFile) as refusal:
        open_bytes(b"x" * 1025, limits=BookLimits(file_bytes=1024))

    assert refusal.value.code == "file.too-large"


def test_whatever_a_parser_raises_is_damage(open_bytes: OpenBytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path, limits: BookLimits) -> None:
        raise IndexError("of the parser's own")

    monkeypatch.setattr("core.books.txt.read", fail)

    with pytest.raises(DamagedFile) as refusal:
        open_bytes(b"some text")

    assert refusal.value.code == "file.unreadable"


def test_want_of_memory_is_told_as_such(open_bytes: OpenBytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def starve(path: Path, limits: BookLimits) -> None:
        raise MemoryError

    monkeypatch.setattr("core.books.txt.read", starve)

    with pytest.raises(RefusedFile, match="more memory"):
        open_bytes(b"some text")


def test_failure_of_our_own_disk_is_not_told_as_damage(open_bytes: OpenBytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path, limits: BookLimits) -> None:
        raise OSError(errno.EIO, "disk")

    monkeypatch.setattr("core.books.txt.read", fail)

    with pytest.raises(OSError, match="disk"):
        open_bytes(b"some text")


# -- ZIPs of books


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "inner" / "work"
    folder.mkdir(parents=True)
    return folder


def unpack(content: bytes, place: Path, *, limits: BookLimits | None = None) -> list[tuple[str, Path]]:
    path = place.parent / "books.zip"
    path.write_bytes(content)
    return unpack_archive(path, filename="books.zip", work_dir=place, limits=limits or BookLimits())


def test_books_of_a_zip_are_unpacked_each_in_its_own_folder(place: Path) -> None:
    epub, fb2 = make_epub(), make_fb2()

    books = unpack(make_zip({"a/Dune.epub": epub, "b\\Мастер.fb2": fb2, "a/": b""}), place)

    assert [name for name, _ in books] == ["Dune.epub", "Мастер.fb2"]
    assert [path.read_bytes() for _, path in books] == [epub, fb2]
    assert len({path.parent for _, path in books}) == 2
    assert all(path.parent.parent == place for _, path in books)


def test_what_lies_beside_books_is_passed_over(place: Path) -> None:
    members = {"Dune.epub": b"x", "cover.jpg": b"", "metadata.opf": b"", "__MACOSX/Dune.epub": b"", ".DS_Store": b""}

    assert [name for name, _ in unpack(make_zip(members), place)] == ["Dune.epub"]


def test_names_in_a_zip_decide_nothing_on_the_disk(place: Path) -> None:
    with pytest.raises(RefusedFile):
        unpack(make_zip({"../../evil.epub": b"x"}), place)

    assert sorted(path.name for path in place.parent.parent.rglob("*")) == ["books.zip", "inner", "work"]


REFUSED_ARCHIVES = {
    "no book": ({"photo.jpg": b"x", "font.ttf": b"x"}, "no book in “books.zip”"),
    "unpacked epub": ({"Dune/META-INF/container.xml": b"x", "Dune/one.xhtml": b"x"}, "unpacked into a folder"),
    "too many": ({f"{number}.txt": b"x" for number in range(101)}, "101 files"),
}


@pytest.mark.parametrize("case", REFUSED_ARCHIVES)
def test_archive_is_refused_with_its_reason(place: Path, case: str) -> None:
    members, words = REFUSED_ARCHIVES[case]

    with pytest.raises(RefusedFile, match=words):
        unpack(make_zip(members), place)


def test_archive_that_unpacks_to_too_much_is_refused(place: Path) -> None:
    with pytest.raises(RefusedFile, match="larger than"):
        unpack(make_zip({"one.txt": b"x" * 5000}), place, limits=BookLimits(unpacked_bytes=4000))


def test_part_of_an_archive_with_a_wrong_checksum_is_damage(place: Path) -> None:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("one.txt", b"a text of some length")

    with pytest.raises(DamagedFile, match="cannot be unpacked"):
        unpack(buffer.getvalue().replace(b"some", b"SOME"), place)


def test_archive_that_was_cut_is_damage(place: Path) -> None:
    with pytest.raises(DamagedFile) as refusal:
        unpack(make_cbz()[:-40], place)

    assert refusal.value.code == "file.cut-short"
