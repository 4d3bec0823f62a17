"""Every rule: a book with the one fault that it is for comes out without it, its text and pictures as they were."""

# ruff: noqa: E501 - a fault is a line, so that the table can be read

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from core.books.kindle.compiler import Compiled, compile_book
from core.books.kindle.rules import RULES
from core.books.kindle.words import RULE_WORDS, rules_page
from core.errors import BotError, DamagedFile
from tests.factories.kindle_books import (
    CSS,
    NAV,
    NCX,
    ONE,
    OPF,
    TWO,
    Fault,
    Members,
    both,
    faulty,
    hold,
    lack,
    pack,
    picture_of,
    put,
    rename,
    sound_members,
    write,
)

PICTURE = "OEBPS/images/picture.jpg"
EPUB2 = both(put(OPF, 'version="3.0"', 'version="2.0"'), put(OPF, ' properties="nav"', ""))
LANGUAGE = "<dc:language>en</dc:language>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10"><rect width="5" height="5"/></svg>'


def compiled(tmp_path: Path, content: bytes, *, filename: str = "tale.epub") -> tuple[Compiled, Path]:
    source = write(tmp_path / "source.epub", content)
    target = tmp_path / "copy.epub"
    result = compile_book(source, target, filename=filename)
    assert source.read_bytes() == content, "the original was changed"
    return result, target


def copied(tmp_path: Path, fault: Fault) -> dict[str, str]:
    """The members of the copy, as text."""
    _, target = compiled(tmp_path, faulty(fault))
    with zipfile.ZipFile(target) as archive:
        return {name: archive.read(name).decode("utf-8", "replace") for name in archive.namelist()}


def _obfuscated(members: Members) -> None:
    font = b"OTTO" + bytes(range(256)) * 8
    key = hashlib.sha1(b"urn:uuid:9b2c3d4e-5f60-4718-8293-a4b5c6d7e8f9").digest()
    members["OEBPS/f.otf"] = bytes(b ^ key[i % 20] for i, b in enumerate(font[:1040])) + font[1040:]
    put(OPF, "</manifest>", '<item id="f" href="f.otf" media-type="font/otf"/></manifest>')(members)
    members["META-INF/encryption.xml"] = b"""<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container"
xmlns:enc="http://www.w3.org/2001/04/xmlenc#"><enc:EncryptedData><enc:EncryptionMethod
Algorithm="http://www.idpf.org/2008/embedding"/><enc:CipherData><enc:CipherReference URI="OEBPS/f.otf"/>
</enc:CipherData></enc:EncryptedData></encryption>"""


def _shown(name: str, content: bytes, media_type: str) -> Fault:
    href = name.removeprefix("OEBPS/")
    return both(
        hold(name, content),
        put(OPF, "</manifest>", f'<item id="shown" href="{href}" media-type="{media_type}"/></manifest>'),
        put(ONE, "images/picture.jpg", href),
    )


