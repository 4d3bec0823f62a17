"""The faults that rules mend, in words: for the reader whose book it is, and for `docs/kindle-rules.md`.

Apart from the rules themselves, which load lxml and Pillow, so that a process that answers mails need not carry those.
"""

from __future__ import annotations

import sys
from typing import Final, NamedTuple

from core.i18n import N_

# Where reasons are from. KPG: Amazon's Kindle Publishing Guidelines. OCF, OPF, NCX, XHTML: the EPUB standards.
_FIX = "kindle-epub-fix, README: uploads refused with E999"
_CWA = "Calibre-Web-Automated, EPUB fixer and issues 382, 920"
_OCF, _EPUB3, _OPF2 = "EPUB 3.3, 4 (OCF)", "EPUB 3.3", "OPF 2.0.1"
_KPG = "Kindle Publishing Guidelines"


class Words(NamedTuple):
    """Of one rule."""

    mends: str
    """What is changed, for the person whose book it is."""
    reason: str
    """Why, for the same."""
    source: str


RULE_WORDS: Final = {
    "directory": Words(
        mends=N_("the list of the file's parts, which stands at its end, is there and right"),
        reason=N_("a file that was cut off at its very end, or joined wrongly, is opened by no reader without it"),
        source="APPNOTE.TXT 6.3, 4.3.12 and 4.3.16; epubcheck PKG-008",
    ),
    "mimetype": Words(
        mends=N_("the first file of the EPUB is its “mimetype”, stored"),
        reason=N_("a file is known for an EPUB by its first 58 bytes"),
        source=f"{_OCF} 4.2.2 and 4.3; epubcheck PKG-006, PKG-007",
    ),
    "encoding": Words(
        mends=N_("every document is UTF-8 and says so"),
        reason=N_("Amazon reads a document that does not name its encoding as ISO-8859-1, and letters are garbled"),
        source=f"{_FIX}; EPUB 3.3, 3.9",
    ),
    "controls": Words(
        mends=N_("characters that XML forbids are taken out"),
        reason=N_("a document with one of them is read by no XML parser"),
        source="XML 1.0, 2.2",
    ),
    "comment-hyphens": Words(
        mends=N_("comments with “--” inside are taken out"),
        reason=N_("XML forbids them, and Amazon refuses the book"),
        source="XML 1.0, 2.5; kindle-epub-fix, issues",
    ),
    "named-characters": Words(
        mends=N_("HTML's names for characters, and single “&”, are written as XML has them"),
        reason=N_("XML knows five such names; with any other the page is not read"),
        source="XML 1.0, 4.1; epubcheck RSC-016",
    ),
    "package-syntax": Words(
        mends=N_("the list of the book's parts is well-formed XML"),
        reason=N_("without it there is no book"),
        source=f"{_EPUB3}, 5",
    ),
    "container": Words(
        mends=N_("the container leads to the list of the book's parts"),
        reason=N_("it is where every reader begins"),
        source=f"{_OCF} 4.2.6.3.1",
    ),
    "media-types": Words(
        mends=N_("every file is listed as the kind that it is"),
        reason=N_("Amazon's converter goes by the list and not by the file"),
        source=f"{_EPUB3}, 3.2; epubcheck OPF-029",
    ),
    "page-syntax": Words(
        mends=N_("pages are well-formed XHTML"),
        reason=N_("a page that is none ends the conversion"),
        source=f"{_EPUB3}, 6.1; epubcheck RSC-016",
    ),
    "doctype": Words(
        mends=N_("pages say of which HTML they are as their EPUB has it"),
        reason=N_("the document types of older versions are known to no parser of EPUB 3"),
        source=f"{_EPUB3}, 6.1.2; epubcheck HTM-004",
    ),
    "entities": Words(
        mends=N_("entities of a document's own are put in place, those of other files taken out"),
        reason=N_("Amazon's converter reads no DTD, and nobody is to read files of the reader's machine"),
        source=f"{_EPUB3}, 3.9 (no external entities)",
    ),
    "paths": Words(
        mends=N_("names of files are written as the files are called: case, slashes, escapes, relative to the page"),
        reason=N_("Amazon's converter runs where case counts, and looks into the book only"),
        source=f"{_OCF} 4.2.5; epubcheck RSC-001, RSC-026",
    ),
    "listed-once": Words(
        mends=N_("every file is listed once, under an id of its own"),
        reason=N_("the reading order names files by id"),
        source=f"{_EPUB3}, 5.6.2; epubcheck OPF-074",
    ),
    "missing-files": Words(
        mends=N_("files that are not there, or empty, are listed no more"),
        reason=N_("the converter stops at a file that it does not find"),
        source=f"{_FIX}; epubcheck RSC-001",
    ),
    "unlisted-files": Words(
        mends=N_("files that pages show are listed"),
        reason=N_("what is not listed is not taken along"),
        source=f"{_EPUB3}, 5.6.1; epubcheck RSC-008",
    ),
    "reading-order": Words(
        mends=N_("the reading order names chapters that are there, each once"),
        reason=N_("the converter stops at a chapter that it does not find"),
        source=f"{_EPUB3}, 5.7; epubcheck OPF-049, OPF-034",
    ),
    "fonts": Words(
        mends=N_("obfuscated fonts are as they were before"),
        reason=N_("Amazon takes a book with an encryption.xml for a protected one"),
        source=f"{_EPUB3}, 4.3; {_CWA}",
    ),
    "picture-kinds": Words(
        mends=N_("WebP, AVIF, BMP and TIFF pictures become JPEG or PNG"),
        reason=N_("Kindles show JPEG, PNG and GIF"),
        source=f"{_KPG}, “Supported image formats”",
    ),
    "vector-pictures": Words(
        mends=N_("SVG files that are shown as pictures become PNG"),
        reason=N_("books with them come back with E999"),
        source="Quarto and kindle-epub-fix, issues on E999",
    ),
    "photographs": Words(
        mends=N_("JPEGs in printing colours, or cut short, are written anew"),
        reason=N_("Kindles show three colours, and the converter stops at half a file"),
        source=f"{_KPG}, “CMYK is not supported”",
    ),
    "file-names": Words(
        mends=N_("files have names of ASCII letters, digits, “.”, “_” and “-”"),
        reason=N_("others are written in too many ways to be found again"),
        source=f"{_OCF} 4.2.4; epubcheck PKG-010, PKG-012",
    ),
    "styles": Words(
        mends=N_("variables are put in place; fonts, pictures and sheets that are not in the book are named no more"),
        reason=N_("books with variables come back with E999, and nothing is loaded from the network"),
        source="Quarto, issues on E999; epubcheck RSC-007, RSC-031",
    ),
    "scripts": Words(
        mends=N_("scripts are taken out"),
        reason=N_("Kindles run none"),
        source=f"{_KPG}, “Scripting is not supported”",
    ),
    "remote-files": Words(
        mends=N_("pictures and styles on the network are taken out"),
        reason=N_("nobody loads them, and a book that names them is refused"),
        source=f"{_EPUB3}, 3.6; epubcheck RSC-006",
    ),
    "remote-entries": Words(
        mends=N_("files on the network that are not shown are listed no more"),
        reason=N_("a book that lists them is refused"),
        source=f"{_EPUB3}, 3.6; epubcheck RSC-006",
    ),
    "page-styles": Words(
        mends=N_("pages name style sheets that are in the book"),
        reason=N_("the converter stops at those that it does not find"),
        source="epubcheck RSC-007",
    ),
    "pictures": Words(
        mends=N_("pictures without an address, or of files that are not there, are taken out"),
        reason=N_("the converter stops at them"),
        source=f"{_FIX}; epubcheck RSC-007",
    ),
    "picture-texts": Words(
        mends=N_("every picture has a text in place of it"),
        reason=N_("an empty one is reported to end in E21018"),
        source="kindle-epub-fix, pull requests 24 and 25",
    ),
    "explorer-comments": Words(
        mends=N_("comments for Internet Explorer are taken out"),
        reason=N_("books with them come back with E999"),
        source="kindle-epub-fix, issues",
    ),
    "leftovers": Words(
        mends=N_("attributes of Amazon's own tools, and of EPUB 3 in EPUB 2, are taken out"),
        reason=N_("they are known in neither, and refused"),
        source=f"{_FIX} (data-AmznRemoved)",
    ),
    "double-ids": Words(
        mends=N_("an id stands once in a page"),
        reason=N_("links lead to one place"),
        source="XML 1.0, 3.3.1; epubcheck RSC-005",
    ),
    "body-links": Words(
        mends=N_("links to the id of a whole page lead to the page"),
        reason=N_("Amazon does not find the id of a body and refuses the book"),
        source=_FIX,
    ),
    "links": Words(
        mends=N_("links lead to what is there"),
        reason=N_("the converter stops at links to files that are not there"),
        source="epubcheck RSC-007, RSC-012, RSC-020",
    ),
    "contents": Words(
        mends=N_("there is a table of contents"),
        reason=N_("Kindles and Amazon's converter want one"),
        source=f"{_KPG}, “Table of contents”; epubcheck RSC-005",
    ),
    "contents-targets": Words(
        mends=N_("the entries of the contents (NCX) lead to what is there"),
        reason=N_("the converter stops at those that do not"),
        source=f"{_FIX}; epubcheck RSC-007, RSC-012",
    ),
    "contents-order": Words(
        mends=N_("the entries of the contents (NCX) have ids and names, and count up"),
        reason=N_("it is how they are put in order"),
        source=f"{_OPF2}, 2.4.1.2",
    ),
    "contents-named": Words(
        mends=N_("the reading order names the contents (NCX)"),
        reason=N_("without it EPUB 2 has no contents"),
        source=f"{_OPF2}, 2.4.1",
    ),
    "identifier": Words(
        mends=N_("the book has an identifier, and says which is its own"),
        reason=N_("the converter knows books by it"),
        source=f"{_EPUB3}, 5.5.3.1; epubcheck OPF-030, OPF-048",
    ),
    "contents-identifier": Words(
        mends=N_("the contents (NCX) name the identifier of the book"),
        reason=N_("another one is that of another book"),
        source=f"{_OPF2}, 2.4.1.1; epubcheck NCX-001",
    ),
    "language": Words(
        mends=N_("the language is one that there is, in the short form, and one only"),
        reason=N_("the most frequent cause of E999: Amazon knows languages by their two letters"),
        source=f"{_FIX}; {_CWA}; WebToEpub, issue 1154",
    ),
    "title": Words(
        mends=N_("the book has a title"),
        reason=N_("it is what the library shows, and an empty one is refused"),
        source=f"{_EPUB3}, 5.5.3.2",
    ),
    "main-title": Words(
        mends=N_("of several titles one is the main one"),
        reason=N_("Amazon shows them all in a row, or the wrong one"),
        source=f"{_EPUB3}, D.3.12 (title-type)",
    ),
    "cover": Words(
        mends=N_("the cover is said to be the cover, in the ways of EPUB 2 and 3"),
        reason=N_("without it the library shows a grey page"),
        source=f"{_KPG}, “Cover image”",
    ),
    "hidden-text": Words(
        mends=N_("more than 10,000 characters of hidden text are shown"),
        reason=N_("Amazon refuses a book with more"),
        source=f"{_KPG}, “display:none”",
    ),
    "page-titles": Words(
        mends=N_("every page has a title in its head"),
        reason=N_("XHTML wants one"),
        source="HTML 4.2.2; epubcheck RSC-017",
    ),
    "properties": Words(
        mends=N_("the list says of changed pages what is still true of them"),
        reason=N_("what was taken out above needs no mention"),
        source=f"{_EPUB3}, 5.6.2.2; epubcheck OPF-015, OPF-018",
    ),
}
"""By the name of the rule, in the order in which they are tried."""

