"""Rules for pages: what in their markup Amazon's converter stumbles over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote, unquote

from lxml import etree

from core.books.kindle.harm import is_there
from core.books.kindle.references import Reference, hrefs, read_style, references, style_hrefs
from core.books.kindle.trees import (
    OPS,
    XHTML,
    Tree,
    body_of,
    child,
    element_ids,
    elements,
    item_element,
    remove,
    unwrap,
)
from core.books.kindle.working import Copy, Item, Patch, is_loaded_from_afar, is_remote
from core.books.xml import attribute, children, find, local_name, text_of
from core.i18n import N_, _, decimal, ngettext

ALT: Final = "image"
"""What stands where a picture has no words of its own; Amazon refuses none at all."""
HIDDEN_LENGTH: Final = 10_000  # characters under display:none; KINDLE PG, "hidden text"
_SCRIPT_TYPES: Final = re.compile(r"^$|^module$|(?:java|ecma|live|j)script", re.IGNORECASE)
_IDS: Final = etree.XPath("//@id | //@xml:id | //x:a/@name", namespaces={"x": XHTML}, smart_strings=False)
_HANDLERS: Final = etree.XPath("//@*[starts-with(name(), 'on')]/..", smart_strings=False)
_URL_SIGNS: Final = re.compile(r"[^!#$%&'()*+,\-./0-9:;=?@A-Z\[\]_a-z~]")


def ids_of(tree: Tree) -> list[str]:
    """All that a link may lead to, in order, twice where it stands twice."""
    found = _IDS(tree)
    assert isinstance(found, list)
    return [str(one) for one in found]


def _trees(book: Copy, hint: bytes = b"") -> Iterator[tuple[str, Tree]]:
    """The pages that can be read, and have `hint` in their source."""
    for name in book.pages:
        if hint and hint not in book.read(name):
            continue
        tree = book.tree(name)
        if tree is not None:
            yield name, tree


# -- pictures in the text


def mend_pictures(book: Copy, patch: Patch) -> None:
    """Pictures without an address, or of a file that is not there: there is nothing to be shown."""
    for name, tree in _trees(book, b"<"):
        if all(_is_shown(book, element, page=name) for element in elements(tree, "img", "image")):
            continue
        for element in list(elements(patch.edit(name), "img", "image")):
            if not _is_shown(book, element, page=name):
                src = _source_of(element)
                patch.tell(
                    name,
                    _("the picture “{address}” is not in the book").format(address=_short(src))
                    if src
                    else _("a picture had no address"),
                )
                remove(element)


def _is_shown(book: Copy, element: etree._Element, *, page: str) -> bool:
    src = _source_of(element)
    return bool(src) and is_there(book, src, base=page)


def _source_of(element: etree._Element) -> str:
    src = attribute(element, "src") or attribute(element, "href")
    return src.strip()


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"


def fill_alt(book: Copy, patch: Patch) -> None:
    """Every picture has words in its place."""
    for name, tree in _trees(book, b"<img"):
        count = sum(1 for image in tree.iter(f"{{{XHTML}}}img") if not attribute(image, "alt").strip())
        if not count:
            continue
        for image in patch.edit(name).iter(f"{{{XHTML}}}img"):
            if not attribute(image, "alt").strip():
                image.set("alt", attribute(image, "title").strip() or ALT)
        told = ngettext(
            "{count} picture had no text in place of it", "{count} pictures had no text in place of it", count
        )
        patch.tell(name, told.format(count=count))


# -- scripts, and what is elsewhere


def drop_scripts(book: Copy, patch: Patch) -> None:
    """Scripts, `on…` attributes and `javascript:` links."""
    for name, tree in _trees(book):
        source = book.read(name)
        if b"script" not in source.lower() and not _handled(tree):
            continue
        found = [element for element in elements(tree, "script") if _SCRIPT_TYPES.search(attribute(element, "type"))]
        if not found and not _handled(tree) and not _script_links(tree):
            continue
        root = patch.edit(name)
        for element in list(elements(root, "script")):
            if _SCRIPT_TYPES.search(attribute(element, "type")):
                remove(element)
                patch.tell(name, _("a script was taken out"))
        _drop_handlers(root, patch, name)
        for link in _script_links(patch.trees[name]):
            make_span(link)
            patch.tell(name, _("a link that ran a script leads nowhere now"))


def _handled(root: etree._Element | Tree) -> list[etree._Element]:
    """Elements with `on…` attributes."""
    found = _HANDLERS(root)
    assert isinstance(found, list)
    return [element for element in found if isinstance(element, etree._Element)]


def _drop_handlers(root: etree._Element, patch: Patch, name: str) -> None:
    for element in _handled(root):
        for key in [key for key in element.attrib if str(key).startswith("on")]:
            del element.attrib[key]
        patch.tell(name, _("an attribute that ran a script was taken out"))


def _script_links(tree: Tree) -> list[etree._Element]:
    links = tree.iter(f"{{{XHTML}}}a")
    return [link for link in links if link.get("href", "").strip().lower().startswith("javascript:")]


def make_span(link: etree._Element) -> None:
    """A link that is none any more, with its text, its id and its looks."""
    link.tag = f"{{{XHTML}}}span"
    for key in list(link.attrib):
        if key not in ("id", "class", "style", "title", "lang", "dir", "{http://www.w3.org/XML/1998/namespace}lang"):
            del link.attrib[key]


def drop_remote(book: Copy, patch: Patch) -> None:
    """Pictures, frames and styles that would be loaded from the network: nobody does, and Amazon refuses some."""
    for name, _tree in _trees(book, b"//"):
        if not any(kind in _LOADERS and is_loaded_from_afar(href) for kind, href in hrefs(book, name)):
            continue
        for reference in [one for one in references(patch.edit(name)) if _is_loaded(one)]:
            kind = local_name(reference.element)
            told = _(_LOADED.get(kind, _LOADED_OTHER))
            patch.tell(name, told.format(kind=kind, address=_short(reference.href)))
            if reference.element.getparent() is not None:
                (remove if kind in ("img", "image", "link", "source", "track") else unwrap)(reference.element)


def drop_lost_sheets(book: Copy, patch: Patch) -> None:
    """Links in the head of a page to files that are not in the book."""
    for name, _tree in _trees(book, b"<link"):
        if not any(kind == "link" and _is_lost(book, href, page=name) for kind, href in hrefs(book, name)):
            continue
        for element in list(elements(patch.edit(name), "link")):
            href = element.get("href", "").strip()
            if _is_lost(book, href, page=name):
                remove(element)
                patch.tell(name, _("the style sheet “{address}” is not in the book").format(address=_short(href)))


def _is_lost(book: Copy, href: str, *, page: str) -> bool:
    return not is_remote(href) and book.resolve(href, base=page) is None


_LOADED: Final = {
    "img": N_("a picture on the network ({address}) was taken out"),
    "image": N_("a picture on the network ({address}) was taken out"),
    "link": N_("a style sheet on the network ({address}) was taken out"),
    "iframe": N_("a frame on the network ({address}) was taken out"),
}
_LOADED_OTHER: Final = N_("a {kind} on the network ({address}) was taken out")
_LOADERS: Final = frozenset({"img", "image", "iframe", "object", "embed", "link"})


def _is_loaded(reference: Reference) -> bool:
    element, href = reference.element, reference.href
    if local_name(element) == "link" and "stylesheet" not in element.get("rel", "").lower():
        return False
    return local_name(element) in _LOADERS and is_loaded_from_afar(href)


# -- links and ids


def drop_double_ids(book: Copy, patch: Patch) -> None:
    """An id stands once in a page: the first keeps it, since that is where links lead."""
    for name, tree in _trees(book, b"id="):
        found = element_ids(tree)
        if len(found) == len(set(found)):
            continue
        seen: set[str] = set()
        for element in patch.edit(name).iter("*"):
            own = element.get("id")
            if own is not None and own in seen:
                del element.attrib["id"]
                patch.tell(name, _("the id “{id}” stood twice").format(id=_short(own)))
            seen.add(own or "")


def unlink_body(book: Copy, patch: Patch) -> None:
    """Links to the id of `body` or `html` lead to the page: Amazon finds no other."""
    tops = {name: top for name, tree in _trees(book, b"id=") if (top := _top_ids(tree))}
    if not tops:
        return
    for document in (*book.pages, *((book.ncx,) if book.ncx else ())):
        if not any(_leads_to_top(book, href, document, tops) for _, href in hrefs(book, document)):
            continue
        for reference in references(patch.edit(document)):
            if _leads_to_top(book, reference.href, document, tops):
                path = reference.href.partition("#")[0]
                reference.element.set(reference.key, path or document.rpartition("/")[2])
                patch.tell(
                    document,
                    _("a link led to the whole page by an id, “{address}”").format(address=_short(reference.href)),
                )


def _top_ids(tree: Tree) -> set[str]:
    body = body_of(tree)
    tops = (tree.getroot(), *(() if body is None else (body,)))
    return {own for top in tops if (own := top.get("id"))}


def _leads_to_top(book: Copy, href: str, document: str, tops: dict[str, set[str]]) -> bool:
    path, mark, fragment = href.partition("#")
    if not mark or is_remote(href):
        return False
    return unquote(fragment) in tops.get(book.resolve(path, base=document) or "", ())


def mend_links(book: Copy, patch: Patch) -> None:
    """Links to pages that are not there are none; links to ids that are not there lead to the page."""
    known = {name: set(ids_of(tree)) for name, tree in _trees(book)}
    for name, tree in _trees(book, b"href"):
        if not any(_fault(book, link, name, known) for link in tree.iter(f"{{{XHTML}}}a", f"{{{XHTML}}}area")):
            continue
        for link in list(patch.edit(name).iter(f"{{{XHTML}}}a", f"{{{XHTML}}}area")):
            fault, href = _fault(book, link, name, known), link.get("href", "")
            if fault == "id":
                link.set("href", href.partition("#")[0] or name.rpartition("/")[2])
                patch.tell(name, _("a link led to a place that is not there, “{address}”").format(address=_short(href)))
            elif fault == "file":
                _unlink(link, is_entry=name == book.nav)
                patch.tell(name, _("a link led to a file that is not there, “{address}”").format(address=_short(href)))
            elif fault == "signs":
                link.set("href", _URL_SIGNS.sub(lambda sign: quote(sign[0]), href.strip()))
                patch.tell(
                    name, _("an address had signs that no address has, “{address}”").format(address=_short(href))
                )


def _fault(book: Copy, link: etree._Element, document: str, known: dict[str, set[str]]) -> str:
    href = link.get("href")
    if href is None:
        return ""
    if is_remote(href.strip()):
        return "signs" if not href.startswith("data:") and _URL_SIGNS.search(href) else ""
    path, _mark, fragment = href.strip().partition("#")
    name = book.resolve(path, base=document)
    if name is None:
        return "file"
    if fragment and name in known and not fragment.startswith(("epubcfi(", "xpointer(", "xywh=", "t=")):
        return "" if unquote(fragment) in known[name] or fragment in known[name] else "id"
    return ""


def _unlink(link: etree._Element, *, is_entry: bool) -> None:
    """In a table of contents the entry goes, unless others hang below it."""
    parent = link.getparent()
    if is_entry and parent is not None and local_name(parent) == "li" and find(parent, "ol") is None:
        holder = parent.getparent()
        if holder is not None and len(children(holder, "li")) > 1:
            remove(parent)
            return
    make_span(link)


# -- leftovers


def drop_leftovers(book: Copy, patch: Patch) -> None:
    """Attributes that Amazon's own tools left, and those of EPUB 3 in books of EPUB 2."""
    for name, tree in _trees(book):
        source = book.read(name)
        hints = [b"data-amz", b"data-Amz", b"data-AmazonS"]
        is_old = not book.package.is_epub3 and OPS.encode() in source
        if not is_old and not any(hint in source for hint in hints):
            continue
        if not any(_leftovers(element, is_old=is_old) for element in tree.iter("*")):
            continue
        for element in patch.edit(name).iter("*"):
            for key in _leftovers(element, is_old=is_old):
                del element.attrib[key]
                patch.tell(
                    name, _("the attribute “{attribute}” was taken out").format(attribute=etree.QName(key).localname)
                )


