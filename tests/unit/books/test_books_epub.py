"""What an EPUB says of itself, and how broken and hostile ones are answered."""

from __future__ import annotations

import dataclasses
import io
import random
import zipfile

import pytest
from PIL import Image

from core.books.limits import BookLimits
from core.errors import DamagedFile, RefusedFile
from core.values import BookFormat
from tests.factories.books import Fault, make_encryption, make_epub, make_picture, make_zip
from tests.unit.books.conftest import OpenBytes


def epub_with_opf(opf: str, **members: bytes) -> bytes:
    """An EPUB around a whole package document; `members` by the name in OEBPS, `_` for the dot."""
    container = b'<container><rootfiles><rootfile full-path="OEBPS/a.opf"/></rootfiles></container>'
    parts = {f"OEBPS/{name.replace('_', '.')}": body for name, body in members.items()}
    return make_zip({"META-INF/container.xml": container, "OEBPS/a.opf": opf.encode(), **parts})


CHAPTER = '<manifest><item id="c" href="c.xhtml" media-type="application/xhtml+xml"/>{}</manifest>'
SPINE = '<spine><itemref idref="c"/></spine>'


def test_epub_3_says_title_authors_language_and_isbn(open_bytes: OpenBytes) -> None:
    content = make_epub(
        title="Dune", authors=("Frank Herbert", "Brian Herbert"), language="en-us", identifier="urn:isbn:9780441013593"
    )

    book = open_bytes(content)

    assert book.format is BookFormat.EPUB
    assert book.size_bytes == len(content)
    assert book.metadata.title == "Dune"
    assert book.metadata.authors == ("Frank Herbert", "Brian Herbert")
    assert book.metadata.language == "en-US"
    assert book.metadata.identifiers == (("isbn", "9780441013593"),)
    assert book.cover_path is None


def test_main_title_is_told_from_the_others(open_bytes: OpenBytes) -> None:
    metadata = '<dc:title id="t2">The Real One</dc:title><meta refines="#t2" property="title-type">main</meta>'

    assert open_bytes(make_epub(title="The Series", metadata=metadata)).metadata.title == "The Real One"


def test_translator_is_no_author(open_bytes: OpenBytes) -> None:
    metadata = """<dc:creator id="a">Leo Tolstoy</dc:creator><meta refines="#a" property="role">aut</meta>
    <dc:creator opf:role="trl">Louise Maude</dc:creator>"""

    assert open_bytes(make_epub(authors=(), metadata=metadata)).metadata.authors == ("Leo Tolstoy",)


def test_series_of_epub_3(open_bytes: OpenBytes) -> None:
    metadata = """<meta property="belongs-to-collection" id="s">Discworld</meta>
    <meta refines="#s" property="collection-type">series</meta><meta refines="#s" property="group-position">8</meta>"""

    found = open_bytes(make_epub(metadata=metadata)).metadata

    assert (found.series, found.series_index) == ("Discworld", 8.0)


def test_series_of_calibre(open_bytes: OpenBytes) -> None:
    metadata = """<meta name="calibre:series" content="Discworld"/>
    <meta name="calibre:series_index" content="8.5"/>"""

    found = open_bytes(make_epub(metadata=metadata)).metadata

    assert (found.series, found.series_index) == ("Discworld", 8.5)


def test_subjects_are_tags_and_the_first_is_the_genre(open_bytes: OpenBytes) -> None:
    metadata = "<dc:subject>Science Fiction</dc:subject><dc:subject>Deserts -- Fiction</dc:subject>"

    found = open_bytes(make_epub(metadata=metadata)).metadata

    assert found.genre == "Science Fiction"
    assert found.tags == ("Science Fiction", "Deserts", "Fiction")


def test_description_in_html_becomes_plain_text(open_bytes: OpenBytes) -> None:
    metadata = (
        "<dc:description>&lt;p&gt;One &amp;amp; &lt;b&gt;two&lt;/b&gt;.&lt;/p&gt;&lt;p&gt;Three.</dc:description>"
    )

    assert open_bytes(make_epub(metadata=metadata)).metadata.description == "One & two.\nThree."


