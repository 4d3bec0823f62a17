"""The text of an HTML mail as its reader sees it, without what it quotes and what it hides."""

from __future__ import annotations

import re

from inscriptis import Inscriptis
from inscriptis.css_profiles import CSS_PROFILES
from inscriptis.model.config import ParserConfig
from lxml import etree
from lxml.html import HtmlElement, HTMLParser, document_fromstring

_MAX_ELEMENTS = 4000  # inscriptis takes 30 to 70 us an element; nobody writes a command behind so many

_QUOTE_CLASSES = frozenset(
    {
        "gmail_extra",
        "gmail_quote",
        "gmail_quote_container",
        "gmx_quote",
        "moz-cite-prefix",
        "moz-forward-container",
        "ms-outlook-mobile-reference-message",
        "protonmail_quote",
        "tutanota_quote",
        "yahoo_quoted",
        "zmail_extra",
    }
)
_QUOTE_IDS = frozenset({"OLK_SRC_BODY_SECTION", "mail-editor-reference-message-container"})
_QUOTE_BEGINNINGS = frozenset({"divRplyFwdMsg", "appendonsend", "stopSpelling"})
"""Outlook in the browser marks only where its quote begins."""

_UNSEEN_TAGS = frozenset({"script", "style", "head", "template", "noscript"})
_HIDING = re.compile(r"display:none|visibility:hidden|mso-hide:all|opacity:0(?![.\d])")
_NO_SIZE = re.compile(r"font-size:0(?![.\d]*[1-9])")


def html_text(html: str) -> str:
    """Lines of text of an HTML mail; "" if there is nothing in it to be read. Never raises."""
    try:
        # As bytes, since lxml refuses a str that declares an encoding; libxml2 itself ends trees at a depth of 256.
        tree = document_fromstring(html.encode(), parser=HTMLParser(encoding="utf-8", remove_comments=True))
    except (etree.ParserError, etree.XMLSyntaxError):
        return ""
    dropped: list[HtmlElement] = []
    for count, element in enumerate(tree.iter(etree.Element)):
        if element.get("id") in _QUOTE_BEGINNINGS or count == _MAX_ELEMENTS:
            _drop_behind(element)
            dropped.append(element)
            break
        if _is_quote(element) or is_hidden(element):
            dropped.append(element)
    for element in dropped:
        if element.getparent() is not None:
            element.drop_tree()
    text = Inscriptis(tree, ParserConfig(css=CSS_PROFILES["strict"])).get_text()
    return "\n".join(line.strip() for line in text.splitlines()).strip()


def _is_quote(element: HtmlElement) -> bool:
    if element.tag == "blockquote" or element.get("id") in _QUOTE_IDS:
        return True
    return not _QUOTE_CLASSES.isdisjoint(element.get("class", "").split())


def is_hidden(element: HtmlElement) -> bool:
    """Whether nobody who looks at the mail sees it."""
    if element.tag in _UNSEEN_TAGS or "hidden" in element.attrib:
        return True
    style = "".join(element.get("style", "").split()).lower()
    # Newsletters set the size of a whole frame to nothing and that of its cells back: only a leaf is hidden by it.
    return _HIDING.search(style) is not None or (len(element) == 0 and _NO_SIZE.search(style) is not None)


def _drop_behind(element: HtmlElement) -> None:
    """Take out all that comes after an element in the document."""
    inner: HtmlElement | None = element
    while inner is not None:
        inner.tail = None
        parent = inner.getparent()
        if parent is not None:
            del parent[parent.index(inner) + 1 :]
        inner = parent