RECIPE_WORDS: Final = {
    "fit": N_("made small enough for a mail"),
    "epub": N_("made an EPUB of another format"),
    "calibre": N_("made an EPUB of another format, by calibre"),
    "minimal": N_("what Amazon is known to refuse was mended"),
    "rebuilt": N_("the package and the table of contents were made anew; the pages stayed"),
    "retypeset": N_("every page was set anew: words, pictures and links, in our own style"),
    "docx": N_("written as a Word document"),
    "split": N_("sent in parts"),
}


def rules_page() -> str:
    """`docs/kindle-rules.md`: `python -m core.books.kindle.words > docs/kindle-rules.md`."""
    rows = "\n".join(
        f"| `{name}` | {words.mends} | {words.reason} | {words.source} |" for name, words in RULE_WORDS.items()
    )
    return (
        "# What is mended in books for Kindles\n\n"
        "Made of the table in `core/books/kindle/words.py`; a test keeps them equal. The rules are tried in this\n"
        "order. None may cost a letter of the text or a picture: one that would is taken back. What you mailed is\n"
        "never changed; `why <book>` mails which rules were used on a book.\n\n"
        f"| rule | what is so afterwards | why | where that is said |\n|---|---|---|---|\n{rows}\n"
    )


if __name__ == "__main__":
    sys.stdout.write(rules_page())
