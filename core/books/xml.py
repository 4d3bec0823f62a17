"""XML of strangers through lxml: entities and DTDs are inert, and broken XML is read as far as it goes.

Depth is bounded by libxml2 (256 levels), and so is the growth of internal entities (5 times, beyond 1 MB); the number
of nodes is bounded here, the size of the document by its caller.
"""

from __future__ import annotations

import re
from html.entities import name2codepoint

from lxml import etree

from core.books.refusals import hostile
from core.books.text import decode_text
from core.i18n import _

_DECLARED_ENCODING = re.compile(rb"\s*<\?xml[^>]{0,200}?\bencoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")
MAX_MARKUP = 100_000
"""Tags, and entity references, in a document: a package of 10,000 files has 40,000. libxml2 makes 120 bytes of the four
of `<a/>`, and a walk through a million such elements takes seconds."""

_BOMBS = frozenset({etree.ErrorTypes.ERR_ENTITY_LOOP, etree.ErrorTypes.ERR_RESOURCE_LIMIT})
_XML_ENTITIES = frozenset({"amp", "lt", "gt", "quot", "apos"})
_NAMED_ENTITY = re.compile(r"&([A-Za-z][A-Za-z0-9]{1,30});")
_ENTITY_REFERENCE = re.compile(r"&[\w:.-]+;")


def parse_xml(data: bytes) -> etree._Element | None:
    """The root element; of a document that is not well-formed what can be read of it; None if that is nothing.

    Raises `RefusedFile` for entities that grow without end, and for more nodes than `MAX_MARKUP`.
    """
    if data.count(b"<") > MAX_MARKUP or data.count(b"&") > MAX_MARKUP:
        raise hostile(_("a list in it has more entries than any book needs"))
    try:
        return etree.fromstring(data, _parser(recover=False))
    except etree.XMLSyntaxError as error:
        if error.code in _BOMBS:  # type: ignore[attr-defined] # lxml-stubs do not know it
            raise hostile(_("its text is made to grow without end when it is read")) from error
        return _parse_broken(data)


def _parser(*, recover: bool) -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        recover=recover,
    )


def _parse_broken(data: bytes) -> etree._Element | None:
    """After what is usual among books: a wrong or missing encoding, HTML's named entities, blank lines in front."""
    declared = _DECLARED_ENCODING.match(data)
    text = decode_text(data, declared=declared[1].decode("ascii") if declared else None).lstrip("\ufeff \t\r\n")
    text = _NAMED_ENTITY.sub(_resolve_named, re.sub(r"^<\?xml[^>]*\?>", "", text))
    try:
        return etree.fromstring(text.encode("utf-8", "replace"), _parser(recover=True))
    except etree.XMLSyntaxError:
        return None


def _resolve_named(match: re.Match[str]) -> str:
    known = match[1] in name2codepoint and match[1] not in _XML_ENTITIES
    return chr(name2codepoint[match[1]]) if known else match[0]


def local_name(element: etree._Element) -> str:
    """The name without its namespace, which books get wrong more often than right."""
    # An unresolved entity is a node too, and its tag is a function.
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def children(element: etree._Element, *names: str) -> list[etree._Element]:
    """Child elements of these local names, in order."""
    return [child for child in element if local_name(child) in names]


def elements_named(root: etree._Element, *names: str) -> list[etree._Element]:
    """The element itself and its descendants of these local names, in order."""
    return [element for element in root.iter() if local_name(element) in names]


def find(element: etree._Element | None, *path: str) -> etree._Element | None:
    """The first descendant along `path` of local names, None if a step of it is missing."""
    for name in path:
        if element is None:
            return None
        element = next(iter(children(element, name)), None)
    return element


def text_of(element: etree._Element | None) -> str:
    """All text inside, without the unresolved entities; "" for None."""
    if element is None:
        return ""
    return "".join(chunk for chunk in map(str, element.itertext()) if not _ENTITY_REFERENCE.fullmatch(chunk)).strip()


def attribute(element: etree._Element, name: str) -> str:
    """The attribute of this local name in whatever namespace, "" if there is none."""
    plain = element.get(name)
    if plain is not None:
        return str(plain)
    return next((str(value) for key, value in element.attrib.items() if str(key).endswith(f"}}{name}")), "")
