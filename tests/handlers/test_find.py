"""`find`: what a reader gets for it."""

from __future__ import annotations

from tests.factories.rows import make_book
from tests.support.reader import Reader, title, titles


def test_author_is_found(ada: Reader) -> None:
    make_book(ada.session, ada.user, title="The Hobbit", authors=["J. R. R. Tolkien"])
    make_book(ada.session, ada.user, title="Dune")

    assert titles(ada.run("find tolkien")) == ["The Hobbit"]


def test_misspelt_word_finds_the_book_and_says_so(ada: Reader) -> None:
    make_book(ada.session, ada.user, title="The Hobbit", authors=["J. R. R. Tolkien"])

    answer = ada.run("find tolkein")

    assert titles(answer) == ["The Hobbit"]
    assert "tolkien" in title(answer)


def test_nothing_found_is_an_answer(ada: Reader) -> None:
    assert title(ada.run("find zebra")) == "Nothing found for “zebra”"
