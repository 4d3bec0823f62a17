"""EPUBs that we make ourselves, by ebooklib and a recipe that epubcheck calls clean. Never for books given to us."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ebooklib.epub import EpubHtml

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
"""


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
    """All that goes into a book."""

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


def make_epub(plan: BookPlan, *, path: Path) -> None:
    """Write the book as EPUB 3 with an NCX for older readers. Blocks; `path` is there whole or not at all."""
    from ebooklib import epub  # takes a third of a second to import, and few processes make books

    book = epub.EpubBook()
    book.set_identifier(plan.identifier or _identifier(plan))
    book.set_title(plan.title)
    book.set_language(plan.language)
    for author in plan.authors:
        book.add_author(author)
    book.add_metadata("DC", "date", plan.modified_at.date().isoformat())
    if plan.description:
        book.add_metadata("DC", "description", plan.description)
    if plan.cover is not None:
        # The page that ebooklib would make for it is not in the linear order: epubcheck's OPF-096.
        book.set_cover("cover.jpg", plan.cover, create_page=False)
    style = epub.EpubItem(uid="style", file_name="style.css", media_type="text/css", content=STYLE.encode())
    book.add_item(style)
    for number, picture in enumerate(plan.pictures, start=1):
        book.add_item(
            epub.EpubImage(
                uid=f"picture-{number}",
                file_name=picture.name,
                media_type=picture.media_type,
                content=picture.content,
            )
        )
    pages = []
    for chapter in plan.chapters:
        page = epub.EpubHtml(
            uid=chapter.name, title=chapter.title, file_name=f"{chapter.name}.xhtml", lang=plan.language
        )
        page.content = f"<html><head></head><body>{chapter.body}</body></html>"
        page.add_item(style)
        book.add_item(page)
        pages.append(page)
    book.toc = [
        entry
        for section, group in groupby(zip(plan.chapters, pages, strict=True), key=lambda pair: pair[0].section)
        for entry in _contents(section, [page for _, page in group])
    ]
    book.add_item(epub.EpubNcx())
    book.add_item(epub.EpubNav())
    book.spine = ["nav", *pages]  # the contents first: it is the page that Kindle shows for "table of contents"
    unfinished = path.with_name(path.name + ".part")
    epub.write_epub(unfinished, book, {"raise_exceptions": True, "mtime": plan.modified_at})
    os.replace(unfinished, path)


def _contents(section: str, pages: list[EpubHtml]) -> list[Any]:
    from ebooklib import epub

    if not section:
        return [*pages]
    return [(epub.Section(section, href=pages[0].file_name), pages)]


def _identifier(plan: BookPlan) -> str:
    return uuid.uuid5(uuid.NAMESPACE_URL, f"inkpost:{plan.title}:{plan.modified_at.isoformat()}").urn
