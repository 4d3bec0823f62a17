"""Rules for the tables of contents: the NCX of EPUB 2, the navigation document of EPUB 3."""

from __future__ import annotations

from html import escape
from typing import Final, NamedTuple
from urllib.parse import unquote

from lxml import etree

from core.books.kindle.pages import ids_of
from core.books.kindle.trees import XHTML, add_item, child, elements, remove
from core.books.kindle.working import NCX_TYPE, Copy, Patch, is_remote, relative
from core.books.text import clean_line
from core.books.xml import attribute, children, find, local_name, text_of
from core.i18n import _

_POINTS: Final = ("navPoint", "pageTarget", "navTarget")


def mend_ncx_targets(book: Copy, patch: Patch) -> None:
    """Entries that lead to files that are not there go, those that lead to ids that are not there lead to the page."""
    ncx, tree = _ncx(book)
    if ncx is None or tree is None:
        return
    known = {name: set(ids_of(page)) for name in book.pages if (page := book.tree(name)) is not None}
    if not any(_fault(book, content, ncx, known) for content in elements(tree, "content")):
        return
    for content in list(elements(patch.edit(ncx), "content")):
        src, point = attribute(content, "src"), content.getparent()
        fault = _fault(book, content, ncx, known)
        if fault == "id":
            content.set("src", src.partition("#")[0])
            patch.tell(ncx, _("the entry “{entry}” led to a place that is not there").format(entry=_label(point)))
        elif fault and point is not None and point.getparent() is not None:
            patch.tell(ncx, _("the entry “{entry}” led to a file that is not there").format(entry=_label(point)))
            _dissolve(point)
    for name in ("pageList", "navList", "navMap"):
        for holder in list(elements(patch.edit(ncx), name)):
            if not children(holder, *_POINTS) and name != "navMap":
                remove(holder)


def _ncx(book: Copy) -> tuple[str | None, etree._ElementTree | None]:
    ncx = book.ncx
    return ncx, None if ncx is None else book.tree(ncx)


def _fault(book: Copy, content: etree._Element, ncx: str, known: dict[str, set[str]]) -> str:
    src = attribute(content, "src").strip()
    if not src or is_remote(src):
        return "file"
    path, _mark, fragment = src.partition("#")
    name = book.resolve(path, base=ncx) if path else None
    if name is None:
        return "file"
    return "id" if fragment and name in known and unquote(fragment) not in known[name] else ""


def _label(point: etree._Element | None) -> str:
    return clean_line(text_of(find(point, "navLabel")), max_length=60)


def _dissolve(point: etree._Element) -> None:
    """Take an entry away; those below it come up."""
    parent = point.getparent()
    assert parent is not None
    for below in children(point, *_POINTS):
        point.addprevious(below)
    remove(point)


def mend_ncx_order(book: Copy, patch: Patch) -> None:
    """Ids that are there and once, labels that say something, `playOrder` that counts up."""
    ncx, tree = _ncx(book)
    if ncx is None or tree is None:
        return
    points = list(elements(tree, *_POINTS))
    orders = [attribute(point, "playOrder") for point in points]
    ids = [attribute(point, "id") for point in points]
    bad_order = any(orders) and not _counts_up(points, orders)
    bad_ids = len(set(ids)) < len(ids) or not all(ids)
    empty = [place for place, point in enumerate(points) if not text_of(find(point, "navLabel"))]
    if not (bad_order or bad_ids or empty):
        return
    edited = list(elements(patch.edit(ncx), *_POINTS))
    if bad_order:
        _renumber(edited)
        patch.tell(ncx, _("its entries did not count up in the order of reading (playOrder)"))
    if bad_ids:
        _identify(edited)
        patch.tell(ncx, _("its entries had no ids, or the same ones"))
    for place in empty:
        _name(edited[place], str(place + 1))
        patch.tell(ncx, _("an entry had no name"))


def _counts_up(points: list[etree._Element], orders: list[str]) -> bool:
    """Numbers from 1 without a gap; entries with one target have one number (OPF 2.0.1 2.4.1.2)."""
    targets: dict[str, str] = {}
    if not all(order.isdecimal() and len(order) < 10 for order in orders):
        return False
    for point, order in zip(points, orders, strict=True):
        content = find(point, "content")
        target = "" if content is None else attribute(content, "src")
        if targets.setdefault(order, target) != target:
            return False
    numbers = [int(order) for order in orders]
    main = [number for point, number in zip(points, numbers, strict=True) if local_name(point) == "navPoint"]
    return main == sorted(main) and sorted(set(numbers)) == list(range(1, len(set(numbers)) + 1))


def _renumber(points: list[etree._Element]) -> None:
    numbers: dict[str, int] = {}
    for point in points:
        content = find(point, "content")
        target = "" if content is None else attribute(content, "src")
        point.set("playOrder", str(numbers.setdefault(target, len(numbers) + 1)))


def _identify(points: list[etree._Element]) -> None:
    for place, point in enumerate(points, start=1):
        point.set("id", f"point-{place}")


