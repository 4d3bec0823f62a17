"""Drawings that have their renderer load something: as a picture of a book, of a page, and as markup of an article.

Each as it is, and with the hosts that it names changed into canaries, which hear whoever loads in C or Rust.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from core.books.kindle.compiler import compile_book
from core.books.open import open_book
from core.errors import BotError
from core.news.pictures import fit_picture
from core.news.sanitise import sanitise
from tests.corpus.canaries import CANARY_PORTS, connections, listening
from tests.corpus.html import BASE, active_content
from tests.corpus.security._outcome import Outcome, Result
from tests.corpus.security._watch import watched_connections
from tests.factories.books import make_zip

SETS = ("ssrf-svg",)

_HOST = re.compile(rb"(?:https?|ftp)://(?!www\.w3\.org)[^/\"')\s]+")
_PACKAGE = b"""<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:identifier id="id">urn:x:1</dc:identifier>
<dc:title>Drawn</dc:title><dc:language>en</dc:language><meta property="dcterms:modified">2026-01-01T00:00:00Z</meta>
</metadata><manifest><item id="one" href="one.xhtml" media-type="application/xhtml+xml"/>
<item id="svg" href="x.svg" media-type="image/svg+xml" properties="cover-image"/></manifest>
<spine><itemref idref="one"/></spine></package>"""
_CONTAINER = b"""<?xml version="1.0"?><container xmlns="urn:oasis:names:tc:opendocument:xmlns:container" version="1.0">
<rootfiles><rootfile full-path="p.opf" media-type="application/oebps-package+xml"/></rootfiles></container>"""
_PAGE = b"""<html xmlns="http://www.w3.org/1999/xhtml"><head><title>x</title></head><body><p>Text.</p>
<img src="x.svg" alt=""/></body></html>"""


def run_set(folder: Path) -> Iterator[Outcome]:
    with listening() as canaries:
        for file in sorted(folder.iterdir()):
            drawing = file.read_bytes()
            with watched_connections() as seen:
                active = [one for svg in (drawing, _led_astray(drawing)) for one in _show(svg)]
            problems = [*active, *(f"connected to {place}" for place in seen), *connections(canaries)]
            yield Outcome(file.name, Result.FAILED if problems else Result.AS_STATED, "; ".join(problems))


def _led_astray(drawing: bytes) -> bytes:
    return _HOST.sub(f"http://127.0.0.1:{CANARY_PORTS[0]}".encode(), drawing)


def _show(drawing: bytes) -> list[str]:
    """Everything that becomes of a drawing here; what is active in what is left of it as markup."""
    fit_picture(drawing)
    with tempfile.TemporaryDirectory() as place:
        book = Path(place, "drawn.epub")
        book.write_bytes(
            make_zip(
                {
                    "mimetype": b"application/epub+zip",
                    "META-INF/container.xml": _CONTAINER,
                    "p.opf": _PACKAGE,
                    "one.xhtml": _PAGE,
                    "x.svg": drawing,
                }
            )
        )
        try:
            open_book(book, filename=book.name, work_dir=Path(place))
            compile_book(book, Path(place, "copy.epub"))
        except BotError as error:
            return [f"refused: {error.text}"]
    return active_content(sanitise(drawing.decode("utf-8", "replace"), base_url=BASE).html)