def test_epub_2_with_nested_dublin_core_and_no_encoding(open_bytes: OpenBytes) -> None:
    opf = f"""<package xmlns="http://www.idpf.org/2007/opf" version="2.0"><metadata>
    <dc-metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>Caf&eacute; M\u00fcller</dc:title>
    <dc:language>deu</dc:language></dc-metadata></metadata>{CHAPTER.format("")}{SPINE}</package>"""

    found = open_bytes(epub_with_opf(opf, c_xhtml=b"<html/>")).metadata

    assert (found.title, found.language) == ("Café Müller", "de")


def test_wrong_case_and_escapes_in_references_are_followed(open_bytes: OpenBytes) -> None:
    opf = """<package><metadata><title>T</title></metadata><manifest>
    <item id="c" href="Chapter%20One.XHTML" media-type="application/xhtml+xml"/></manifest></package>"""
    content = make_zip(
        {
            "META-INF/container.xml": b'<container><rootfiles><rootfile full-path="a.opf"/></rootfiles></container>',
            "a.opf": opf.encode(),
            "chapter one.xhtml": b"<html/>",
        }
    )

    assert open_bytes(content).metadata.title == "T"


# -- covers


def size_and_colour(cover: bytes) -> tuple[tuple[int, int], tuple[int, int, int]]:
    with Image.open(io.BytesIO(cover)) as image:
        assert image.format == "JPEG"
        pixel = image.convert("RGB").getpixel((1, 1))
        assert isinstance(pixel, tuple)
        red, green, blue = pixel
        return image.size, (round(red, -2), round(green, -2), round(blue, -2))


COVER_WAYS = {
    "EPUB 3 property": (
        '<item id="x" href="x.png" media-type="image/png"/>'
        '<item id="p" href="p.png" media-type="image/png" properties="cover-image"/>',
        "",
        b"<html/>",
    ),
    "EPUB 2 meta": (
        '<item id="x" href="x.png" media-type="image/png"/><item id="p" href="p.png" media-type="image/png"/>',
        '<meta name="cover" content="p"/>',
        b"<html/>",
    ),
    "EPUB 2 meta with a file": (
        '<item id="x" href="x.png" media-type="image/png"/><item id="p" href="p.png" media-type="image/png"/>',
        '<meta name="cover" content="p.png"/>',
        b"<html/>",
    ),
    "first page": (
        '<item id="x" href="x.png" media-type="image/png"/><item id="p" href="p.png" media-type="image/png"/>',
        "",
        b'<html><svg><image width="9" xlink:href="p.png"/></svg></html>',
    ),
}


@pytest.mark.parametrize("way", COVER_WAYS)
def test_cover_is_found(open_bytes: OpenBytes, way: str) -> None:
    items, meta, page = COVER_WAYS[way]
    opf = f"<package><metadata>{meta}</metadata>{CHAPTER.format(items)}{SPINE}</package>"
    red, blue = make_picture(colour="red", kind="PNG"), make_picture(colour="blue", kind="PNG")

    book = open_bytes(epub_with_opf(opf, c_xhtml=page, p_png=red, x_png=blue))

    assert book.cover_path is not None
    assert size_and_colour(book.cover_path.read_bytes()) == ((60, 80), (300, 0, 0))


def test_cover_of_the_guide_is_found(open_bytes: OpenBytes) -> None:
    items = """<item id="g" href="g.xhtml" media-type="application/xhtml+xml"/>
    <item id="p" href="p.png" media-type="image/png"/>"""
    guide = '<guide><reference type="cover" href="g.xhtml"/></guide>'
    opf = f"<package><metadata/>{CHAPTER.format(items)}{SPINE}{guide}</package>"
    picture = make_picture(colour="red", kind="PNG")

    book = open_bytes(epub_with_opf(opf, c_xhtml=b"<html/>", g_xhtml=b"<img alt='' src='p.png'/>", p_png=picture))

    assert book.cover_path is not None


def test_large_cover_is_scaled_to_fit(open_bytes: OpenBytes) -> None:
    book = open_bytes(make_epub(cover=make_picture(width=1600, height=1600)))

    assert book.cover_path is not None
    assert size_and_colour(book.cover_path.read_bytes())[0] == (600, 600)


def test_picture_that_cannot_be_read_is_no_cover(open_bytes: OpenBytes) -> None:
    assert open_bytes(make_epub(cover=b"\xff\xd8\xff no picture")).cover_path is None