FAULTS: dict[str, list[Fault]] = {
    "mimetype": [lack("mimetype"), hold("mimetype", b"application/epub+zip\n"), rename("mimetype", "mimetype")],
    "encoding": [
        put(ONE, '<?xml version="1.0" encoding="utf-8"?>\n', ""),
        put(ONE, ' encoding="utf-8"', ""),
        put(ONE, "<?xml", "\n<?xml"),
        put(ONE, "<?xml", '<?xml version="1.0"?>\n<?xml'),
        lambda members: members.update({ONE: members[ONE].decode().replace("utf-8", "iso-8859-1").replace("–", "-").encode("latin-1")}),
        lambda members: members.update({ONE: members[ONE].decode().replace("utf-8", "utf-16").encode("utf-16")}),
        lambda members: members.update({ONE: members[ONE].decode().replace("–", "-").encode("latin-1")}),
        put(ONE, "<title>", '<meta charset="iso-8859-1"/><title>'),
        put(ONE, "<title>", '<meta charset="utf-ä"/><title>'),
    ],
    "controls": [put(ONE, "Café", "Caf\x0bé"), put(ONE, "Café", "Café&#2;")],
    "comment-hyphens": [put(ONE, "<h1", "<!-- a -- b --><h1")],
    "named-characters": [put(ONE, "Café ", "Caf&eacute;&nbsp;"), put(TWO, "Café", "Café & Bar"), put(OPF, "C. D.", "C. & D.")],
    "package-syntax": [put(OPF, "<dc:title>A Tale</dc:title>", "<dc:title>A <b>Tale</dc:title>")],
    "container": [lack("META-INF/container.xml"), put("META-INF/container.xml", "content.opf", "gone.opf")],
    "media-types": [
        put(OPF, 'href="images/picture.jpg" media-type="image/jpeg"', 'href="images/picture.jpg" media-type="image/jpg"'),
        put(OPF, 'href="style.css" media-type="text/css"', 'href="style.css" media-type="text/plain"'),
        put(OPF, 'href="one.xhtml" media-type="application/xhtml+xml"', 'href="one.xhtml" media-type="text/html"'),
        put(OPF, "application/x-dtbncx+xml", "text/xml"),
    ],
    "page-syntax": [put(ONE, "<p>Café", "<p>unclosed <br> <b>bold<p>Café"), put(ONE, 'alt="A picture"', "alt=A")],
    "doctype": [put(ONE, "<!DOCTYPE html>", '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.1//EN" "http://www.w3.org/TR/xhtml11/DTD/xhtml11.dtd">')],
    "entities": [put(ONE, "<!DOCTYPE html>", '<!DOCTYPE html [<!ENTITY x SYSTEM "file:///etc/passwd">]>'), both(put(ONE, "<!DOCTYPE html>", '<!DOCTYPE html [<!ENTITY x SYSTEM "file:///etc/passwd">]>'), put(ONE, "Café", "Café&x;"))],
    "paths": [
        put(ONE, "images/picture.jpg", "Images/Picture.JPG"),
        put(ONE, "images/picture.jpg", "/images/picture.jpg"),
        put(ONE, "images/picture.jpg", "..\\OEBPS\\images\\picture.jpg"),
        put(OPF, "two.xhtml", "TWO.xhtml"),
        put(ONE, "two.xhtml#top", "../../../two.xhtml#top"),
    ],
    "listed-once": [
        put(OPF, "</manifest>", '<item id="again" href="two.xhtml" media-type="application/xhtml+xml"/></manifest>'),
        put(OPF, 'id="style"', 'id="picture"'),
    ],
    "missing-files": [
        put(OPF, "</manifest>", '<item id="gone" href="gone.xhtml" media-type="application/xhtml+xml"/></manifest>'),
        both(put(OPF, "</manifest>", '<item id="gone" href="gone.xhtml" media-type="application/xhtml+xml"/></manifest>'), hold("OEBPS/gone.xhtml", b"")),
    ],
    "unlisted-files": [put(OPF, '<item id="style" href="style.css" media-type="text/css"/>', "")],
    "reading-order": [
        put(OPF, "</spine>", '<itemref idref="ghost"/></spine>'),
        put(OPF, "</spine>", '<itemref idref="one"/></spine>'),
        put(OPF, '<itemref idref="one"/><itemref idref="two"/>', '<itemref idref="ghost"/>'),
    ],
    "fonts": [_obfuscated],
    "picture-kinds": [
        _shown("OEBPS/p.webp", picture_of("WEBP"), "image/webp"),
        _shown("OEBPS/p.bmp", picture_of("BMP"), "image/bmp"),
        _shown("OEBPS/p.tiff", picture_of("TIFF"), "image/tiff"),
        _shown("OEBPS/p.avif", picture_of("AVIF"), "image/avif"),
    ],
    "vector-pictures": [_shown("OEBPS/p.svg", SVG, "image/svg+xml")],
    "photographs": [
        hold(PICTURE, picture_of("JPEG", mode="CMYK")),
        lambda members: members.update({PICTURE: picture_of("JPEG", size=(800, 600))[:-9000]}),
    ],
    "file-names": [
        both(rename(PICTURE, "OEBPS/images/my picture.jpg"), put(OPF, "picture.jpg", "my%20picture.jpg"), put(ONE, "picture.jpg", "my%20picture.jpg"), put(TWO, "picture.jpg", "my%20picture.jpg")),
        both(rename(TWO, "OEBPS/zwölf.xhtml"), *(put(name, "two.xhtml", "zwölf.xhtml") for name in (OPF, NCX, NAV, ONE))),
    ],
    "styles": [
        hold(CSS, b":root { --ink: #222 } p { color: var(--ink); margin: var(--gone) } h1 { color: var(--gone, red) }"),
        hold(CSS, b"@font-face { font-family: x; src: url(gone.otf) } p { margin: 0 }"),
        hold(CSS, b"@import url(https://example.com/a.css); p { margin: 0 }"),
        hold(CSS, b"p { background: url('gone.png'); margin: 0 }"),
        put(ONE, "<title>", "<style>p { background: url(https://example.com/a.png) }</style><title>"),
        hold(CSS, "p::before { content: 'é' }".encode("latin-1")),
    ],
    "scripts": [
        put(ONE, "</head>", "<script>alert(1)</script></head>"),
        put(ONE, "<h1 ", '<h1 onclick="alert(1)" '),
        put(ONE, "two.xhtml#top", "javascript:alert(1)"),
    ],
    "remote-files": [
        put(ONE, "<h1", '<img alt="x" src="https://example.com/x.jpg"/><h1'),
        put(ONE, "</head>", '<link rel="stylesheet" href="https://example.com/x.css"/></head>'),
        put(ONE, "<h1", '<iframe src="https://example.com/">a film</iframe><h1'),
    ],
    "remote-entries": [put(OPF, "</manifest>", '<item id="far" href="https://example.com/x.jpg" media-type="image/jpeg"/></manifest>')],
    "page-styles": [
        put(ONE, "style.css", "gone.css"),
        both(lack(CSS), put(OPF, '<item id="style" href="style.css" media-type="text/css"/>', "")),
    ],
    "pictures": [put(ONE, "<h1", '<p>a<img alt="x"/>b</p><h1'), put(ONE, "<h1", '<img alt="x" src="nowhere.jpg"/><h1'), put(ONE, "<h1", '<img alt="x" src=""/><h1')],
    "picture-texts": [put(ONE, 'alt="A picture"', 'alt=""'), put(ONE, ' alt="A picture"', "")],
    "explorer-comments": [put(ONE, "<h1", "<!--[if lt IE 9]><p>old</p><![endif]--><h1")],
    "leftovers": [put(ONE, "<h1 ", '<h1 data-AmznRemoved="x" data-AmznPageBreak="y" '), both(EPUB2, put(ONE, "<h1 ", '<h1 epub:type="title" '))],
    "double-ids": [put(ONE, "<p>Café", '<p id="top">Café')],
    "body-links": [both(put(ONE, "<body>", '<body id="b">'), put(NCX, "one.xhtml#top", "one.xhtml#b"), put(NAV, "one.xhtml", "one.xhtml#b"))],
    "links": [
        put(ONE, "two.xhtml#top", "gone.xhtml"),
        put(ONE, "two.xhtml#top", "two.xhtml#gone"),
        put(NAV, '<li><a href="two.xhtml#top">Two</a></li>', '<li><a href="two.xhtml#top">Two</a></li><li><a href="gone.xhtml">Gone</a></li>'),
        put(ONE, "two.xhtml#top", "http://example.com/a b|c"),
    ],
    "contents": [both(lack(NAV), put(OPF, '<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>', ""))],
    "contents-targets": [put(NCX, "two.xhtml", "gone.xhtml"), put(NCX, "one.xhtml#top", "one.xhtml#gone")],
    "contents-order": [put(NCX, 'playOrder="2"', 'playOrder="1"'), put(NCX, 'id="p2"', 'id="p1"'), put(NCX, 'id="p2" ', ""), put(NCX, "<text>Two</text>", "<text/>"), put(NCX, 'playOrder="2"', 'playOrder="two"'), put(NCX, 'playOrder="2"', 'playOrder="²"')],
    "contents-named": [put(OPF, '<spine toc="ncx">', "<spine>"), put(OPF, '<spine toc="ncx">', '<spine toc="gone">')],
    "identifier": [put(OPF, ' unique-identifier="book-id"', ""), put(OPF, 'unique-identifier="book-id"', 'unique-identifier="gone"'), put(OPF, '<dc:identifier id="book-id">urn:uuid:9b2c3d4e-5f60-4718-8293-a4b5c6d7e8f9</dc:identifier>', "")],
    "contents-identifier": [put(NCX, "urn:uuid:9b2c", "urn:uuid:0000")],
    "language": [put(OPF, LANGUAGE, new) for new in ("", "<dc:language/>", "<dc:language>English</dc:language>", "<dc:language>UND</dc:language>", "<dc:language>us</dc:language>", "<dc:language>C</dc:language>", "<dc:language>Unknown</dc:language>", "<dc:language>eng</dc:language>", "<dc:language>en_US</dc:language>", LANGUAGE + "<dc:language>de</dc:language>")],
    "title": [put(OPF, "<dc:title>A Tale</dc:title>", ""), put(OPF, "<dc:title>A Tale</dc:title>", "<dc:title> </dc:title>"), put(OPF, "<dc:title>A Tale</dc:title>", "<dc:title/><dc:title>A Tale</dc:title>")],
    "main-title": [put(OPF, "<dc:title>A Tale</dc:title>", "<dc:title>A Tale</dc:title><dc:title>Of Two</dc:title>"), both(EPUB2, put(OPF, "<dc:title>A Tale</dc:title>", "<dc:title>A Tale</dc:title><dc:title>Of Two</dc:title>"))],
    "cover": [put(OPF, '<meta name="cover" content="picture"/>', ""), put(OPF, ' properties="cover-image"', ""), put(OPF, 'content="picture"', 'content="gone"')],
    "hidden-text": [put(ONE, "<h1", f'<div style="display:none">{"so it is " * 1200}</div><h1')],
    "page-titles": [put(ONE, "<title>One</title>", "<title/>"), put(ONE, "<title>One</title>", "")],
    "properties": [both(put(ONE, "</head>", "<script>alert(1)</script></head>"), put(OPF, '<item id="one"', '<item properties="scripted" id="one"'))],
}  # fmt: skip
CASES = [
    pytest.param(rule, fault, id=f"{rule}-{n}") for rule, faults in FAULTS.items() for n, fault in enumerate(faults, 1)
]


