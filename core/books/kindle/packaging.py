"""Rules for the container and the package document: what the archive holds, in which order, and of which kind."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import Final

from lxml import etree

from core.books.kindle.references import hrefs, local_references, read_style, style_hrefs
from core.books.kindle.trees import add_item, element_ids, item_element, manifest_items, remove, spine_refs
from core.books.kindle.working import CONTAINER, NCX_TYPE, Copy, Item, Patch, is_loaded_from_afar, is_remote, relative
from core.books.kindle.zipping import MIMETYPE
from core.books.xml import attribute, find, local_name
from core.i18n import _

_CONTAINER: Final = """<?xml version="1.0" encoding="utf-8"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="{}" media-type="application/oebps-package+xml"/></rootfiles>
</container>
"""
_BY_SUFFIX: Final = {
    ".xhtml": "application/xhtml+xml",
    ".html": "application/xhtml+xml",
    ".htm": "application/xhtml+xml",
    ".css": "text/css",
    ".ncx": NCX_TYPE,
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".gif": "image/gif",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
    ".avif": "image/avif",
    ".ttf": "font/ttf",
    ".otf": "font/otf",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".js": "application/javascript",
    ".mp3": "audio/mpeg",
    ".m4a": "audio/mp4",
    ".mp4": "video/mp4",
    ".smil": "application/smil+xml",
}
_SIGNATURES: Final = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF8", "image/gif"),
)
_TRUE_OF: Final = frozenset(
    {"", "application/octet-stream", "text/plain", "binary/octet-stream", "image/jpg", "image/*"}
)
"""Media types that say nothing, or are none."""


def make_directory(book: Copy, patch: Patch) -> None:
    """The archive's own, at its end: `core.books.salvage` has read the members without it, and a copy has one."""
    if book.members.is_salvaged:
        patch.tell(
            "", _("the list of its parts at the end of the file was broken, and was made anew; every part is whole")
        )


def store_mimetype(book: Copy, patch: Patch) -> None:
    """The first member, stored, and these 20 bytes."""
    if "mimetype" not in book:
        fault = _("the file “mimetype” was missing")
    elif book.read("mimetype") != MIMETYPE:
        fault = _("the file “mimetype” held something else")
    elif not book.members.is_first_and_stored("mimetype"):
        fault = _("the file “mimetype” was not the first one, or compressed")
    else:
        return
    patch.files["mimetype"] = MIMETYPE
    patch.tell("mimetype", fault)


def name_package(book: Copy, patch: Patch) -> None:
    """A container that leads to the package document."""
    package = book.package_name
    tree = book.tree(CONTAINER) if CONTAINER in book else None
    named = [] if tree is None else [element for element in tree.iter() if local_name(element) == "rootfile"]
    if not any(attribute(element, "full-path") == package for element in named):
        patch.files[CONTAINER] = _CONTAINER.format(package).encode()
        patch.tell(CONTAINER, _("the container did not lead to the list of the book's parts"))


def drop_missing_items(book: Copy, patch: Patch) -> None:
    """Entries of the manifest whose file is not there, or empty, and what names them."""
    empty = {
        item.name
        for item in book.package.items
        if item.name and (item.is_page or item.is_picture) and not _has_content(book, item.name)
    }
    gone = [item for item in book.package.items if not is_remote(item.href) and (not item.name or item.name in empty)]
    if not gone or len(gone) == len(book.package.items):
        return
    root = patch.edit(book.package.name)
    for item in gone:
        remove(item_element(root, item.id))
        told = _("“{file}” was listed and was empty") if item.name else _("“{file}” was listed and was not in the book")
        patch.tell(book.package.name, told.format(file=item.href))
    patch.removed |= empty
    ids = {item.id for item in gone}
    for element in list(root.iter()):
        for key in ("fallback", "media-overlay"):
            if local_name(element) == "item" and attribute(element, key) in ids:
                del element.attrib[key]
        if (
            local_name(element) == "meta"
            and attribute(element, "name") == "cover"
            and attribute(element, "content") in ids
        ):
            remove(element)
    _drop_refs(root, ids)
    patch.removed -= {item.name for item in book.package.items if item not in gone}


