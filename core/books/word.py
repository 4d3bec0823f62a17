"""DOCX that we make ourselves: paragraphs, headings, lists, tables and pictures of a `BookPlan` (ECMA-376, part 1).

It is the last resort for books that a gateway refuses as EPUB, so that it holds what is read and nothing else.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Final

from lxml import etree

from core.books.kindle.zipping import ZipWriter
from core.books.making import BookPlan, Picture
from core.news.shape import BLOCKS

_W: Final = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_R: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"
_EMU: Final = 9525  # in a pixel at 96 dpi (ECMA-376, 20.1.2.1)
_WIDEST: Final = 576  # pixels: six inches, the text width of a letter page
_TYPES: Final = f"""<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels"
ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
<Default Extension="xml" ContentType="application/xml"/><Default Extension="jpg" ContentType="image/jpeg"/>
<Default Extension="png" ContentType="image/png"/><Default Extension="gif" ContentType="image/gif"/>
<Override PartName="/word/document.xml"
ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/>
<Override PartName="/word/styles.xml"
ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.styles+xml"/>
<Override PartName="/docProps/core.xml" ContentType="application/vnd.openxmlformats-package.core-properties+xml"/>
</Types>"""
_ROOT: Final = f"""<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Relationships xmlns="{_PACKAGE}/relationships">
<Relationship Id="r1" Type="{_R}/officeDocument" Target="word/document.xml"/>
<Relationship Id="r2" Type="{_PACKAGE}/relationships/metadata/core-properties" Target="docProps/core.xml"/>
</Relationships>"""


def write_docx(plan: BookPlan, path: Path) -> None:
    """Write the book; each chapter begins on a new page under its heading."""
    writer = _Writer({picture.name: picture for picture in plan.pictures})
    for number, chapter in enumerate(plan.chapters):
        root = etree.fromstring(f"<div>{chapter.body}</div>", etree.XMLParser(huge_tree=True))
        writer.chapter(root, is_first=number == 0)
    with path.open("wb") as file, ZipWriter(file) as archive:
        archive.add("[Content_Types].xml", _TYPES.encode())
        archive.add("_rels/.rels", _ROOT.encode())
        archive.add("docProps/core.xml", _core(plan).encode())
        archive.add("word/document.xml", writer.document().encode())
        archive.add("word/styles.xml", _styles().encode())
        archive.add("word/_rels/document.xml.rels", writer.relationships().encode())
        for picture, target in writer.used.values():
            archive.add(f"word/{target}", picture.content, is_stored=True)


def _core(plan: BookPlan) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
        f'<cp:coreProperties xmlns:cp="{_PACKAGE}/metadata/core-properties" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<dc:title>{escape(plan.title)}</dc:title><dc:creator>{escape('; '.join(plan.authors))}</dc:creator>"
        f"<dc:language>{escape(plan.language)}</dc:language></cp:coreProperties>"
    )


def _styles() -> str:
    headings = "".join(
        f'<w:style w:type="paragraph" w:styleId="Heading{level}"><w:name w:val="heading {level}"/>'
        f'<w:pPr><w:keepNext/><w:spacing w:before="240" w:after="120"/><w:outlineLvl w:val="{level - 1}"/></w:pPr>'
        f'<w:rPr><w:b/><w:sz w:val="{40 - 4 * level}"/></w:rPr></w:style>'
        for level in range(1, 7)
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<w:styles xmlns:w="{_W}">'
        '<w:style w:type="paragraph" w:default="1" w:styleId="Normal"><w:name w:val="Normal"/>'
        f'<w:pPr><w:spacing w:after="120"/></w:pPr></w:style>{headings}</w:styles>'
    )


@dataclass(slots=True)
class _Writer:
    pictures: dict[str, Picture]
    used: dict[str, tuple[Picture, str]] = field(default_factory=dict)
    """By relationship id: the picture, and its file below `word/`."""
    blocks: list[str] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)

    def chapter(self, root: etree._Element, *, is_first: bool) -> None:
        if not is_first:
            self.blocks.append('<w:p><w:r><w:br w:type="page"/></w:r></w:p>')
        self._block(root, style="", marks=frozenset())
        self._end("")

    def document(self) -> str:
        drawing = (
            'xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing" '
            'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
            'xmlns:pic="http://schemas.openxmlformats.org/drawingml/2006/picture"'
        )
        body = "".join(self.blocks)
        return (
            '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
            f'<w:document xmlns:w="{_W}" xmlns:r="{_R}" {drawing}><w:body>{body}<w:sectPr/></w:body></w:document>'
        )

    def relationships(self) -> str:
        lines = "".join(
            f'<Relationship Id="{key}" Type="{_R}/image" Target="{target}"/>' for key, (_, target) in self.used.items()
        )
        styles = f'<Relationship Id="styles" Type="{_R}/styles" Target="styles.xml"/>'
        return (
            '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
            f'<Relationships xmlns="{_PACKAGE}/relationships">{styles}{lines}</Relationships>'
        )

    def _block(self, element: etree._Element, *, style: str, marks: frozenset[str]) -> None:
        """A block's own text and what is in it; a block inside of it ends the paragraph before and after."""
        self._text(element.text, marks, is_pre=element.tag == "pre")
        for inner in element:
            if inner.tag in BLOCKS:
                self._end(style)
                if inner.tag == "table":
                    self._table(inner)
                else:
                    self._block(inner, style=_style_of(inner) or style, marks=marks)
                    self._end(_style_of(inner) or style)
            else:
                self._inline(inner, style=style, marks=marks)
            self._text(inner.tail, marks, is_pre=element.tag == "pre")

    def _inline(self, element: etree._Element, *, style: str, marks: frozenset[str]) -> None:
        if element.tag == "br":
            self.runs.append("<w:r><w:br/></w:r>")
        elif element.tag == "img":
            self._picture(element)
        else:
            self._block(element, style=style, marks=marks | {_MARKS.get(str(element.tag), "")} - {""})

    def _text(self, text: str | None, marks: frozenset[str], *, is_pre: bool = False) -> None:
        if not text:
            return
        for number, line in enumerate(text.split("\n") if is_pre else [" ".join(_words(text))]):
            if number:
                self.runs.append("<w:r><w:br/></w:r>")
            if line:
                said = "".join(f"<w:{mark}/>" for mark in sorted(marks))
                looks = f"<w:rPr>{said}</w:rPr>" if said else ""
                self.runs.append(f'<w:r>{looks}<w:t xml:space="preserve">{escape(line)}</w:t></w:r>')

    def _end(self, style: str) -> None:
        """The paragraph that the runs so far are."""
        if any(("<w:t" in run and not run.endswith("> </w:t></w:r>")) or "<w:drawing" in run for run in self.runs):
            styled = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style.startswith("Heading") else style
            self.blocks.append(f"<w:p>{styled}{''.join(self.runs)}</w:p>")
        self.runs = []

    def _table(self, table: etree._Element) -> None:
        rows = []
        for row in table.iter("tr"):
            cells = []
            for cell in row.iter("td", "th"):
                outer, self.blocks, self.runs = self.blocks, [], []
                self._block(cell, style="", marks=frozenset({"b"} if cell.tag == "th" else ()))
                self._end("")
                cells.append(f"<w:tc><w:tcPr/>{''.join(self.blocks) or '<w:p/>'}</w:tc>")
                self.blocks = outer
            if cells:
                rows.append(f"<w:tr>{''.join(cells)}</w:tr>")
        if rows:
            self.blocks.append(f"<w:tbl><w:tblPr/><w:tblGrid/>{''.join(rows)}</w:tbl><w:p/>")

    def _picture(self, element: etree._Element) -> None:
        from PIL import Image

        picture = self.pictures.get(element.get("src", ""))
        suffix = picture.name.rpartition(".")[2] if picture is not None else ""
        if picture is None or suffix not in ("jpg", "png", "gif"):
            return
        try:
            width, height = Image.open(io.BytesIO(picture.content)).size
        except Exception:  # noqa: BLE001 - a parser's boundary: Pillow's plugins raise whatever they stumble over
            return
        key = f"picture{len(self.used) + 1}"
        self.used[key] = (picture, f"media/{key}.{suffix}")
        scale = min(1.0, _WIDEST / max(width, 1))
        size = f'cx="{int(width * scale) * _EMU}" cy="{int(height * scale) * _EMU}"'
        name = f'id="{len(self.used)}" name="{key}" descr="{escape(element.get("alt", ""))}"'
        self.runs.append(
            f"<w:r><w:drawing><wp:inline><wp:extent {size}/><wp:docPr {name}/><a:graphic><a:graphicData "
            'uri="http://schemas.openxmlformats.org/drawingml/2006/picture"><pic:pic>'
            f'<pic:nvPicPr><pic:cNvPr {name}/><pic:cNvPicPr/></pic:nvPicPr><pic:blipFill><a:blip r:embed="{key}"/>'
            f'<a:stretch><a:fillRect/></a:stretch></pic:blipFill><pic:spPr><a:xfrm><a:off x="0" y="0"/><a:ext {size}/>'
            '</a:xfrm><a:prstGeom prst="rect"/></pic:spPr></pic:pic></a:graphicData></a:graphic></wp:inline>'
            "</w:drawing></w:r>"
        )


_MARKS: Final = {"b": "b", "strong": "b", "i": "i", "em": "i", "cite": "i", "dfn": "i", "u": "u", "s": "strike"}
_LIST: Final = '<w:pPr><w:ind w:left="720" w:hanging="360"/></w:pPr>'
_QUOTE: Final = '<w:pPr><w:ind w:left="720" w:right="720"/></w:pPr>'


def _style_of(element: etree._Element) -> str:
    tag = str(element.tag)
    if tag in ("h1", "h2", "h3", "h4", "h5", "h6"):
        return f"Heading{tag[1]}"
    return {"li": _LIST, "dd": _LIST, "blockquote": _QUOTE}.get(tag, "")


def _words(text: str) -> Iterator[str]:
    """The words, and an empty one where a blank begins or ends the text."""
    parts = text.split()
    if not parts:
        yield from ("", "")
        return
    if text[0].isspace():
        yield ""
    yield from parts
    if text[-1].isspace():
        yield ""
