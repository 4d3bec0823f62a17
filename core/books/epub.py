"""EPUB 2 and 3 (OCF container, package document): metadata and cover, nothing unpacked that is not asked for."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from lxml import etree

from core.books.claims import FIELD_LENGTH, MAX_CLAIMED, Claims
from core.books.limits import BookLimits
from core.books.refusals import damaged, protected
from core.books.xml import attribute, children, find, local_name, parse_xml, text_of
from core.books.zips import Members, open_members
from core.i18n import _

IDPF_OBFUSCATION = "http://www.idpf.org/2008/embedding"  # EPUB 3.3, 4.2.4
ADOBE_OBFUSCATION = "http://ns.adobe.com/pdf/enc#RC"  # Adobe's older way, which ADEPT is not
_FONT_OBFUSCATION = frozenset({IDPF_OBFUSCATION, ADOBE_OBFUSCATION})
ENCRYPTION = "META-INF/encryption.xml"
_PICTURE_REFERENCE = re.compile(
    rb"<(?:\w+:)?(?:img|image)\b[^<>]*?\s(?:src|xlink:href|href)\s*=\s*[\"']([^\"'<>]+)[\"']", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class _Item:
    """A manifest item whose file is in the archive."""

    name: str
    media_type: str
    properties: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Package:
    """The package document, and what of it the archive really holds."""

    root: etree._Element
    folder: str
    items: dict[str, _Item]
    """By id."""
    spine: list[_Item]


def read(path: Path, limits: BookLimits) -> Claims:
    """See `core.books.open.Reader`."""
    with open_members(path, limits, kind="EPUB") as members:
        refuse_drm(members)
        package = _open_package(members)
        claims = _read_metadata(package.root)
        claims.cover = _read_cover(members, package)
        return claims


# -- container and package


def refuse_drm(members: Members) -> None:
    """Raises `RefusedFile` for encryption of anything but fonts, and for the licence files of the systems in use."""
    names = set(members.names)
    licensed = {"META-INF/license.lcpl", "META-INF/sinf.xml"} & names
    if licensed or any(algorithm not in _FONT_OBFUSCATION for algorithm in _encryption_algorithms(members, names)):
        raise protected()


def _encryption_algorithms(members: Members, names: set[str]) -> Iterator[str]:
    if ENCRYPTION not in names:
        return
    root = parse_xml(members.read(ENCRYPTION))
    for element in root.iter() if root is not None else ():
        if local_name(element) == "EncryptedData":
            yield _attribute_of(find(element, "EncryptionMethod"), "Algorithm")


def _attribute_of(element: etree._Element | None, name: str) -> str:
    return "" if element is None else attribute(element, name).strip()


def _open_package(members: Members) -> _Package:
    name = _package_name(members)
    root = parse_xml(members.read(name))
    if root is None or local_name(root) != "package":
        raise damaged("EPUB", _("its package document, the list of its parts, cannot be read"))
    folder = posixpath.dirname(name)
    manifest, spine = find(root, "manifest"), find(root, "spine")
    items = dict(_items(members, manifest, folder=folder))
    chapters = [attribute(ref, "idref") for ref in children(spine, "itemref")] if spine is not None else []
    package = _Package(root, folder, items, [items[idref] for idref in chapters if idref in items])
    if not package.spine and not any("html" in item.media_type for item in items.values()):
        raise damaged("EPUB", _("none of its chapters is in the file"))
    return package


def _package_name(members: Members) -> str:
    """By the container; without one, the only package document there is."""
    container = members.find("META-INF/container.xml")
    root = parse_xml(members.read(container)) if container else None
    for element in root.iter() if root is not None else ():
        if local_name(element) == "rootfile":
            name = members.find(attribute(element, "full-path").strip().lstrip("/"))
            if name:
                return name
    candidates = [name for name in members.names if name.lower().endswith(".opf")]
    if len(candidates) == 1:
        return candidates[0]
    raise damaged("EPUB", _("its package document, the list of its parts, is missing"))


def _items(members: Members, manifest: etree._Element | None, *, folder: str) -> Iterator[tuple[str, _Item]]:
    for element in children(manifest, "item") if manifest is not None else ():
        name = members.find(attribute(element, "href").strip(), base=folder)
        if name:
            properties = frozenset(attribute(element, "properties").split())
            yield attribute(element, "id"), _Item(name, attribute(element, "media-type").lower(), properties)


# -- metadata


def _read_metadata(root: etree._Element) -> Claims:
    metadata = find(root, "metadata")
    if metadata is None:
        return Claims()
    # EPUB 2 let the Dublin Core stand in an element of its own, so that it is looked for at any depth.
    elements = [element for element in metadata.iter() if element is not metadata]
    refinements = _refinements(elements)
    subjects = _texts(elements, "subject")[:MAX_CLAIMED]
    series, index = _series(elements, refinements)
    return Claims(
        title=_title(elements, refinements),
        authors=[text_of(creator) for creator in author_elements(elements)],
        languages=_texts(elements, "language"),
        identifiers=[(attribute(element, "scheme"), text_of(element)) for element in _named(elements, "identifier")],
        series=series,
        series_index=index,
        tags=[tag for subject in subjects for tag in re.split(r";|\s--\s", subject[:FIELD_LENGTH])],
        description=next(iter(_texts(elements, "description")), ""),
    )


def _named(elements: Iterable[etree._Element], *names: str) -> list[etree._Element]:
    return [element for element in elements if local_name(element) in names]


def _texts(elements: Iterable[etree._Element], name: str) -> list[str]:
    return [text for text in map(text_of, _named(elements, name)) if text]


_Refinements = dict[tuple[str, str], str]
"""(id of what is refined, property) -> value; EPUB 3.3, 5.5.5."""


def _refinements(elements: Iterable[etree._Element]) -> _Refinements:
    return {
        (attribute(element, "refines").removeprefix("#"), attribute(element, "property")): text_of(element)
        for element in _named(elements, "meta")
        if attribute(element, "refines")
    }


def _title(elements: list[etree._Element], refinements: _Refinements) -> str:
    titles = [title for title in _named(elements, "title") if text_of(title)]
    main = [title for title in titles if refinements.get((attribute(title, "id"), "title-type")) == "main"]
    return text_of(next(iter(main or titles), None))


def author_elements(elements: list[etree._Element]) -> list[etree._Element]:
    """Creators in the role of an author (MARC `aut`); all that have no role if none has that one."""
    refinements = _refinements(elements)
    by_role: dict[str, list[etree._Element]] = {}
    for creator in _named(elements, "creator"):
        role = attribute(creator, "role") or refinements.get((attribute(creator, "id"), "role"), "")
        by_role.setdefault(role.strip().casefold(), []).append(creator)
    return by_role.get("aut", []) + by_role.get("", []) or [one for ones in by_role.values() for one in ones]


def _series(elements: list[etree._Element], refinements: _Refinements) -> tuple[str, str]:
    """(name, place): of EPUB 3's collection, else of Calibre's own `meta`."""
    for meta in _named(elements, "meta"):
        own = attribute(meta, "id")
        kind = refinements.get((own, "collection-type"), "series")
        if attribute(meta, "property") == "belongs-to-collection" and kind == "series":
            return text_of(meta), refinements.get((own, "group-position"), "")
    named = {attribute(meta, "name"): attribute(meta, "content") for meta in _named(elements, "meta")}
    return named.get("calibre:series", ""), named.get("calibre:series_index", "")


# -- cover


_MAX_CANDIDATES = 10
_PAGE_SUFFIXES = (".xhtml", ".html", ".htm", ".xml", ".svg")
_PAGE_BYTES = 256 * 1024
"""A page that shows a cover is far smaller, and a first chapter need not be unpacked to find that it is none."""


def _read_cover(members: Members, package: _Package) -> bytes | None:
    candidates = filter(None, _cover_candidates(members, package))
    for name in islice(candidates, _MAX_CANDIDATES):
        picture = _picture_of_page(members, name) if name.lower().endswith(_PAGE_SUFFIXES) else name
        content = members.read_if_sound(picture) if picture else None
        if content:
            return content
    return None


def _cover_candidates(members: Members, package: _Package) -> Iterator[str | None]:
    """Pictures, and pages that show one; the most trustworthy first."""
    pictures = {key: item for key, item in package.items.items() if item.media_type.startswith("image/")}
    yield from (item.name for item in pictures.values() if "cover-image" in item.properties)
    for meta in _named(package.root.iter(), "meta"):
        if attribute(meta, "name") == "cover":
            content = attribute(meta, "content").strip()
            # An id by convention, but some tools write the file there.
            item = package.items.get(content)
            yield item.name if item else members.find(content, base=package.folder)
    for reference in _named(package.root.iter(), "reference"):
        if attribute(reference, "type").casefold() == "cover":
            yield members.find(attribute(reference, "href"), base=package.folder)
    yield from (item.name for item in package.spine[:1])
    yield from (item.name for key, item in pictures.items() if "cover" in f"{key} {item.name}".casefold())


def _picture_of_page(members: Members, page: str) -> str | None:
    """The first picture that a page shows."""
    if not members.is_within(page, _PAGE_BYTES):
        return None
    match = _PICTURE_REFERENCE.search(members.read_if_sound(page) or b"")
    return members.find(match[1].decode("utf-8", "replace"), base=posixpath.dirname(page)) if match else None
