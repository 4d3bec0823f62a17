"""Rules for documents as text: their encoding, and what keeps a parser of XML from reading them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html.entities import html5
from typing import Final

from lxml import etree
from lxml import html as lxml_html

from core.books.kindle.harm import decoded
from core.books.kindle.trees import OPS, XHTML, Tree, elements, parse, remove, serialise
from core.books.kindle.working import CONTAINER, NCX_TYPE, PAGE_BYTES, Copy, Patch
from core.books.xml import MAX_MARKUP
from core.i18n import N_, _

_DECLARED: Final = re.compile(rb"<\?xml\s[^>]*?encoding\s*=\s*[\"']utf-8[\"'][^>]*\?>", re.IGNORECASE)
_DECLARATIONS: Final = re.compile(r"(?:\s*<\?xml\s[^>]*\?>)+\s*")
_META_CHARSET: Final = re.compile(
    r"(<meta\b[^<>]*?\bcharset\s*=\s*[\"']?\s*)(?!utf-?8(?:[\s\"'<>/;]|$))[^\s\"'<>/;]+", re.IGNORECASE
)
_DECLARATION: Final = '<?xml version="1.0" encoding="utf-8"?>\n'
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NUMBER: Final = re.compile(r"&#(?:x([0-9A-Fa-f]{1,8})|([0-9]{1,8}));")
_NAMED: Final = re.compile(r"&([A-Za-z][A-Za-z0-9]{1,31});")
_BARE_AMPERSAND: Final = re.compile(r"&(?!#[0-9]{1,8};|#x[0-9A-Fa-f]{1,8};|[A-Za-z][A-Za-z0-9]{1,31};)")
_XML_ENTITIES: Final = frozenset({"amp", "lt", "gt", "quot", "apos"})
_COMMENT: Final = re.compile(r"<!--(.*?)-->", re.DOTALL)
_CDATA: Final = re.compile(r"<!\[CDATA\[.*?\]\]>", re.DOTALL)
_INNER_DTD: Final = re.compile(r"(<!DOCTYPE\s[^\[>]*?)\s*\[.*?\]\s*>", re.DOTALL)
_SYSTEM_ENTITY: Final = re.compile(r"<!ENTITY\s+(%\s+)?([\w.:-]+)\s+(?:SYSTEM|PUBLIC)\s[^>]*>")
_PLAIN_NAME: Final = re.compile(r"[A-Za-z_][\w.-]*")


def documents(book: Copy) -> Iterator[str]:
    """Pages, contents and package: what has to be XML. SVG pictures are left to those who draw them."""
    kinds = {item.name: item.media_type for item in book.package.items}
    yield from (name for name in book.documents if kinds.get(name) != "image/svg+xml")


def declare_encoding(book: Copy, patch: Patch) -> None:
    """Every document in UTF-8, and saying so in its first line."""
    for name in dict.fromkeys((book.package_name, *_listed(book))):
        data = book.read(name)
        if not data.strip() or book.size_of(name) > PAGE_BYTES:
            continue
        if _DECLARED.match(data) and _is_utf8(data) and _META_CHARSET.search(data[:4096].decode("latin-1")) is None:
            continue
        text = decoded(data).lstrip("\ufeff")
        declared = _DECLARATIONS.match(text)
        rest = text[declared.end() :] if declared else text.lstrip()
        patch.files[name] = (_DECLARATION + _META_CHARSET.sub(r"\1utf-8", rest, count=1)).encode("utf-8", "replace")
        patch.tell(name, _encoding_fault(data))


def _listed(book: Copy) -> Iterator[str]:
    """The documents of the manifest, if it can be read already, and those by their names: they may be listed later."""
    yield from (name for name in book.names if name.lower().endswith((".xhtml", ".html", ".htm", ".ncx")))
    if book.tree(book.package_name) is not None:
        yield from documents(book)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _encoding_fault(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _("UTF-16 became UTF-8")
    if data.count(b"<?xml ") > 1:
        return _("one XML declaration in place of several")
    if not _is_utf8(data):
        return _("the text became UTF-8 from an older encoding")
    return _("the encoding is declared as UTF-8, which it is")


def _mend_text(mend: Callable[[str], str], what: str) -> Callable[[Copy, Patch], None]:
    """A rule that changes the source of documents that are not well-formed."""

    def rule(book: Copy, patch: Patch) -> None:
        for name in (CONTAINER, book.package_name, *(_listed(book))):
            if name not in book or name in patch.files or book.tree(name) is not None or not book.size_of(name):
                continue
            if book.size_of(name) > PAGE_BYTES or book.read(name).count(b"<") > MAX_MARKUP:
                continue
            text = decoded(book.read(name))
            mended = mend(text)
            if mended != text:
                patch.files[name] = mended.encode("utf-8", "replace")
                patch.tell(name, _(what))

    return rule


def _without_controls(text: str) -> str:
    def keep(match: re.Match[str]) -> str:
        try:
            character = chr(int(match[1], 16) if match[1] else int(match[2]))
        except (ValueError, OverflowError):
            return ""
        return "" if _NOT_XML.match(character) else match[0]

    return _NUMBER.sub(keep, _NOT_XML.sub("", text))


def _with_characters(text: str) -> str:
    """HTML's names for characters as the characters, and `&` that begins no name as `&amp;`."""
    kept = [match.span() for match in _CDATA.finditer(text)]
    parts, place = [], 0
    for start, end in [*kept, (len(text), len(text))]:
        part = _NAMED.sub(_character, _BARE_AMPERSAND.sub("&amp;", text[place:start]))
        parts += [part, text[start:end]]
        place = end
    return "".join(parts)


