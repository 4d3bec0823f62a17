"""Any HTML as the body of a page of ours: an allow-list of elements, valid where XHTML is strict, nothing but words,
pictures and links. What is read stays; how it looked does not."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from lxml import etree
from lxml import html as lxml_html
from lxml.html import HtmlElement

from core.news.shape import BLOCKS, INLINE, drop, nest

_DROPPED: Final = ("script", "style", "template", "noscript", "head", "title", "iframe", "video", "audio", "form")
_ALLOWED: Final = INLINE | BLOCKS | {"img", "br"}
_ATTRIBUTES: Final = {
    "a": ("href",),
    "img": ("src", "alt"),
    "td": ("colspan", "rowspan"),
    "th": ("colspan", "rowspan"),
    "ol": ("start",),
}
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ID: Final = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,99}")
_NUMBER: Final = re.compile(r"[1-9][0-9]?")

Rename = Callable[[str], str | None]
"""What an address of the source is in the book that is made; None for one that goes."""


def parse_html(source: str) -> HtmlElement:
    """A document as browsers read it; an empty one for nothing. Never raises."""
    parser = lxml_html.HTMLParser(encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True)
    try:
        return lxml_html.document_fromstring(_NOT_XML.sub("", source).encode("utf-8", "replace"), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError):
        return lxml_html.document_fromstring("<html><body></body></html>")


def body_xhtml(document: HtmlElement, *, picture: Rename, link: Rename) -> str:
    """What stands inside of the body, as well-formed XHTML that is never empty. Changes `document`."""
    body = document.find("body")
    root = lxml_html.Element("div")
    for element in [] if body is None else [body]:
        root.text = element.text
        root.extend(list(element))
    for element in list(root.iter(*_DROPPED)):
        drop(element)
    _show_drawn_pictures(root)
    ids: set[str] = set()
    for element in [one for one in root.iter() if one is not root]:
        if not isinstance(element.tag, str):
            drop(element)
        elif element.tag not in _ALLOWED:
            _unwrap(element)
    for element in [one for one in root.iter("*") if one is not root]:
        _clean(element, picture=picture, link=link, ids=ids)
    nest(root)
    inner = etree.tostring(root, method="xml", encoding="unicode", with_tail=False)
    inner = inner[inner.find(">") + 1 : inner.rfind("</")].strip() if "</" in inner else ""
    return inner or "<p>\u00a0</p>"


def _show_drawn_pictures(root: HtmlElement) -> None:
    """`image` in SVG, which covers are made of, is a picture as any other."""
    for image in list(root.iter("image")):
        address = image.get("xlink:href") or image.get("href") or ""
        image.tag = "img"
        image.attrib.clear()
        image.set("src", address)


def _unwrap(element: HtmlElement) -> None:
    if element.tag in ("center", "address", "main", "header", "footer", "aside", "hgroup", "details", "summary", "nav"):
        element.tag = "div"
    else:
        element.drop_tag()


def _clean(element: HtmlElement, *, picture: Rename, link: Rename, ids: set[str]) -> None:
    if element.getparent() is None:
        return
    kept = {key: value for key in _ATTRIBUTES.get(str(element.tag), ()) if (value := element.get(key)) is not None}
    own = element.get("id", "")
    element.attrib.clear()
    if element.tag == "img":
        name = picture(kept.get("src", "").strip())
        if name is None:
            drop(element)
            return
        kept = {"src": name, "alt": kept.get("alt", "").strip() or "image"}
    if element.tag == "a":
        address = link(kept.get("href", "").strip())
        if address is None and not own:
            element.drop_tag()
            return
        kept = {} if address is None else {"href": address}
    for key in ("colspan", "rowspan", "start"):
        if key in kept and not _NUMBER.fullmatch(kept[key]):
            del kept[key]
    if _ID.fullmatch(own) and own not in ids:
        ids.add(own)
        kept["id"] = own
    element.attrib.update(kept)
