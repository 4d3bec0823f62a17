"""What a rule may never change: the text that is read, and the pictures that are shown.

Text is compared without its blanks, since line ends and indents of the source are nobody's text. Pictures are counted
where a page names one that is in the file: one that was never there cannot be lost. Tables of contents (`nav`) are no
text of the book: an entry that leads nowhere may go.
"""

from __future__ import annotations

import html
import re
from typing import Final

from lxml import etree

from core.books.kindle.trees import XHTML, Tree, body_of, elements
from core.books.kindle.working import Copy, Patch, is_remote
from core.books.text import decode_text
from core.books.xml import attribute

_TEXT: Final = etree.XPath(
    ".//text()[not(ancestor::x:script or ancestor::x:style or ancestor::x:nav or ancestor::x:noscript)]",
    namespaces={"x": XHTML},
    smart_strings=False,
)
_WHOLE: Final = etree.XPath("string()", smart_strings=False)
_UNREAD: Final = ("script", "style", "nav", "noscript")
_HIDDEN: Final = re.compile(r"<!--.*?-->|<(script|style|nav|noscript)\b.*?</\1\s*>", re.DOTALL | re.IGNORECASE)
_TAG: Final = re.compile(r"</?[A-Za-z!?][^<>]*>|<!\[CDATA\[|\]\]>")
_BODY: Final = re.compile(r"<body\b[^<>]*>", re.IGNORECASE)
_PICTURE: Final = re.compile(
    r"<(?:\w+:)?(?:img|image)\b[^<>]*?\s(?:src|xlink:href|href)\s*=\s*[\"']([^\"'<>]+)", re.IGNORECASE
)
_NOT_TEXT: Final = re.compile("[\x00-\x1f\x7f-\x9f\ufeff\ufffe\uffff\ud800-\udfff]")
_ENCODING: Final = re.compile(rb"\s*<\?xml[^>]{0,200}?\bencoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")


def text_of(book: Copy, name: str) -> str:
    """The page's text, without blanks."""
    tree = book.tree(name)
    text = _loose_text(decoded(book.read(name))) if tree is None else _text(tree)
    return "".join(_NOT_TEXT.sub("", text).split())


def picture_count(book: Copy, name: str) -> int:
    """How many pictures the page shows that are in the file."""
    tree = book.tree(name)
    hrefs = _PICTURE.findall(decoded(book.read(name))) if tree is None else _pictures(tree)
    return sum(1 for href in hrefs if is_there(book, href, base=name))


def is_there(book: Copy, href: str, *, base: str) -> bool:
    """Whether a reference leads to a file with something in it; `data:` holds what it leads to."""
    if is_remote(href):
        return href.startswith("data:")
    name = book.resolve(href.strip(), base=base)
    return name is not None and book.size_of(name) > 0


def harm_of(before: Copy, after: Copy, patch: Patch) -> str:
    """What was lost, a clause; "" if nothing was."""
    renamed = patch.renamed
    pages = [renamed.get(name, name) for name in before.read_pages]
    kept = iter(after.read_pages)
    lost = [name for name in pages if (name not in kept and name in after) or name in patch.removed]
    for name in lost:
        if name not in after.read_pages and name in before and (text_of(before, name) or picture_count(before, name)):
            return f"“{name}” would not be read any more"
    return _harm_of_pages(before, after, patch)


def _harm_of_pages(before: Copy, after: Copy, patch: Patch) -> str:
    origins = {patch.renamed.get(name, name): name for name in before.names}
    touched = {*patch.trees, *patch.files, *patch.renamed.values()} | ({*after.pages} if patch.renamed else set())
    for name in after.pages:
        origin = origins.get(name)
        if origin is None or (name not in touched and origin not in touched):
            continue
        if name == after.nav and name not in after.read_pages:
            continue  # a table of contents that is no page of the book
        if text_of(before, origin) != text_of(after, name):
            return f"the text of “{name}” would change"
        if picture_count(before, origin) > picture_count(after, name):
            return f"“{name}” would lose a picture"
    return ""


def decoded(data: bytes) -> str:
    """A document as text: byte order mark, what it declares, UTF-8, the best guess."""
    declared = _ENCODING.match(data)
    return decode_text(data, declared=declared[1].decode("ascii") if declared else None)


def _text(tree: Tree) -> str:
    body = body_of(tree)
    root = tree.getroot() if body is None else body
    if next(elements(root, *_UNREAD), None) is None:
        return str(_WHOLE(root))  # ten times as fast
    found = _TEXT(root)
    assert isinstance(found, list)
    return "".join(map(str, found))


def _loose_text(source: str) -> str:
    """Of a document that no parser takes: everything that is no tag."""
    start = _BODY.search(source)
    source = source[start.end() :] if start else source
    return html.unescape(_TAG.sub("", _HIDDEN.sub("", source)))


def _pictures(tree: Tree) -> list[str]:
    found = [attribute(element, "src") for element in elements(tree, "img")]
    found += [attribute(element, "href") for element in elements(tree, "image")]
    found += [attribute(element, "data") for element in elements(tree, "object")]
    return [href for href in found if href]
