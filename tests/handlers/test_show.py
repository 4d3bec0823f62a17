"""`show`: what a reader gets for it."""

from __future__ import annotations

from core.mail.answer import Items
from core.values import BookFormat
from tests.factories.rows import make_book, make_user
from tests.support.reader import Reader, facts, problem, titles


def test_number_means_what_the_last_list_showed(ada: Reader) -> None:
    for title in ("Old", "New"):
        make_book(ada.session, ada.user, title=title)
    ada.run("list")

    assert facts(ada.run("show 2"))["Title"] == "Old"


def test_book_of_somebody_else_is_not_there(ada: Reader) -> None:
    book = make_book(ada.session, make_user(ada.session))

    assert problem(ada.run(f"show #{book.id}")).code == "book.not-found"


def test_two_matches_are_a_numbered_choice(ada: Reader) -> None:
    for title in ("Dune Messiah", "Children of Dune"):
        make_book(ada.session, ada.user, title=title)

    outcome = ada.run("show dune")

    assert problem(outcome).code == "book.ambiguous"
    assert len(titles(outcome)) == 2


def test_files_of_one_work_can_be_told_apart_in_a_choice(ada: Reader) -> None:
    for format_ in (BookFormat.EPUB, BookFormat.PDF):
        make_book(ada.session, ada.user, title="Emma", authors=["Jane Austen"], format=format_)

    (choice,) = (block for block in ada.run("show emma").blocks if isinstance(block, Items))

    assert sorted(item.detail for item in choice.items) == [
        "Jane Austen · EPUB · 1.0 MB · #1",
        "Jane Austen · PDF · 1.0 MB · #2",
    ]


def test_title_of_digits_is_a_title(ada: Reader) -> None:
    make_book(ada.session, ada.user, title="1984")

    assert facts(ada.run("show 1984"))["Title"] == "1984"