def _leftovers(element: etree._Element, *, is_old: bool) -> list[str]:
    keys = [str(key) for key in element.attrib]
    return [key for key in keys if key.lower().startswith("data-am") or (is_old and key.startswith(f"{{{OPS}}}"))]


def name_pages(book: Copy, patch: Patch) -> None:
    """Every page has a title in its head, since XHTML wants one: the book's, where there is none."""
    for name, tree in _trees(book):
        head = find(tree.getroot(), "head")
        if head is None or text_of(find(head, "title")) or local_name(tree.getroot()) != "html":
            continue
        head = find(patch.edit(name), "head")
        assert head is not None
        title = find(head, "title")
        if title is None:
            title = child(head, "title")
        title.text = text_of(next(elements(book.package.root, "title"), None)) or "…"
        patch.tell(name, _("the page had no title in its head"))


def show_hidden(book: Copy, patch: Patch) -> None:
    """Text under `display:none`, where it is more than Amazon takes, is shown."""
    for name, tree in _trees(book, b"display"):
        found = [element for element in tree.iter(f"{{{XHTML}}}*") if _is_hidden(element)]
        length = sum(len("".join(map(str, element.itertext()))) for element in found)
        if length <= HIDDEN_LENGTH:
            continue
        for element in patch.edit(name).iter(f"{{{XHTML}}}*"):
            if _is_hidden(element):
                element.set("style", _NONE.sub("", element.get("style", "")).strip(" ;") or "display: block")
        patch.tell(name, _("{count} characters were hidden, and are shown").format(count=decimal(length)))


