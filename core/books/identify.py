"""What a file is, by its content: our own table of signatures and a look into ZIP containers.

Own, since the libraries disagree (every ZIP a DOCX, no MOBI, no FB2). Reads a few KiB, and the central directory of
a ZIP under caps; never raises for what a file holds.
"""

from __future__ import annotations

import re
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from core.books.signatures import SIGNATURES, TEXT_SIGNATURES
from core.books.text import utf16_without_bom
from core.books.zips import ZIP_ERRORS, open_zip
from core.i18n import N_
from core.values import BookFormat

SAMPLE_BYTES = 8192
"""Enough for a tar's magic at 257, an XML prologue with a long comment, and a judgement on text."""


@dataclass(frozen=True, slots=True)
class Identified:
    """What a file is. `format` is None where a library holds no such thing; then `what` names it for a refusal."""

    format: BookFormat | None
    is_archive: bool
    """A ZIP that is not itself a book, so that it may hold some."""
    what: str
    """Plain words with their article: "an EPUB book", "a picture", "a Windows program"."""


_NAMES = {
    BookFormat.EPUB: N_("an EPUB book"),
    BookFormat.PDF: N_("a PDF document"),
    BookFormat.MOBI: N_("a MOBI book"),
    BookFormat.AZW3: N_("an AZW3 book"),
    BookFormat.FB2: N_("a FictionBook (FB2)"),
    BookFormat.DOCX: N_("a Word document (DOCX)"),
    BookFormat.RTF: N_("an RTF document"),
    BookFormat.TXT: N_("a text file"),
    BookFormat.HTML: N_("a web page (HTML)"),
    BookFormat.CBZ: N_("a comic book (CBZ)"),
    BookFormat.ODT: N_("an OpenDocument text (ODT)"),
    BookFormat.MARKDOWN: N_("a Markdown text"),
}

_XML_ROOTS: tuple[tuple[str, BookFormat | None, str], ...] = (
    ("FictionBook", BookFormat.FB2, _NAMES[BookFormat.FB2]),
    ("html", BookFormat.HTML, _NAMES[BookFormat.HTML]),
    ("svg", None, N_("a picture (SVG)")),
    ("package", None, "the contents list of an EPUB (OPF) without its book"),
    ("ncx", None, "the contents list of an EPUB (NCX) without its book"),
    ("rss", None, N_("a news feed")),
    ("feed", None, N_("a news feed")),
    ("opml", None, N_("a list of feeds (OPML)")),
)

_HTML_TAGS = re.compile(
    "html|head|body|title|meta|base|link|style|script|p|div|span|h[1-6]|table|ul|ol|blockquote|center|font|section"
    "|article|main|header|nav|hr|br|img|a|b|i|pre",
    re.IGNORECASE,
)
_MARKDOWN_SUFFIXES = frozenset({".md", ".markdown", ".mdown", ".mkd"})
_PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp", ".avif", ".jxl", ".tif", ".tiff"})
_COMIC_EXTRAS = frozenset({".xml", ".txt", ".nfo", ".json", ".db", ".url", ".sfv", ".ini"})
_ZIP_MIMETYPES = {
    "application/epub+zip": BookFormat.EPUB,
    "application/vnd.oasis.opendocument.text": BookFormat.ODT,
    "application/vnd.oasis.opendocument.text-template": BookFormat.ODT,
}
_PDF_HEADER = re.compile(rb"(?:^|[\r\n\x00-\x1f])%PDF-[0-9]\.[0-9]|^%PDF-")
_PDF_HEADER_WITHIN = 1024
"""ISO 32000-1, annex H, implementation note 13: readers take a header anywhere in the first 1,024 bytes."""


def identify(path: Path, *, filename: str | None = None) -> Identified:
    """What the file at `path` is. Blocks on disk; raises only `OSError`, if the file cannot be opened at all.

    `filename` is what its sender calls it. It decides among texts (Markdown) and names a broken container, no more.
    """
    with path.open("rb") as file:
        sample = file.read(SAMPLE_BYTES)
        suffix = PurePosixPath(filename or path.name).suffix.lower()
        if not sample.strip(b"\x00"):
            return Identified(None, False, N_("an empty file"))
        if sample.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
            file.seek(_ole_directory_offset(sample))
            return Identified(None, False, _ole_name(file.read(4096)))
        if sample[60:68] == b"BOOKMOBI":
            # Record 0 begins at the offset that stands at 78, behind the index of all records.
            file.seek(struct.unpack_from(">L", sample.ljust(82, b"\x00"), 78)[0])
            return _book(BookFormat.AZW3 if _mobi_version(file.read(40)) >= 8 else BookFormat.MOBI)
    if sample.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")):
        return _identify_zip(path, sample=sample, suffix=suffix)
    return _identify_plain(sample, suffix=suffix)


