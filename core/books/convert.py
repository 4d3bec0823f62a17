"""FB2, CBZ, ODT, DOCX, Markdown, HTML and TXT as EPUB: each is read into chapters of HTML, and set as pages of ours.

The same library reads what it reads elsewhere: lxml for XML and HTML, mammoth for DOCX, markdown-it-py for Markdown.
"""

from __future__ import annotations

import base64
import binascii
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from html import escape
from itertools import count
from pathlib import Path
from typing import Final

from lxml import etree
from lxml import html as lxml_html

from core.books.cbz import PICTURE, natural_order
from core.books.fb2 import load_fb2
from core.books.limits import BookLimits
from core.books.making import BookPlan, Chapter, Picture, make_epub
from core.books.refusals import damaged, too_large
from core.books.text import clean_line, decode_text
from core.books.typeset import body_xhtml, parse_html
from core.books.xml import attribute, children, elements_named, find, local_name, text_of
from core.books.zips import Members, open_members
from core.i18n import _
from core.values import BookFormat

MODIFIED: Final = datetime.fromisoformat("2026-01-01T00:00:00+00:00")  # fixed: the same file gives the same book
TEXT_BYTES: Final = 24 * 1024 * 1024
"""Of the text of a book that is made: the longest novels have five."""
_KINDS: Final = {
    b"\xff\xd8\xff": ("jpg", "image/jpeg"),
    b"\x89PNG": ("png", "image/png"),
    b"GIF8": ("gif", "image/gif"),
}
_HEADING: Final = re.compile(
    r"(?:chapter|part|book|kapitel|teil|chapitre|capítulo|capitolo|глава|часть)\s+[\w.:—–\s'’-]{1,60}|[IVXLC]{1,7}\.?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the library knows of the book."""

    title: str
    authors: tuple[str, ...]
    language: str | None = None


@dataclass(slots=True)
class _Shelf:
    """The pictures of a book that is being made, by what the source calls them."""

    find: Callable[[str], bytes | None]
    pictures: dict[str, Picture] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def name(self, source: str) -> str | None:
        """The name of a picture in the new book; None for one that is not there, or of no kind that readers show."""
        if source not in self.pictures:
            content = self.find(source) if source else None
            picture = None if content is None else _picture(content, number=next(self._numbers))
            if picture is None:
                return None
            self.pictures[source] = picture
        return self.pictures[source].name


def convert_to_epub(path: Path, target: Path, *, book_format: BookFormat, facts: Facts, limits: BookLimits) -> None:
    """Write the book at `path` as EPUB. Blocks. Raises `DamagedFile`, `RefusedFile`."""
    chapters, pictures, cover = _READERS[book_format](path, facts, limits)
    if not pictures and not any(re.sub(r"<[^>]*>|\s", "", chapter.body) for chapter in chapters):
        raise damaged(book_format.value.upper(), _("there is no text in it"), code="file.empty")
    plan = BookPlan(
        title=facts.title,
        authors=facts.authors or ("…",),
        language=facts.language or _language(chapters),
        chapters=chapters,
        pictures=pictures,
        cover=cover,
        modified_at=MODIFIED,
    )
    make_epub(plan, path=target)


_Read = tuple[Sequence[Chapter], Sequence[Picture], bytes | None]


# -- HTML, and what becomes HTML


def _read_html(path: Path, facts: Facts, limits: BookLimits) -> _Read:
    from core.books.html import decode_html

    return _chaptered(decode_html(_bytes(path)), facts, _no_pictures)


def _read_markdown(path: Path, facts: Facts, limits: BookLimits) -> _Read:
    from markdown_it import MarkdownIt

    from core.books.markdown import without_front_matter

    text = without_front_matter(decode_text(_bytes(path)).replace("\r\n", "\n").lstrip("\ufeff"))
    html = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    return _chaptered(f"<html><body>{html}</body></html>", facts, _no_pictures)


def _read_docx(path: Path, facts: Facts, limits: BookLimits) -> _Read:
    import mammoth  # type: ignore[import-untyped] # it has no types

    with open_members(path, limits, kind="DOCX") as members:
        for name in members.names:
            if name.endswith(".xml") and b"<!ENTITY" in members.read(name, limit_bytes=TEXT_BYTES):
                raise damaged("DOCX", _("it declares entities, which no word processor does"))
    with path.open("rb") as file:
        html = mammoth.convert_to_html(file).value
    return _chaptered(f"<html><body>{html}</body></html>", facts, _inlined)


def _read_txt(path: Path, facts: Facts, limits: BookLimits) -> _Read:
    text = decode_text(_bytes(path)).replace("\r\n", "\n").replace("\r", "\n").lstrip("\ufeff")
    blocks = [block.strip("\n") for block in re.split(r"\n[ \t]*\n", text) if block.strip()]
    if len(blocks) <= 3 and text.count("\n") > 20:
        blocks = [line for line in text.split("\n") if line.strip()]  # a paragraph a line, and no blank ones
    html = "".join(_paragraph(block) for block in blocks)
    return _chaptered(f"<html><body>{html}</body></html>", facts, _no_pictures)


def _paragraph(block: str) -> str:
    line = " ".join(block.split())
    if len(line) <= 70 and _HEADING.fullmatch(line):
        return f"<h1>{escape(line)}</h1>"
    return f"<p>{escape(line)}</p>"


def _no_pictures(source: str) -> bytes | None:
    return _inlined(source)


def _inlined(source: str) -> bytes | None:
    """The content of a `data:` address."""
    found = re.match(r"data:image/[\w.+-]+;base64,", source)
    return _base64(source[found.end() :]) if found else None


def _base64(encoded: str) -> bytes | None:
    try:
        return base64.b64decode(encoded)
    except (binascii.Error, ValueError):
        return None


def _bytes(path: Path) -> bytes:
    if path.stat().st_size > TEXT_BYTES:
        raise too_large(_("Its text"), limit_bytes=TEXT_BYTES)
    return path.read_bytes()


def _chaptered(source: str, facts: Facts, find: Callable[[str], bytes | None]) -> _Read:
    """A chapter at each heading of the first rank that stands more than once, else of the second; else one in all."""
    shelf = _Shelf(find)
    document = parse_html(source)
    body = body_xhtml(document, picture=shelf.name, link=_outward)
    root = etree.fromstring(f"<div>{body}</div>", etree.XMLParser(huge_tree=True))
    ranks = [tag for tag in ("h1", "h2", "h3") if sum(1 for child in root if child.tag == tag) > 1]
    chapters: list[Chapter] = []
    block: list[str] = []
    title = ""
    for child in [None, *root]:
        if child is None:
            block = [escape(root.text)] if root.text and root.text.strip() else []
            continue
        if ranks and child.tag == ranks[0]:
            chapters += _chapter(block, title, facts, len(chapters))
            block, title = [], clean_line(" ".join(text_of(child).split()), max_length=120)
        block.append(etree.tostring(child, encoding="unicode"))
    chapters += _chapter(block, title, facts, len(chapters))
    return chapters, list(shelf.pictures.values()), None


def _chapter(block: Sequence[str], title: str, facts: Facts, number: int) -> list[Chapter]:
    body = "".join(block).strip()
    return [Chapter(f"chapter-{number + 1}", title or facts.title, body)] if body else []


def _outward(href: str) -> str | None:
    return href if re.fullmatch(r"(?:https?://|mailto:)[!-~]+", href) else None


# -- ODT


_TEXT: Final = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"


def _read_odt(path: Path, facts: Facts, limits: BookLimits) -> _Read:
    with open_members(path, limits, kind="ODT") as members:
        name = members.find("content.xml")
        content = members.read(name, limit_bytes=TEXT_BYTES) if name else b""
        try:
            root = etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
        except etree.XMLSyntaxError as error:
            raise damaged("ODT", _("its text cannot be read")) from error
        text = next(iter(elements_named(root, "text")), None)
        html = "" if text is None else "".join(_odt_block(child) for child in text)
        shelf_find = lambda source: _member(members, source)  # noqa: E731 - while the archive is open
        return _chaptered(f"<html><body>{html}</body></html>", facts, shelf_find)


def _odt_block(element: etree._Element) -> str:
    match local_name(element):
        case "h":
            level = element.get(f"{_TEXT}outline-level", "1")
            level = level if level in ("1", "2", "3", "4", "5", "6") else "6"
            return f"<h{level}>{_odt_inline(element)}</h{level}>"
        case "p":
            return f"<p>{_odt_inline(element)}</p>"
        case "list":
            items = "".join(f"<li>{''.join(map(_odt_block, item))}</li>" for item in element)
            return f"<ul>{items}</ul>"
        case "table":
            rows = "".join(map(_odt_row, elements_named(element, "table-row")))
            return f"<table>{rows}</table>"
        case "section" | "table-of-content" | "index-body" | "frame" | "text-box" | "numbered-paragraph":
            return "".join(map(_odt_block, element))
        case "image":  # in a frame that is anchored to a page
            return f"<p>{_odt_image(element)}</p>"
        case _:
            return ""


def _odt_row(row: etree._Element) -> str:
    cells = ("".join(map(_odt_block, cell)) for cell in children(row, "table-cell"))
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _odt_image(element: etree._Element) -> str:
    return f'<img src="{escape(attribute(element, "href"))}" alt="">'


def _odt_inline(element: etree._Element) -> str:
    parts = [escape(element.text or "")]
    for child in element:
        match local_name(child):
            case "line-break":
                parts.append("<br>")
            case "s" | "tab":
                parts.append(" ")
            case "note" | "annotation":
                parts.append(
                    f" [{escape(text_of(find(child, 'note-body')))}]" if find(child, "note-body") is not None else ""
                )
            case "a":
                href = attribute(child, "href")
                parts.append(f'<a href="{escape(href)}">{_odt_inline(child)}</a>')
            case "image":
                parts.append(_odt_image(child))
            case _:
                parts.append(_odt_inline(child))
        parts.append(escape(child.tail or ""))
    return "".join(parts)


def _member(members: Members, source: str) -> bytes | None:
    name = members.find(source)
    return members.read_if_sound(name) if name else None


# -- FB2


_FB2_TAGS: Final = {
    "p": "p", "emphasis": "em", "strong": "strong", "sup": "sup", "sub": "sub", "code": "code", "strikethrough": "s",
    "cite": "blockquote", "epigraph": "blockquote", "poem": "blockquote", "stanza": "div", "v": "p", "subtitle": "h4",
    "text-author": "p", "table": "table", "tr": "tr", "td": "td", "th": "th", "date": "p", "annotation": "div",
}  # fmt: skip


def _read_fb2(path: Path, facts: Facts, limits: BookLimits) -> _Read:
    data = load_fb2(path, limits)
    if len(data) > limits.file_bytes or data.count(b"<") > 2_000_000:
        raise too_large(_("Its text"), limit_bytes=TEXT_BYTES)
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, recover=True, huge_tree=True)
    declared = re.match(rb"\s*<\?xml[^>]*encoding=[\"']([\w.-]+)", data)
    text = decode_text(data, declared=declared[1].decode() if declared else None)
    root = etree.fromstring(re.sub(r"^\s*<\?xml[^>]*\?>", "", text.lstrip("\ufeff")).encode("utf-8", "replace"), parser)
    binaries = {attribute(one, "id"): one for one in elements_named(root, "binary")} if root is not None else {}
    shelf = _Shelf(
        lambda source: _base64(binaries[key].text or "") if (key := source.removeprefix("#")) in binaries else None
    )
    chapters: list[Chapter] = []
    for body in children(root, "body") if root is not None else ():
        parts = children(body, "section") or [body]
        head = "".join(_fb2(one, 1) for one in body if local_name(one) in ("title", "epigraph", "image"))
        for place, section in enumerate(parts):
            title = clean_line(" ".join(text_of(find(section, "title")).split()), max_length=120)
            html = (head if place == 0 and section is not body else "") + _fb2_inner(section, 1)
            made = body_xhtml(parse_html(f"<html><body>{html}</body></html>"), picture=shelf.name, link=_outward)
            chapters.append(Chapter(f"chapter-{len(chapters) + 1}", title or facts.title, made))
    cover_image = find(root, "description", "title-info", "coverpage", "image")
    cover = shelf.find(attribute(cover_image, "href")) if cover_image is not None else None
    return chapters, list(shelf.pictures.values()), cover if cover and cover.startswith(b"\xff\xd8\xff") else None


