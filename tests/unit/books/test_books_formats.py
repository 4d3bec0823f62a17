"""What the other formats say of themselves, and how broken ones are answered."""

from __future__ import annotations

import pytest

from core.errors import DamagedFile, RefusedFile
from core.values import BookFormat, BookMetadata
from tests.factories.books import (
    make_cbz,
    make_docx,
    make_fb2,
    make_mobi,
    make_odt,
    make_pdf,
    make_picture,
    make_zip,
)
from tests.unit.books.conftest import OpenBytes


def credits_of(metadata: BookMetadata) -> tuple[str, tuple[str, ...], str | None]:
    return metadata.title, metadata.authors, metadata.language


# -- PDF


def test_pdf_says_title_author_pages_and_shows_its_first_page(open_bytes: OpenBytes) -> None:
    book = open_bytes(make_pdf(title="On Growth", author="D'Arcy Thompson; Another", pages=3))

    assert book.format is BookFormat.PDF
    assert credits_of(book.metadata) == ("On Growth", ("D'Arcy Thompson", "Another"), None)
    assert book.metadata.page_count == 3
    assert book.cover_path is not None


@pytest.mark.parametrize("title", ["", "thesis_final.docx", "untitled"])
def test_pdf_title_that_is_none_gives_way_to_the_file_name(open_bytes: OpenBytes, title: str) -> None:
    assert open_bytes(make_pdf(title=title), filename="On_Growth.pdf").metadata.title == "On Growth"


def test_pdf_title_loses_the_program_in_front(open_bytes: OpenBytes) -> None:
    assert open_bytes(make_pdf(title="Microsoft Word - On Growth")).metadata.title == "On Growth"


def test_pdf_that_was_cut_is_repaired_for_reading(open_bytes: OpenBytes) -> None:
    content = make_pdf(title="On Growth", pages=40)

    book = open_bytes(content[: len(content) - 60])

    assert book.metadata.page_count == 40


def test_pdf_with_a_password_is_refused(open_bytes: OpenBytes) -> None:
    with pytest.raises(RefusedFile, match="locked with a password"):
        open_bytes(make_pdf(password="secret"))


def test_pdf_of_nothing_is_damaged(open_bytes: OpenBytes) -> None:
    with pytest.raises(DamagedFile, match="its pages cannot be found"):
        open_bytes(b"%PDF-1.4\n%%EOF\n")


# -- MOBI and AZW3


@pytest.mark.parametrize(("version", "book_format"), [(6, BookFormat.MOBI), (8, BookFormat.AZW3)])
def test_mobi_says_title_author_language_isbn_and_cover(
    open_bytes: OpenBytes, version: int, book_format: BookFormat
) -> None:
    book = open_bytes(make_mobi(title="Dune", author="Frank Herbert & Brian Herbert", version=version))

    assert book.format is book_format
    assert credits_of(book.metadata) == ("Dune", ("Frank Herbert", "Brian Herbert"), "en")
    assert book.metadata.identifiers == (("isbn", "9780141439518"),)
    assert book.cover_path is not None


def test_mobi_with_drm_is_refused(open_bytes: OpenBytes) -> None:
    with pytest.raises(RefusedFile, match="DRM"):
        open_bytes(make_mobi(encryption=2))


def test_mobi_that_was_cut_is_damaged(open_bytes: OpenBytes) -> None:
    content = make_mobi()

    with pytest.raises(DamagedFile, match="cut short"):
        open_bytes(content[: len(content) - 700])


def test_no_cut_of_a_mobi_raises_anything_else(open_bytes: OpenBytes) -> None:
    content = make_mobi()

    for size in range(78, len(content) - 4, 13):
        with pytest.raises(DamagedFile):
            open_bytes(content[:size])


# -- FB2