def test_sound_book_is_left_alone(tmp_path: Path) -> None:
    result, target = compiled(tmp_path, faulty())

    assert result == Compiled(())
    assert not target.exists()


@pytest.mark.parametrize(("rule", "fault"), CASES)
def test_fault_is_mended_and_nothing_is_lost(rule: str, fault: Fault, tmp_path: Path) -> None:
    result, target = compiled(tmp_path, faulty(fault))

    assert rule in [fix.rule for fix in result.fixes], result
    assert result.harmful == ()
    again = compile_book(target, tmp_path / "again.epub", filename="tale.epub")
    assert again == Compiled(()), "the copy has faults"


def test_every_rule_has_a_faulty_book() -> None:
    of_the_archive = "directory"  # no member's fault: test_salvage.py has the books
    assert sorted([*FAULTS, of_the_archive]) == sorted(rule.name for rule in RULES)


def test_rules_say_why_and_where_that_is_said() -> None:
    assert list(RULE_WORDS) == [rule.name for rule in RULES]
    assert all(all(words) for words in RULE_WORDS.values())


def test_page_of_the_rules_is_made_of_them() -> None:
    page = Path(__file__).parents[3] / "docs" / "kindle-rules.md"

    assert page.read_text("utf-8") == rules_page(), "run: python -m core.books.kindle.words > docs/kindle-rules.md"


