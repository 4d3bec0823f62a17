"""Readers whose own address sends mail back: what is held, who hears of it, and how it ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.events import SendingStopped
from core.mail.dsn import Bounce, BounceKind
from core.models import OutboxMail, SendingStop, User
from core.models.outbox import OutboxKind
from core.ports import Delivered, Refused, SendResult
from core.services import unreachable
from core.services.fates import Fates
from core.services.outbox import Outbox
from core.services.stops import Stops
from core.services.unreachable import find_unreached, welcome_back
from core.work import Work
from tests.support.outgoing import KINDLE, READER, Ledger, add_reader, enqueue_answer, plain_mail

TAKEN = Delivered("250 ok")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path / "ledger.db")
    unreachable.subscribe(opened.bus)
    yield opened
    opened.close()


def tried(work: Work, mail: OutboxMail, result: SendResult) -> OutboxMail:
    attempt = Outbox(work).start_attempt(mail.id)
    assert attempt is not None
    Outbox(work).record(mail.id, number=attempt.number, result=result, jitter=0.0)
    work.session.flush()
    return mail


def letter(work: Work, user_id: int, number: int, result: SendResult = TAKEN) -> OutboxMail:
    mail = Outbox(work).enqueue(plain_mail(), cause=f"digest:1:{number}", kind=OutboxKind.ISSUE, user_id=user_id)
    return tried(work, mail, result)


def comes_back(work: Work, mail: OutboxMail) -> None:
    Fates(work).take_bounce(
        Bounce(kind=BounceKind.FAILED, message_ids=(mail.message_id,), reply="550 5.1.1 no such user")
    )


def unreached(work: Work) -> int:
    """A reader with a Kindle whose last three letters came back."""
    user_id = add_reader(work).user_id
    for number in range(3):
        comes_back(work, letter(work, user_id, number))
    return user_id


def test_reader_whose_letters_come_back_is_told_on_their_kindle(ledger: Ledger) -> None:
    with ledger.work() as work:
        user_id = unreached(work)

    assert [job.args for job in ledger.jobs if job.task == "tell_on_device"] == [{"user_id": user_id}]
    with ledger.work() as work:
        found = find_unreached(work, user_id)
        assert found is not None
        assert found.device_id is not None
        assert (found.address, found.words) == (READER, "550 5.1.1 no such user")
        assert SendingStop.unreached(work.session) == [READER]


def test_kindle_that_is_held_back_itself_is_not_written_to(ledger: Ledger) -> None:
    with ledger.work() as work:
        user_id = unreached(work)
        Stops(work).stop(f"address:{KINDLE}", user_id=user_id, reason="bounces")
        found = find_unreached(work, user_id)

    assert found is not None
    assert found.device_id is None


def test_device_that_bounces_is_no_matter_of_the_readers_own_address(ledger: Ledger) -> None:
    with ledger.work() as work:
        reader = add_reader(work)
        Stops(work).stop(f"address:{KINDLE}", user_id=reader.user_id, reason="bounces")

        assert find_unreached(work, reader.user_id) is None
        assert welcome_back(work, work.session.get_one(User, reader.user_id)) is None
        assert SendingStop.unreached(work.session) == []
    assert ledger.jobs == []


def test_answers_between_the_letters_hide_no_bounce(ledger: Ledger) -> None:
    """They have the null reverse-path: nobody would say that they came back."""
    with ledger.work() as work:
        user_id = add_reader(work).user_id
        for number in range(3):
            comes_back(work, letter(work, user_id, number))
            answer = enqueue_answer(work, user_id=user_id)
            answer.mail_from = ""
            tried(work, answer, Delivered("250 ok"))
    assert any(isinstance(event, SendingStopped) for event in ledger.events)


def test_letter_that_arrived_between_counts(ledger: Ledger) -> None:
    with ledger.work() as work:
        user_id = add_reader(work).user_id
        for number in range(2):
            comes_back(work, letter(work, user_id, number))
        letter(work, user_id, 2)
        comes_back(work, letter(work, user_id, 3))

    assert not any(isinstance(event, SendingStopped) for event in ledger.events)


@pytest.mark.parametrize(
    ("reply", "is_stopped"),
    [("550 5.1.1 unknown", True), ("550 5.7.1 looks like spam", False), ("552 5.2.2 mailbox full", False)],
)
def test_relay_that_refuses_the_address_itself_counts_as_a_bounce(ledger: Ledger, reply: str, is_stopped: bool) -> None:
    with ledger.work() as work:
        user_id = add_reader(work).user_id
        for number in range(3):
            letter(work, user_id, number, Refused(reply))

    assert any(isinstance(event, SendingStopped) for event in ledger.events) is is_stopped


def test_reader_who_writes_again_has_what_waited_and_is_told_so_once(ledger: Ledger) -> None:
    with ledger.work() as work:
        user_id = unreached(work)
        waiting = Outbox(work).enqueue(plain_mail(), cause="digest:1:9", kind=OutboxKind.ISSUE, user_id=user_id)
        assert Outbox(work).waiting_for(waiting.id) is None
    ledger.jobs.clear()

    with ledger.work() as work:
        user = work.session.get_one(User, user_id)
        told, again = welcome_back(work, user), welcome_back(work, user)

    assert told is not None
    assert again is None
    assert "1 mail that was waiting goes out now." in repr(told)
    assert [job.args["outbox_id"] for job in ledger.jobs] == [waiting.id]
