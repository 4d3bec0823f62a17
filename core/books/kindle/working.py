"""An EPUB in memory as the rules see it: files, documents as trees, the package. Nothing of it changes in place.

A rule gets a `Copy` and fills a `Patch`; only `Copy.patched` makes a new `Copy` of both, so that what a rule did can be
measured, and dropped. Trees are shared between copies: whoever wants to change one asks the patch for a tree to edit.
"""

from __future__ import annotations

import copy
import posixpath
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

from lxml import etree

from core.books.kindle.order import Change
from core.books.kindle.trees import Tree, manifest_items, parse, serialise, spine_refs
from core.books.kindle.zipping import MIMETYPE, ZipWriter
from core.books.refusals import damaged
from core.books.xml import attribute, find, local_name
from core.books.zips import Members
from core.i18n import _

CONTAINER: Final = "META-INF/container.xml"
PAGE_TYPES: Final = frozenset({"application/xhtml+xml", "text/html", "application/x-dtbook+xml"})
NCX_TYPE: Final = "application/x-dtbncx+xml"
PAGE_BYTES: Final = 16 * 1024 * 1024
"""Of a page that is looked into; libxml2 makes ten times as much of it, and a worker has 512 MB. A larger one is passed
on as it is."""
_SCHEME: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+:")

Content = str | bytes | Tree
"""A file is what it is in the archive, under a name that may be another one by now; or new bytes; or a new tree."""


class Item(NamedTuple):
    """An entry of the manifest."""

    id: str
    href: str
    name: str
    """Of the file in the archive; "" if there is none."""
    media_type: str
    properties: frozenset[str]

    @property
    def is_page(self) -> bool:
        return self.media_type in PAGE_TYPES

    @property
    def is_style(self) -> bool:
        return self.media_type == "text/css"

    @property
    def is_picture(self) -> bool:
        return self.media_type.startswith("image/")


@dataclass(frozen=True, slots=True)
class Package:
    """What the package document says."""

    name: str
    folder: str
    tree: Tree
    version: str
    items: tuple[Item, ...]
    spine: tuple[str, ...]
    """Ids of items, as written."""

    @property
    def is_epub3(self) -> bool:
        return self.version.startswith("3")

    @property
    def root(self) -> etree._Element:
        return self.tree.getroot()

    @property
    def metadata(self) -> etree._Element | None:
        return find(self.root, "metadata")


@dataclass(slots=True)
class _Cache:
    """What was read and parsed, for a copy and all that are made of it."""

    read: dict[str, bytes] = field(default_factory=dict)
    parsed: dict[str | bytes, Tree | None] = field(default_factory=dict)
    hrefs: dict[str | bytes, tuple[tuple[str, str], ...]] = field(default_factory=dict)


