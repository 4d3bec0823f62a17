"""`edit`: what a reader gets for it."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from core.mail.compose import tap
from tests.factories.rows import make_book
from tests.support.reader import Reader, facts, problem, steps


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


def test_undo_gives_back_each_character(ada: Reader) -> None:
    title = '“It’s” a “‘½’… ﬁx” – "she" said'
    make_book(ada.session, ada.user, title=title, genre='the "sea"')

    undo = steps(ada.run("edit #1 title=It genre=sea"))[-1]

    assert (facts(ada.run(undo))["Title"], facts(ada.run(undo))["Genre"]) == (title, 'the "sea"')


def test_value_may_hold_an_equals_sign(ada: Reader) -> None:
    make_book(ada.session, ada.user)

    assert facts(ada.run("edit dune title=E=mc2 author=Albert"))["Title"] == "E=mc2"
    assert "in quotes" in problem(ada.run("edit #1 title=The a=b book")).fix
    assert facts(ada.run('edit #1 title="The a=b book"'))["Title"] == "The a=b book"


def test_language_is_kept_as_its_code(ada: Reader) -> None:
    make_book(ada.session, ada.user)

    assert facts(ada.run("edit dune language=German"))["Language"] == "de"
    assert facts(ada.run("edit dune language=alemán"))["Language"] == "de"
    assert problem(ada.run("edit dune language=klingon")).code == "request.bad"
    assert facts(ada.run("show dune"))["Language"] == "de"


def test_undo_is_offered_for_what_a_command_holds(ada: Reader) -> None:
    make_book(ada.session, ada.user, title="t" * 500, tags=["tag" * 150, "gat" * 150])

    undo = steps(ada.run("edit #1 title=Short"))[-1]
    both = steps(ada.run("edit #1 title=Shorter tags=sea"))

    assert parsed_subject(tap("books@inkpost.example", undo)) == undo
    assert both == ["send #1", "list"]


def parsed_subject(link: str) -> str:
    return parse_qs(urlsplit(link).query)["subject"][0]


def test_who_quotes_half_a_value_is_told_of_the_quotes_that_help(ada: Reader) -> None:
    make_book(ada.session, ada.user)

    assert "in straight quotes" in problem(ada.run("edit #1 title=“Curly” quotes")).fix
    assert "list" in problem(ada.run("edit emma title=Emma")).fix