# -- what the copies hold


def test_text_in_an_old_encoding_keeps_its_letters(tmp_path: Path) -> None:
    assert "Café" in copied(tmp_path, FAULTS["encoding"][4])[ONE]


def test_language_is_that_of_the_text(tmp_path: Path) -> None:
    german = (
        "Als Gregor Samsa eines Morgens aus unruhigen Träumen erwachte, fand er sich in seinem Bett verwandelt. " * 4
    )

    opf = copied(tmp_path, both(put(OPF, LANGUAGE, ""), put(ONE, "Café", german), put(TWO, "Café", german)))[OPF]

    assert "<dc:language>de</dc:language>" in opf


@pytest.mark.parametrize("tag", ["zh-TW", "pt-BR", "sr-Latn", "haw", "de-CH-1996"])
def test_good_languages_stay(tag: str, tmp_path: Path) -> None:
    result, _ = compiled(tmp_path, faulty(put(OPF, LANGUAGE, f"<dc:language>{tag}</dc:language>")))

    assert result.fixes == ()


def test_missing_title_is_that_of_the_file(tmp_path: Path) -> None:
    _, target = compiled(tmp_path, faulty(put(OPF, "<dc:title>A Tale</dc:title>", "")), filename="A_Tale_of_Two.epub")

    with zipfile.ZipFile(target) as archive:
        assert b"<dc:title>A Tale of Two</dc:title>" in archive.read(OPF)


