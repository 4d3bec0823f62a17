"""`remove`: what a reader gets for it."""

from __future__ import annotations

import pytest

from core.mail.answer import Items
from core.mail.commands import MAX_COMMANDS
from tests.factories.rows import make_book, make_listing, make_user
from tests.support.reader import Reader, problem, title, titles


def test_removed_book_is_listed_no_more(ada: Reader) -> None:
    make_book(ada.session, ada.user)

    ada.run("remove dune")

    assert titles(ada.run("list")) == []


def test_book_of_somebody_else_stays(ada: Reader) -> None:
    book = make_book(ada.session, make_user(ada.session))

    assert problem(ada.run(f"remove #{book.id}")).code == "book.not-found"
    assert book.removed_at is None


def test_several_matches_remove_nothing(ada: Reader) -> None:
    for name in ("Dune Messiah", "Children of Dune"):
        make_book(ada.session, ada.user, title=name)

    assert problem(ada.run("remove dune")).code == "book.ambiguous"
    assert len(titles(ada.run("list"))) == 2


def test_number_that_is_in_no_list_is_asked_about(ada: Reader) -> None:
    kept, listed = (make_book(ada.session, ada.user, title=name) for name in ("Dune", "Emma"))
    make_listing(ada.session, ada.user, [listed.id])

    asked = problem(ada.run(f"remove {kept.id + 1}"))

    assert asked.code == "book.ambiguous"
    assert (kept.removed_at, listed.removed_at) == (None, None)
    assert [one.command for block in asked.blocks if isinstance(block, Items) for one in block.items] == ["remove #2"]


@pytest.mark.parametrize("written", ["1, 3", "1 3", "1 and 3", "books 1 and 3"])
def test_several_numbers_are_several_books(ada: Reader, written: str) -> None:
    books = [make_book(ada.session, ada.user, title=name) for name in ("Dune", "Emma", "Ivanhoe")]
    make_listing(ada.session, ada.user, [book.id for book in books])

    results = ada.results(f"remove {written}")

    assert title(results[0].outcome) == "Removed: Dune"
    assert titles(ada.run("list")) == ["Emma"]
    assert [result.line for result in results][-1] == "remove 3"


def test_numbers_are_no_way_round_the_most_commands_of_a_mail(ada: Reader) -> None:
    numbers = [str(number) for number in range(1, 31)]

    results = ada.results("", *(f"remove {' '.join(numbers[start : start + 6])}" for start in range(0, 30, 6)))

    assert [result.line for result in results] == [f"remove {number}" for number in numbers[: MAX_COMMANDS + 1]]
    assert "more than one mail may hold" in problem(results[-1].outcome).text
