"""The text and the pictures of an EPUB, measured by other code than the compiler's own: the stick for its zero harm."""

from __future__ import annotations

import hashlib
import posixpath
import re
import zipfile
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from lxml import etree

_XHTML = "{http://www.w3.org/1999/xhtml}"
_SKIPPED = frozenset({f"{_XHTML}{name}" for name in ("script", "style", "nav", "head", "noscript")})


class Measure(NamedTuple):
    """Of a book."""

    pages: tuple[str, ...]
    """Hashes of the texts of its pages in reading order, without the empty ones."""
    pictures: int
    """Shown, and in the file with something in it."""


def loss(before: Measure, after: Measure) -> str:
    """What of `before` is not in `after`, a clause; "" for nothing. More may be there: a page that was not found."""
    left = iter(after.pages)
    if not all(page in left for page in before.pages):
        return "the text is another one"
    if before.pictures > after.pictures:
        return f"{before.pictures} pictures became {after.pictures}"
    return ""


def measure(path: Path) -> Measure | None:
    """What is read and shown; None where it cannot be read by a plain parser of XML."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = {info.filename for info in archive.infolist() if info.file_size}
            container = etree.fromstring(archive.read("META-INF/container.xml"))
            package_name = container.find(".//{*}rootfile").get("full-path")  # type: ignore[union-attr]
            package = etree.fromstring(archive.read(str(package_name)))
            files = {
                str(item.get("id")): posixpath.normpath(
                    posixpath.join(posixpath.dirname(str(package_name)), unquote(str(item.get("href"))))
                )
                for item in package.iter("{*}item")
                if "html" in str(item.get("media-type"))
            }
            spine = dict.fromkeys(str(ref.get("idref")) for ref in package.iter("{*}itemref"))
            pages: list[str] = []
            pictures = 0
            for name in dict.fromkeys(files[idref] for idref in spine if idref in files and files[idref] in names):
                root = etree.fromstring(archive.read(name), etree.XMLParser(resolve_entities=False, no_network=True))
                if text := "".join("".join(_words(root)).split()):
                    pages.append(hashlib.sha256(text.encode()).hexdigest()[:12])
                pictures += _pictures(root, name, names)
            return Measure(tuple(pages), pictures)
    except (etree.XMLSyntaxError, zipfile.BadZipFile, KeyError, AttributeError, ValueError, OSError):
        return None


def _words(root: etree._Element) -> list[str]:
    found: list[str] = []
    waiting: list[etree._Element | str] = [root]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            found.append(one)
        elif isinstance(one.tag, str) and one.tag not in _SKIPPED:
            for child in reversed(one):
                waiting.append(child.tail or "")
                waiting.append(child)
            waiting.append(one.text or "")
    return [re.sub("[\x00-\x1f\x7f-\x9f\ufeff]", "", part) for part in found]


def _pictures(root: etree._Element, page: str, names: set[str]) -> int:
    hrefs = [str(one.get("src", "")) for one in root.iter(f"{_XHTML}img")]
    hrefs += [str(one.get("{http://www.w3.org/1999/xlink}href", "")) for one in root.iter("{*}image")]
    targets = (posixpath.normpath(posixpath.join(posixpath.dirname(page), unquote(href))) for href in hrefs if href)
    return sum(target in names for target in targets)