class Copy:
    """An EPUB as it stands after some rules. Raises `DamagedFile` and `RefusedFile` for what cannot be read at all."""

    def __init__(
        self,
        members: Members,
        contents: Mapping[str, Content] | None = None,
        *,
        filename: str = "",
        cache: _Cache | None = None,
    ) -> None:
        self._members = members
        self._contents = {name: name for name in members.names} if contents is None else contents
        self._cache = cache or _Cache()
        self.filename = filename
        """What its sender called the book."""

    # -- files

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._contents)

    def __contains__(self, name: object) -> bool:
        return name in self._contents

    def origin(self, name: str) -> str | None:
        """The file's name in the archive, if it is as it was there."""
        content = self._contents[name]
        return content if isinstance(content, str) else None

    def read(self, name: str) -> bytes:
        """The file's bytes, of at most what a picture may have."""
        content = self._contents[name]
        if isinstance(content, bytes):
            return content
        if not isinstance(content, str):
            return serialise(content)
        if content not in self._cache.read:
            data = self._members.read(content, limit_bytes=self._members.limits.picture_bytes)
            if not content.lower().endswith(_TEXT_SUFFIXES):
                return data  # pictures and fonts are looked at one at a time, and not kept
            self._cache.read[content] = data
        return self._cache.read[content]

    def size_of(self, name: str) -> int:
        content = self._contents[name]
        return self._members.size_of(content) if isinstance(content, str) else len(self.read(name))

    def tree(self, name: str) -> Tree | None:
        """The document, not to be changed; None if it is not well-formed, or too large to be looked into."""
        content = self._contents[name]
        if not isinstance(content, (str, bytes)):
            return content
        if content not in self._cache.parsed:
            self._cache.parsed[content] = parse(self.read(name)) if self.size_of(name) <= PAGE_BYTES else None
        return self._cache.parsed[content]

    def hrefs(self, name: str, find_all: Callable[[Tree], tuple[tuple[str, str], ...]]) -> tuple[tuple[str, str], ...]:
        """What `find_all` finds in the document, asked once for as long as it does not change; () for no document."""
        content, tree = self._contents[name], self.tree(name)
        if tree is None:
            return ()
        if not isinstance(content, (str, bytes)):
            return find_all(tree)
        if content not in self._cache.hrefs:
            self._cache.hrefs[content] = find_all(tree)
        return self._cache.hrefs[content]

    @cached_property
    def _folded(self) -> dict[str, str]:
        return {_folded(name): name for name in self._contents}

    def resolve(self, href: str, *, base: str) -> str | None:
        """The file that `href` means in the document `base`, exactly as a reader would look for it; None if none."""
        path = href.partition("#")[0].partition("?")[0]
        if not path:
            return base
        folder = base[: base.rfind("/") + 1]
        if folder + path in self._contents:  # as nearly all are
            return folder + path if "%" not in path else self._resolved(folder, path)
        return self._resolved(folder, path)

    def _resolved(self, folder: str, path: str) -> str | None:
        name = posixpath.normpath(posixpath.join(folder, unquote(path)))
        return name if name in self._contents else None

    def guess(self, href: str, *, base: str) -> str | None:
        """The file that a wrong `href` must have meant: its case, its slashes, its root or its escapes are wrong."""
        path = re.sub(r"^(?:file:/*)?(?:[A-Za-z]:)?", "", href.partition("#")[0]).replace("\\", "/")
        if not path:
            return None
        folder = posixpath.dirname(base)
        for written in (path, unquote(path), unquote(unquote(path))):
            bare = re.sub(r"^(?:\.{0,2}/)+", "", written)
            for candidate in (posixpath.join(folder, written), posixpath.join(folder, bare), bare):
                name = posixpath.normpath(candidate)
                if name in self._contents:
                    return name
                if _folded(name) in self._folded:
                    return self._folded[_folded(name)]
        alike = self._by_basename.get(posixpath.basename(unquote(path)).casefold(), [])
        return alike[0] if len(alike) == 1 else None

    @cached_property
    def _by_basename(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name in self._contents:
            if not name.startswith("META-INF/"):
                found.setdefault(posixpath.basename(name).casefold(), []).append(name)
        return found

    # -- package

    @cached_property
    def package_name(self) -> str:
        """By the container; without one, the only package document there is. Raises `DamagedFile`."""
        container = self._folded.get(_folded(CONTAINER))
        tree = self.tree(container) if container else None
        for element in tree.iter() if tree is not None else ():
            if local_name(element) == "rootfile":
                path = attribute(element, "full-path").strip().lstrip("/")
                name = posixpath.normpath(path) if path else ""
                name = name if name in self._contents else self._folded.get(_folded(name), "")
                if name:
                    return name
        candidates = [name for name in self._contents if name.lower().endswith(".opf")]
        if len(candidates) == 1:
            return candidates[0]
        raise damaged("EPUB", _("its package document, the list of its parts, is missing"))

    @cached_property
    def package(self) -> Package:
        """Raises `DamagedFile` if the package document cannot be read."""
        name = self.package_name
        tree = self.tree(name)
        if tree is None or local_name(tree.getroot()) != "package":
            raise damaged("EPUB", _("its package document, the list of its parts, cannot be read"))
        root = tree.getroot()
        return Package(
            name=name,
            folder=posixpath.dirname(name),
            tree=tree,
            version=attribute(root, "version").strip() or "2.0",
            items=tuple(self._item(element, package=name) for element in manifest_items(root)),
            spine=tuple(attribute(ref, "idref") for ref in spine_refs(root)),
        )

    def _item(self, element: etree._Element, *, package: str) -> Item:
        href = attribute(element, "href").strip()
        name = None if not href or is_remote(href) else self.resolve(href, base=package)
        return Item(
            id=attribute(element, "id"),
            href=href,
            name=name or "",
            media_type=attribute(element, "media-type").strip().lower(),
            properties=frozenset(attribute(element, "properties").split()),
        )

    @cached_property
    def pages(self) -> tuple[str, ...]:
        """Files of the XHTML documents in the manifest, in reading order, then those that are not in it."""
        by_id = {item.id: item for item in self.package.items}
        ordered = [by_id[idref] for idref in self.package.spine if idref in by_id]
        return tuple(dict.fromkeys(item.name for item in (*ordered, *self.package.items) if item.is_page and item.name))

    @cached_property
    def read_pages(self) -> tuple[str, ...]:
        """Those of the spine: what is read."""
        names = {item.id: item.name for item in self.package.items if item.is_page and item.name}
        return tuple(dict.fromkeys(names[idref] for idref in self.package.spine if idref in names))

    @cached_property
    def styles(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(item.name for item in self.package.items if item.is_style and item.name))

    @cached_property
    def pictures(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(item.name for item in self.package.items if item.is_picture and item.name))

    @cached_property
    def ncx(self) -> str | None:
        found = (item.name for item in self.package.items if item.name and item.media_type == NCX_TYPE)
        return next(found, None)

    @cached_property
    def nav(self) -> str | None:
        return next((item.name for item in self.package.items if item.name and "nav" in item.properties), None)

    @property
    def documents(self) -> tuple[str, ...]:
        """All that is XML and may name other files: pages, the NCX, SVG pictures, media overlays."""
        others = (
            item.name
            for item in self.package.items
            if item.name and not item.is_page and item.media_type.endswith(("+xml", "/xml"))
        )
        return tuple(dict.fromkeys((*self.pages, *others)))

    # -- change

    def patched(self, patch: Patch) -> Copy:
        """A new copy with the patch."""
        if not patch:
            return self
        contents = {
            patch.renamed.get(name, name): content
            for name, content in self._contents.items()
            if name not in patch.removed
        }
        contents |= {patch.renamed.get(name, name): data for name, data in patch.files.items()}
        contents |= {patch.renamed.get(name, name): patch.trees[name] for name in patch.trees if name in patch.places}
        return Copy(self._members, contents, filename=self.filename, cache=self._cache)

    def write(self, path: Path) -> None:
        """The book as a file: the mimetype first and stored, what did not change as it lies in the archive."""
        with path.open("wb") as file, ZipWriter(file) as writer:
            writer.add("mimetype", MIMETYPE, is_stored=True)
            for name in self._contents:
                if name == "mimetype":
                    continue
                origin = self.origin(name)
                if origin is None:
                    writer.add(name, self.read(name), is_stored=name.lower().endswith(_PACKED_SUFFIXES))
                else:
                    writer.copy(name, self._members.packed(origin))

    @property
    def members(self) -> Members:
        """The archive that it is a copy of."""
        return self._members


_PACKED_SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".gif", ".woff", ".woff2", ".mp3", ".m4a", ".mp4")
_TEXT_SUFFIXES: Final = (".xhtml", ".html", ".htm", ".xml", ".opf", ".ncx", ".css", ".svg", ".smil")