def drop_remote_items(book: Copy, patch: Patch) -> None:
    """Entries of the manifest for files on the network that nothing in the book names any more."""
    listed = [item for item in book.package.items if is_loaded_from_afar(item.href)]
    if not listed:
        return
    named = {href for document in book.documents for _, href in hrefs(book, document)}
    named |= {href for style in book.styles for href in style_hrefs(read_style(book, style))}
    for item in listed:
        if item.href not in named:
            remove(item_element(patch.edit(book.package.name), item.id))
            patch.tell(
                book.package.name,
                _("“{file}” was listed, is on the network, and is not shown").format(file=item.href[:60]),
            )


def _has_content(book: Copy, name: str) -> bool:
    size = book.size_of(name)
    return size > 0 and (size > 64 or bool(book.read(name).strip()))


def _drop_refs(root: etree._Element, ids: set[str]) -> None:
    for ref in spine_refs(root):
        if attribute(ref, "idref") in ids:
            remove(ref)


def list_once(book: Copy, patch: Patch) -> None:
    """Each file once in the manifest, each id once."""
    seen: dict[str, Item] = {}
    ids: set[str] = set()
    places: list[tuple[int, Item, Item | None]] = []
    for place, item in enumerate(book.package.items):
        if item.name and item.name in seen:
            places.append((place, item, seen[item.name]))
        elif item.id in ids or not item.id:
            places.append((place, item, None))
        else:
            ids.add(item.id)
            seen.setdefault(item.name, item)
    if not places:
        return
    root = patch.edit(book.package.name)
    listed = manifest_items(root)
    taken = set(element_ids(root))
    for place, item, first in places:
        if first is not None:
            remove(listed[place])
            for ref in spine_refs(root):
                if attribute(ref, "idref") == item.id and item.id != first.id:
                    ref.set("idref", first.id)
            patch.tell(book.package.name, _("“{file}” was listed twice").format(file=item.href))
        else:
            fresh = next(name for n in range(2, 100_000) if (name := f"item-{n}") not in taken)
            taken.add(fresh)
            listed[place].set("id", fresh)
            patch.tell(book.package.name, _("“{file}” had no id, or that of another file").format(file=item.href))


def mend_spine(book: Copy, patch: Patch) -> None:
    """A reading order of chapters that are there, each once; where there is none, that of the manifest."""
    ids = {item.id for item in book.package.items}
    wrong = [
        place
        for place, idref in enumerate(book.package.spine)
        if idref not in ids or idref in book.package.spine[:place]
    ]
    is_empty = len(wrong) == len(book.package.spine)
    pages = [item for item in book.package.items if item.is_page and item.name and "nav" not in item.properties]
    if not wrong and not (is_empty and pages):
        return
    root = patch.edit(book.package.name)
    refs = spine_refs(root)
    for place in wrong:
        remove(refs[place])
        patch.tell(
            book.package.name,
            _("the reading order named “{chapter}”, a chapter that is not there or was named before").format(
                chapter=book.package.spine[place]
            ),
        )
    if is_empty and pages:
        _fill_spine(root, pages)
        patch.tell(book.package.name, _("the reading order was empty"))


def _fill_spine(root: etree._Element, pages: list[Item]) -> None:
    spine = find(root, "spine")
    space = etree.QName(root).namespace
    prefix = f"{{{space}}}" if space else ""
    if spine is None:
        spine = etree.SubElement(root, f"{prefix}spine")
    for item in pages:
        etree.SubElement(spine, f"{prefix}itemref").set("idref", item.id)