def _character(match: re.Match[str]) -> str:
    if match[1] in _XML_ENTITIES:
        return match[0]
    return html5.get(f"{match[1]};", f"&amp;{match[1]};")


def _with_plain_comments(text: str) -> str:
    return _COMMENT.sub(lambda match: "" if "--" in match[1] or match[1].endswith("-") else match[0], text)


drop_controls = _mend_text(_without_controls, N_("characters that XML forbids were taken out"))
name_characters = _mend_text(_with_characters, N_("HTML's names for characters became the characters themselves"))
mend_comments = _mend_text(_with_plain_comments, N_("comments with “--” in them, which XML forbids, were taken out"))


def drop_conditional_comments(book: Copy, patch: Patch) -> None:
    """Internet Explorer's, and those with hyphens at odds with XML."""
    for name in book.pages:
        if b"<!--[if" not in book.read(name) or book.tree(name) is None:
            continue
        for comment in list(patch.edit(name).iter(etree.Comment)):
            if (comment.text or "").lstrip().startswith(("[if", "<![endif")) and comment.getparent() is not None:
                remove(comment)
                patch.tell(name, _("a comment for Internet Explorer was taken out"))


def drop_entities(book: Copy, patch: Patch) -> None:
    """Entities of a document's own: what they stand for in their place, and nothing in the place of other files."""
    for name in documents(book):
        data = book.read(name)
        if b"<!ENTITY" not in data or book.size_of(name) > PAGE_BYTES:
            continue
        text = decoded(data)
        outside = {match[2] for match in _SYSTEM_ENTITY.finditer(text)}
        text = _SYSTEM_ENTITY.sub("", text)
        for entity in outside:
            text = text.replace(f"&{entity};", "").replace(f"%{entity};", "")
        tree = _with_entities(text.encode("utf-8", "replace"))
        if tree is not None:
            patch.files[name] = _INNER_DTD.sub(r"\1>", serialise(tree).decode("utf-8"), count=1).encode("utf-8")
            patch.tell(name, _("entities that the document declared were put in place"))


def _with_entities(data: bytes) -> Tree | None:
    if parse(data) is None:  # refuses a bomb
        return None
    # lxml 6 takes “internal” here; lxml-stubs have only the booleans of older ones.
    parser = etree.XMLParser(resolve_entities="internal", no_network=True, load_dtd=False)  # type: ignore[arg-type]
    try:
        return etree.fromstring(data, parser).getroottree()
    except etree.XMLSyntaxError:
        return None


def rebuild_pages(book: Copy, patch: Patch) -> None:
    """Pages that are no XML, read as a browser reads them and written as XHTML."""
    for name in book.pages:
        data = book.read(name)
        if book.tree(name) is not None or not data.strip() or book.size_of(name) > PAGE_BYTES:
            continue
        if data.count(b"<") > MAX_MARKUP:
            continue
        rebuilt = _rebuilt(decoded(data))
        if rebuilt is not None:
            patch.files[name] = rebuilt
            patch.tell(name, _("the page was no well-formed XHTML and was written anew"))


_DOCTYPE: Final = re.compile(r"<!DOCTYPE\s+[^\[<>]*>", re.IGNORECASE)
_HTML5: Final = "<!DOCTYPE html>"
_XHTML11: Final = '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.1//EN" "http://www.w3.org/TR/xhtml11/DTD/xhtml11.dtd">'