@dataclass(slots=True)
class Patch:
    """What one rule wants changed. An edited tree counts only where a change is told of its file."""

    book: Copy
    trees: dict[str, Tree] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    renamed: dict[str, str] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.changes)

    @property
    def places(self) -> set[str]:
        return {change.place for change in self.changes}

    def edit(self, name: str) -> etree._Element:
        """The root of a tree that may be changed; the file is one that has a tree."""
        if name not in self.trees:
            tree = self.book.tree(name)
            assert tree is not None
            self.trees[name] = copy.deepcopy(tree)
        return self.trees[name].getroot()

    def tell(self, place: str, what: str) -> None:
        self.changes.append(Change(place, what))


def _folded(name: str) -> str:
    """Alike for names that differ in case, or in how their accents are written (macOS takes them apart)."""
    return unicodedata.normalize("NFC", name).casefold()


def is_remote(href: str) -> bool:
    """Whether it has a scheme (`https:`, `data:`, `mailto:`), or a host. A drive letter is no scheme."""
    return _SCHEME.match(href) is not None or href.startswith("//")


def is_loaded_from_afar(href: str) -> bool:
    return href.strip().lower().startswith(("http:", "https:", "ftp:", "//"))


def relative(name: str, *, base: str) -> str:
    """How the document `base` writes the file `name`: relative, and escaped (RFC 3986)."""
    return quote(posixpath.relpath(name, posixpath.dirname(base) or "."), safe="/-._~!$&'()*+,;=@")
