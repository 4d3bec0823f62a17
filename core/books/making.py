"""EPUBs that we make ourselves, by ebooklib and a recipe that epubcheck calls clean. Never for books given to us."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from html import escape
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ebooklib.epub import EpubBook, EpubHtml

STYLE = """
body { font-family: serif; line-height: 1.45; margin: 0 4%; }
h1 { font-size: 1.5em; line-height: 1.2; margin: 1.2em 0 0.6em; text-align: left; }
h2 { font-size: 1.2em; margin: 1.2em 0 0.4em; }
p { margin: 0 0 0.7em; }
code, pre { font-family: monospace; font-size: 0.95em; }
pre { margin: 0.4em 0 0.9em 1em; white-space: pre-wrap; }
blockquote { margin: 0.6em 1.2em; font-style: italic; }
img { max-width: 100%; }
table { border-collapse: collapse; margin: 0.6em 0; }
td, th { border-bottom: 1px solid #999; padding: 0.2em 0.8em 0.2em 0; text-align: left; vertical-align: top; }
.quiet { color: #555; font-size: 0.9em; }
nav + nav { display: none; } /* the landmarks are for machines */
"""
RIGHT_TO_LEFT: Final = frozenset({"ar", "arc", "ckb", "dv", "fa", "he", "ks", "ps", "sd", "ug", "ur", "yi"})
_PAGE = """<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops" {language}>
<head><title>{title}</title><link href="style.css" rel="stylesheet" type="text/css"/></head>
<body>{body}</body>
</html>
"""
_ACCESS: Final = (  # Schema.org's words (EPUB Accessibility 1.1, 2.2) for what is true of every book of ours
    ("accessMode", "textual"),
    ("accessModeSufficient", "textual"),
    ("accessibilityFeature", "tableOfContents"),
    ("accessibilityFeature", "structuralNavigation"),
    ("accessibilityHazard", "none"),
)


@dataclass(frozen=True, slots=True)
class Picture:
    """A file that chapters show: `name` is what their `src` says (`pictures/3.jpg`)."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Chapter:
    """A page. `body` is what stands inside `<body>`: well-formed XHTML, never empty, links local or http(s)/mailto."""

    name: str
    """File name without ending: ASCII letters, digits and hyphens, unique in the book."""
    title: str
    body: str
    section: str = ""
    """Chapters in a row with the same section stand under it in the contents."""


@dataclass(frozen=True, slots=True)
class BookPlan:
    """All that goes into a book. Texts are without control characters."""

    title: str
    chapters: Sequence[Chapter]
    modified_at: datetime
    authors: Sequence[str] = ("Inkpost",)
    language: str = "en"
    description: str = ""
    cover: bytes | None = None
    """JPEG."""
    pictures: Iterable[Picture] = ()
    identifier: str = field(default="")
    """`urn:uuid:…`; made of the title and the date where empty, so that the same plan is the same book."""
    dated: date | None = None
    """The day that it says it is of; that of `modified_at` where None."""
    style: str = ""
    """CSS, after `STYLE`."""
    contents_page: str = ""
    """The chapter that is a table of contents itself; where "", one is put before the first chapter."""


def make_epub(plan: BookPlan, *, path: Path) -> None:
    """Write the book as EPUB 3 with an NCX for older readers. Blocks; `path` is there whole or not at all."""
    from ebooklib import epub  # takes a third of a second to import, and few processes make books

    from core.books.packing import Packer, Page

    book = epub.EpubBook()
    _describe(book, plan)
    style = epub.EpubItem(
        uid="style", file_name="style.css", media_type="text/css", content=(STYLE + plan.style).encode()
    )
    book.add_item(style)
    for number, picture in enumerate(plan.pictures, start=1):
        book.add_item(epub.EpubImage(f"picture-{number}", picture.name, picture.media_type, picture.content))
    pages = [
        Page(uid=chapter.name, file_name=f"{chapter.name}.xhtml", title=chapter.title, content=_page(chapter, plan))
        for chapter in plan.chapters
    ]
    for page in pages:
        book.add_item(page)
    book.toc = [
        entry
        for section, group in groupby(zip(plan.chapters, pages, strict=True), key=lambda pair: pair[0].section)
        for entry in _contents(section, [page for _, page in group])
    ]
    book.add_item(epub.EpubNcx())
    nav = epub.EpubNav(direction=direction_of(plan.language))
    nav.add_item(style)
    book.add_item(nav)
    # The contents first: it is the page that Kindle shows for "table of contents".
    book.spine = pages if plan.contents_page else ["nav", *pages]
    contents = f"{plan.contents_page}.xhtml" if plan.contents_page else nav.file_name
    book.guide = [
        {"type": "toc", "title": "Contents", "href": contents},
        {"type": "text", "title": "Beginning", "href": pages[0].file_name},
    ]
    unfinished = path.with_name(path.name + ".part")
    Packer(unfinished, book, modified_at=plan.modified_at.astimezone(UTC)).write()
    os.replace(unfinished, path)


def direction_of(language: str) -> str | None:
    """`rtl` for languages that are written so; None for others."""
    return "rtl" if language.lower().partition("-")[0] in RIGHT_TO_LEFT else None


def _describe(book: EpubBook, plan: BookPlan) -> None:
    book.set_identifier(plan.identifier or _identifier(plan))
    book.set_title(plan.title)
    book.set_language(plan.language)
    if direction := direction_of(plan.language):
        book.set_direction(direction)
    for number, author in enumerate(plan.authors, start=1):
        book.add_author(author, uid=f"creator-{number}")
    book.add_metadata("DC", "date", (plan.dated or plan.modified_at.date()).isoformat())
    if plan.description:
        book.add_metadata("DC", "description", plan.description)
    for name, value in _ACCESS:
        book.add_metadata(None, "meta", value, {"property": f"schema:{name}"})
    if plan.cover is not None:
        # The page that ebooklib would make for it is not in the linear order: epubcheck's OPF-096.
        book.set_cover("cover.jpg", plan.cover, create_page=False)


def _page(chapter: Chapter, plan: BookPlan) -> bytes:
    direction = direction_of(plan.language)
    language = f'lang="{plan.language}" xml:lang="{plan.language}"' + (f' dir="{direction}"' if direction else "")
    return _PAGE.format(language=language, title=escape(chapter.title), body=chapter.body).encode()


def _contents(section: str, pages: list[EpubHtml]) -> list[Any]:
    from ebooklib import epub

    if not section:
        return [*pages]
    return [(epub.Section(section, href=pages[0].file_name), pages)]


def _identifier(plan: BookPlan) -> str:
    return uuid.uuid5(uuid.NAMESPACE_URL, f"inkpost:{plan.title}:{plan.modified_at.isoformat()}").urn
