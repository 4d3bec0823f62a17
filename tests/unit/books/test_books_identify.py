"""What a file is, by its content, whatever it is called."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import pytest

from core.books.identify import identify
from core.values import BookFormat


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return buffer.getvalue()


def palm(version: int, *, records: int = 1) -> bytes:
    """A PalmDB whose first record has a MOBI header that says `version`."""
    first = 78 + 8 * records + 2
    header = b"Title".ljust(60, b"\0") + b"BOOKMOBI" + b"\0" * 8 + struct.pack(">HLL", records, first, 0)
    mobi = b"MOBI" + struct.pack(">LLLLL", 232, 2, 65001, 0, version)
    return header.ljust(first, b"\0") + b"\0" * 16 + mobi + b"\0" * 200


BOOKS = {
    "epub": (zipped({"mimetype": b"application/epub+zip", "META-INF/container.xml": b""}), BookFormat.EPUB),
    "epub without mimetype": (zipped({"META-INF/container.xml": b""}), BookFormat.EPUB),
    "epub with newline in mimetype": (zipped({"mimetype": b"application/epub+zip\n"}), BookFormat.EPUB),
    "epub cut short": (
        zipped({"mimetype": b"application/epub+zip", "META-INF/container.xml": b""})[:120],
        BookFormat.EPUB,
    ),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3", BookFormat.PDF),
    "pdf behind junk": (b"HTTP/1.1 200 OK\r\n\r\n%PDF-1.4\n", BookFormat.PDF),
    "mobi": (palm(6), BookFormat.MOBI),
    "azw3": (palm(8), BookFormat.AZW3),
    "fb2": (b'<?xml version="1.0"?>\n<FictionBook xmlns="x"/>', BookFormat.FB2),
    "fb2 in utf-16": ('<?xml version="1.0"?><FictionBook/>'.encode("utf-16"), BookFormat.FB2),
    "fb2 after a comment": (b'\xef\xbb\xbf<?xml version="1.0"?><!-- made by hand --><FictionBook/>', BookFormat.FB2),
    "fb2 in a zip": (zipped({"book.fb2": b"<FictionBook/>"}), BookFormat.FB2),
    "docx": (zipped({"[Content_Types].xml": b"", "word/document.xml": b""}), BookFormat.DOCX),
    "odt": (zipped({"mimetype": b"application/vnd.oasis.opendocument.text", "content.xml": b""}), BookFormat.ODT),
    "rtf": (rb"{\rtf1\ansi hello}", BookFormat.RTF),
    "txt": (b"Call me Ishmael.\n" * 50, BookFormat.TXT),
    "txt in latin-1": ("Überall Käse und Brötchen.\n".encode("latin-1") * 500, BookFormat.TXT),
    "txt in utf-16 with its mark": ("Всё смешалось в доме.".encode("utf-16"), BookFormat.TXT),
    "txt in utf-16 without a mark": (("Call me Ishmael. " * 9).encode("utf-16-le"), BookFormat.TXT),
    "txt in big-endian utf-16": (("Call me Ishmael. " * 9).encode("utf-16-be"), BookFormat.TXT),
    "txt that cites a pdf header": (b"A file begins with %PDF-1.4, they say.\n", BookFormat.TXT),
    "txt that begins like a font": (b"OTTO war ein Mann.\n", BookFormat.TXT),
    "azw3 of a thousand records": (palm(8, records=1500), BookFormat.AZW3),
    "html": (b"<!DOCTYPE html><html><body>x</body></html>", BookFormat.HTML),
    "html fragment": (b"<h1>One</h1><p>text</p>", BookFormat.HTML),
    "xhtml": (b'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"/>', BookFormat.HTML),
    "cbz": (zipped({"001.jpg": b"", "002.PNG": b"", "ComicInfo.xml": b""}), BookFormat.CBZ),
    "cbz in a folder": (zipped({"Comic/": b"", "Comic/001.jpg": b"", "__MACOSX/._001.jpg": b""}), BookFormat.CBZ),
}

OTHERS = {
    "a Windows program": b"MZ\x90\x00" + b"%PDF-1.4\n",
    "a RAR archive": b"Rar!\x1a\x07\x00",
    "a picture (JPEG)": b"\xff\xd8\xff\xe0\x00\x10JFIF",
    "a picture (SVG)": b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>',
    "a TAR archive": b"name".ljust(257, b"\0") + b"ustar\x0000",
    "a spreadsheet": zipped({"[Content_Types].xml": b"", "xl/workbook.xml": b""}),
    "a presentation": zipped({"ppt/presentation.xml": b""}),
    "an OpenDocument file that is not a text": zipped(
        {"mimetype": b"application/vnd.oasis.opendocument.spreadsheet", "content.xml": b""}
    ),
    "a PostScript document": b"%!PS-Adobe-3.0\n",
    "a font": b"OTTO\x00\x0b\x00\x80" + bytes(range(256)),
    "a contact card": b"BEGIN:VCARD\r\nVERSION:3.0\r\n",
    "an empty file": b"",
    "a file of an unknown kind": bytes(range(256)) * 8,
    "an XML file of an unknown kind": b'<?xml version="1.0"?><config/>',
}


@pytest.mark.parametrize("name", BOOKS)
def test_book_is_known_by_its_content(tmp_path: Path, name: str) -> None:
    content, expected = BOOKS[name]
    path = tmp_path / "attachment.bin"
    path.write_bytes(content)

    found = identify(path, filename="misleading.exe")

    assert (found.format, found.is_archive) == (expected, False)


@pytest.mark.parametrize("what", OTHERS)
def test_what_is_no_book_is_named_for_the_refusal(tmp_path: Path, what: str) -> None:
    path = tmp_path / "book.epub"
    path.write_bytes(OTHERS[what])

    found = identify(path)

    assert (found.format, found.is_archive, found.what) == (None, False, what)


def test_zip_of_books_is_an_archive(tmp_path: Path) -> None:
    path = tmp_path / "books.zip"
    path.write_bytes(zipped({"one.epub": b"x", "two.txt": b"y", "cover.jpg": b"z"}))

    found = identify(path)

    assert (found.format, found.is_archive, found.what) == (None, True, "a ZIP archive")


def test_word_97_document_is_named(tmp_path: Path) -> None:
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".ljust(0x1E, b"\0") + struct.pack("<H", 9)
    header = header.ljust(0x30, b"\0") + struct.pack("<L", 2)
    path = tmp_path / "letter.doc"
    path.write_bytes(header.ljust(512 * 3, b"\0") + "WordDocument".encode("utf-16-le").ljust(128, b"\0"))

    assert identify(path).what == "a Word 97 document"


def test_name_decides_between_text_and_markdown(tmp_path: Path) -> None:
    path = tmp_path / "part-3"
    path.write_bytes(b"# Chapter one\n\nIt was *late*.\n")

    assert identify(path, filename="notes.md").format is BookFormat.MARKDOWN
    assert identify(path, filename="notes.txt").format is BookFormat.TXT


def test_name_tells_what_a_broken_container_was(tmp_path: Path) -> None:
    path = tmp_path / "part-1"
    path.write_bytes(b"PK\x03\x04" + b"\x99" * 200)

    assert identify(path, filename="comic.cbz").format is BookFormat.CBZ
    assert identify(path, filename="stuff.zip").is_archive


def test_huge_central_directory_is_not_read(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(100):
            archive.writestr(f"{number}".rjust(60_000, "n"), b"")
    path = tmp_path / "book.zip"
    path.write_bytes(buffer.getvalue())

    assert identify(path).what == "a damaged ZIP archive"


@pytest.mark.parametrize("size", range(0, 400, 7))
def test_no_cut_of_a_file_raises(tmp_path: Path, size: int) -> None:
    path = tmp_path / "book"
    for content, _ in BOOKS.values():
        path.write_bytes(content[:size])

        assert identify(path).what
