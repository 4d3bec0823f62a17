"""`inkpost import`: a folder of books, or a Calibre library, into somebody's library; the same way as books by mail.

Calibre's database is read as https://manual.calibre-ebook.com/db_api.html describes it, and never written; without one,
what a `metadata.opf` beside a book says is believed before what the book says of itself.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from sqlalchemy.orm import Session

from bot.jobs import JobEngine
from bot.staging import Stager
from core.books.xml import attribute, elements_named, parse_xml, text_of
from core.errors import BotError, InkpostError
from core.mail.message import Attachment
from core.models import Book
from core.models.book import LONGEST_AUTHOR, LONGEST_TITLE
from core.services.book_manager import BookManager
from core.staging import file_sha256
from core.values import BookMetadata, RefusedAttachment, Staged, StagedBook

CALIBRE_DATABASE, OPF = "metadata.db", "metadata.opf"
BOOK_SUFFIXES = frozenset(
    {".epub", ".pdf", ".mobi", ".azw", ".azw3", ".prc", ".fb2", ".docx", ".odt", ".rtf", ".cbz", ".txt", ".md", ".html"}
)


class NothingToImport(InkpostError):
    """The folder is none, or has no book in it."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a catalogue says of a book; what is empty, the book says itself."""

    title: str = ""
    authors: tuple[str, ...] = ()
    series: str = ""
    series_index: float | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ToImport:
    """One file, and what is known of it besides."""

    path: Path
    known: Known = Known()


@dataclass
class Imported:
    """What came of it."""

    added: int = 0
    there_already: int = 0
    refused: list[tuple[Path, str]] = field(default_factory=list)


def as_text(path: Path | str) -> str:
    """A path to be kept or shown: on disks from before UTF-8 names are none that could be written as text."""
    return os.fsencode(path).decode(errors="replace")


def find_books(folder: Path) -> list[ToImport]:
    """The books of a Calibre library, or of a folder and those below it, in order. Raises `NothingToImport`."""
    if not folder.is_dir():
        raise NothingToImport(f"{folder}: there is no such folder")
    if (folder / CALIBRE_DATABASE).is_file():
        found = list(_of_calibre(folder))
    else:
        paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in BOOK_SUFFIXES and path.is_file())
        found = [ToImport(path, _of_opf(path.with_name(OPF))) for path in paths]
    if not found:
        raise NothingToImport(f"{folder}: no books in it")
    return found


def _of_calibre(folder: Path) -> Iterator[ToImport]:
    # immutable: without it SQLite would make a journal beside a database that is not ours, or fail on a read-only disk.
    uri = f"{(folder / CALIBRE_DATABASE).resolve().as_uri()}?mode=ro&immutable=1"
    with closing(sqlite3.connect(uri, uri=True)) as database:
        books = database.execute("SELECT id, title, path, series_index FROM books ORDER BY id").fetchall()
        for book_id, title, place, series_index in books:

            def named(table: str, link: str, *, of: int = book_id) -> tuple[str, ...]:
                rows = database.execute(
                    f"SELECT t.name FROM {table} t JOIN books_{table}_link l ON l.{link} = t.id"
                    " WHERE l.book = ? ORDER BY l.id",
                    (of,),
                )
                return tuple(name for (name,) in rows)

            series = named("series", "series")
            # Calibre writes the comma in "Herbert, Frank" as a bar, since it divides authors by commas elsewhere.
            authors = tuple(name.replace("|", ",") for name in named("authors", "author"))
            known = Known(title, authors, series[0] if series else "", series_index if series else None,
                          named("tags", "tag"))  # fmt: skip
            for kind, name in database.execute("SELECT format, name FROM data WHERE book = ? ORDER BY id", (book_id,)):
                path = folder / place / f"{name}.{kind.lower()}"
                if path.suffix.lower() in BOOK_SUFFIXES:
                    yield ToImport(path, known)


def _of_opf(path: Path) -> Known:
    if not path.is_file():
        return Known()
    try:
        root = parse_xml(path.read_bytes())
    except BotError:
        root = None
    if root is None:
        return Known()  # the book itself is read as well

    def texts(name: str) -> tuple[str, ...]:
        return tuple(text for one in elements_named(root, name) if (text := text_of(one)))

    meta = {attribute(one, "name"): attribute(one, "content") for one in elements_named(root, "meta")}
    title, index = texts("title"), meta.get("calibre:series_index", "")
    return Known(
        title=title[0] if title else "",
        authors=texts("creator"),
        series=meta.get("calibre:series", ""),
        series_index=float(index) if index.replace(".", "", 1).isdecimal() else None,
        tags=texts("subject"),
    )


@dataclass(frozen=True, slots=True)
class Importer:
    """Brings files into one user's library. May be broken off and begun again: what is there is recognised."""

    engine: JobEngine
    stager: Stager
    user_id: int
    at_once: int = 2

    async def run(self, books: list[ToImport], *, progress: Callable[[ToImport], None]) -> Imported:
        """`progress` hears of each file when it is done. Raises `Unavailable`; what was added until then stays."""
        done, waiting = Imported(), iter(books)

        async def work() -> None:
            for book in waiting:
                await self._bring(book, done)
                progress(book)

        async with asyncio.TaskGroup() as group:
            for _ in range(self.at_once):
                group.create_task(work())
        return done

    async def _bring(self, book: ToImport, done: Imported) -> None:
        try:
            sha256 = await asyncio.to_thread(file_sha256, book.path)
        except OSError as error:
            done.refused.append((book.path, error.strerror or str(error)))
            return
        if await self.engine.in_read(lambda session: self._has(session, sha256)):
            done.there_already += 1
            return
        with tempfile.TemporaryDirectory(prefix="inkpost-import-") as folder:
            size = book.path.stat().st_size
            file = Attachment(as_text(book.path.name), "", book.path, size, sha256, None)
            for staged in await self.stager.stage((file,), work_dir=Path(folder)):
                await asyncio.to_thread(self._add, book, staged, done)

    def _has(self, session: Session, sha256: str) -> bool:
        mine = Book.of_user(self.user_id).where(Book.sha256 == sha256)
        return session.scalars(mine.limit(1)).first() is not None

    def _add(self, book: ToImport, staged: Staged, done: Imported) -> None:
        match staged:
            case StagedBook():
                try:
                    with self.engine.work() as work:
                        added = BookManager(work).add(
                            self.user_id, replace(staged, metadata=_merged(staged.metadata, book.known))
                        )
                except BotError as error:
                    done.refused.append((book.path, error.text))
                    return
                done.added += added.is_new
                done.there_already += not added.is_new
            case RefusedAttachment(text=text):
                done.refused.append((book.path, text))
            case _:
                done.refused.append((book.path, "It is no book."))


def _merged(metadata: BookMetadata, known: Known) -> BookMetadata:
    """The catalogue's word before the file's own: somebody took care of it."""
    return replace(
        metadata,
        title=" ".join(known.title.split())[:LONGEST_TITLE] or metadata.title,
        authors=tuple(name[:LONGEST_AUTHOR] for name in known.authors if name.strip()) or metadata.authors,
        series=known.series[:300] or metadata.series,
        series_index=known.series_index if known.series else metadata.series_index,
        tags=tuple(tag[:100] for tag in known.tags) or metadata.tags,
    )
