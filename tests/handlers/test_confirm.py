"""`confirm`, and the commands that it is for."""

from __future__ import annotations

from sqlalchemy.orm import Session

from core.mail.answer import Answer, Problem, Steps
from core.values import Trust
from tests.factories.rows import make_book, make_listing, make_user
from tests.support.reader import Reader, problem, steps, title


def ask(ada: Reader, *lines: str, trust: Trust = Trust.DELIVER, replied_to: tuple[str, ...] = ()) -> str:
    """The command that the question offers to tap."""
    (result,) = ada.results(*lines, trust=trust, replied_to=replied_to)
    assert problem(result.outcome).code == "confirm.needed"
    offer, _refusal = steps(result.outcome)
    return offer


def said(ada: Reader, line: str, *, trust: Trust = Trust.READ) -> Answer | Problem:
    (result,) = ada.results(line, trust=trust)
    return result.outcome


def test_removing_waits_for_a_word_and_is_done_with_it(ada: Reader, session: Session) -> None:
    book = make_book(session, ada.user, title="Dune")

    offer = ask(ada, "remove dune")
    assert book.removed_at is None

    assert title(said(ada, offer)) == "Removed: Dune"
    assert book.removed_at is not None


def test_word_is_good_once(ada: Reader, session: Session) -> None:
    make_book(session, ada.user, title="Dune")
    offer = ask(ada, "remove dune")
    said(ada, offer)

    assert problem(said(ada, offer)).code == "confirm.used"


def test_number_means_what_was_listed_when_it_was_written(ada: Reader, session: Session) -> None:
    dune, emma = make_book(session, ada.user, title="Dune"), make_book(session, ada.user, title="Emma")
    make_listing(session, ada.user, [dune.id], message_id="<old@inkpost.example>", created_at=ada.now)
    offer = ask(ada, "Re: Your books", "remove 1", replied_to=("<old@inkpost.example>",))
    ada.waits(minutes=1)
    make_listing(session, ada.user, [emma.id], message_id="<new@inkpost.example>", created_at=ada.now)

    assert title(said(ada, offer)) == "Removed: Dune"


def test_command_that_fails_leaves_its_word_good(ada: Reader, session: Session) -> None:
    offer = ask(ada, "remove dune")
    assert problem(said(ada, offer)).code == "book.not-found"

    make_book(session, ada.user, title="Dune")
    assert title(said(ada, offer)) == "Removed: Dune"


def test_word_of_somebody_else_does_nothing(ada: Reader, session: Session) -> None:
    book = make_book(session, ada.user, title="Dune")
    offer = ask(ada, "remove dune")
    eve = Reader(session, make_user(session, address="eve@reader.example"), ada.grammar, ada.handlers, ada.bus)

    assert problem(said(eve, offer, trust=Trust.CHANGE)).code == "confirm.unknown"
    assert book.removed_at is None


def test_word_that_is_left_out_is_asked_for(ada: Reader) -> None:
    refused = problem(said(ada, "confirm"))

    assert refused.code == "request.bad"
    assert "yes" in refused.fix


def test_showing_needs_no_word(ada: Reader) -> None:
    for line in ("settings", "kindle", "kindle list", "digest", "secret", "list", "help"):
        (result,) = ada.results(line, trust=Trust.READ)
        assert getattr(result.outcome, "code", "") != "confirm.needed", line


def test_changing_always_does(ada: Reader) -> None:
    for line in (
        "settings timezone=Europe/Berlin",
        "kindle add ada@kindle.com",
        "kindle remove kindle",
        "digest daily 06:30",
        "digest off",
        "secret new",
        "unsubscribe 1",
    ):
        (result,) = ada.results(line, trust=Trust.DELIVER)
        assert problem(result.outcome).code == "confirm.needed", line
        assert any(isinstance(block, Steps) for block in result.outcome.blocks)
