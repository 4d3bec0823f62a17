"""Trees of an EPUB's documents: read, written, and what a rule does to one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lxml import etree

from core.books.refusals import hostile
from core.books.xml import attribute, children, find, local_name
from core.i18n import _

XHTML: Final = "http://www.w3.org/1999/xhtml"
OPF: Final = "http://www.idpf.org/2007/opf"
DC: Final = "http://purl.org/dc/elements/1.1/"
OPS: Final = "http://www.idpf.org/2007/ops"
XLINK: Final = "http://www.w3.org/1999/xlink"
MAX_PAGE_MARKUP: Final = 400_000
_DECLARATION: Final = b'<?xml version="1.0" encoding="utf-8"?>\n'
_VOID: Final = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"}
)
_IDS: Final = etree.XPath("//@id", smart_strings=False)
_BOMBS: Final = frozenset({etree.ErrorTypes.ERR_ENTITY_LOOP, etree.ErrorTypes.ERR_RESOURCE_LIMIT})

Tree = etree._ElementTree


def parse(data: bytes) -> Tree | None:
    """A well-formed document, its entities left as they stand; None for all else. Raises `RefusedFile` for a bomb."""
    if data.count(b"<") > MAX_PAGE_MARKUP or data.count(b"&") > MAX_PAGE_MARKUP:
        return None
    try:
        return etree.fromstring(data, _parser()).getroottree()
    except etree.XMLSyntaxError as error:
        if error.code in _BOMBS and b"<!ENTITY" in data:  # type: ignore[attr-defined] # lxml-stubs do not know it
            raise hostile(_("its text is made to grow without end when it is read")) from error
        return None
    except ValueError:
        return None


def _parser() -> etree.XMLParser:
    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, strip_cdata=False)


def serialise(tree: Tree) -> bytes:
    """UTF-8 with its declaration. Empty elements keep their end tag where HTML knows no element without one."""
    root = tree.getroot()
    if root.tag == f"{{{XHTML}}}html":
        for element in root.iter(f"{{{XHTML}}}*"):
            if element.text is None and not len(element) and local_name(element) not in _VOID:
                element.text = ""
    return _DECLARATION + etree.tostring(tree, encoding="utf-8", xml_declaration=False) + b"\n"


def manifest_items(root: etree._Element) -> list[etree._Element]:
    manifest = find(root, "manifest")
    return [] if manifest is None else children(manifest, "item")


def spine_refs(root: etree._Element) -> list[etree._Element]:
    spine = find(root, "spine")
    return [] if spine is None else children(spine, "itemref")


def item_element(root: etree._Element, item_id: str) -> etree._Element:
    """The manifest's element of an id that is in it."""
    return next(element for element in manifest_items(root) if attribute(element, "id") == item_id)


def add_item(root: etree._Element, *, item_id: str, href: str, media_type: str, properties: str = "") -> str:
    """A new entry of the manifest; its id is `item_id`, or another where that is taken."""
    manifest = find(root, "manifest")
    assert manifest is not None
    taken = set(element_ids(root))
    free = next(name for name in (item_id, *(f"{item_id}-{n}" for n in range(2, 100_000))) if name not in taken)
    element = child(manifest, "item")
    for key, value in (("id", free), ("href", href), ("media-type", media_type), ("properties", properties)):
        if value:
            element.set(key, value)
    return free


def child(parent: etree._Element, name: str, *, namespace: str | None = None) -> etree._Element:
    """A new last child, in the namespace of its parent unless told; on a line of its own."""
    space = etree.QName(parent).namespace if namespace is None else namespace
    element = etree.SubElement(parent, f"{{{space}}}{name}" if space else name)
    element.tail = "\n"
    return element


def remove(element: etree._Element) -> None:
    """Take an element away and leave the text behind it."""
    parent = element.getparent()
    assert parent is not None
    if element.tail:
        before = element.getprevious()
        if before is not None:
            before.tail = (before.tail or "") + element.tail
        else:
            parent.text = (parent.text or "") + element.tail
    element.tail = None
    parent.remove(element)


def unwrap(element: etree._Element) -> None:
    """Take an element away and leave what is in it."""
    parent = element.getparent()
    assert parent is not None
    place = parent.index(element)
    inner = list(element)
    if element.text:
        before = element.getprevious()
        if before is not None:
            before.tail = (before.tail or "") + element.text
        else:
            parent.text = (parent.text or "") + element.text
    for offset, one in enumerate(inner):
        parent.insert(place + offset, one)
    remove(element)


def element_ids(root: etree._Element | Tree) -> list[str]:
    """All `id`s in the document, in order."""
    found = _IDS(root)
    assert isinstance(found, list)
    return [str(one) for one in found]


def elements(root: etree._Element | Tree, *names: str) -> Iterator[etree._Element]:
    """Of these local names in whatever namespace, in order."""
    return root.iter(*(f"{{*}}{name}" for name in names))


def body_of(tree: Tree) -> etree._Element | None:
    return next(elements(tree, "body"), None)
