"""`list`: what a reader gets for it."""

from __future__ import annotations

from tests.factories.rows import make_book, make_user
from tests.support.reader import Reader, problem, titles


def test_newest_book_stands_first(ada: Reader) -> None:
    for title in ("Old", "New"):
        make_book(ada.session, ada.user, title=title)

    assert titles(ada.run("list")) == ["New", "Old"]


def test_second_page_goes_on_where_the_first_ends(ada: Reader) -> None:
    for number in range(21):
        make_book(ada.session, ada.user, title=f"Book {number}")

    assert titles(ada.run("list 2")) == ["Book 0"]


def test_page_behind_the_last_is_told_from_it(ada: Reader) -> None:
    for number in range(21):
        make_book(ada.session, ada.user, title=f"Book {number}")

    beyond = ada.run("list 9")

    assert titles(beyond) == ["Book 0"]
    assert "There is no page 9: this is the last." in str(beyond)
    assert "There is" not in str(ada.run("list 2"))


def test_books_of_others_are_not_shown(ada: Reader) -> None:
    make_book(ada.session, make_user(ada.session))

    assert titles(ada.run("list")) == []


def test_what_is_no_page_is_said(ada: Reader) -> None:
    assert problem(ada.run("list 0")).code.startswith("request")
