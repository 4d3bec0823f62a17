"""Our own look at a finished paper: what makes an e-reader or Amazon refuse it. epubcheck needs Java; this does not.

The rules are of EPUB 3.3 and its container format (OCF), and for the NCX of OPF 2.0.1.
"""

from __future__ import annotations

import posixpath
import zipfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urldefrag, urlsplit

from lxml import etree

_CONTAINER: Final = "META-INF/container.xml"
_XHTML, _NCX = "application/xhtml+xml", "application/x-dtbncx+xml"
_SIGNATURES: Final[Mapping[str, tuple[bytes, ...]]] = {
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/gif": (b"GIF87a", b"GIF89a"),
}
_LOADS: Final = ("src", "poster", "data", "srcset")
_ACTIVE: Final = frozenset({"script", "iframe", "object", "embed", "form", "video", "audio"})
_OPF: Final = "{http://www.idpf.org/2007/opf}"
_DC: Final = "{http://purl.org/dc/elements/1.1/}"
_EPUB_TYPE: Final = "{http://www.idpf.org/2007/ops}type"


def check_paper(path: Path) -> list[str]:
    """What is wrong with the EPUB, a line each; [] if nothing is. Blocks; never raises for what is in the file."""
    try:
        with zipfile.ZipFile(path) as book:
            check = _Check(book)
            check.run()
            return check.problems
    except (OSError, zipfile.BadZipFile) as error:
        return [f"is no ZIP that can be read: {error}"]