def _fb2(element: etree._Element, depth: int) -> str:
    name = local_name(element)
    if name == "section":
        return f"<div>{_fb2_inner(element, depth + 1)}</div>"
    if name == "title":
        level = min(depth, 6)
        lines = "<br>".join(_fb2_inner(line, depth) for line in children(element, "p"))
        return f"<h{level}>{lines}</h{level}>"
    if name == "image":
        return f'<img src="{escape(attribute(element, "href"))}" alt="{escape(attribute(element, "alt"))}">'
    if name == "empty-line":
        return "<p>\u00a0</p>"
    if name == "a":
        return f'<a href="{escape(attribute(element, "href"))}">{_fb2_inner(element, depth)}</a>'
    tag = _FB2_TAGS.get(name)
    inner = _fb2_inner(element, depth)
    return f"<{tag}>{inner}</{tag}>" if tag else inner


def _fb2_inner(element: etree._Element, depth: int) -> str:
    if depth > 60:
        return escape(text_of(element))
    parts = [escape(element.text or "")]
    for child in element:
        if isinstance(child.tag, str):
            parts.append(_fb2(child, depth))
        parts.append(escape(child.tail or ""))
    return "".join(parts)


# -- comics


def _read_cbz(path: Path, facts: Facts, limits: BookLimits) -> _Read:
    """A page of its own for each picture."""
    with open_members(path, limits, kind="CBZ") as members:
        names = sorted(filter(PICTURE.fullmatch, members.names), key=natural_order)
        found = (members.read_if_sound(name) for name in names)
        pictures = [
            picture
            for number, content in enumerate(found, start=1)
            if content is not None and (picture := _picture(content, number=number)) is not None
        ]
    if not pictures:
        raise damaged("comic", _("none of its pages can be read"))
    chapters = [
        Chapter(f"page-{number}", f"Page {number}", f'<p><img src="{picture.name}" alt="Page {number}"/></p>')
        for number, picture in enumerate(pictures, start=1)
    ]
    first = pictures[0]
    return chapters, pictures, first.content if first.media_type == "image/jpeg" else None


