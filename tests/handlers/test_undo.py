"""`undo`: what a reader gets for it."""

from __future__ import annotations

from tests.factories.rows import make_book
from tests.support.reader import Reader, problem, titles


def test_last_removed_book_comes_back_first(ada: Reader) -> None:
    for title in ("Dune", "Emma"):
        make_book(ada.session, ada.user, title=title)
        ada.run(f"remove {title}")
        ada.waits(minutes=1)

    ada.run("undo")

    assert titles(ada.run("list")) == ["Emma"]


def test_after_a_day_it_is_too_late(ada: Reader) -> None:
    make_book(ada.session, ada.user)
    ada.run("remove dune")
    ada.waits(hours=24)

    assert problem(ada.run("undo")).code == "undo.none"
