"""What may stand in what: HTML's content model, which e-readers and epubcheck hold books to."""

from __future__ import annotations

import re
from typing import Final

from lxml import html as lxml_html
from lxml.html import HtmlElement

MAX_DEPTH: Final = 120  # libxml2 stops at 256, and e-readers sooner
INLINE: Final = frozenset(
    re.findall(
        r"\w+",
        "a abbr b bdi bdo cite code dfn em i kbd mark q s samp small strong sub sup u var ruby rt rp del ins time",
    )
)
BLOCKS: Final = frozenset(
    re.findall(
        r"\w+",
        "p div section article blockquote pre h1 h2 h3 h4 h5 h6 ul ol li dl dt dd table caption thead tbody tfoot tr "
        "td th figure figcaption hr",
    )
)
_SPACES: Final = re.compile(r"[ \t\r\n\f]+")

_LISTS: Final = frozenset({"ul", "ol"})
_PARENTS: Final = {
    "li": _LISTS,
    "dt": {"dl"},
    "dd": {"dl"},
    "caption": {"table"},
    "thead": {"table"},
    "tbody": {"table"},
    "tfoot": {"table"},
    "tr": {"table", "thead", "tbody", "tfoot"},
    "td": {"tr"},
    "th": {"tr"},
}
_HOLLOW: Final = frozenset({"table", "ul", "ol", "dl", "figure", "div", "blockquote"})
_PHRASING_ONLY: Final = frozenset({"p", "h2", "h3", "h4", "h5", "h6", "pre", "caption", "dt"})


def nest(root: HtmlElement) -> None:
    """Give every element a place that it may have, and unwrap those that have none. What is read stays as it is."""
    _flatten_deep(root)
    for table in list(root.iter("table")):
        _mend_table(table)
    for element in _below(root):
        _mend_orphan(element)
    for element in list(root.iter("ul", "ol", "dl")):
        _mend_list(element)
    for element in _below(root):
        is_link_in_link = element.tag == "a" and next(element.iterancestors("a"), None) is not None
        if is_link_in_link or (element.tag in INLINE and _has_blocks(element)):
            element.drop_tag()
    for element in _below(root):
        if element.tag in _PHRASING_ONLY and _has_blocks(element):
            element.tag = "div"
    _remove_empty(root)
    _wrap_loose(root)


def _below(root: HtmlElement) -> list[HtmlElement]:
    """Everything that still stands below the root."""
    return [element for element in root.iter("*") if element is not root and element.getparent() is not None]


def _mend_orphan(element: HtmlElement) -> None:
    """Parts of tables, lists and figures that stand outside of one."""
    parent = element.getparent()
    assert parent is not None
    tag, around = str(element.tag), str(parent.tag)
    wanted = _PARENTS.get(tag)
    if (wanted is not None and around not in wanted) or (
        tag == "figcaption" and (around != "figure" or not _is_edge(element))
    ):
        element.tag = "div"
    elif tag in ("rt", "rp") and around != "ruby":
        element.drop_tag()


def _flatten_deep(root: HtmlElement) -> None:
    """Unwrap what lies deeper than any article needs: what comes after walks the tree, and so do e-readers."""
    level = [root]
    for _ in range(MAX_DEPTH):
        level = [child for element in level for child in element]
        if not level:
            return
    for element in level:
        text = flat(element)
        for child in list(element):
            element.remove(child)
        element.text = text


def _is_edge(element: HtmlElement) -> bool:
    """The first or the last of its siblings, and the only caption."""
    parent = element.getparent()
    assert parent is not None
    captions = [one for one in parent if one.tag == "figcaption"]
    return len(captions) == 1 and element in (parent[0], parent[-1])


def _has_blocks(element: HtmlElement) -> bool:
    return any(child.tag in BLOCKS for child in element.iterdescendants())


def _mend_table(table: HtmlElement) -> None:
    """A table with rows of cells, or no table: one of single cells is a layout, and its text is plain text."""
    rows = [row for row in table.iter("tr") if next(row.iterancestors("table"), None) is table]
    cells = [[cell for cell in row if cell.tag in ("td", "th")] for row in rows]
    is_nested = next(table.iterdescendants("table"), None) is not None
    if is_nested or max((len(row) for row in cells), default=0) < 2:
        for part in table.iter("tr", "td", "th", "thead", "tbody", "tfoot", "caption"):
            if next(part.iterancestors("table"), None) is table:
                part.tag = "div"
        table.tag = "div"
        return
    caption = next((part for part in table if part.tag == "caption"), None)
    heads = [row for row in rows if row.getparent() is not table and str(_parent(row).tag) == "thead"]
    first = _parent(heads[0]) if heads else None
    parts = {"thead": [row for row in heads if _parent(row) is first and len(row)]}
    parts["tbody"] = [row for row, own in zip(rows, cells, strict=True) if own and row not in parts["thead"]]
    table.text = None
    table[:] = [] if caption is None else [caption]
    for name, own in parts.items():
        if own:
            body = lxml_html.Element(name)
            body.extend(own)
            table.append(body)
    for part in table.iter("caption", "thead", "tbody", "tr"):
        part.tail = None
    for row in table.iter("tr"):
        row.text = None
        row[:] = [cell for cell in row if cell.tag in ("td", "th")]
        for cell in row:
            cell.tail = None