@pytest.mark.parametrize("encoding", ["utf-8", "windows-1251", "koi8-r", "utf-16"])
def test_fb2_says_all_of_its_description(open_bytes: OpenBytes, encoding: str) -> None:
    book = open_bytes(make_fb2(encoding=encoding))

    assert book.format is BookFormat.FB2
    assert credits_of(book.metadata) == ("Мастер и Маргарита", ("Михаил Булгаков",), "ru")
    assert book.metadata.identifiers == (("isbn", "9780141439518"),)
    assert (book.metadata.series, book.metadata.series_index) == ("Классика", 2.0)
    assert book.metadata.genre == "prose classic"
    assert book.metadata.description == "Роман.\nМосква."
    assert book.cover_path is not None


def test_fb2_in_a_zip_is_read(open_bytes: OpenBytes) -> None:
    assert open_bytes(make_zip({"книга.fb2": make_fb2()})).metadata.title == "Мастер и Маргарита"


def test_fb2_that_was_cut_is_damaged(open_bytes: OpenBytes) -> None:
    with pytest.raises(DamagedFile, match="cut short"):
        open_bytes(make_fb2()[:-30])


def test_fb2_without_description_is_damaged(open_bytes: OpenBytes) -> None:
    with pytest.raises(DamagedFile, match="description"):
        open_bytes(b"<FictionBook><body/></FictionBook>")


# -- office documents


def test_docx_says_its_core_properties(open_bytes: OpenBytes) -> None:
    book = open_bytes(make_docx(title="On Whales", author="A. Smith;B. Jones"))

    assert book.format is BookFormat.DOCX
    assert credits_of(book.metadata) == ("On Whales", ("A. Smith", "B. Jones"), "en-GB")
    assert book.metadata.tags == ("whales", "sea")


def test_docx_without_its_text_is_damaged(open_bytes: OpenBytes) -> None:
    with pytest.raises(DamagedFile, match="its text is missing"):
        open_bytes(make_zip({"[Content_Types].xml": b"<Types/>"}), filename="letter.docx")


def test_odt_says_its_metadata(open_bytes: OpenBytes) -> None:
    book = open_bytes(make_odt(title="On Whales"))

    assert book.format is BookFormat.ODT
    assert credits_of(book.metadata) == ("On Whales", ("Herman Melville",), None)
    assert book.metadata.page_count == 7


def test_odt_with_a_password_is_refused(open_bytes: OpenBytes) -> None:
    content = make_zip(
        {
            "mimetype": b"application/vnd.oasis.opendocument.text",
            "content.xml": b"\x99",
            "META-INF/manifest.xml": b"<manifest><file-entry><encryption-data/></file-entry></manifest>",
        }
    )

    with pytest.raises(RefusedFile, match="password"):
        open_bytes(content)


def test_rtf_says_its_information_group(open_bytes: OpenBytes) -> None:
    content = (
        rb"{\rtf1\ansi\ansicpg1251{\fonttbl{\f0 Arial;}}{\info{\title \'cc\'e0\'f1\'f2\'e5\'f0 \u8212? \{I\}}"
        rb"{\author \u1052?\u1080?\u1093?\u1072?\u1080?\u1083?}{\keywords devil, cat}}\pard text}"
    )

    book = open_bytes(content)

    assert book.format is BookFormat.RTF
    assert credits_of(book.metadata) == ("Мастер — {I}", ("Михаил",), None)
    assert book.metadata.tags == ("devil", "cat")


def test_rtf_that_was_cut_is_damaged(open_bytes: OpenBytes) -> None:
    with pytest.raises(DamagedFile, match="cut short"):
        open_bytes(rb"{\rtf1\ansi{\info{\title Moby" + b" " * 100)


# -- texts


def test_gutenberg_text_says_title_author_and_language(open_bytes: OpenBytes) -> None:
    text = """The Project Gutenberg eBook of Moby Dick\r\n\r\nThis eBook is for the use of anyone.\r\n
Title: Moby Dick; Or, The Whale\r\n\r\nAuthor: Herman Melville\r\n\r\nLanguage: English\r\n"""

    assert credits_of(open_bytes(text.encode()).metadata) == (
        "Moby Dick; Or, The Whale",
        ("Herman Melville",),
        "en",
    )


