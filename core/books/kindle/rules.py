"""The table of the rules, in the order in which they are tried, each with its reason and where that is said.

`docs/kindle-rules.md` is made of this table. A new rule is a function of a copy and a patch, a row here, and a test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from core.books.kindle import artwork, contents, fonts, metadata, packaging, pages, references, styles, wellformed
from core.books.kindle.working import Copy, Patch

# Where reasons are from. KPG: Amazon's Kindle Publishing Guidelines. OCF, OPF, NCX, XHTML: the EPUB standards.
_FIX = "kindle-epub-fix, README: uploads refused with E999"
_CWA = "Calibre-Web-Automated, EPUB fixer and issues 382, 920"
_OCF, _EPUB3, _OPF2 = "EPUB 3.3, 4 (OCF)", "EPUB 3.3", "OPF 2.0.1"
_KPG = "Kindle Publishing Guidelines"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A fault, and its cure."""

    name: str
    """Stable: it stands in rows and in what an operator reads."""
    mends: str
    """What is changed, for the person whose book it is."""
    reason: str
    """Why, for the same."""
    source: str
    apply: Callable[[Copy, Patch], None]
    """Pure: reads the copy, fills the patch."""


RULES: Final = (
    Rule(
        name="mimetype",
        mends="the first file of the EPUB is its “mimetype”, stored",
        reason="a file is known for an EPUB by its first 58 bytes",
        source=f"{_OCF} 4.2.2 and 4.3; epubcheck PKG-006, PKG-007",
        apply=packaging.store_mimetype,
    ),
    Rule(
        name="encoding",
        mends="every document is UTF-8 and says so",
        reason="Amazon reads a document that does not name its encoding as ISO-8859-1, and letters are garbled",
        source=f"{_FIX}; EPUB 3.3, 3.9",
        apply=wellformed.declare_encoding,
    ),
    Rule(
        name="controls",
        mends="characters that XML forbids are taken out",
        reason="a document with one of them is read by no XML parser",
        source="XML 1.0, 2.2",
        apply=wellformed.drop_controls,
    ),
    Rule(
        name="comment-hyphens",
        mends="comments with “--” inside are taken out",
        reason="XML forbids them, and Amazon refuses the book",
        source="XML 1.0, 2.5; kindle-epub-fix, issues",
        apply=wellformed.mend_comments,
    ),
    Rule(
        name="named-characters",
        mends="HTML's names for characters, and single “&”, are written as XML has them",
        reason="XML knows five such names; with any other the page is not read",
        source="XML 1.0, 4.1; epubcheck RSC-016",
        apply=wellformed.name_characters,
    ),
    Rule(
        name="package-syntax",
        mends="the list of the book's parts is well-formed XML",
        reason="without it there is no book",
        source=f"{_EPUB3}, 5",
        apply=wellformed.rebuild_package,
    ),
    Rule(
        name="container",
        mends="the container leads to the list of the book's parts",
        reason="it is where every reader begins",
        source=f"{_OCF} 4.2.6.3.1",
        apply=packaging.name_package,
    ),
    Rule(
        name="media-types",
        mends="every file is listed as the kind that it is",
        reason="Amazon's converter goes by the list and not by the file",
        source=f"{_EPUB3}, 3.2; epubcheck OPF-029",
        apply=packaging.mend_media_types,
    ),
    Rule(
        name="page-syntax",
        mends="pages are well-formed XHTML",
        reason="a page that is none ends the conversion",
        source=f"{_EPUB3}, 6.1; epubcheck RSC-016",
        apply=wellformed.rebuild_pages,
    ),
    Rule(
        name="doctype",
        mends="pages say of which HTML they are as their EPUB has it",
        reason="the document types of older versions are known to no parser of EPUB 3",
        source=f"{_EPUB3}, 6.1.2; epubcheck HTM-004",
        apply=wellformed.mend_doctype,
    ),
    Rule(
        name="entities",
        mends="entities of a document's own are put in place, those of other files taken out",
        reason="Amazon's converter reads no DTD, and nobody is to read files of the reader's machine",
        source=f"{_EPUB3}, 3.9 (no external entities)",
        apply=wellformed.drop_entities,
    ),
    Rule(
        name="paths",
        mends="names of files are written as the files are called: case, slashes, escapes, relative to the page",
        reason="Amazon's converter runs where case counts, and looks into the book only",
        source=f"{_OCF} 4.2.5; epubcheck RSC-001, RSC-026",
        apply=references.mend_paths,
    ),
    Rule(
        name="listed-once",
        mends="every file is listed once, under an id of its own",
        reason="the reading order names files by id",
        source=f"{_EPUB3}, 5.6.2; epubcheck OPF-074",
        apply=packaging.list_once,
    ),
    Rule(
        name="missing-files",
        mends="files that are not there, or empty, are listed no more",
        reason="the converter stops at a file that it does not find",
        source=f"{_FIX}; epubcheck RSC-001",
        apply=packaging.drop_missing_items,
    ),
    Rule(
        name="unlisted-files",
        mends="files that pages show are listed",
        reason="what is not listed is not taken along",
        source=f"{_EPUB3}, 5.6.1; epubcheck RSC-008",
        apply=packaging.list_used_files,
    ),
    Rule(
        name="reading-order",
        mends="the reading order names chapters that are there, each once",
        reason="the converter stops at a chapter that it does not find",
        source=f"{_EPUB3}, 5.7; epubcheck OPF-049, OPF-034",
        apply=packaging.mend_spine,
    ),
    Rule(
        name="fonts",
        mends="obfuscated fonts are as they were before",
        reason="Amazon takes a book with an encryption.xml for a protected one",
        source=f"{_EPUB3}, 4.3; {_CWA}",
        apply=fonts.reveal_fonts,
    ),
    Rule(
        name="picture-kinds",
        mends="WebP, AVIF, BMP and TIFF pictures become JPEG or PNG",
        reason="Kindles show JPEG, PNG and GIF",
        source=f"{_KPG}, “Supported image formats”",
        apply=artwork.convert_pictures,
    ),
    Rule(
        name="vector-pictures",
        mends="SVG files that are shown as pictures become PNG",
        reason="books with them come back with E999",
        source="Quarto and kindle-epub-fix, issues on E999",
        apply=artwork.draw_vectors,
    ),
    Rule(
        name="photographs",
        mends="JPEGs in printing colours, or cut short, are written anew",
        reason="Kindles show three colours, and the converter stops at half a file",
        source=f"{_KPG}, “CMYK is not supported”",
        apply=artwork.mend_photographs,
    ),
    Rule(
        name="file-names",
        mends="files have names of ASCII letters, digits, “.”, “_” and “-”",
        reason="others are written in too many ways to be found again",
        source=f"{_OCF} 4.2.4; epubcheck PKG-010, PKG-012",
        apply=references.plain_names,
    ),
    Rule(
        name="styles",
        mends="variables are put in place; fonts, pictures and sheets that are not in the book are named no more",
        reason="books with variables come back with E999, and nothing is loaded from the network",
        source="Quarto, issues on E999; epubcheck RSC-007, RSC-031",
        apply=styles.mend_styles,
    ),
    Rule(
        name="scripts",
        mends="scripts are taken out",
        reason="Kindles run none",
        source=f"{_KPG}, “Scripting is not supported”",
        apply=pages.drop_scripts,
    ),
    Rule(
        name="remote-files",
        mends="pictures and styles on the network are taken out",
        reason="nobody loads them, and a book that names them is refused",
        source=f"{_EPUB3}, 3.6; epubcheck RSC-006",
        apply=pages.drop_remote,
    ),
    Rule(
        name="remote-entries",
        mends="files on the network that are not shown are listed no more",
        reason="a book that lists them is refused",
        source=f"{_EPUB3}, 3.6; epubcheck RSC-006",
        apply=packaging.drop_remote_items,
    ),
    Rule(
        name="pictures",
        mends="pictures without an address, or of files that are not there, are taken out",
        reason="the converter stops at them",
        source=f"{_FIX}; epubcheck RSC-007",
        apply=pages.mend_pictures,
    ),
    Rule(
        name="picture-texts",
        mends="every picture has a text in place of it",
        reason="an empty one is reported to end in E21018",
        source="kindle-epub-fix, pull requests 24 and 25",
        apply=pages.fill_alt,
    ),
    Rule(
        name="explorer-comments",
        mends="comments for Internet Explorer are taken out",
        reason="books with them come back with E999",
        source="kindle-epub-fix, issues",
        apply=wellformed.drop_conditional_comments,
    ),
    Rule(
        name="leftovers",
        mends="attributes of Amazon's own tools, and of EPUB 3 in EPUB 2, are taken out",
        reason="they are known in neither, and refused",
        source=f"{_FIX} (data-AmznRemoved)",
        apply=pages.drop_leftovers,
    ),
    Rule(
        name="double-ids",
        mends="an id stands once in a page",
        reason="links lead to one place",
        source="XML 1.0, 3.3.1; epubcheck RSC-005",
        apply=pages.drop_double_ids,
    ),
    Rule(
        name="body-links",
        mends="links to the id of a whole page lead to the page",
        reason="Amazon does not find the id of a body and refuses the book",
        source=_FIX,
        apply=pages.unlink_body,
    ),
    Rule(
        name="links",
        mends="links lead to what is there",
        reason="the converter stops at links to files that are not there",
        source="epubcheck RSC-007, RSC-012, RSC-020",
        apply=pages.mend_links,
    ),
    Rule(
        name="contents",
        mends="there is a table of contents",
        reason="Kindles and Amazon's converter want one",
        source=f"{_KPG}, “Table of contents”; epubcheck RSC-005",
        apply=contents.make_contents,
    ),
    Rule(
        name="contents-targets",
        mends="the entries of the contents (NCX) lead to what is there",
        reason="the converter stops at those that do not",
        source=f"{_FIX}; epubcheck RSC-007, RSC-012",
        apply=contents.mend_ncx_targets,
    ),
    Rule(
        name="contents-order",
        mends="the entries of the contents (NCX) have ids and names, and count up",
        reason="it is how they are put in order",
        source=f"{_OPF2}, 2.4.1.2",
        apply=contents.mend_ncx_order,
    ),
    Rule(
        name="contents-named",
        mends="the reading order names the contents (NCX)",
        reason="without it EPUB 2 has no contents",
        source=f"{_OPF2}, 2.4.1",
        apply=packaging.name_contents,
    ),
    Rule(
        name="identifier",
        mends="the book has an identifier, and says which is its own",
        reason="the converter knows books by it",
        source=f"{_EPUB3}, 5.5.3.1; epubcheck OPF-030, OPF-048",
        apply=metadata.mend_identifier,
    ),
    Rule(
        name="contents-identifier",
        mends="the contents (NCX) name the identifier of the book",
        reason="another one is that of another book",
        source=f"{_OPF2}, 2.4.1.1; epubcheck NCX-001",
        apply=contents.mend_ncx_identifier,
    ),
    Rule(
        name="language",
        mends="the language is one that there is, in the short form, and one only",
        reason="the most frequent cause of E999: Amazon knows languages by their two letters",
        source=f"{_FIX}; {_CWA}; WebToEpub, issue 1154",
        apply=metadata.mend_language,
    ),
    Rule(
        name="title",
        mends="the book has a title",
        reason="it is what the library shows, and an empty one is refused",
        source=f"{_EPUB3}, 5.5.3.2",
        apply=metadata.mend_title,
    ),
    Rule(
        name="main-title",
        mends="of several titles one is the main one",
        reason="Amazon shows them all in a row, or the wrong one",
        source=f"{_EPUB3}, D.3.12 (title-type)",
        apply=metadata.mark_main_title,
    ),
    Rule(
        name="cover",
        mends="the cover is said to be the cover, in the ways of EPUB 2 and 3",
        reason="without it the library shows a grey page",
        source=f"{_KPG}, “Cover image”",
        apply=metadata.name_cover,
    ),
    Rule(
        name="hidden-text",
        mends="more than 10,000 characters of hidden text are shown",
        reason="Amazon refuses a book with more",
        source=f"{_KPG}, “display:none”",
        apply=pages.show_hidden,
    ),
    Rule(
        name="page-titles",
        mends="every page has a title in its head",
        reason="XHTML wants one",
        source="HTML 4.2.2; epubcheck RSC-017",
        apply=pages.name_pages,
    ),
    Rule(
        name="properties",
        mends="the list says of changed pages what is still true of them",
        reason="what was taken out above needs no mention",
        source=f"{_EPUB3}, 5.6.2.2; epubcheck OPF-015, OPF-018",
        apply=pages.true_properties,
    ),
)
