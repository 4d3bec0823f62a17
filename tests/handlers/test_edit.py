"""`edit`: what a reader gets for it."""

from __future__ import annotations

from tests.factories.rows import make_book
from tests.support.reader import Reader, facts, problem


def test_title_and_tags_are_changed(ada: Reader) -> None:
    make_book(ada.session, ada.user, title="Dnue")

    answer = ada.run("edit dnue title=Dune tags=desert, classic")

    assert (facts(answer)["Title"], facts(answer)["Tags"]) == ("Dune", "desert, classic")


def test_empty_value_takes_away(ada: Reader) -> None:
    make_book(ada.session, ada.user, genre="Sci-Fi")

    assert "Genre" not in facts(ada.run("edit dune genre="))


def test_too_long_a_title_is_refused_and_the_old_one_stays(ada: Reader) -> None:
    make_book(ada.session, ada.user)

    assert problem(ada.run(f"edit dune title={'x' * 501}")).code == "request.bad"
    assert facts(ada.run("show dune"))["Title"] == "Dune"


def test_edited_title_is_found(ada: Reader) -> None:
    make_book(ada.session, ada.user, title="scan0001")
    ada.run("edit scan0001 title=Emma")

    assert facts(ada.run("show emma"))["Title"] == "Emma"
