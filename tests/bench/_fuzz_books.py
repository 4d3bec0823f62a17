"""Books for the fuzz: ZIPs whose entries, package, contents and pages are made of hostile pieces, and changed ones."""

from __future__ import annotations

import io
import stat
import zlib
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from hypothesis import strategies as st

from tests.bench._fuzz_bytes import MUTATIONS, Mutation, corpus_seeds, mutated
from tests.factories.books import make_epub, make_picture

_LARGEST = 60_000  # bytes of a seed, and of all that is unpacked of one ten times that: a bomb is not unpacked here
_NAMES = (
    "../evil", "/etc/passwd", "C:\\x", "a/../../b", "OEBPS/", "mimetype", "META-INF/encryption.xml", "x" * 300,
    "ü.xhtml",
    "META-INF/container.xml", "OEBPS/content.opf", "a\\b.xhtml", "con", "\u202e.xhtml", " ", ".",
    "META-INF/rights.xml",
)  # fmt: skip
_BLURBS = (
    b"", b"x", b"application/epub+zip\r\n", b"<container/>",
    b"<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>",
    b'<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><EncryptedData/></encryption>',
    b"\xff\xfe<\0a\0>\0",
    b"<a>" * 3000, b"PK\x03\x04", b'<?xml version="1.1" encoding="utf-16"?><a/>',
)  # fmt: skip
_PIECES = {
    ".opf": (
        '<dc:title id="t">A</dc:title>', "<dc:language>und</dc:language>", "<dc:language/>", "<dc:identifier/>",
        '<meta name="cover" content="nothing"/>', '<meta property="dcterms:modified" refines="#t">x</meta>',
        '<item id="x" href="" media-type=""/>',
        '<item id="x" href="../../x.xhtml" media-type="application/xhtml+xml"/>',
        '<item id="x" href="%zz%00" media-type="image/png"/>',
        '<item href="http://x.test/a.css" media-type="text/css"/>',
        '<itemref idref="x"/>', "<itemref/>", '<spine toc="x"/>', "<manifest/>",
        '<guide><reference href="#"/></guide>',
        '<item id="n" href="one.xhtml" media-type="application/xhtml+xml" properties="nav svg scripted"/>',
        "<metadata/>",
        '<dc:date opf:event="x">9999-99-99</dc:date>', '<dc:creator opf:file-as="">&#x0;</dc:creator>', "</package>",
    ),
    ".ncx": (
        '<navPoint id="1" playOrder="-1"><navLabel><text/></navLabel><content src=""/></navPoint>', "<navMap/>",
        '<navPoint playOrder="99999999999999999999"><content src="one.xhtml#nowhere"/></navPoint>', "<navPoint/>",
        "<navPoint>" * 60, '<content src="%2e%2e/%2e%2e/x"/>', '<meta name="dtb:uid"/>', "<docTitle/>", "&nbsp;",
    ),
    ".xhtml": (
        "<img/>", '<img src="" alt=""/>', '<img src="data:image/png;base64,!"/>', '<a href="#%00">x</a>',
        '<p id="">x</p>',
        '<body id="b">', '<svg xmlns="http://www.w3.org/2000/svg"><image xlink:href="x"/></svg>',
        "<script>x()</script>",
        '<p epub:type="x" data-AmznRemoved="1" {x="1">x</p>', "<!-- -- -->", "<table><tr><td>" * 30,
        "&bogus;&#xD800;",
        '<p style="display:none;background:url(http://x.test)">x</p>', "<?php x ?>", "]]>",
        '<math xmlns=""><mi/></math>',
        '<link rel="stylesheet" href="../x.css"/>', '<meta charset="utf-7"/>', "\u202e\u0301", "<p>" * 100,
        "</html>", "<",
    ),
    ".css": (
        "@import url(//x.test);", "p{display:none}", "a{color:var(--x)}", "@font-face{src:url(x)}", "}", "{" * 50,
        "/*",
        "@charset \"x\";", "p{background:url(data:,x)}", "\\0", "@media{" * 20,
    ),
}  # fmt: skip


class Piece(NamedTuple):
    """A piece of markup, put into a document of its kind at a millionth of it."""

    suffix: str
    text: str
    at: int


class Entry(NamedTuple):
    """One more entry of the archive."""

    name: str
    body: bytes
    is_link: bool
    is_stored: bool


_pieces = st.sampled_from(sorted(_PIECES)).flatmap(
    lambda suffix: st.builds(Piece, st.just(suffix), st.sampled_from(_PIECES[suffix]), st.integers(0, 1_000_000))
)
_entries = st.builds(Entry, st.sampled_from(_NAMES), st.sampled_from(_BLURBS), st.booleans(), st.booleans())


def books() -> st.SearchStrategy[bytes]:
    """EPUBs, or what was one."""
    made = (make_epub(cover=make_picture()), make_epub(text="Wörter " * 100))
    seeds = st.sampled_from((*made, *corpus_seeds("epub", (".epub",), _LARGEST)))
    whole = st.builds(
        _book,
        seeds,
        pieces=st.lists(_pieces, max_size=4),
        entries=st.sampled_from((0, 0, 0, 1, 2)).flatmap(lambda most: st.lists(_entries, max_size=most)),
        changes=st.lists(st.tuples(st.integers(0, 50), MUTATIONS), max_size=2),
        is_first=st.booleans(),
    )
    return st.one_of(whole, whole, whole, st.builds(mutated, whole, seeds, MUTATIONS))


def _book(
    seed: bytes,
    *,
    pieces: list[Piece],
    entries: list[Entry],
    changes: list[tuple[int, list[Mutation]]],
    is_first: bool,
) -> bytes:
    """The seed with these pieces in its documents, documents changed, and entries before or behind its own."""
    members = dict(_members(seed))
    for piece in pieces:
        name = next((name for name in members if name.endswith((piece.suffix, piece.suffix.replace("x", "")))), None)
        if name is not None:
            at = len(members[name]) * piece.at // 1_000_000
            members[name] = members[name][:at] + piece.text.encode() + members[name][at:]
    names = list(members)
    for number, mutations in changes:
        if names:
            name = names[number % len(names)]
            members[name] = mutated(members[name], members[names[-1]], mutations)
    out = io.BytesIO()
    with ZipFile(out, "w", ZIP_DEFLATED) as book:
        own = [Entry(name, body, is_link=False, is_stored=name == "mimetype") for name, body in members.items()]
        for entry in [*entries, *own] if is_first else [*own, *entries]:
            _write(book, entry)
    return out.getvalue()


def _write(book: ZipFile, entry: Entry) -> None:
    info = ZipInfo(entry.name)
    info.compress_type = ZIP_STORED if entry.is_stored else ZIP_DEFLATED
    if entry.is_link:
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
    if entry.name in book.NameToInfo:
        book.NameToInfo.pop(entry.name)  # the library warns of a name that is there twice
    book.writestr(info, entry.body)


@cache
def _members(book: bytes) -> tuple[tuple[str, bytes], ...]:
    """Nothing of what is no archive: all that `zipfile` is known to raise for a broken one."""
    try:
        return tuple(_read(book))
    except (BadZipFile, zlib.error, ValueError, NotImplementedError, RuntimeError, EOFError, OSError):
        return ()


def _read(book: bytes) -> Iterator[tuple[str, bytes]]:
    left = 10 * _LARGEST
    with ZipFile(io.BytesIO(book)) as archive:
        for info in archive.infolist()[:100]:
            if info.file_size <= left and not info.is_dir():
                left -= info.file_size
                yield info.filename, archive.read(info)