def _book(book_format: BookFormat) -> Identified:
    return Identified(book_format, False, _NAMES[book_format])


def _identify_plain(sample: bytes, *, suffix: str) -> Identified:
    text = sample_text(sample)
    if sample.startswith(b"BM") and sample[6:10] == b"\x00\x00\x00\x00":
        return Identified(None, False, N_("a picture (BMP)"))
    for offset, magic, what in SIGNATURES:
        # "OTTO" begins fonts, and stories of a man of that name.
        may_be_text = text is not None and magic.isascii() and magic.decode().isprintable()
        if sample.startswith(magic, offset) and not may_be_text:
            return Identified(None, False, what)
    if _PDF_HEADER.search(sample[:_PDF_HEADER_WITHIN]):
        return _book(BookFormat.PDF)
    if sample.startswith(b"{\\rtf"):
        return _book(BookFormat.RTF)
    if text is None:
        return Identified(None, False, N_("a file of an unknown kind"))
    return _identify_text(text, suffix=suffix)


def _mobi_version(record: bytes) -> int:
    """`file version` of the MOBI header at 16, 8 for KF8 (AZW3); 0 if there is none."""
    return int(struct.unpack_from(">L", record, 36)[0]) if record[16:20] == b"MOBI" and len(record) >= 40 else 0


# -- texts


def sample_text(sample: bytes) -> str | None:
    """The beginning of a text file decoded well enough to judge it, None if the bytes are no text at all."""
    if sample.startswith((b"\xff\xfe", b"\xfe\xff")):
        return sample.decode("utf-16", "replace")
    if b"\x00" in sample:
        encoding = utf16_without_bom(sample)
        return sample.decode(encoding, "replace") if encoding else None
    controls = sum(sample.count(bytes((code,))) for code in range(32) if code not in b"\t\n\f\r\x1a\x1b")
    if controls > len(sample) // 200:
        return None
    # A cut character at the end of the sample is no error, and for a judgement Latin-1 reads any other charset.
    text = sample.decode("utf-8-sig", "ignore")
    return text if len(text) > len(sample) // 2 else sample.decode("latin-1")


def _identify_text(text: str, *, suffix: str) -> Identified:
    start = text.lstrip("\ufeff \t\r\n")
    for pattern, what in TEXT_SIGNATURES:
        if pattern.match(start):
            return Identified(None, False, what)
    if start.startswith("<"):
        marked = _identify_markup(start, suffix=suffix)
        if marked is not None:
            return marked
    if suffix in _MARKDOWN_SUFFIXES:
        return _book(BookFormat.MARKDOWN)
    return _book(BookFormat.TXT)


def _identify_markup(text: str, *, suffix: str) -> Identified | None:
    """By the first element, whatever stands before it: declaration, comments, document type."""
    if re.search(r"<!doctype\s+html", text, re.IGNORECASE):
        return _book(BookFormat.HTML)
    element = re.search(r"<(?:[\w.-]+:)?([A-Za-z][\w.-]*)", text)
    root = element[1] if element else ""
    for name, book_format, what in _XML_ROOTS:
        if root.lower() == name.lower():
            return Identified(book_format, False, what)
    if text.startswith("<?xml"):
        return Identified(None, False, N_("an XML file of an unknown kind"))
    # Fragments: Markdown may begin with a tag too, so there the name decides.
    if _HTML_TAGS.fullmatch(root) and suffix not in _MARKDOWN_SUFFIXES:
        return _book(BookFormat.HTML)
    return None


# -- ZIP containers


def _identify_zip(path: Path, *, sample: bytes, suffix: str) -> Identified:
    try:
        with open_zip(path) as archive:
            names = [name for name in archive.namelist() if not _is_litter(name)]
            mimetype = _mimetype(archive, names)
    except ZIP_ERRORS:
        return _identify_broken_zip(sample, suffix=suffix)
    found = _identify_names(names, mimetype=mimetype)
    if found.is_archive and (not names or suffix in _CONTAINER_SUFFIXES):
        return _identify_broken_zip(sample, suffix=suffix)
    return found