def test_title_page_of_a_text_is_read(open_bytes: OpenBytes) -> None:
    metadata = open_bytes("Die Verwandlung\nvon Franz Kafka\n\nAls Gregor Samsa".encode("utf-16")).metadata

    assert credits_of(metadata) == ("Die Verwandlung", ("Franz Kafka",), None)


@pytest.mark.parametrize("text", ["Call me Ishmael. Some years ago", "It was late.\n\nVery late.", "\n\n-\n\n"])
def test_text_without_title_page_is_called_by_its_file_name(open_bytes: OpenBytes, text: str) -> None:
    assert open_bytes(text.encode(), filename="Moby_Dick.txt").metadata.title == "Moby Dick"


def test_html_says_its_head(open_bytes: OpenBytes) -> None:
    content = """<!DOCTYPE html><html lang="pl"><head><meta charset="iso-8859-2"><title>Zażółć</title>
    <meta name="Author" content="Jan &amp; Maria"><meta name="keywords" content="a, b"></head></html>"""

    metadata = open_bytes(content.encode("iso-8859-2")).metadata

    assert credits_of(metadata) == ("Zażółć", ("Jan", "Maria"), "pl")
    assert metadata.tags == ("a", "b")


def test_html_nested_beyond_reason_is_opened(open_bytes: OpenBytes) -> None:
    content = b"<html><title>Deep</title><body>" + b"<div>" * 50_000

    assert open_bytes(content).metadata.title == "Deep"


MARKDOWN = {
    "yaml": '---\ntitle: "On Whales"\nauthor:\n  - A. Smith\n  - B. Jones\nlang: en\n---\n\n# Other\n',
    "toml": '+++\ntitle = "On Whales"\nauthors = ["A. Smith", "B. Jones"]\nlanguage = "en"\n+++\n',
}


@pytest.mark.parametrize("kind", MARKDOWN)
def test_front_matter_of_markdown_is_read(open_bytes: OpenBytes, kind: str) -> None:
    book = open_bytes(MARKDOWN[kind].encode(), filename="whales.md")

    assert book.format is BookFormat.MARKDOWN
    assert credits_of(book.metadata) == ("On Whales", ("A. Smith", "B. Jones"), "en")


@pytest.mark.parametrize("text", ["intro\n\n# On *Whales* #\n", "On Whales\n=========\n", "\ufeffOn Whales\r\n===\r\n"])
def test_first_heading_of_markdown_is_its_title(open_bytes: OpenBytes, text: str) -> None:
    assert open_bytes(text.encode(), filename="notes.md").metadata.title == "On Whales"


# -- comics


def test_comic_says_its_info_and_shows_its_first_page(open_bytes: OpenBytes) -> None:
    book = open_bytes(make_cbz(title="Nemo", pages=3))

    assert book.format is BookFormat.CBZ
    assert credits_of(book.metadata) == ("Nemo", ("Winsor McCay",), None)
    assert book.metadata.page_count == 3
    assert book.cover_path is not None


def test_second_page_of_a_comic_comes_before_the_tenth(open_bytes: OpenBytes) -> None:
    broken, sound = b"no picture", make_picture()

    book = open_bytes(make_zip({"page10.jpg": broken, "page2.jpg": sound}))

    assert book.cover_path is not None


def test_comic_is_called_by_series_and_number(open_bytes: OpenBytes) -> None:
    info = b"<ComicInfo><Series>Nemo</Series><Number>4</Number></ComicInfo>"

    metadata = open_bytes(make_zip({"1.jpg": make_picture(), "ComicInfo.xml": info})).metadata

    assert (metadata.title, metadata.series, metadata.series_index) == ("Nemo 4", "Nemo", 4.0)