@dataclass(slots=True)
class _Check:
    book: zipfile.ZipFile
    problems: list[str] = field(default_factory=list)
    media_types: dict[str, str] = field(default_factory=dict)
    """Of what the manifest lists, by path in the ZIP."""
    documents: dict[str, etree._Element] = field(default_factory=dict)
    """Pages and NCX, by path."""
    ids: dict[str, frozenset[str]] = field(default_factory=dict)

    def run(self) -> None:
        self._check_zip()
        container = self._parsed(_CONTAINER)
        named = None if container is None else container.find(".//{*}rootfile")
        package_path = "" if named is None else named.get("full-path", "")
        package = self._parsed(package_path)
        if package is None:
            return
        manifest = package.findall(f"{_OPF}manifest/{_OPF}item")
        self._check_manifest(manifest, package_path)
        self._check_package(package, manifest)
        for path, media_type in self.media_types.items():
            self._check_file(path, media_type)
        for path, document in self.documents.items():
            self._check_references(path, document)
        self._check_contents(manifest, posixpath.dirname(package_path))

    def _check_zip(self) -> None:
        entries = self.book.infolist()
        self._check_unique("ZIP", [entry.filename for entry in entries])
        first = entries[0] if entries else None
        is_right = (
            first is not None
            and (first.filename, first.compress_type, first.extra) == ("mimetype", zipfile.ZIP_STORED, b"")
            and self.book.read(first) == b"application/epub+zip"
        )
        if not is_right:
            self._say("mimetype", "is not first, stored, and exactly application/epub+zip")  # OCF 4.2.2

    def _check_manifest(self, manifest: list[etree._Element], package_path: str) -> None:
        folder = posixpath.dirname(package_path)
        self._check_unique("manifest ids", [item.get("id", "") for item in manifest])
        paths = [_target(folder, item.get("href", "")) for item in manifest]
        self._check_unique("manifest", paths)
        self.media_types = {path: item.get("media-type", "") for path, item in zip(paths, manifest, strict=True)}
        stored = {entry.filename for entry in self.book.infolist()} - {"mimetype", _CONTAINER, package_path}
        for path in sorted(stored ^ self.media_types.keys()):
            self._say(path, "is in the ZIP and not in the manifest" if path in stored else "is not in the ZIP")

    def _check_package(self, package: etree._Element, manifest: list[etree._Element]) -> None:
        by_id = {item.get("id"): item for item in manifest}
        spine = [ref.get("idref", "") for ref in package.iterfind(f"{_OPF}spine/{_OPF}itemref")]
        if not spine:
            self._say("spine", "is empty")
        self._check_unique("spine", spine)
        for idref in spine:
            if idref not in by_id or by_id[idref].get("media-type") != _XHTML:
                self._say("spine", f"{idref} is no page of the manifest")
        toc = next((by_id.get(each.get("toc")) for each in package.iterfind(f"{_OPF}spine")), None)
        if toc is None or toc.get("media-type") != _NCX:
            self._say("spine", "names no NCX")
        metadata = package.find(f"{_OPF}metadata")
        for name in ("identifier", "title", "language"):
            if metadata is None or not (metadata.findtext(f"{_DC}{name}") or "").strip():
                self._say("metadata", f"has no {name}")
        covers = [item for item in manifest if "cover-image" in item.get("properties", "").split()]
        named = None if metadata is None else metadata.find(f"{_OPF}meta[@name='cover']")
        if len(covers) != 1 or named is None or named.get("content") != covers[0].get("id"):
            self._say("cover", "is not declared once as EPUB 3 and EPUB 2 have it")

    def _check_file(self, path: str, media_type: str) -> None:
        if path not in self.book.NameToInfo:
            return
        if media_type in (_XHTML, _NCX):
            document = self._parsed(path)
            if document is not None:
                self.documents[path] = document
                ids = [element.get("id", "") for element in document.iter("*") if "id" in element.attrib]
                self._check_unique(f"{path} ids", ids)
                self.ids[path] = frozenset(ids)
        elif media_type in _SIGNATURES:
            with self.book.open(path) as file:
                if not file.read(8).startswith(_SIGNATURES[media_type]):
                    self._say(path, f"is no {media_type}")
        elif media_type != "text/css":
            self._say(path, f"is {media_type or 'of no type'}, which is none of a paper")

    def _check_references(self, path: str, document: etree._Element) -> None:
        for element in document.iter("*"):
            name = etree.QName(element).localname
            if name in _ACTIVE:
                self._say(path, f"has active content: {name}")
            for attribute, value in ((str(key), str(value)) for key, value in element.attrib.items()):
                if attribute in _LOADS or (name == "link" and attribute == "href"):
                    self._check_target(path, value, is_loaded=True)
                elif attribute == "href":
                    self._check_target(path, value, is_loaded=False)
                elif attribute.startswith("on"):
                    self._say(path, f"has active content: {attribute}")

    def _check_target(self, path: str, reference: str, *, is_loaded: bool) -> None:
        scheme = urlsplit(reference).scheme
        if scheme in ("http", "https", "mailto") and not is_loaded:
            return
        if scheme or reference.startswith("//"):
            self._say(path, f"{'loads' if is_loaded else 'leads to'} {reference[:80]}")
            return
        file, fragment = urldefrag(reference)
        target = _target(posixpath.dirname(path), file) if file else path
        if target not in self.media_types:
            self._say(path, f"leads to {reference[:80]}, which is not in the book")
        elif fragment and fragment not in self.ids.get(target, frozenset()):
            self._say(path, f"leads to {reference[:80]}, and there is no such id")

    def _check_contents(self, manifest: list[etree._Element], folder: str) -> None:
        navs = [item for item in manifest if "nav" in item.get("properties", "").split()]
        nav = self.documents.get(_target(folder, navs[0].get("href", ""))) if len(navs) == 1 else None
        kinds = [] if nav is None else [each.get(_EPUB_TYPE) for each in nav.iter("{*}nav")]
        if kinds.count("toc") != 1:
            self._say("nav", "is not one page with one table of contents")
        ncx = next((self.documents.get(path) for path, kind in self.media_types.items() if kind == _NCX), None)
        if ncx is None or ncx.find(".//{*}navPoint") is None:
            self._say("NCX", "has no entries")

    def _check_unique(self, where: str, names: list[str]) -> None:
        for name, count in Counter(names).items():
            if count > 1 or not name:
                self._say(where, f"{name or 'nothing'} stands there {count} times")

    def _parsed(self, path: str) -> etree._Element | None:
        try:
            return etree.fromstring(self.book.read(path), _parser())
        except KeyError:
            self._say(path or "package", "is missing")
        except (etree.XMLSyntaxError, ValueError, zipfile.BadZipFile) as error:
            self._say(path, f"is not well-formed: {error}")
        return None

    def _say(self, where: str, what: str) -> None:
        self.problems.append(f"{where}: {what}")


def _parser() -> etree.XMLParser:
    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True)


def _target(folder: str, reference: str) -> str:
    return posixpath.normpath(posixpath.join(folder, unquote(reference)))