def _parent(element: HtmlElement) -> HtmlElement:
    parent = element.getparent()
    assert parent is not None
    return parent


def _mend_list(element: HtmlElement) -> None:
    """Items only; what stands between them becomes one, and a list without any is none."""
    wanted = ("dt", "dd") if element.tag == "dl" else ("li",)
    if not any(child.tag in wanted for child in element):
        for child in element:
            if child.tag in ("li", "dt", "dd"):
                child.tag = "div"
        element.tag = "div"
        return
    if element.tag == "dl":
        _mend_definitions(element)
        return
    item: HtmlElement | None = None
    if (element.text or "").strip():
        item = lxml_html.Element("li")
        item.text, element.text = element.text, None
        element.insert(0, item)
    for child in list(element):
        if child.tag == "li":
            item = child
        elif item is not None and child is not item:
            tail, child.tail = child.tail, None
            item.append(child)
            _append_text(item, tail)
            continue
        else:
            child_item = lxml_html.Element("li")
            tail, child.tail = child.tail, None
            element.replace(child, child_item)
            child_item.append(child)
            child_item.tail = tail
            item = child_item
        if (item.tail or "").strip():
            _append_text(item, item.tail)
        item.tail = None


def _mend_definitions(element: HtmlElement) -> None:
    """Terms with their definitions, or plain lines where there are others between them."""
    tags = [str(child.tag) for child in element]
    loose = (element.text or "").strip() or any((child.tail or "").strip() for child in element)
    if loose or any(tag not in ("dt", "dd") for tag in tags) or tags[0] != "dt" or tags[-1] != "dd":
        for child in element:
            child.tag = "div" if child.tag in ("dt", "dd") else child.tag
        element.tag = "div"


def _append_text(element: HtmlElement, text: str | None) -> None:
    if not text:
        return
    if len(element):
        element[-1].tail = (element[-1].tail or "") + text
    else:
        element.text = (element.text or "") + text


def _remove_empty(root: HtmlElement) -> None:
    """Elements that show nothing, from the inside out."""
    for element in reversed(_below(root)):
        if element.tag in ("img", "br", "hr", "td", "th"):
            continue
        is_bare = not len(element) and not (element.text or "").strip("\u00a0 \t\r\n")
        is_hollow = element.tag in _HOLLOW and not _shows(element)
        if is_bare or is_hollow:
            drop(element)


def _shows(element: HtmlElement) -> bool:
    return bool(flat(element)) or next(element.iter("img", "hr"), None) is not None


def _wrap_loose(root: HtmlElement) -> None:
    """Text between blocks becomes paragraphs; a `div` of text alone is one, others go, but not their direction."""
    for element in reversed(list(root.iter("div", "td", "th", "li", "blockquote", "dd", "figcaption", "figure"))):
        if element.tag == "div" and element is not root and not _has_blocks(element):
            element.tag = "p"
            continue
        if element.tag in ("div", "blockquote") or element is root:
            _paragraph_runs(element)
    for element in list(root.iter("div")):
        if element is not root and "dir" not in element.attrib:
            element.drop_tag()
    for element in [*root.iter("p"), root]:
        _trim_breaks(element)
    for paragraph in list(root.iter("p")):
        if not _shows(paragraph):
            drop(paragraph)


def _paragraph_runs(element: HtmlElement) -> None:
    """Each run of loose text and inline elements below `element` in a paragraph of its own; two line breaks end one."""
    shaped: list[HtmlElement] = []
    run: HtmlElement | None = None
    after_break = False

    def opened() -> HtmlElement:
        nonlocal run
        if run is None:
            run = lxml_html.Element("p")
            shaped.append(run)
        return run

    loose, element.text = element.text, None
    for child in [None, *element]:
        if child is not None:
            loose, child.tail = child.tail, None
            if child.tag in BLOCKS:
                shaped.append(child)
                run = None
            elif child.tag == "br" and (after_break or run is None):
                run = None
            else:
                opened().append(child)
            after_break = child.tag == "br"
        if (loose or "").strip():
            after_break = False
            _append_text(opened(), loose)
        elif run is not None:
            _append_text(run, loose)
    element[:] = shaped


def _trim_breaks(element: HtmlElement) -> None:
    """No line breaks at the beginning and at the end of a paragraph."""
    while len(element) and element[0].tag == "br" and not (element.text or "").strip():
        drop(element[0])
    while len(element) and element[-1].tag == "br" and not (element[-1].tail or "").strip():
        drop(element[-1])


def drop(element: HtmlElement) -> None:
    """Take an element away with what is in it; the text behind it stays."""
    if element.getparent() is not None:
        element.drop_tree()


def flat(element: HtmlElement) -> str:
    return _SPACES.sub(" ", "".join(element.itertext())).strip()