def _is_litter(name: str) -> bool:
    """Folders, and what Macs and Windows leave behind in archives."""
    base = name.rsplit("/", 1)[-1]
    return not base or name.startswith("__MACOSX/") or base in (".DS_Store", "Thumbs.db", "desktop.ini")


def _mimetype(archive: zipfile.ZipFile, names: list[str]) -> str:
    if "mimetype" not in names:
        return ""
    with archive.open("mimetype") as member:
        return member.read(100).decode("ascii", "replace").strip("\ufeff \t\r\n\x00")


_ZIP_PARTS: tuple[tuple[Callable[[str], bool], BookFormat | None, str], ...] = (
    (lambda name: name == "META-INF/container.xml", BookFormat.EPUB, _NAMES[BookFormat.EPUB]),
    (lambda name: re.fullmatch(r"word/document\d*\.xml", name) is not None, BookFormat.DOCX, _NAMES[BookFormat.DOCX]),
    (lambda name: name.startswith("xl/workbook."), None, N_("a spreadsheet")),
    (lambda name: name.startswith("ppt/presentation."), None, N_("a presentation")),
    (lambda name: name == "AndroidManifest.xml", None, N_("an Android program")),
    (lambda name: name == "META-INF/MANIFEST.MF", None, N_("a Java program")),
)
"""(a part that gives a container away, its format, what it is); the first that is there decides."""


def _identify_names(names: list[str], *, mimetype: str) -> Identified:
    if mimetype in _ZIP_MIMETYPES:
        return _book(_ZIP_MIMETYPES[mimetype])
    if mimetype.startswith("application/vnd.oasis.opendocument."):
        return Identified(None, False, N_("an OpenDocument file that is not a text"))
    for is_part, book_format, what in _ZIP_PARTS:
        if any(map(is_part, names)):
            return Identified(book_format, False, what)
    suffixes = [PurePosixPath(name).suffix.lower() for name in names]
    if suffixes == [".fb2"]:
        return _book(BookFormat.FB2)
    if any(suffix in _PICTURE_SUFFIXES for suffix in suffixes) and all(
        suffix in _PICTURE_SUFFIXES or suffix in _COMIC_EXTRAS for suffix in suffixes
    ):
        return _book(BookFormat.CBZ)
    return Identified(None, True, N_("a ZIP archive"))


_CONTAINER_SUFFIXES = {
    ".epub": BookFormat.EPUB,
    ".docx": BookFormat.DOCX,
    ".odt": BookFormat.ODT,
    ".cbz": BookFormat.CBZ,
}


def _identify_broken_zip(sample: bytes, *, suffix: str) -> Identified:
    """A ZIP whose directory cannot be read or shows nothing: what its first members show, else what it is called."""
    if b"mimetypeapplication/epub+zip" in sample or b"META-INF/container.xml" in sample:
        return _book(BookFormat.EPUB)
    if b"word/" in sample and b"[Content_Types].xml" in sample:
        return _book(BookFormat.DOCX)
    if b"mimetypeapplication/vnd.oasis.opendocument.text" in sample:
        return _book(BookFormat.ODT)
    if suffix in _CONTAINER_SUFFIXES:
        return _book(_CONTAINER_SUFFIXES[suffix])
    return Identified(None, True, N_("a damaged ZIP archive"))


# -- OLE compound files (MS-CFB): the formats of Office 97-2003


def _ole_directory_offset(sample: bytes) -> int:
    """Where the first directory sector lies: sector shift at 0x1E, its number at 0x30 (MS-CFB 2.2)."""
    header = sample.ljust(512, b"\x00")
    shift, sector = struct.unpack_from("<H", header, 0x1E)[0], struct.unpack_from("<L", header, 0x30)[0]
    return (int(sector) + 1) << min(int(shift), 12)


def _ole_name(directory: bytes) -> str:
    streams = (
        ("WordDocument", N_("a Word 97 document")),
        ("Workbook", N_("an Excel 97 spreadsheet")),
        ("PowerPoint Document", N_("a PowerPoint 97 presentation")),
        ("__properties_version1.0", N_("an Outlook message")),
        ("EncryptedPackage", N_("an Office document with a password")),
    )
    for stream, what in streams:
        if stream.encode("utf-16-le") in directory:
            return what
    return N_("an old Office file")
