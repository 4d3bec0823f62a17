"""`forget me`: asked once more, and then done."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from core.models.user import UserState
from core.values import Trust
from tests.factories.rows import make_book, make_user
from tests.support.reader import Reader, problem, steps, title


@pytest.mark.parametrize("trust", [Trust.READ, Trust.DELIVER, Trust.CHANGE])
def test_it_is_asked_back_however_sure_we_are(ada: Reader, session: Session, trust: Trust) -> None:
    make_book(session, ada.user)

    (result,) = ada.results("forget me", trust=trust)

    asked = problem(result.outcome)
    assert asked.code == "confirm.needed"
    assert "cannot be undone" in asked.text
    assert ada.user.state is UserState.ACTIVE
    assert "forget_user" not in ada.jobs


def test_word_does_it_once(ada: Reader, session: Session) -> None:
    offer = steps(ada.run("forget me"))[0]

    assert title(ada.run(offer)) == "You are forgotten"

    assert ada.user.state is UserState.FORGOTTEN
    assert ada.jobs.count("forget_user") == 1
    assert problem(ada.run(offer)).code == "confirm.used"


def test_word_of_somebody_else_forgets_nobody(ada: Reader, session: Session) -> None:
    offer = steps(ada.run("forget me"))[0]
    eve = Reader(session, make_user(session), ada.grammar, ada.handlers, ada.bus)

    assert problem(eve.run(offer)).code == "confirm.unknown"
    assert (ada.user.state, eve.user.state) == (UserState.ACTIVE, UserState.ACTIVE)


@pytest.mark.parametrize("line", ["forget dune", "forget bob@reader.example", "forgot me"])
def test_nothing_else_is_forgotten(ada: Reader, session: Session, line: str) -> None:
    make_book(session, ada.user, title="Dune")

    asked = problem(ada.run(line))

    if asked.code == "confirm.needed":
        assert problem(ada.run(steps(asked)[0])).code == "request.bad"
    assert ada.user.state is UserState.ACTIVE


@pytest.mark.parametrize("line", ["forget me", "Please forget me", "delete my account", "vergiss mich", "olvídame"])
def test_people_say_it_in_many_ways(ada: Reader, line: str) -> None:
    assert "will be deleted" in problem(ada.run(line)).text