def test_cover_of_many_megabytes_is_read(open_bytes: OpenBytes) -> None:
    # Noise of five megabytes behind the picture, which no packer makes smaller.
    heavy = make_picture() + random.Random(0).randbytes(5 * 1024 * 1024)

    assert open_bytes(make_epub(cover=heavy)).cover_path is not None


def test_damaged_cover_is_no_reason_to_refuse(open_bytes: OpenBytes) -> None:
    cover = make_picture(width=300, height=300, kind="PNG")
    content = bytearray(make_epub(cover=cover))
    content[content.index(b"cover.jpg") + 40] ^= 0xFF

    assert open_bytes(bytes(content)).cover_path is None


def test_picture_of_more_pixels_than_the_limit_is_no_cover(
    open_bytes: OpenBytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.books.cover.MAX_PIXELS", 100)

    assert open_bytes(make_epub(cover=make_picture(width=11, height=10))).cover_path is None


# -- broken and hostile ones

SENTENCES = {
    Fault.CUT: (DamagedFile, "file.cut-short", "the list of its parts"),
    Fault.NO_OPF: (DamagedFile, "file.damaged", "package document, the list of its parts, is missing"),
    Fault.BAD_OPF: (DamagedFile, "file.damaged", "package document, the list of its parts, cannot be read"),
    Fault.NO_CHAPTERS: (DamagedFile, "file.damaged", "none of its chapters is in the file"),
    Fault.DRM: (RefusedFile, "file.drm", "protected (DRM)"),
    Fault.BOMB: (RefusedFile, "file.too-large", "larger than the 400 MB"),
    Fault.TRAVERSAL: (RefusedFile, "file.hostile", "leads out of the file"),
}


@pytest.mark.parametrize("fault", SENTENCES)
def test_broken_epub_is_answered_with_what_is_wrong(open_bytes: OpenBytes, fault: Fault) -> None:
    kind, code, words = SENTENCES[fault]

    with pytest.raises(kind) as refusal:
        open_bytes(make_epub(fault=fault), filename="book.epub")

    assert refusal.value.code == code
    assert words in refusal.value.text
    assert refusal.value.fix


@pytest.mark.parametrize("fault", [Fault.NONE, Fault.FONTS, Fault.NO_CONTAINER])
def test_harmless_fault_is_no_reason_to_refuse(open_bytes: OpenBytes, fault: Fault) -> None:
    assert open_bytes(make_epub(fault=fault), filename="book.epub").metadata.title == "Moby Dick"


@pytest.mark.parametrize("name", ["/etc/passwd", "C:\\x", "a/../../b", "..\\b", "a\x1b[31m", "a\x00x.png", "n" * 2000])
def test_names_that_no_honest_file_has_are_refused(open_bytes: OpenBytes, name: str) -> None:
    container = {"META-INF/container.xml": b"<container/>"}
    if "\x00" in name:
        # zipfile cuts it there when it writes, so the name is changed in the bytes.
        content = make_zip({**container, "a-x.png": b""}).replace(b"a-x.png", name.encode())
    else:
        content = make_zip({**container, name: b""})

    with pytest.raises(RefusedFile) as refusal:
        open_bytes(content)

    assert refusal.value.code == "file.hostile"


def test_locked_archive_is_refused(open_bytes: OpenBytes) -> None:
    content = bytearray(make_epub())
    # General purpose bit 0 in the first record of the directory (APPNOTE 4.3.12: 8 bytes in).
    content[content.index(b"PK\x01\x02") + 8] |= 1

    with pytest.raises(RefusedFile) as refusal:
        open_bytes(bytes(content))

    assert refusal.value.code == "file.password"


def test_symbolic_link_is_refused(open_bytes: OpenBytes) -> None:
    buffer = io.BytesIO(make_epub())
    with zipfile.ZipFile(buffer, "a") as archive:
        link = zipfile.ZipInfo("OEBPS/link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")

    with pytest.raises(RefusedFile, match="a link to a file outside"):
        open_bytes(buffer.getvalue())


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_different_files_of_one_name_are_refused(open_bytes: OpenBytes) -> None:
    buffer = io.BytesIO(make_epub())
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("OEBPS/one.xhtml", "something else")

    with pytest.raises(RefusedFile, match="two different files of one name"):
        open_bytes(buffer.getvalue())


def test_parts_that_overlap_are_refused(open_bytes: OpenBytes) -> None:
    buffer = io.BytesIO(make_epub())
    with zipfile.ZipFile(buffer, "a") as archive:
        twin = archive.getinfo("OEBPS/one.xhtml")
        archive.writestr("OEBPS/two.xhtml", "x" * 100)
        archive.getinfo("OEBPS/two.xhtml").header_offset = twin.header_offset + 1

    with pytest.raises(RefusedFile, match="overlap"):
        open_bytes(buffer.getvalue())


def test_too_many_parts_are_refused(open_bytes: OpenBytes) -> None:
    with pytest.raises(RefusedFile) as refusal:
        open_bytes(make_epub(), limits=BookLimits(entries=4))

    assert refusal.value.code == "file.too-many-parts"


def test_package_document_over_the_limit_is_refused(open_bytes: OpenBytes) -> None:
    content = make_epub(metadata=f"<!-- {'x' * 5000} -->")

    with pytest.raises(RefusedFile) as refusal:
        open_bytes(content, limits=dataclasses.replace(BookLimits(), document_bytes=4000))

    assert refusal.value.code == "file.too-large"


def test_encryption_of_a_chapter_is_drm_even_beside_fonts(open_bytes: OpenBytes) -> None:
    buffer = io.BytesIO(make_epub())
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("META-INF/encryption.xml", make_encryption("http://ns.adobe.com/adept/xmlenc#aes128-cbc"))

    with pytest.raises(RefusedFile) as refusal:
        open_bytes(buffer.getvalue())

    assert refusal.value.code == "file.drm"


ENTITY_BOMB = "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))
DOCUMENT_TYPES = {
    "file": '<!DOCTYPE package [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
    "network": '<!DOCTYPE package SYSTEM "http://127.0.0.1:9/x.dtd">',
}


def epub_with_entity(document_type: str) -> bytes:
    title = "<title>A&x;B</title>"
    opf = f"{document_type}<package><metadata>{title}</metadata>{CHAPTER.format('')}{SPINE}</package>"
    return epub_with_opf(opf, c_xhtml=b"<html/>")


@pytest.mark.parametrize("reach", DOCUMENT_TYPES)
def test_external_entities_and_dtds_are_inert(open_bytes: OpenBytes, reach: str) -> None:
    assert open_bytes(epub_with_entity(DOCUMENT_TYPES[reach])).metadata.title == "AB"


def test_entities_that_grow_without_end_are_refused(open_bytes: OpenBytes) -> None:
    document_type = f'<!DOCTYPE package [<!ENTITY a "lol">{ENTITY_BOMB}<!ENTITY x "&j;">]>'

    with pytest.raises(RefusedFile, match="grow without end"):
        open_bytes(epub_with_entity(document_type))


@pytest.mark.parametrize("markup", ["<meta/>", "&#160;"])
def test_lists_longer_than_any_book_needs_are_refused(open_bytes: OpenBytes, markup: str) -> None:
    with pytest.raises(RefusedFile, match="more entries than any book needs"):
        open_bytes(make_epub(metadata=markup * 100_001))


def test_part_that_cannot_be_unpacked_is_named(open_bytes: OpenBytes) -> None:
    content = bytearray(make_epub())
    content[content.index(b"OEBPS/content.opf") + 40] ^= 0xFF

    with pytest.raises(DamagedFile, match=r"a part of it, “content\.opf”, cannot be unpacked"):
        open_bytes(bytes(content))


def test_cover_that_fits_is_kept_byte_for_byte(open_bytes: OpenBytes) -> None:
    picture = make_picture(width=600, height=800)

    book = open_bytes(make_epub(cover=picture))

    assert book.cover_path is not None
    assert book.cover_path.read_bytes() == picture


def test_cover_that_would_fit_but_is_padded_is_written_anew(open_bytes: OpenBytes) -> None:
    book = open_bytes(make_epub(cover=make_picture(width=60, height=80) + bytes(300_000)))

    assert book.cover_path is not None
    assert book.cover_path.stat().st_size < 10_000


def test_cover_that_is_cut_short_is_none(open_bytes: OpenBytes) -> None:
    assert open_bytes(make_epub(cover=make_picture(width=600, height=800)[:-2000])).cover_path is None