def _name(point: etree._Element, words: str) -> None:
    label = find(point, "navLabel")
    if label is None:
        label = etree.Element(f"{{{etree.QName(point).namespace}}}navLabel")
        point.insert(0, label)
    text = find(label, "text")
    text = child(label, "text") if text is None else text
    text.text = words


def mend_ncx_identifier(book: Copy, patch: Patch) -> None:
    """`dtb:uid` is the book's identifier."""
    ncx, tree = _ncx(book)
    own = unique_identifier(book)
    if ncx is None or tree is None or not own:
        return
    metas = [meta for meta in elements(tree, "meta") if attribute(meta, "name") == "dtb:uid"]
    if metas and attribute(metas[0], "content").strip() == own:
        return
    root = patch.edit(ncx)
    meta = next((meta for meta in elements(root, "meta") if attribute(meta, "name") == "dtb:uid"), None)
    if meta is None:
        head = find(root, "head")
        if head is None:
            return
        meta = child(head, "meta")
        meta.set("name", "dtb:uid")
    meta.set("content", own)
    patch.tell(ncx, _("it was of a book with another identifier"))


def unique_identifier(book: Copy) -> str:
    """The identifier that the package says is its own; "" if there is none."""
    wanted = attribute(book.package.root, "unique-identifier")
    found = (one for one in elements(book.package.root, "identifier") if attribute(one, "id") == wanted)
    return text_of(next(found, None))


# -- made anew


class Entry(NamedTuple):
    """A line of the contents."""

    name: str
    """The page's file."""
    title: str


_HEADINGS: Final = ("h1", "h2", "h3")


def outline(book: Copy) -> list[Entry]:
    """The pages that are read, by their first heading, else by the title in their head, else by their number."""
    return [
        Entry(name, _title_of(book, name) or f"{number}")
        for number, name in enumerate((one for one in book.read_pages if one != book.nav), start=1)
    ]


def _title_of(book: Copy, name: str) -> str:
    tree = book.tree(name)
    if tree is None:
        return ""
    for tags in (_HEADINGS, ("title",)):
        for element in tree.iter(*(f"{{{XHTML}}}{tag}" for tag in tags)):
            title = clean_line(" ".join(text_of(element).split()), max_length=120)
            if title:
                return title
    return ""


def make_contents(book: Copy, patch: Patch) -> None:
    """A table of contents for a book that has none: a navigation document (EPUB 3) or an NCX (EPUB 2)."""
    if book.nav is not None or (book.ncx is not None and not book.package.is_epub3):
        return
    entries = outline(book)
    if not entries:
        return
    root = patch.edit(book.package.name)
    folder = f"{book.package.folder}/" if book.package.folder else ""
    if book.package.is_epub3:
        name = _free(book, f"{folder}contents.xhtml")
        patch.files[name] = nav_document(entries, base=name)
        add_item(root, item_id="contents", href=relative(name, base=book.package.name),
                 media_type="application/xhtml+xml", properties="nav")  # fmt: skip
    else:
        name = _free(book, f"{folder}toc.ncx")
        patch.files[name] = ncx_document(entries, base=name, identifier=unique_identifier(book))
        added = add_item(root, item_id="ncx", href=relative(name, base=book.package.name), media_type=NCX_TYPE)
        spine = find(root, "spine")
        if spine is not None:
            spine.set("toc", added)
    patch.tell(book.package.name, _("there was no table of contents; one was made of the headings"))


def _free(book: Copy, name: str) -> str:
    stem, _dot, suffix = name.rpartition(".")
    names = (name, *(f"{stem}-{number}.{suffix}" for number in range(2, 10_000)))
    return next(candidate for candidate in names if candidate not in book)


def nav_document(entries: list[Entry], *, base: str) -> bytes:
    """EPUB 3.3, 7."""
    lines = "\n".join(
        f'<li><a href="{escape(relative(entry.name, base=base))}">{escape(entry.title)}</a></li>' for entry in entries
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE html>\n'
        f'<html xmlns="{XHTML}" xmlns:epub="http://www.idpf.org/2007/ops"><head><title>Contents</title></head>\n'
        f'<body><nav epub:type="toc" id="toc"><ol>\n{lines}\n</ol></nav></body></html>\n'
    ).encode()


def ncx_document(entries: list[Entry], *, base: str, identifier: str, title: str = "Contents") -> bytes:
    """OPF 2.0.1, 2.4.1."""
    points = "\n".join(
        f'<navPoint id="point-{number}" playOrder="{number}"><navLabel><text>{escape(entry.title)}</text></navLabel>'
        f'<content src="{escape(relative(entry.name, base=base))}"/></navPoint>'
        for number, entry in enumerate(entries, start=1)
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/" version="2005-1"><head>'
        f'<meta name="dtb:uid" content="{escape(identifier)}"/></head>'
        f"<docTitle><text>{escape(title)}</text></docTitle>\n<navMap>\n{points}\n</navMap></ncx>\n"
    ).encode()