_NONE: Final = re.compile(r"display\s*:\s*none\s*(?:!important)?\s*;?", re.IGNORECASE)


def _is_hidden(element: etree._Element) -> bool:
    return _NONE.search(element.get("style", "")) is not None


def true_properties(book: Copy, patch: Patch) -> None:
    """What the manifest says of a page that was changed (`scripted`, `remote-resources`, `svg`) is still so."""
    if not book.package.is_epub3:
        return
    for item in book.package.items:
        if not item.name or book.origin(item.name) is not None:
            continue
        wrong = {key for key in item.properties & _TESTS.keys() if not _is_true(book, item, key)}
        if not wrong:
            continue
        element = item_element(patch.edit(book.package.name), item.id)
        left = [key for key in attribute(element, "properties").split() if key not in wrong]
        element.attrib.pop("properties")
        if left:
            element.set("properties", " ".join(left))
        patch.tell(
            book.package.name,
            _("“{file}” has no {properties} any more").format(file=item.href, properties=", ".join(sorted(wrong))),
        )


def _is_true(book: Copy, item: Item, key: str) -> bool:
    if item.is_style:
        return any(is_loaded_from_afar(href) for href in style_hrefs(read_style(book, item.name)))
    tree = book.tree(item.name) if item.name in book.documents else None
    return tree is None or _TESTS[key](tree)


def _is_scripted(tree: Tree) -> bool:
    return next(elements(tree, "form", "script"), None) is not None or bool(_handled(tree))


def _has_remote(tree: Tree) -> bool:
    loaded = (one.href for one in references(tree.getroot()) if local_name(one.element) != "a")
    return any(is_remote(href) and not href.startswith("data:") for href in loaded)


_TESTS: Final = {"scripted": _is_scripted, "remote-resources": _has_remote}
