"""The inbox: what an operator may do about a mail, and what is counted and forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, undefer

from core.errors import Conflict, NotFound
from core.models import DoomedBlob, Inbound
from core.models.inbound import InboundState
from core.services.inbox import Inbox
from tests.factories.rows import NOW, make_inbound, make_work, open_database

DONE = {"state": InboundState.DONE, "outcome": "answered"}
OLD = {"received_at": NOW - timedelta(days=31)}
BEFORE = NOW - timedelta(days=30)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    with open_database(tmp_path / "inbox.db") as engine, Session(engine) as opened:
        yield opened


def test_failures_are_counted_until_the_mail_is_set_aside(session: Session) -> None:
    mail, inbox = make_inbound(session), Inbox(make_work(session))

    counted = [inbox.count_failure(mail.id, reason=f"fault {number}", limit=3) for number in (1, 2, 3)]

    assert counted == [1, 2, 3]
    assert (mail.state, mail.reason) == (InboundState.SET_ASIDE, "fault 3")


@pytest.mark.parametrize("state", [InboundState.DONE, InboundState.DROPPED, InboundState.SET_ASIDE])
def test_failure_of_a_mail_that_is_no_longer_processed_counts_for_nothing(
    session: Session, state: InboundState
) -> None:
    mail = make_inbound(session, state=state)

    assert Inbox(make_work(session)).count_failure(mail.id, reason="too late", limit=3) == 0
    assert (mail.state, mail.attempts, mail.reason) == (state, 0, "")


@pytest.mark.parametrize("state", [InboundState.SET_ASIDE, InboundState.DROPPED])
def test_retried_mail_is_processed_from_its_first_attempt(session: Session, state: InboundState) -> None:
    mail, work = make_inbound(session, state=state, attempts=8), make_work(session)

    Inbox(work).retry(mail.reference.lower())

    assert (mail.state, mail.attempts) == (InboundState.ACCEPTED, 0)
    assert [(job.task, job.args) for job in work.jobs] == [("process_mail", {"inbound_id": mail.id})]


def test_mail_that_was_turned_away_is_retried(session: Session) -> None:
    mail, work = make_inbound(session, state=InboundState.DONE, outcome="limited"), make_work(session)

    Inbox(work).retry(mail.reference)

    assert (mail.state, mail.outcome, len(work.jobs)) == (InboundState.ACCEPTED, "", 1)


@pytest.mark.parametrize(
    "columns", [DONE, {"state": InboundState.ACCEPTED}, {"state": InboundState.SET_ASIDE, "raw": None}]
)
def test_mail_that_is_done_waiting_or_forgotten_is_not_retried(session: Session, columns: dict[str, object]) -> None:
    mail, work = make_inbound(session, **columns), make_work(session)

    with pytest.raises(Conflict):
        Inbox(work).retry(mail.reference)

    assert (mail.state, work.jobs) == (columns["state"], [])


def test_mail_whose_job_is_gone_is_dropped_and_then_retried(session: Session) -> None:
    mail, work = make_inbound(session), make_work(session)

    Inbox(work).drop(mail.reference)
    Inbox(work).retry(mail.reference)

    assert (mail.state, len(work.jobs)) == (InboundState.ACCEPTED, 1)


def test_mail_that_is_done_is_not_dropped(session: Session) -> None:
    mail = make_inbound(session, **DONE)

    with pytest.raises(Conflict, match="done"):
        Inbox(make_work(session)).drop(mail.reference)


def test_unknown_reference_is_told(session: Session) -> None:
    with pytest.raises(NotFound, match="K7Q29-FDM3X"):
        Inbox(make_work(session)).find("K7Q29-FDM3X")


def test_list_has_a_second_page(session: Session) -> None:
    mails = [make_inbound(session) for _ in range(21)]

    page = Inbox(make_work(session)).list_page(page=2)

    assert (list(page.rows), page.pages, page.total) == ([mails[0]], 2, 21)


@pytest.mark.parametrize("state", InboundState)
def test_list_of_a_state_has_its_mails_and_no_others(session: Session, state: InboundState) -> None:
    mails = {each: make_inbound(session, state=each) for each in InboundState}

    assert list(Inbox(make_work(session)).list_page(state=state).rows) == [mails[state]]


@pytest.mark.parametrize(
    ("condition", "index"),
    [
        (Inbound.is_in(InboundState.SET_ASIDE), "ix_inbound_state_received_at (state=?)"),
        (
            sa.and_(Inbound.is_in(InboundState.DONE), Inbound.received_at > NOW),
            "ix_inbound_state_received_at (state=? AND received_at>?)",
        ),
        (Inbound.user_id == 7, "ix_inbound_user_id (user_id=?)"),
    ],
)
def test_past_mails_are_found_without_reading_them(
    session: Session, condition: sa.ColumnElement[bool], index: str
) -> None:
    asked = sa.select(sa.func.count(Inbound.id)).where(condition)
    compiled = asked.compile(session.get_bind(), compile_kwargs={"render_postcompile": True})

    (plan,) = session.connection().exec_driver_sql(
        f"EXPLAIN QUERY PLAN {compiled}", (None,) * len(compiled.positiontup or ())
    )

    assert plan.detail == f"SEARCH inbound USING COVERING INDEX {index}"


def has_text(session: Session, mail: Inbound) -> bool:
    row = session.get_one(Inbound, mail.id, options=[undefer(Inbound.raw)], populate_existing=True)
    return row.raw is not None or row.raw_key is not None


def test_old_text_of_a_mail_that_is_done_is_forgotten_and_no_other(session: Session) -> None:
    old, young = make_inbound(session, **DONE, **OLD), make_inbound(session, **DONE)
    waiting, aside = make_inbound(session, **OLD), make_inbound(session, **OLD, state=InboundState.SET_ASIDE)

    Inbox(make_work(session)).forget_texts(before=BEFORE)
    session.flush()

    assert [has_text(session, mail) for mail in (old, young, waiting, aside)] == [False, True, True, True]


def test_secrets_in_the_addresses_of_a_forgotten_text_go_with_it(session: Session) -> None:
    came_to = ["Books+qc4kpdbp5pahxht9@inkpost.example", "n-k2j4h5g6f7d8s9a2@inkpost.example", "books@inkpost.example"]
    old, young = make_inbound(session, **DONE, **OLD, rcpt_tos=came_to), make_inbound(session, **DONE, rcpt_tos=came_to)

    Inbox(make_work(session)).forget_texts(before=BEFORE)

    assert old.rcpt_tos == ["Books+…@inkpost.example", "n-…@inkpost.example", "books@inkpost.example"]
    assert young.rcpt_tos == came_to


def test_blob_of_a_forgotten_text_is_doomed_unless_another_mail_needs_it(session: Session) -> None:
    make_inbound(session, **DONE, **OLD, raw=None, raw_key="mails/aa/lone.eml")
    make_inbound(session, **DONE, **OLD, raw=None, raw_key="mails/aa/shared.eml")
    make_inbound(session, raw=None, raw_key="mails/aa/shared.eml")

    Inbox(make_work(session)).forget_texts(before=BEFORE)

    assert DoomedBlob.all_keys(session) == ["mails/aa/lone.eml"]


def test_blob_that_is_doomed_already_is_doomed_once(session: Session) -> None:
    DoomedBlob.doom(session, ["mails/aa/twice.eml"])
    make_inbound(session, **DONE, **OLD, raw=None, raw_key="mails/aa/twice.eml")

    Inbox(make_work(session)).forget_texts(before=BEFORE)
    session.flush()

    assert DoomedBlob.all_keys(session) == ["mails/aa/twice.eml"]
