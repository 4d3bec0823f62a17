"""ebooklib's writer without what costs most of its time: pages parsed and printed anew, pictures deflated.

ebooklib 0.20 parses a page once to write it and once to look for page breaks, prints it anew, and deflates JPEGs, which
saves nothing; of a paper of 200 pages and pictures it is nine tenths of the time. Remove this when ebooklib takes pages
as bytes and a way to store for each item.
"""

from __future__ import annotations

import zipfile
from datetime import datetime
from os import PathLike
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipInfo

from ebooklib import epub

STORED = (".jpg", ".png", ".gif")  # compressed as they are
_ZIP_BEGINS = (1980, 1, 1, 0, 0, 0)  # APPNOTE.TXT 4.4.6: MS-DOS dates begin here


class Page(epub.EpubHtml):
    """A page whose bytes are written as they are."""

    def get_content(self, default: object = None) -> bytes:
        assert isinstance(self.content, bytes)
        return self.content


class Packer(epub.EpubWriter):
    """Writes a book; the same book is the same file, byte for byte."""

    def __init__(self, path: str | PathLike[str], book: epub.EpubBook, *, modified_at: datetime) -> None:
        # `epub3_pages` is what makes it parse every page for page breaks; there are none in ours.
        super().__init__(path, book, {"mtime": modified_at, "epub3_pages": False})
        self._modified_at = modified_at

    def write(self) -> None:
        with _Zip(self.file_name, self._modified_at) as self.out:
            self.out.writestr("mimetype", "application/epub+zip")  # OCF 3.3 4.2.2: first, and stored
            self._write_container()
            self._write_opf()
            self._write_items()


class _Zip(zipfile.ZipFile):
    def __init__(self, path: str | PathLike[str], modified_at: datetime) -> None:
        super().__init__(path, "w")
        self._date = max(_ZIP_BEGINS, modified_at.timetuple()[:6])

    def writestr(
        self,
        zinfo_or_arcname: str | ZipInfo,
        data: object,
        compress_type: int | None = None,
        compresslevel: int | None = None,
    ) -> None:
        assert isinstance(zinfo_or_arcname, str)
        assert isinstance(data, (str, bytes))
        info = ZipInfo(zinfo_or_arcname, self._date)
        is_stored = zinfo_or_arcname == "mimetype" or zinfo_or_arcname.endswith(STORED)
        super().writestr(info, data, ZIP_STORED if is_stored else ZIP_DEFLATED, compresslevel)
