"""Somebody's books from a folder and from a Calibre library, by the command line, once and again."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from bot.cli import main
from bot.config import Config
from bot.opening import migrate, open_database
from core.models import Book
from tests.factories.books import make_epub, make_pdf
from tests.factories.rows import make_user

CALIBRE = """
CREATE TABLE books (id INTEGER PRIMARY KEY, title TEXT, path TEXT, series_index REAL);
CREATE TABLE authors (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE books_authors_link (id INTEGER PRIMARY KEY, book INTEGER, author INTEGER);
CREATE TABLE series (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE books_series_link (id INTEGER PRIMARY KEY, book INTEGER, series INTEGER);
CREATE TABLE tags (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE books_tags_link (id INTEGER PRIMARY KEY, book INTEGER, tag INTEGER);
CREATE TABLE data (id INTEGER PRIMARY KEY, book INTEGER, format TEXT, uncompressed_size INTEGER, name TEXT);
INSERT INTO books VALUES (1, 'Dune', 'Frank Herbert/Dune (1)', 2.0), (2, 'Lost', 'Nobody/Lost (2)', 1.0);
INSERT INTO authors VALUES (1, 'Herbert| Frank'), (2, 'Brian Herbert');
INSERT INTO books_authors_link VALUES (1, 1, 1), (2, 1, 2);
INSERT INTO series VALUES (1, 'Dune Chronicles');
INSERT INTO books_series_link VALUES (1, 1, 1);
INSERT INTO tags VALUES (1, 'desert'), (2, 'sf');
INSERT INTO books_tags_link VALUES (1, 1, 1), (2, 1, 2);
INSERT INTO data VALUES (1, 1, 'EPUB', 1, 'Dune - Frank Herbert'), (2, 1, 'ORIGINAL_EPUB', 1, 'Dune'),
  (3, 2, 'EPUB', 1, 'Lost');
"""
OPF = """<package xmlns="http://www.idpf.org/2007/opf"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:title>The Whale</dc:title><dc:creator>Herman Melville</dc:creator><dc:subject>sea</dc:subject>
<meta name="calibre:series" content="Whales"/><meta name="calibre:series_index" content="3.0"/></metadata></package>"""


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[sa.Engine]:
    config = Config(data_dir=tmp_path / "var")
    opened = open_database(config)
    migrate(opened)
    with Session(opened) as session, session.begin():
        make_user(session, address="ada@reader.test")
    monkeypatch.setenv("INKPOST_DATA_DIR", str(config.data_dir))
    monkeypatch.chdir(tmp_path)
    yield opened
    opened.dispose()


def bring(folder: Path, capsys: pytest.CaptureFixture[str], *, user: str = "ada@reader.test") -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        main(["import", str(folder), "--user", user])
    told = capsys.readouterr()
    return int(str(ended.value.code)), told.out + told.err


def books(database: sa.Engine) -> list[Book]:
    with Session(database) as session:
        return list(session.scalars(sa.select(Book).order_by(Book.title)))


def test_folder_is_imported_once(database: sa.Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "books"
    (folder / "whale").mkdir(parents=True)
    (folder / "a.epub").write_bytes(make_epub(title="Emma"))
    (folder / "copy of a.epub").write_bytes((folder / "a.epub").read_bytes())
    (folder / "broken.epub").write_bytes(b"PK\x03\x04 no book")
    (folder / "notes.xyz").write_bytes(b"nothing")
    (folder / "whale" / "moby.pdf").write_bytes(make_pdf())
    (folder / "whale" / "metadata.opf").write_text(OPF)

    first, second = bring(folder, capsys), bring(folder, capsys)

    assert first[0] == 0
    assert "2 added, 1 there already, 1 refused." in first[1]
    assert "broken.epub: " in first[1]
    assert "0 added, 3 there already, 1 refused." in second[1]
    emma, whale = books(database)
    assert (emma.title, whale.title, whale.authors) == ("Emma", "The Whale", ["Herman Melville"])
    assert (whale.series, whale.series_index, whale.tags) == ("Whales", 3.0, ["sea"])


def test_name_that_is_no_text_keeps_no_book_out(
    database: sa.Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a disk from before UTF-8."""
    folder = tmp_path / "books"
    folder.mkdir()
    try:
        (folder / os.fsdecode(b"B\xfccher.epub")).write_bytes(make_epub(title="Emma"))
        (folder / os.fsdecode(b"T\xf6richt.epub")).write_bytes(b"PK\x03\x04 no book")
    except OSError:
        pytest.skip("a file system that takes UTF-8 only")

    code, told = bring(folder, capsys)

    assert (code, "1 added, 0 there already, 1 refused." in told) == (0, True)
    assert [book.title for book in books(database)] == ["Emma"]


def test_calibre_library_is_imported_as_its_catalogue_has_it(
    database: sa.Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "Calibre Library"
    place = folder / "Frank Herbert/Dune (1)"
    place.mkdir(parents=True)
    (place / "Dune - Frank Herbert.epub").write_bytes(make_epub(title="dune_final2", authors=("unknown",)))
    with closing(sqlite3.connect(folder / "metadata.db")) as catalogue:
        catalogue.executescript(CALIBRE)
    before = (folder / "metadata.db").read_bytes()

    code, told = bring(folder, capsys)

    assert (code, "1 added, 0 there already, 1 refused." in told) == (0, True)
    assert "Lost.epub: No such file or directory" in told
    (dune,) = books(database)
    assert (dune.title, dune.authors) == ("Dune", ["Herbert, Frank", "Brian Herbert"])
    assert (dune.series, dune.series_index, dune.tags) == ("Dune Chronicles", 2.0, ["desert", "sf"])
    assert (folder / "metadata.db").read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == ["Frank Herbert", "metadata.db"]


def test_nobody_and_nothing_are_told(database: sa.Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "a.epub").write_bytes(make_epub())

    assert bring(tmp_path / "none", capsys)[0] == 1
    code, told = bring(tmp_path / "empty", capsys, user="nobody@reader.test")
    assert (code, "nobody@reader.test" in told) == (1, True)