def mend_doctype(book: Copy, patch: Patch) -> None:
    """HTML 5's in EPUB 3, where no name for a character needs the one that is there; XHTML 1.1's in EPUB 2."""
    for name in book.pages:
        tree = book.tree(name)
        if tree is None or tree.docinfo.internalDTD is None or tree.docinfo.root_name != "html":
            continue
        public = tree.docinfo.public_id or ""
        if book.package.is_epub3 and public and not _unresolved(tree):
            wanted = _HTML5
        elif not book.package.is_epub3 and not public:
            wanted = _XHTML11
        else:
            continue
        text = decoded(book.read(name))
        new = _DOCTYPE.sub(wanted, text, count=1)
        if new != text:
            patch.files[name] = new.encode("utf-8")
            patch.tell(name, _("the page is of the HTML that its EPUB has"))


def _unresolved(tree: Tree) -> bool:
    return next(tree.iter(etree.Entity), None) is not None


def _rebuilt(text: str) -> bytes | None:
    text = _NOT_XML.sub(
        "", re.sub(r"^\s*(?:<\?xml[^>]*\?>\s*)*(?:<!DOCTYPE[^>]*>)?", "", text.lstrip("\ufeff"), flags=re.IGNORECASE)
    )
    text = re.sub(r"<!\[CDATA\[(.*?)\]\]>", r"\1", text, flags=re.DOTALL)
    text = re.sub(r"<(?!/?[A-Za-z]|!--)", "&lt;", text)
    # Empty elements written as XML has them, which HTML reads as begun and never ended.
    text = re.sub(
        r"<(a|p|div|span|i|b|em|td|th|title|script|style|h[1-6]|li|section|iframe)\b([^<>]*?)\s*/>",
        r"<\1\2></\1>",
        text,
    )
    parser = lxml_html.HTMLParser(
        encoding="utf-8", huge_tree=False, no_network=True, remove_pis=True, remove_comments=True
    )
    try:
        root = lxml_html.document_fromstring(text.encode("utf-8"), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError):
        return None
    for element in root.iter("*"):
        _make_xml(element)
    source = etree.tostring(root, encoding="unicode", method="xml")
    source = re.sub(r"^<html\b", f'<html xmlns="{XHTML}" xmlns:epub="{OPS}"', source, count=1)
    tree = parse(source.encode("utf-8"))
    if tree is None or next(elements(tree, "body"), None) is None:
        return None
    return (_DECLARATION + "<!DOCTYPE html>\n" + source).encode("utf-8")


def _make_xml(element: etree._Element) -> None:
    """Names that XML does not know, or knows only with a namespace that is not there."""
    if not _PLAIN_NAME.fullmatch(str(element.tag)):
        element.tag = "span"
    kept = {str(name): str(value) for name, value in element.attrib.items() if _is_known(str(name))}
    if len(kept) < len(element.attrib):
        element.attrib.clear()  # one by one they cannot be taken out: lxml reads a name such as `{x` as a namespace's
        element.attrib.update(list(kept.items()))


def _is_known(name: str) -> bool:
    return name in ("xml:lang", "epub:type") or (
        not name.startswith("xmlns") and _PLAIN_NAME.fullmatch(name) is not None
    )


def rebuild_package(book: Copy, patch: Patch) -> None:
    """A package document or NCX that is no XML, read as far as it goes, if that is to its end."""
    names = [book.package_name]
    if book.tree(names[0]) is not None:
        names = [item.name for item in book.package.items if item.name and item.media_type == NCX_TYPE]
    for name in names:
        data = book.read(name)
        if book.tree(name) is not None or data.count(b"<") > MAX_MARKUP or not data.strip():
            continue
        parser = etree.XMLParser(recover=True, resolve_entities=False, no_network=True, load_dtd=False)
        try:
            root = etree.fromstring(decoded(data).encode("utf-8", "replace"), parser)
        except (etree.XMLSyntaxError, ValueError):
            continue
        if root is not None and name == book.package_name:
            _hoist(root)
        if root is not None and _counts(serialise(root.getroottree())) == _counts(data):
            patch.files[name] = serialise(root.getroottree())
            patch.tell(name, _("the list of the book's parts was no well-formed XML and was written anew"))


def _hoist(root: etree._Element) -> None:
    """The parts of a package stand below its root; an element before them that was never closed has them in itself."""
    for part in ("metadata", "manifest", "spine", "guide"):
        found = next(elements(root, part), None)
        if found is not None and found is not root and found.getparent() is not root:
            root.append(found)


def _counts(data: bytes) -> tuple[int, ...]:
    return tuple(
        len(re.findall(pattern, data)) for pattern in (rb"<(?:\w+:)?item\s", rb"<(?:\w+:)?itemref\s", rb"<navPoint\b")
    )
