"""A library to be added: books of 1 MB, the ways in which people mail them, and calibredb as the peer."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from io import BytesIO
from pathlib import Path

from tests.factories.books import make_epub, make_picture

BOOK_BYTES = 1_000_000
CALIBREDB = "calibredb"


@dataclass(frozen=True, slots=True)
class Way:
    """How books come in mails."""

    words: str
    books_a_mail: int
    filename: str = "book.epub"
    pack: Callable[[Sequence[bytes]], Sequence[bytes]] = tuple
    """Makes attachments, of this name, of the books of a mail."""

    def mails_of(self, books: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
        """The attachments of each mail."""
        for start in range(0, len(books), self.books_a_mail):
            yield self.pack(books[start : start + self.books_a_mail])


def make_books(count: int, *, seed: int) -> list[bytes]:
    """Books that are all different, and of other seeds too."""
    chance = random.Random(seed)
    cover = make_picture(width=600, height=800)
    return [
        make_epub(title=f"Book {number} of {seed}", cover=cover, text=chance.randbytes(BOOK_BYTES * 9 // 10).hex())
        for number in range(count)
    ]


def _zipped(books: Sequence[bytes]) -> Sequence[bytes]:
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as members:
        for number, book in enumerate(books):
            members.writestr(f"book-{number}.epub", book)
    return (archive.getvalue(),)


WAYS = (Way("each in a mail", 1), Way("ten to a mail", 10), Way("twenty in a ZIP to a mail", 20, "books.zip", _zipped))


def added_by(answer: EmailMessage) -> int:
    """How many books were added, by the word of an answer in English."""
    said = re.match(r"Added: |(\d+) books? added", str(answer["Subject"]))
    return int(said[1] or 1) if said else 0


def has_calibredb() -> bool:
    return shutil.which(CALIBREDB) is not None


def calibredb_seconds(books: Sequence[bytes], *, files_a_start: int) -> float:
    """How long `calibredb add` takes for them, in a library of its own; so many files each time that it is started."""
    with tempfile.TemporaryDirectory(prefix="inkpost-calibre-") as place:
        folder = Path(place)
        paths = [folder / f"book-{number}.epub" for number in range(len(books))]
        for path, book in zip(paths, books, strict=True):
            path.write_bytes(book)
        started = time.perf_counter()
        for start in range(0, len(paths), files_a_start):
            _run_calibredb(folder, paths[start : start + files_a_start])
        return time.perf_counter() - started


def _run_calibredb(folder: Path, paths: Sequence[Path]) -> None:
    told = subprocess.run(
        [CALIBREDB, "add", "--with-library", str(folder / "library"), *map(str, paths)],
        env=os.environ | {"CALIBRE_CONFIG_DIRECTORY": str(folder / "config")},
        check=True,
        capture_output=True,
        text=True,
        timeout=600,
    ).stdout
    assert told.count(",") == len(paths) - 1, told  # “Added book ids: 1, 2, 3”: all of them, none taken for another
