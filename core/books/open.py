"""One door to every format: a file of a stranger in, an `OpenedBook` out, or one sentence on what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from core.books.archive import unpack_archive
from core.books.claims import Claims, metadata
from core.books.identify import Identified, identify
from core.books.limits import DEFAULT_LIMITS, BookLimits
from core.books.refusals import damaged, hungry, too_large
from core.books.zips import is_own_fault
from core.errors import BotError, RefusedFile
from core.i18n import N_, _
from core.staging import file_sha256
from core.values import BookFormat, OpenedBook

__all__ = ["DEFAULT_LIMITS", "READER_MODULES", "BookLimits", "open_book", "unpack_archive"]


class Reader(Protocol):
    """`read` of a format's module. Blocks; reads no more than the limits, writes nothing, asks no network.

    Raises `DamagedFile` or `RefusedFile` for what it understands; whatever else its parser raises means damage.
    """

    def __call__(self, path: Path, limits: BookLimits, /) -> Claims: ...


_READERS = {
    BookFormat.EPUB: "core.books.epub",
    BookFormat.PDF: "core.books.pdf",
    BookFormat.MOBI: "core.books.mobi",
    BookFormat.AZW3: "core.books.mobi",
    BookFormat.FB2: "core.books.fb2",
    BookFormat.DOCX: "core.books.docx",
    BookFormat.RTF: "core.books.rtf",
    BookFormat.TXT: "core.books.txt",
    BookFormat.HTML: "core.books.html",
    BookFormat.CBZ: "core.books.cbz",
    BookFormat.ODT: "core.books.odt",
    BookFormat.MARKDOWN: "core.books.markdown",
}
"""Modules by name: they load lxml, Pillow, pdfium, 60 MB that only a process that opens books is to carry."""

READER_MODULES = tuple(sorted({*_READERS.values(), "core.books.cover"}))
"""For such a process to import before its first book."""


def open_book(
    path: Path, *, filename: str, work_dir: Path, limits: BookLimits = DEFAULT_LIMITS, sha256: str = ""
) -> OpenedBook:
    """What the file at `path` says of itself; its cover, if it has one, is written into `work_dir`.

    `filename` is what its sender calls it, `sha256` its hash where the caller has that. Blocks, up to seconds for a
    hostile file. Raises `DamagedFile` or `RefusedFile`, each with what is wrong and how to mend it; an `OSError` is of
    our own disk.
    """
    size_bytes = path.stat().st_size
    if size_bytes > limits.file_bytes:
        raise too_large(_("The file"), limit_bytes=limits.file_bytes)
    sha256 = sha256 or file_sha256(path)
    book_format = _known_format(identify(path, filename=filename))
    claims = _read(path, book_format, limits=limits)
    cover, thumbnail = _cover(claims.cover, work_dir / f"cover-{sha256[:16]}.jpg")
    return OpenedBook(
        path=path,
        format=book_format,
        size_bytes=size_bytes,
        sha256=sha256,
        metadata=metadata(claims, filename=filename),
        cover_path=cover,
        thumbnail=thumbnail,
    )


_FIXES = {
    "a RAR archive": N_("Unpack it and send the books themselves, or pack them as ZIP (a comic: CBZ)."),
    "a 7-Zip archive": N_("Unpack it and send the books themselves, or pack them as ZIP."),
    "a Word 97 document": N_("Open it in Word or LibreOffice and save it as DOCX."),
    "an Office document with a password": N_("Remove the password and send it again."),
    "a DjVu book": N_("Convert it to PDF and send that."),
}


_ANY_KIND = N_(
    "Send it as EPUB, PDF, MOBI, AZW3, FB2, DOCX, ODT, RTF, TXT, Markdown, HTML or CBZ, or several in a ZIP."
)


def _known_format(found: Identified) -> BookFormat:
    if found.format is not None:
        return found.format
    if found.is_archive:
        raise RefusedFile(
            _("This is a ZIP inside a ZIP, which is not opened."),
            fix=_("Unpack it and send the books themselves."),
            code="file.nested-archive",
        )
    raise RefusedFile(
        _("This is {what}, not a book that can be kept.").format(what=_(found.what)),
        fix=_(_FIXES.get(found.what, _ANY_KIND)),
        code="file.unknown-kind",
    )


def _read(path: Path, book_format: BookFormat, *, limits: BookLimits) -> Claims:
    read = cast(Reader, import_module(_READERS[book_format]).read)
    kind = book_format.value.upper()
    try:
        return read(path, limits)
    except BotError:
        raise
    except MemoryError as error:
        raise hungry(kind) from error
    except Exception as error:
        if is_own_fault(error):
            raise
        # The boundary of a dozen parsers, each with exceptions of its own (struct.error, zlib.error, PdfiumError,
        # BadZipFile, ...). On input that nobody wrote in good faith, what they raise means damage, whatever its type.
        raise damaged(kind, _("it is cut short, or not what it says it is"), code="file.unreadable") from error


def _cover(picture: bytes | None, target: Path) -> tuple[Path | None, bytes | None]:
    """The file of the cover, and the cover in small."""
    if picture is None:
        return None, None
    maker = import_module("core.books.cover")
    cover = cast(Callable[[bytes], bytes | None], maker.make_cover)(picture)
    if cover is None:
        return None, None
    target.write_bytes(cover)
    return target, cast(Callable[[bytes], bytes], maker.make_thumbnail)(cover)
