"""`add`: what a reader gets for it."""

from __future__ import annotations

from core.limits import UserLimits
from core.mail.answer import Result, Steps
from core.mail.meanings import meanings_of
from core.values import RefusedAttachment
from tests.factories.rows import make_staged_book
from tests.support.reader import Reader, problem, title, titles

LOCKED = RefusedAttachment("locked.epub", "file.encrypted", "It is encrypted.", "Mail me one without DRM.")


def test_attached_book_goes_into_the_library(ada: Reader) -> None:
    answer = ada.run("add", [make_staged_book(title="Dune")])

    assert titles(answer) == ["Dune"] == titles(ada.run("list"))


def test_same_file_again_is_recognised(ada: Reader) -> None:
    book = make_staged_book(title="Dune")
    ada.run("add", [book])

    assert title(ada.run("add", [book])) == "You have it already: Dune"


def test_file_of_a_removed_book_brings_it_back_and_says_so(ada: Reader) -> None:
    dune, emma = make_staged_book(title="Dune"), make_staged_book(title="Emma")
    ada.run("add", [dune])
    ada.run("remove dune")

    answer = ada.run("add", [dune])
    assert title(answer) == "Back in your library: Dune"
    assert meanings_of([Result("", answer)])["undo"] == ["remove #1"]

    ada.run("remove dune")
    assert title(ada.run("add", [dune, emma])) == "2 books added"


def test_what_is_written_wins_over_what_the_file_says(ada: Reader) -> None:
    answer = ada.run("add title=Emma author=Jane Austen", [make_staged_book(title="scan0001")])

    assert titles(answer) == ["Emma"]


def test_full_library_takes_what_finds_room_and_names_the_rest(ada: Reader) -> None:
    ada.limits = UserLimits(library_bytes=1_500_000)
    large, small = (make_staged_book(title=name, size_bytes=size) for name, size in (("A", 1_400_000), ("B", 90_000)))
    ada.run("add", [large])

    answer = ada.run("add", [make_staged_book(title="C", size_bytes=1_400_000), small])

    assert title(answer) == "1 book added, 1 not taken"
    assert titles(answer) == ["B"]
    assert "C.epub: Your library has no room for 1.4 MB: it holds 1.4 MB of 1.5 MB. Make room" in str(answer)


def test_full_library_says_how_to_make_room(ada: Reader) -> None:
    ada.limits = UserLimits(library_books=1)
    ada.run("add", [make_staged_book(title="A")])

    refused = problem(ada.run("add", [make_staged_book(title="B")]))
    assert (refused.code, refused.fix) == ("library.full", "Make room with: remove <book>")
    ada.run("remove A")
    assert titles(ada.run("add", [make_staged_book(title="B")])) == ["B"]
    assert problem(ada.run("undo")).code == "library.full"


def test_nought_is_no_limit_of_a_library(ada: Reader) -> None:
    ada.limits = UserLimits(library_books=0, library_bytes=0)

    assert len(titles(ada.run("add", [make_staged_book(title=name) for name in "ABC"]))) == 3


def test_one_title_for_two_books_is_refused(ada: Reader) -> None:
    outcome = ada.run("add title=Emma", [make_staged_book(title="A"), make_staged_book(title="B")])

    assert problem(outcome).code == "request.bad"
    assert titles(ada.run("list")) == []


def test_refused_file_does_not_hinder_the_others(ada: Reader) -> None:
    answer = ada.run("add", [make_staged_book(title="Dune"), LOCKED])

    assert title(answer) == "1 book added, 1 not taken"


def test_of_several_books_the_one_that_can_be_taken_back_is_named(ada: Reader) -> None:
    dune, emma = make_staged_book(title="Dune"), make_staged_book(title="Emma")
    ada.run("add", [dune])

    answer = ada.run("add", [dune, emma])

    assert "Remove “Emma”" in [
        step.label for block in answer.blocks if isinstance(block, Steps) for step in block.steps
    ]


def test_only_a_refused_file_is_a_problem_that_names_it(ada: Reader) -> None:
    assert "locked.epub" in problem(ada.run("add", [LOCKED])).text


def test_no_book_is_said(ada: Reader) -> None:
    assert problem(ada.run("add")).code == "add.no-book"


def test_autosend_without_a_device_adds_the_book_and_says_why_it_stays(ada: Reader) -> None:
    ada.user.autosend = True

    answer = ada.run("add", [make_staged_book(title="Dune")])

    assert "was not sent on" in str(answer.blocks)
    assert titles(ada.run("list")) == ["Dune"]
