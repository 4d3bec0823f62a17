"""Looks at an EPUB as a strict reader would: whether everything that it names is there, and is what it is said to be.

Ours always runs; epubcheck, which knows all of the rules, runs in the tests where Java is there.
"""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from lxml.etree import _Element

_OPF: Final = "{http://www.idpf.org/2007/opf}"
_CONTAINER: Final = "{urn:oasis:names:tc:opendocument:xmlns:container}"
_XHTML: Final = "application/xhtml+xml"
_XML_TYPES: Final = frozenset({_XHTML, "application/x-dtbncx+xml", "image/svg+xml"})
_SIGNATURES: Final = {"image/jpeg": b"\xff\xd8\xff", "image/png": b"\x89PNG\r\n\x1a\n", "image/gif": b"GIF8"}


def check_paper(path: Path) -> list[str]:
    """What is wrong with the EPUB, a line each; [] if nothing is. Blocks."""
    try:
        with zipfile.ZipFile(path) as book:
            return list(_faults(book))
    except (zipfile.BadZipFile, OSError, KeyError, ValueError) as error:
        return [f"not an EPUB: {error}"]


def _faults(book: zipfile.ZipFile) -> Iterator[str]:
    from lxml import etree

    names = book.namelist()
    first = book.infolist()[0]
    if first.filename != "mimetype" or first.compress_type != zipfile.ZIP_STORED or first.extra:
        yield "mimetype is not the first entry, stored and bare"
    if book.read("mimetype") != b"application/epub+zip":
        yield "mimetype says something else"
    if len(set(names)) != len(names):
        yield "two entries have one name"
    container = etree.fromstring(book.read("META-INF/container.xml"))
    package_name = next(container.iter(f"{_CONTAINER}rootfile")).get("full-path", "")
    package = etree.fromstring(book.read(package_name))
    folder = posixpath.dirname(package_name)
    items = {item.get("id", ""): item for item in package.iter(f"{_OPF}item")}
    files = {posixpath.join(folder, unquote(item.get("href", ""))): item for item in items.values()}
    others = {"mimetype", "META-INF/container.xml", package_name}
    yield from (f"{name} is in the zip and not in the manifest" for name in sorted(set(names) - set(files) - others))
    yield from (f"{name} is in the manifest and not in the zip" for name in sorted(set(files) - set(names)))
    yield from _package_faults(package, items)
    trees: dict[str, _Element] = {}
    for name, item in files.items():
        if name not in names:
            continue
        media_type, content = item.get("media-type", ""), book.read(name)
        if media_type in _SIGNATURES and not content.startswith(_SIGNATURES[media_type]):
            yield f"{name} is not {media_type}"
        if media_type in _XML_TYPES:
            try:
                trees[name] = etree.fromstring(content, etree.XMLParser(huge_tree=True))
            except etree.XMLSyntaxError as error:
                yield f"{name} is not well-formed: {error}"
    yield from _link_faults(trees, set(names))


def _package_faults(package: _Element, items: Mapping[str, _Element]) -> Iterator[str]:
    if len(items) != len(list(package.iter(f"{_OPF}item"))):
        yield "two items of the manifest have one id"
    references = [item.get("idref") for item in package.iter(f"{_OPF}itemref")]
    yield from (f"the spine names {one}, which is not in the manifest" for one in references if one not in items)
    if not references:
        yield "the spine is empty"
    properties = [word for item in items.values() for word in item.get("properties", "").split()]
    if properties.count("nav") != 1:
        yield "there is not exactly one navigation document"
    if properties.count("cover-image") > 1:
        yield "there is more than one cover"
    unique = package.get("unique-identifier")
    if not any(element.get("id") == unique and (element.text or "").strip() for element in package.iter()):
        yield "the unique identifier is missing"


def _link_faults(trees: Mapping[str, _Element], names: set[str]) -> Iterator[str]:
    """Addresses that lead nowhere, and pictures that are not in the book."""
    anchors = {name: {one.get("id") for one in tree.iter() if one.get("id")} for name, tree in trees.items()}
    for name, tree in trees.items():
        ids = [one.get("id") for one in tree.iter() if one.get("id")]
        if len(ids) != len(set(ids)):
            yield f"{name}: two elements have one id"
        for element in tree.iter():
            for attribute in ("href", "src"):
                target = element.get(attribute)
                if target is not None and (fault := _target_fault(name, target, attribute, anchors, names)):
                    yield f"{name}: {fault}"


def _target_fault(
    name: str, target: str, attribute: str, anchors: Mapping[str, set[str | None]], names: set[str]
) -> str | None:
    parts = urlsplit(target)
    if parts.scheme in ("http", "https", "mailto"):
        return f"{target} is not in the book" if attribute == "src" else None
    if parts.scheme:
        return f"{target} is no address that a book may have"
    place = posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(parts.path))) if parts.path else name
    if place not in names:
        return f"{target} leads nowhere"
    if parts.fragment and parts.fragment not in anchors.get(place, set()):
        return f"{target} leads to no place in {place}"
    return None
