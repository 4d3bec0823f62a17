"""`stats`: what a reader gets for it."""

from __future__ import annotations

from core.values import BookFormat
from tests.factories.rows import make_book
from tests.support.reader import Reader, facts


def test_books_are_counted_by_format(ada: Reader) -> None:
    for kind in (BookFormat.EPUB, BookFormat.EPUB, BookFormat.PDF):
        make_book(ada.session, ada.user, format=kind, download_count=2)

    told = facts(ada.run("stats"))

    assert told["Books"] == "3 (2 EPUB, 1 PDF)"
    assert told["Handed to the relay"] == "6"


def test_empty_library_is_counted_too(ada: Reader) -> None:
    assert facts(ada.run("stats"))["Books"] == "0"
