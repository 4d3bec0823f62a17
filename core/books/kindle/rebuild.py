"""Books with a new package: what is read as it was, what lists it made anew. Whole, or in parts."""

from __future__ import annotations

import posixpath
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Final

from core.books.kindle.contents import Entry, nav_document, ncx_document, outline
from core.books.kindle.references import local_references
from core.books.kindle.working import NCX_TYPE, Copy, relative
from core.books.kindle.zipping import MIMETYPE, ZipWriter
from core.books.packing import STORED
from core.books.xml import attribute, elements_named, text_of

_CONTAINER: Final = """<?xml version="1.0" encoding="utf-8"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="{}" media-type="application/oebps-package+xml"/></rootfiles>
</container>
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What the new package says of the book."""

    title: str
    authors: tuple[str, ...] = ()
    language: str = "en"
    modified: str = "2026-01-01T00:00:00Z"
    """RFC 3339, UTC; fixed, so that the same book is the same file."""


def label_of(book: Copy, *, title: str = "", authors: Sequence[str] = ()) -> Label:
    """Of a book whose package was mended before; `title` and `authors` as its reader knows them."""
    root = book.package.root
    named = [text_of(one) for one in elements_named(root, "creator") if text_of(one)]
    return Label(
        title=title or next((text for one in elements_named(root, "title") if (text := text_of(one))), "Untitled"),
        authors=tuple(authors) or tuple(named),
        language=next((text for one in elements_named(root, "language") if (text := text_of(one))), "en"),
    )


def write_rebuilt(book: Copy, path: Path, *, label: Label, pages: Sequence[str] | None = None) -> None:
    """An EPUB of these pages (None: all that are read), with all that they show. It is of the version that the pages
    were written for, since XHTML is not the same in both."""
    read = [name for name in (book.read_pages if pages is None else pages) if name != book.nav]
    folder = f"{book.package.folder}/" if book.package.folder else ""
    package, nav, ncx = (_free(book, f"{folder}{name}") for name in ("package.opf", "contents.xhtml", "contents.ncx"))
    titles = {entry.name: entry.title for entry in outline(book)}
    entries = [Entry(name, titles.get(name, str(number))) for number, name in enumerate(read, start=1)]
    identifier = uuid.uuid5(uuid.NAMESPACE_URL, f"inkpost:{label.title}:{len(read)}:{_fingerprint(book, read)}").urn
    files = needed_files(book, read)
    listing = _package(book, files, read, package=package, nav=nav, ncx=ncx, label=label, identifier=identifier)
    with path.open("wb") as file, ZipWriter(file) as writer:
        writer.add("mimetype", MIMETYPE, is_stored=True)
        writer.add("META-INF/container.xml", _CONTAINER.format(escape(package)).encode())
        writer.add(package, listing)
        if book.package.is_epub3:
            writer.add(nav, nav_document(entries, base=nav))
        writer.add(ncx, ncx_document(entries, base=ncx, identifier=identifier, title=label.title))
        for name in files:
            origin = book.origin(name)
            if origin is not None:
                writer.copy(name, book.members.packed(origin))
            else:
                writer.add(name, book.read(name), is_stored=name.lower().endswith(STORED))


def needed_files(book: Copy, pages: Sequence[str]) -> list[str]:
    """The pages, and what they show: pictures, styles, what styles show; not the pages that they link to."""
    listed = {item.name: item for item in book.package.items if item.name}
    found = dict.fromkeys(pages)
    waiting = [*pages, *([cover] if (cover := cover_of(book)) else [])]
    found |= dict.fromkeys(waiting)
    while waiting:
        for name in local_references(book, waiting.pop()):
            item = listed.get(name)
            is_other_chapter = name in book.read_pages or name == book.nav
            if item is not None and not is_other_chapter and item.media_type != NCX_TYPE and name not in found:
                found[name] = None
                waiting.append(name)
    return list(found)


def cover_of(book: Copy) -> str | None:
    """The file of the picture that is said to be the cover."""
    metas = elements_named(book.package.root, "meta")
    named = {attribute(meta, "content") for meta in metas if attribute(meta, "name") == "cover"}
    covers = (
        item.name
        for item in book.package.items
        if item.is_picture and item.name and ("cover-image" in item.properties or item.id in named)
    )
    return next(covers, None)


def _package(
    book: Copy,
    files: Sequence[str],
    read: Sequence[str],
    *,
    package: str,
    nav: str,
    ncx: str,
    label: Label,
    identifier: str,
) -> bytes:
    kinds = {item.name: item for item in book.package.items if item.name}
    cover, is_new = cover_of(book), book.package.is_epub3
    items, ids = [], {}
    for number, name in enumerate(files, start=1):
        ids[name] = f"file-{number}"
        properties = sorted(kinds[name].properties & {"svg", "mathml", "scripted", "switch", "remote-resources"})
        properties += ["cover-image"] if name == cover else []
        items.append(_item(ids[name], name, kinds[name].media_type, properties if is_new else [], package=package))
    if is_new:
        items.append(_item("nav", nav, "application/xhtml+xml", ["nav"], package=package))
    items.append(_item("ncx", ncx, NCX_TYPE, [], package=package))
    creators = "".join(f"<dc:creator>{escape(author)}</dc:creator>\n" for author in label.authors)
    covered = f'<meta name="cover" content="{ids[cover]}"/>\n' if cover in ids else ""
    spine = "\n".join(f'<itemref idref="{ids[name]}"/>' for name in read)
    direction = attribute(next(iter(elements_named(book.package.root, "spine"))), "page-progression-direction")
    turned = f' page-progression-direction="{direction}"' if direction in ("ltr", "rtl") and is_new else ""
    version = "3.0" if is_new else "2.0"
    modified = f'<meta property="dcterms:modified">{label.modified}</meta>\n' if is_new else ""
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<package xmlns="http://www.idpf.org/2007/opf" version="{version}" unique-identifier="book-id">\n'
        '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">\n'
        f'<dc:identifier id="book-id">{escape(identifier)}</dc:identifier>\n'
        f"<dc:title>{escape(label.title)}</dc:title>\n"
        f"{creators}<dc:language>{escape(label.language)}</dc:language>\n"
        f"{modified}{covered}"
        f"</metadata>\n<manifest>\n{chr(10).join(items)}\n</manifest>\n"
        f'<spine toc="ncx"{turned}>\n{spine}\n</spine>\n</package>\n'
    ).encode()


def _item(item_id: str, name: str, media_type: str, properties: Sequence[str], *, package: str) -> str:
    said = f' properties="{" ".join(properties)}"' if properties else ""
    return (
        f'<item id="{item_id}" href="{escape(relative(name, base=package))}" media-type="{escape(media_type)}"{said}/>'
    )


def _free(book: Copy, name: str) -> str:
    stem, suffix = posixpath.splitext(name)
    names = (name, *(f"{stem}-{number}{suffix}" for number in range(2, 10_000)))
    return next(candidate for candidate in names if candidate not in book)


def _fingerprint(book: Copy, pages: Sequence[str]) -> str:
    return ",".join(f"{name}:{book.size_of(name)}" for name in pages)
