"""`status`: what a reader gets for it."""

from __future__ import annotations

from tests.factories.rows import make_outbox_mail, make_user
from tests.support.reader import Reader, facts, problem, table


def test_deliveries_stand_with_their_state_newest_first(ada: Reader) -> None:
    for title in ("Dune", "Emma"):
        make_outbox_mail(ada.session, user=ada.user, subject=f"Book: {title}")

    assert [(book, state) for book, state, _ in table(ada.run("status"))] == [("Emma", "queued"), ("Dune", "queued")]


def test_one_delivery_is_told_by_its_reference(ada: Reader) -> None:
    mail = make_outbox_mail(ada.session, user=ada.user)

    assert facts(ada.run(f"status {mail.reference}"))["To"] == mail.rcpt_to


def test_delivery_of_somebody_else_is_not_there(ada: Reader) -> None:
    mail = make_outbox_mail(ada.session, user=make_user(ada.session))

    assert problem(ada.run(f"status {mail.reference}")).code == "not-found"


def test_what_is_no_reference_is_not_called_a_page(ada: Reader) -> None:
    assert problem(ada.run("status dune")).text == "“dune” is not a reference."