def test_other_peoples_files_are_not_read(tmp_path: Path) -> None:
    page = copied(tmp_path, FAULTS["entities"][1])[ONE]

    assert "passwd" not in page
    assert "root:" not in page


def test_variables_have_their_values(tmp_path: Path) -> None:
    style = copied(tmp_path, FAULTS["styles"][0])[CSS]

    assert " ".join(style.split()) == ":root { } p { color: #222; } h1 { color: red }"


def test_pictures_are_called_by_their_new_names(tmp_path: Path) -> None:
    book = copied(tmp_path, FAULTS["picture-kinds"][0])

    assert 'src="p.jpg"' in book[ONE]
    assert 'href="p.jpg" media-type="image/jpeg"' in book[OPF]
    assert "OEBPS/p.webp" not in book


def test_font_is_what_it_was(tmp_path: Path) -> None:
    book = copied(tmp_path, _obfuscated)

    assert book["OEBPS/f.otf"].startswith("OTTO\x00\x01\x02")
    assert "META-INF/encryption.xml" not in book


def test_text_behind_a_dropped_picture_stays(tmp_path: Path) -> None:
    assert "<p>ab</p>" in copied(tmp_path, FAULTS["pictures"][0])[ONE]


def test_mimetype_is_the_first_and_stored(tmp_path: Path) -> None:
    _, target = compiled(tmp_path, pack(sound_members(), deflate_mimetype=True))

    assert target.read_bytes()[30:58] == b"mimetypeapplication/epub+zip"


def test_same_book_gives_the_same_copy(tmp_path: Path) -> None:
    first, second = (compiled(tmp_path, faulty(FAULTS["language"][1]))[1].read_bytes() for _ in range(2))

    assert first == second


def test_attributes_that_are_no_names_go_and_the_others_stay(tmp_path: Path) -> None:
    page = b'<html><head><title>x</title></head><body><p {x="1" {}y="2" }="3" class="a" xml:lang="de">Text<br></body></html>'

    assert '<p class="a" xml:lang="de">Text<br/></p>' in copied(tmp_path, hold(ONE, page))[ONE]


# -- zero harm


def test_page_that_no_parser_can_save_is_told(tmp_path: Path) -> None:
    with pytest.raises(BotError, match=r"one\.xhtml"):
        compiled(tmp_path, faulty(hold(ONE, b"<html><body>" + b"<div>" * 50_000 + b"text")))


def test_book_without_chapters_is_told(tmp_path: Path) -> None:
    with pytest.raises(BotError, match="chapters"):
        compiled(tmp_path, faulty(both(lack(ONE), lack(TWO), lack(NAV))))


def test_part_of_a_package_in_front_of_it_breaks_nothing(tmp_path: Path) -> None:
    """hypothesis, `python -m tests.bench fuzz`: the part was to be put into itself."""
    with pytest.raises(DamagedFile, match="package document"):
        compiled(tmp_path, faulty(put(OPF, "<?xml", '<spine toc="x"/><?xml')))
