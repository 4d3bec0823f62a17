"""Books in other formats as EPUBs: chapters where they were, text and pictures all there."""

# ruff: noqa: E501 - documents of other programs

from __future__ import annotations

import base64
import re
import zipfile
from pathlib import Path

import pytest
from lxml import html as lxml_html

from core.books.convert import Facts, convert_to_epub
from core.books.kindle.compiler import Compiled, compile_book
from core.books.limits import DEFAULT_LIMITS
from core.errors import BotError
from core.values import BookFormat
from tests.factories.books import make_picture, make_zip
from tests.factories.kindle_books import picture_of, write

FACTS = Facts(title="A Book", authors=("A. B.",), language="en")
ODT = """<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"
xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0">
<office:body><office:text><text:h text:outline-level="1">One</text:h><text:p>First <text:span>words</text:span>.</text:p>
<text:h text:outline-level="1">Two</text:h><text:p><draw:frame><draw:image xlink:href="Pictures/p.jpg"/></draw:frame></text:p>
<text:list><text:list-item><text:p>an item</text:p></text:list-item></text:list></office:text></office:body>
</office:document-content>"""
FB2 = f"""<?xml version="1.0" encoding="windows-1251"?>
<FictionBook xmlns="http://www.gribuser.ru/xml/fictionbook/2.0" xmlns:l="http://www.w3.org/1999/xlink"><description>
<title-info><book-title>Книга</book-title><coverpage><image l:href="#c.jpg"/></coverpage></title-info></description>
<body><title><p>Книга</p></title><section><title><p>Глава 1</p></title><p>Текст <emphasis>абзаца</emphasis>.</p>
<image l:href="#c.jpg"/></section><section><title><p>Глава 2</p></title><p>Ещё.</p></section></body>
<binary id="c.jpg" content-type="image/jpeg">{base64.b64encode(make_picture()).decode()}</binary></FictionBook>"""


def converted(tmp_path: Path, content: bytes, book_format: BookFormat) -> dict[str, str]:
    """Pages by name, as text; asserts that the book is one that nothing is to be mended in."""
    target = tmp_path / "made.epub"
    source = write(tmp_path / "source", content)
    convert_to_epub(source, target, book_format=book_format, facts=FACTS, limits=DEFAULT_LIMITS)
    assert compile_book(target, tmp_path / "copy.epub").harmful == ()
    with zipfile.ZipFile(target) as archive:
        return {
            name.removeprefix("EPUB/"): _words(archive.read(name)) if name.endswith("html") else ""
            for name in archive.namelist()
        }


def _words(page: bytes) -> str:
    """Of the body, without blanks."""
    (body,) = lxml_html.fromstring(page).iter("body")
    return "".join("".join(map(str, body.itertext())).split())


def chapters(pages: dict[str, str]) -> list[str]:
    return [text for name, text in pages.items() if re.fullmatch(r"(?:chapter|page)-\d+\.xhtml", name)]


def test_text_has_a_chapter_at_each_heading(tmp_path: Path) -> None:
    text = "Foreword.\n\nCHAPTER I.\n\nIt was a dark\nand stormy night.\n\nCHAPTER II.\n\n5 < 6 & 7.\n"

    made = chapters(converted(tmp_path, text.encode(), BookFormat.TXT))

    assert made == ["Foreword.", "CHAPTERI.Itwasadarkandstormynight.", "CHAPTERII.5<6&7."]


def test_markdown_keeps_what_it_marks_and_no_html(tmp_path: Path) -> None:
    made = converted(
        tmp_path, b"---\ntitle: x\n---\n# One\n\nA *b* <script>c</script>\n\n# Two\n\n- d\n", BookFormat.MARKDOWN
    )

    assert chapters(made) == ["OneAb<script>c</script>", "Twod"]


def test_html_loses_scripts_and_what_is_elsewhere(tmp_path: Path) -> None:
    page = b"<title>x</title><script>bad()</script><h1>A</h1><p>b<img src='http://127.0.0.1:1/x.png'>c<h1>D</h1>e"

    assert chapters(converted(tmp_path, page, BookFormat.HTML)) == ["Abc", "De"]


def test_odt_with_its_pictures(tmp_path: Path) -> None:
    document = make_zip({"content.xml": ODT.encode(), "Pictures/p.jpg": make_picture()})

    made = converted(tmp_path, document, BookFormat.ODT)

    assert chapters(made) == ["OneFirstwords.", "Twoanitem"]
    assert "pictures/1.jpg" in made


def test_odt_loses_nothing_that_stands_by_itself(tmp_path: Path) -> None:
    """What is anchored to a page, heads of lists, numbered paragraphs; but no text that was deleted."""
    alone = """<office:text>
<text:tracked-changes><text:changed-region><text:deletion><text:p>gone</text:p></text:deletion></text:changed-region></text:tracked-changes>
<draw:frame><draw:text-box><text:p>boxed</text:p></draw:text-box></draw:frame>
<draw:frame><draw:image xlink:href="Pictures/p.jpg"/></draw:frame>
<text:list><text:list-header><text:p>headed</text:p></text:list-header></text:list>
<text:numbered-paragraph><text:p>numbered</text:p></text:numbered-paragraph>"""
    content = ODT.replace("<office:text>", alone).replace(
        '<draw:frame><draw:image xlink:href="Pictures/p.jpg"/></draw:frame></text:p>', "</text:p>"
    )

    made = converted(
        tmp_path, make_zip({"content.xml": content.encode(), "Pictures/p.jpg": make_picture()}), BookFormat.ODT
    )

    assert chapters(made)[0] == "boxedheadednumbered"
    assert "pictures/1.jpg" in made


def test_fb2_in_its_encoding_with_its_cover(tmp_path: Path) -> None:
    made = converted(tmp_path, FB2.encode("windows-1251"), BookFormat.FB2)

    assert chapters(made) == ["КнигаГлава1Текстабзаца.", "Глава2Ещё."]
    assert {"pictures/1.jpg", "cover.jpg"} <= made.keys()


def test_comic_has_a_page_for_each_picture_in_their_order(tmp_path: Path) -> None:
    comic = make_zip({"p10.jpg": make_picture(colour="red"), "p2.jpg": make_picture(), "p3.webp": picture_of("WEBP")})

    made = converted(tmp_path, comic, BookFormat.CBZ)

    assert [name for name in made if name.startswith("page-")] == ["page-1.xhtml", "page-2.xhtml", "page-3.xhtml"]
    assert {"pictures/1.jpg", "pictures/2.jpg", "pictures/3.jpg"} <= made.keys()


def test_same_file_gives_the_same_book(tmp_path: Path) -> None:
    made = []
    for _ in range(2):
        converted(tmp_path, b"Some words.", BookFormat.TXT)
        made.append((tmp_path / "made.epub").read_bytes())

    assert made[0] == made[1]


@pytest.mark.parametrize(
    ("content", "book_format"),
    [
        (b" \n", BookFormat.TXT),
        (make_zip({"content.xml": b"<a"}), BookFormat.ODT),
        (make_zip({"a.jpg": b"no"}), BookFormat.CBZ),
    ],
)
def test_nothing_to_read_is_told(tmp_path: Path, content: bytes, book_format: BookFormat) -> None:
    with pytest.raises(BotError):
        converted(tmp_path, content, book_format)


def test_made_book_needs_no_mending(tmp_path: Path) -> None:
    converted(tmp_path, b"# One\n\nwords\n\n# Two\n\nwords\n", BookFormat.MARKDOWN)

    assert compile_book(tmp_path / "made.epub", tmp_path / "again.epub") == Compiled(())