def _picture(content: bytes, *, number: int) -> Picture | None:
    """As it is, where readers show it; else as JPEG; None for what is no picture."""
    for start, (suffix, media_type) in _KINDS.items():
        if content.startswith(start):
            return Picture(f"pictures/{number}.{suffix}", media_type, content)
    from core.books.kindle.artwork import as_shown

    made = as_shown(content)
    if made is None:
        return None
    suffix, data = made
    return Picture(f"pictures/{number}.{suffix}", {"jpg": "image/jpeg", "png": "image/png"}[suffix], data)


def _language(chapters: Sequence[Chapter]) -> str:
    out = io.StringIO()
    for chapter in chapters:
        out.write(
            " ".join("".join(map(str, lxml_html.fromstring(f"<div>{chapter.body}</div>").itertext())).split()) + " "
        )
        if out.tell() > 3000:
            break
    text = out.getvalue()[:3000]
    if len(text) < 200:
        return "en"
    import py3langid

    return str(py3langid.classify(text)[0])


_READERS: Final[dict[BookFormat, Callable[[Path, Facts, BookLimits], _Read]]] = {
    BookFormat.HTML: _read_html,
    BookFormat.MARKDOWN: _read_markdown,
    BookFormat.DOCX: _read_docx,
    BookFormat.TXT: _read_txt,
    BookFormat.ODT: _read_odt,
    BookFormat.FB2: _read_fb2,
    BookFormat.CBZ: _read_cbz,
}
