"""PDF through pdfium; what it will not open is repaired by qpdf (pikepdf) in memory and tried again."""

from __future__ import annotations

import io
import logging
import re
from pathlib import Path

import pypdfium2

from core.books.claims import Claims, split_authors, split_keywords
from core.books.cover import MAX_SIZE
from core.books.limits import BookLimits
from core.books.refusals import damaged, locked, protected
from core.errors import RefusedFile
from core.i18n import _

# fpdfview.h, FPDF_GetLastError.
_ERROR_PASSWORD, _ERROR_SECURITY = 4, 5

_PROGRAM_IN_TITLE = re.compile(r"^(?:Microsoft (?:Word|PowerPoint|Excel)|OpenOffice\.org|Untitled) - ", re.IGNORECASE)
_FILE_AS_TITLE = re.compile(r"\.(?:docx?|odt|rtf|pages|indd|tex|dvi|qxd|pdf|txt|html?)$", re.IGNORECASE)


def read(path: Path, limits: BookLimits) -> Claims:
    """See `core.books.open.Reader`."""
    try:
        with pypdfium2.PdfDocument(path) as document:
            return _claims(document)
    except pypdfium2.PdfiumError as error:
        if error.err_code in (_ERROR_PASSWORD, _ERROR_SECURITY):
            raise _no_entry(error.err_code) from error
    try:
        with pypdfium2.PdfDocument(_repaired(path)) as document:
            return _claims(document)
    except pypdfium2.PdfiumError as error:
        raise damaged("PDF", _("its pages cannot be found")) from error


def _no_entry(err_code: int | None) -> RefusedFile:
    return locked() if err_code == _ERROR_PASSWORD else protected()


def _repaired(path: Path) -> bytes:
    """The PDF with a new cross-reference table. For reading only: the original stays what it is."""
    import pikepdf  # 20 MB, wanted for broken files only

    # It logs what is wrong with a file as errors with tracebacks; that is nothing an operator has to see.
    logging.getLogger("pikepdf").setLevel(logging.CRITICAL + 1)
    try:
        with pikepdf.open(path) as pdf:
            buffer = io.BytesIO()
            pdf.save(buffer)
            return buffer.getvalue()
    except pikepdf.PasswordError as error:
        raise locked() from error
    except pikepdf.PdfError as error:
        raise damaged("PDF", _("its pages cannot be found")) from error


def _claims(document: pypdfium2.PdfDocument) -> Claims:
    pages = len(document)
    if pages == 0:
        raise damaged("PDF", _("there is no page in it"))
    fields = document.get_metadata_dict()
    title = _PROGRAM_IN_TITLE.sub("", fields.get("Title", "").strip())
    return Claims(
        title="" if _FILE_AS_TITLE.search(title) else title,
        authors=split_authors(fields.get("Author", "")),
        tags=split_keywords(fields.get("Keywords", "")),
        description=fields.get("Subject", ""),
        page_count=pages,
        cover=_first_page(document),
    )


def _first_page(document: pypdfium2.PdfDocument) -> bytes | None:
    """The first page as an uncompressed picture that fits a cover; None if it cannot be drawn."""
    try:
        page = document[0]
        width, height = page.get_size()
        if not (width >= 1 and height >= 1):
            return None
        scale = min(MAX_SIZE[0] / width, MAX_SIZE[1] / height)
        # A page a metre long and a point high would still be a pixel.
        if min(width, height) * scale < 1:
            return None
        buffer = io.BytesIO()
        page.render(scale=scale, may_draw_forms=False).to_pil().convert("RGB").save(buffer, "PPM")
        return buffer.getvalue()
    except pypdfium2.PdfiumError:
        return None