def list_used_files(book: Copy, patch: Patch) -> None:
    """Files that pages and styles show, and the manifest does not name."""
    listed = {item.name for item in book.package.items}
    wanted = dict.fromkeys(
        name
        for document in (*book.documents, *book.styles)
        for name in local_references(book, document)
        if name not in listed and not name.startswith("META-INF/") and name != book.package.name
    )
    if not wanted:
        return
    for name in wanted:
        suffix = posixpath.splitext(name)[1].lower()
        media_type = _sniffed(book, name) or _BY_SUFFIX.get(suffix)
        if media_type is None:
            continue
        href = relative(name, base=book.package.name)
        add_item(patch.edit(book.package.name), item_id=_id_of(name), href=href, media_type=media_type)
        patch.tell(book.package.name, _("“{file}” is shown, and was not listed").format(file=name))


def _id_of(name: str) -> str:
    return "added-" + re.sub(r"[^A-Za-z0-9.-]", "-", posixpath.basename(name))


def mend_media_types(book: Copy, patch: Patch) -> None:
    """Of each file what its first bytes say, or its name where the manifest says nothing."""
    for item, media_type in _wrong_types(book):
        root = patch.edit(book.package.name)
        item_element(root, item.id).set("media-type", media_type)
        told = _("“{file}” is {kind}, not {listed}") if item.media_type else _("“{file}” is {kind}, not of no kind")
        patch.tell(book.package.name, told.format(file=item.href, kind=media_type, listed=item.media_type))


def _wrong_types(book: Copy) -> Iterator[tuple[Item, str]]:
    for item in book.package.items:
        if not item.name:
            continue
        suffix = posixpath.splitext(item.name)[1].lower()
        known = _BY_SUFFIX.get(suffix, "")
        is_raster = item.media_type in ("image/jpeg", "image/png", "image/gif")
        if is_raster or item.media_type in _TRUE_OF or (known.startswith("image/") and not item.is_picture):
            true = _sniffed(book, item.name) or ("" if is_raster else known)
        elif item.media_type == "text/html" or (known and item.media_type == "text/xml"):
            true = (
                "application/xhtml+xml"
                if book.tree(item.name) is not None and item.media_type == "text/html"
                else known
            )
        elif (known in (NCX_TYPE, "text/css") and item.media_type != known) or (
            known == "application/xhtml+xml"
            and item.media_type
            in (
                "application/xml",
                "text/xhtml",
                "application/html",
            )
        ):
            true = known
        else:
            continue
        if true and true != item.media_type:
            yield item, true


def _sniffed(book: Copy, name: str) -> str | None:
    if book.size_of(name) > book.members.limits.picture_bytes:
        return None
    if not name.lower().endswith((".jpg", ".jpeg", ".png", ".gif", ".webp", ".avif", ".bin", ".bmp")) and "." in name:
        return None
    data = book.read(name)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data[4:12] in (b"ftypavif", b"ftypavis"):
        return "image/avif"
    return next((media_type for start, media_type in _SIGNATURES if data.startswith(start)), None)


def name_contents(book: Copy, patch: Patch) -> None:
    """The spine's `toc` names the NCX (OPF 2.0.1, 2.4.1)."""
    ncx = next((item for item in book.package.items if item.media_type == NCX_TYPE and item.name), None)
    spine = find(book.package.root, "spine")
    if spine is None:
        return
    named = attribute(spine, "toc")
    if ncx is not None and named != ncx.id:
        spine_of(patch, book).set("toc", ncx.id)
        patch.tell(book.package.name, _("the reading order did not name the table of contents"))
    elif ncx is None and named:
        del spine_of(patch, book).attrib["toc"]
        patch.tell(
            book.package.name,
            _("the reading order named “{contents}”, a table of contents that is not there").format(contents=named),
        )


def spine_of(patch: Patch, book: Copy) -> etree._Element:
    """The spine to be changed."""
    spine = find(patch.edit(book.package.name), "spine")
    assert spine is not None
    return spine
