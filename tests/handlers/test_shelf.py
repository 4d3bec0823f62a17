"""`shelf`: books in an order of their reader's own."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from core.models import Tag
from core.values import Trust
from tests.factories.rows import make_book, make_staged_book, make_user
from tests.support.reader import Reader, facts, problem, steps, title, titles


def test_book_put_on_a_shelf_stands_there(ada: Reader) -> None:
    make_book(ada.session, ada.user, title="Dune")
    make_book(ada.session, ada.user, title="Emma")

    assert title(ada.run("shelf dune on Beach Reads")) == "“Dune” stands on “Beach Reads”"

    assert titles(ada.run("shelf")) == ["Beach Reads"]
    assert titles(ada.run("shelf beach réads")) == ["Dune"]
    assert facts(ada.run("show dune"))["Tags"] == "Beach Reads"


def test_shelf_keeps_the_name_that_it_was_made_with(ada: Reader) -> None:
    for name in ("Dune", "Emma"):
        make_book(ada.session, ada.user, title=name)
    ada.run("shelf dune on Beach")

    assert title(ada.run("shelf emma on BEACH")) == "“Emma” stands on “Beach”"
    assert titles(ada.run("shelf")) == ["Beach"]


@pytest.mark.parametrize("name", ["my shelf", "Sun on Sea", "off days", "to 2"])
def test_every_step_works_whatever_the_shelf_is_called(ada: Reader, name: str) -> None:
    make_book(ada.session, ada.user, title="Dune")
    the_shelf, off_again = steps(ada.run(f'shelf dune on "{name}"'))

    assert title(ada.run(the_shelf)) == f"On “{name}”: 1 book"
    (back,) = steps(ada.run(off_again))
    assert title(ada.run(back)) == f"“Dune” stands on “{name}”"


def test_same_book_stands_there_once(ada: Reader) -> None:
    book = make_book(ada.session, ada.user, title="Dune")
    for _ in range(2):
        ada.run("shelf dune on beach")

    assert book.tags == ["beach"]


def test_long_shelf_has_a_second_page_and_its_numbers_mean_its_books(ada: Reader) -> None:
    for number in range(21):
        book = make_book(ada.session, ada.user, title=f"Book {number}")
        ada.run(f"shelf #{book.id} on beach")
    make_book(ada.session, ada.user, title="Elsewhere")

    assert title(ada.run("shelf beach")) == "On “beach”: 21 books"
    assert titles(ada.run("shelf beach 2")) == ["Book 0"]
    assert title(ada.run("show 21")) == "Book 0"


def test_shelf_whose_name_is_a_number_is_no_page(ada: Reader) -> None:
    make_book(ada.session, ada.user, title="Dune")
    ada.run("shelf dune on 2026")

    assert titles(ada.run("shelf 2026")) == ["Dune"]
    assert titles(ada.run("shelf 2")) == ["2026"]


def test_last_book_takes_its_shelf_along(ada: Reader) -> None:
    make_book(ada.session, ada.user, title="Dune")
    ada.run("shelf dune on beach")

    (back,) = steps(ada.run("shelf dune off beach"))

    assert title(ada.run("shelf")) == "You have no shelves yet"
    assert problem(ada.run("shelf beach")).code == "shelf.not-found"
    ada.run(back)
    assert titles(ada.run("shelf beach")) == ["Dune"]


def test_removed_book_is_on_no_shelf_and_comes_back_to_it(ada: Reader) -> None:
    make_book(ada.session, ada.user, title="Dune")
    ada.run("shelf dune on beach")
    ada.run("remove dune")
    assert problem(ada.run("shelf beach")).code == "shelf.not-found"

    ada.run("undo")
    assert titles(ada.run("shelf beach")) == ["Dune"]


def test_tags_of_files_and_of_edits_are_shelves(ada: Reader) -> None:
    ada.run("add", attachments=[make_staged_book(title="Dune", tags=("Science Fiction",))])
    make_book(ada.session, ada.user, title="Emma")
    ada.run("edit emma tags=Classics, Science fiction")

    assert titles(ada.run("shelf")) == ["Science Fiction", "Classics"]
    ada.run("edit emma tags=Classics")
    assert titles(ada.run("shelf science fiction")) == ["Dune"]


def test_shelves_of_others_are_theirs(ada: Reader) -> None:
    bob = make_user(ada.session)
    book = make_book(ada.session, bob, title="Dune", tags=["beach"])
    Tag.keep(ada.session, user_id=bob.id, book_id=book.id, tags=["beach"])

    assert problem(ada.run("shelf beach")).code == "shelf.not-found"
    assert problem(ada.run(f"shelf #{book.id} on attic")).code == "book.not-found"


def test_rows_go_with_the_book(ada: Reader) -> None:
    book = make_book(ada.session, ada.user, title="Dune")
    ada.run("shelf dune on beach")
    ada.session.delete(book)
    ada.session.flush()

    assert ada.session.scalar(sa.select(sa.func.count()).select_from(Tag)) == 0


def test_mail_that_may_be_forged_moves_nothing(ada: Reader) -> None:
    book = make_book(ada.session, ada.user, title="Dune")

    (result,) = ada.results("shelf dune on beach", trust=Trust.READ)

    assert problem(result.outcome).code == "confirm.needed"
    assert book.tags == []
