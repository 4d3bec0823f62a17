"""The outbox: what is owed, what was tried, and what is said of it."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from core.errors import Conflict, NotFound
from core.events import BookSynced
from core.models import Attempt, OutboxMail
from core.models.book import SyncStatus
from core.models.outbox import OutboxKind, OutboxState
from core.ports import Deferred, Delivered, Refused, SendResult
from core.services.outbox import Outbox, QueueDepth, is_current
from core.services.retries import DAY
from tests.support.outgoing import (
    KINDLE,
    LATER,
    NEVER,
    TAKEN,
    Ledger,
    Reader,
    attempt,
    book_mail,
    book_row,
    enqueue_answer,
    enqueue_book,
    enqueued,
    finish,
    mail_row,
    plain_mail,
    start,
    told,
)

# Owing a mail


def test_mail_and_job_are_made_together(ledger: Ledger, reader: Reader) -> None:
    outbox_id = enqueued(ledger, reader)

    assert [(job.task, dict(job.args), job.lock) for job in ledger.jobs] == [
        ("deliver", {"outbox_id": outbox_id}, f"rcpt:{KINDLE}")
    ]
    assert told(ledger, outbox_id) == "queued"


def test_same_cause_owes_one_mail(ledger: Ledger, reader: Reader) -> None:
    with ledger.work() as work:
        first = enqueue_book(work, reader, cause="delivery:7:1")
        again = enqueue_book(work, reader, cause="delivery:7:1")

    assert again.id == first.id
    assert len(ledger.jobs) == 1


def test_rolled_back_transaction_owes_nothing(ledger: Ledger, reader: Reader) -> None:
    with pytest.raises(ZeroDivisionError), ledger.work() as work:
        _ = enqueue_book(work, reader).id // 0

    with ledger.read() as session:
        assert session.scalar(select(func.count(OutboxMail.id))) == 0
    assert ledger.jobs == []


def test_another_mail_with_a_used_message_id_is_a_bug_and_is_told(ledger: Ledger) -> None:
    mail = plain_mail()
    with ledger.work() as work:
        Outbox(work).enqueue(mail, cause="answer:1", kind=OutboxKind.ANSWER)

    with pytest.raises(IntegrityError), ledger.work() as work:
        Outbox(work).enqueue(mail, cause="answer:2", kind=OutboxKind.ANSWER)


def test_size_in_the_row_is_that_of_the_encoded_mail(ledger: Ledger, reader: Reader) -> None:
    with ledger.work() as work:
        row = Outbox(work).enqueue(book_mail(b"x" * 5700), cause="c", kind=OutboxKind.DELIVERY)

    assert row.size_bytes > 5700 * 78 / 57


# Trying


def test_attempt_is_written_before_it_is_made(ledger: Ledger, reader: Reader) -> None:
    outbox_id = enqueued(ledger, reader)

    start(ledger, outbox_id)

    assert told(ledger, outbox_id) == "sending (attempt 1)"
    with ledger.read() as session:
        row = session.get_one(Attempt, (outbox_id, 1))
        assert (row.started_at, row.result) == (ledger.clock.now, "")


@pytest.mark.parametrize("result", [TAKEN, NEVER])
def test_mail_that_is_through_is_not_tried_again(ledger: Ledger, reader: Reader, result: SendResult) -> None:
    outbox_id = enqueued(ledger, reader)
    attempt(ledger, outbox_id, result)

    assert start(ledger, outbox_id) is None


def test_mail_that_is_not_there_is_not_tried(ledger: Ledger) -> None:
    assert start(ledger, 4711) is None


def test_accepted_delivery_counts_and_is_told(ledger: Ledger, reader: Reader) -> None:
    outbox_id = enqueued(ledger, reader)

    attempt(ledger, outbox_id, TAKEN)

    book = book_row(ledger, reader)
    assert (book.sync_status, book.download_count, book.last_synced_at) == (SyncStatus.ACCEPTED, 1, ledger.clock.now)
    assert told(ledger, outbox_id) == "accepted by the relay: 250 2.0.0 queued as 4F2A"
    assert ledger.events == [
        BookSynced(user_id=reader.user_id, book_id=reader.book_id, device_id=reader.device_id, outbox_id=outbox_id)
    ]


def test_result_that_is_recorded_twice_counts_once(ledger: Ledger, reader: Reader) -> None:
    outbox_id = enqueued(ledger, reader)
    attempt(ledger, outbox_id, TAKEN)

    finish(ledger, outbox_id, 1, TAKEN)

    assert book_row(ledger, reader).download_count == 1
    assert len(ledger.events) == 1


def test_deferred_mail_says_when_it_is_tried_next(ledger: Ledger, reader: Reader) -> None:
    outbox_id = enqueued(ledger, reader)

    seconds = attempt(ledger, outbox_id, LATER)

    assert seconds == 60
    assert told(ledger, outbox_id) == "sending (attempt 1, next try at 23 Nov 07:01)"
    assert mail_row(ledger, outbox_id).last_reply == "451 4.7.1 greylisted"
    assert book_row(ledger, reader).sync_status is SyncStatus.PENDING


def test_mail_is_given_up_with_the_last_words_after_days(ledger: Ledger, reader: Reader) -> None:
    outbox_id = enqueued(ledger, reader)
    attempt(ledger, outbox_id, LATER)
    ledger.clock.pass_by(4.6 * DAY)

    assert attempt(ledger, outbox_id, LATER) is None

    assert told(ledger, outbox_id) == "failed: 451 4.7.1 greylisted (given up after 2 tries in 4 days)"


def test_days_in_which_nothing_could_be_tried_do_not_count(ledger: Ledger, reader: Reader) -> None:
    outbox_id = enqueued(ledger, reader)
    ledger.clock.pass_by(10 * DAY)

    assert attempt(ledger, outbox_id, LATER) == 60


def test_unknown_outcome_of_a_crash_is_tried_again_under_a_new_number(ledger: Ledger, reader: Reader) -> None:
    outbox_id = enqueued(ledger, reader)
    start(ledger, outbox_id)

    assert start(ledger, outbox_id) == 2


def test_third_copy_is_never_sent(ledger: Ledger, reader: Reader) -> None:
    outbox_id = enqueued(ledger, reader)
    start(ledger, outbox_id)
    start(ledger, outbox_id)

    assert start(ledger, outbox_id) is None
    assert told(ledger, outbox_id) == "unknown: the relay may have it (our process ended before the answer came)"
    assert book_row(ledger, reader).sync_status is SyncStatus.UNKNOWN


@pytest.mark.parametrize(("resends_unknown", "seconds"), [(True, 60), (False, None)])
def test_answer_that_was_lost_is_no_deferral(
    ledger: Ledger, reader: Reader, resends_unknown: bool, seconds: float | None
) -> None:
    outbox_id = enqueued(ledger, reader)
    start(ledger, outbox_id)
    lost = Deferred("the connection broke", is_peer_down=True, is_unknown=True)

    with ledger.work() as work:
        wait = Outbox(work).record(outbox_id, number=1, result=lost, jitter=0.5, resends_unknown=resends_unknown)

    assert wait == seconds
    assert told(ledger, outbox_id).startswith("sending" if resends_unknown else "unknown")


def test_mail_of_unknown_fate_can_be_retried_by_the_operator(ledger: Ledger, reader: Reader) -> None:
    outbox_id = enqueued(ledger, reader)
    for _ in range(3):
        start(ledger, outbox_id)
    with ledger.work() as work:
        Outbox(work).retry(work.session.get_one(OutboxMail, outbox_id).reference)

    assert start(ledger, outbox_id) == 3


def test_overtaken_attempt_is_not_current(ledger: Ledger, reader: Reader) -> None:
    outbox_id = enqueued(ledger, reader)
    start(ledger, outbox_id)
    start(ledger, outbox_id)

    with ledger.read() as session:
        assert not is_current(session, outbox_id, number=1)
        assert is_current(session, outbox_id, number=2)


@pytest.mark.parametrize("late", [LATER, NEVER])
def test_overtaken_attempt_changes_nothing_but_its_own_row(ledger: Ledger, reader: Reader, late: SendResult) -> None:
    outbox_id = enqueued(ledger, reader)
    start(ledger, outbox_id)
    start(ledger, outbox_id)

    finish(ledger, outbox_id, 1, late)

    assert told(ledger, outbox_id) == "sending (attempt 2)"


def test_overtaken_attempt_that_got_through_settles_the_mail(ledger: Ledger, reader: Reader) -> None:
    outbox_id = enqueued(ledger, reader)
    start(ledger, outbox_id)
    start(ledger, outbox_id)

    finish(ledger, outbox_id, 1, TAKEN)

    assert mail_row(ledger, outbox_id).state is OutboxState.ACCEPTED
    with ledger.read() as session:
        assert not is_current(session, outbox_id, number=2)


def test_waiting_without_an_attempt_is_said_and_not_counted(ledger: Ledger, reader: Reader) -> None:
    outbox_id = enqueued(ledger, reader)

    with ledger.work() as work:
        Outbox(work).postpone(outbox_id, seconds=60)

    assert told(ledger, outbox_id) == "queued (next try at 23 Nov 07:01)"
    assert mail_row(ledger, outbox_id).attempts == 0


def test_peers_words_are_cleaned_before_they_are_kept(ledger: Ledger, reader: Reader) -> None:
    outbox_id = enqueued(ledger, reader)

    attempt(ledger, outbox_id, Refused("550 нет\ntakich\x1b[31m" + "x" * 2000))

    reply = mail_row(ledger, outbox_id).last_reply
    assert reply.startswith("550 нет takich [31m")
    assert len(reply) == 1000


# A book that goes out more than once


def test_book_shows_its_newest_delivery(ledger: Ledger, reader: Reader) -> None:
    older, newer = enqueued(ledger, reader), enqueued(ledger, reader)

    attempt(ledger, newer, NEVER)
    attempt(ledger, older, TAKEN)

    book = book_row(ledger, reader)
    assert (book.sync_status, book.download_count) == (SyncStatus.FAILED, 1)


def test_book_whose_only_delivery_was_dropped_was_never_sent(ledger: Ledger, reader: Reader) -> None:
    outbox_id = enqueued(ledger, reader)

    with ledger.work() as work:
        Outbox(work).drop(mail_row(ledger, outbox_id).reference)

    assert book_row(ledger, reader).sync_status is SyncStatus.NEVER
    assert told(ledger, outbox_id) == "dropped by the operator"


# The operator


def test_failed_mail_is_retried_with_all_of_its_tries(ledger: Ledger, reader: Reader) -> None:
    outbox_id = enqueued(ledger, reader)
    attempt(ledger, outbox_id, LATER)
    ledger.clock.pass_by(5 * DAY)
    attempt(ledger, outbox_id, LATER)

    with ledger.work() as work:
        Outbox(work).retry(mail_row(ledger, outbox_id).reference.lower())

    assert told(ledger, outbox_id) == "queued"
    assert len([job for job in ledger.jobs if job.args["outbox_id"] == outbox_id]) == 2
    assert attempt(ledger, outbox_id, LATER) == 60
    assert mail_row(ledger, outbox_id).attempts == 3


def test_retry_of_a_mail_that_waits_begins_its_tries_anew(ledger: Ledger, reader: Reader) -> None:
    outbox_id = enqueued(ledger, reader)
    attempt(ledger, outbox_id, LATER)
    attempt(ledger, outbox_id, LATER)

    with ledger.work() as work:
        Outbox(work).retry(mail_row(ledger, outbox_id).reference)

    assert attempt(ledger, outbox_id, LATER) == 60


def test_dropped_mail_is_not_tried_and_can_be_retried(ledger: Ledger, reader: Reader) -> None:
    outbox_id = enqueued(ledger, reader)
    reference = mail_row(ledger, outbox_id).reference
    with ledger.work() as work:
        Outbox(work).drop(reference)
    assert start(ledger, outbox_id) is None

    with ledger.work() as work:
        Outbox(work).retry(reference)

    assert start(ledger, outbox_id) == 1


@pytest.mark.parametrize("kind", [OutboxKind.ANSWER, OutboxKind.ISSUE, OutboxKind.NOTICE])
def test_text_with_its_tokens_is_forgotten_as_soon_as_the_relay_has_it(ledger: Ledger, kind: OutboxKind) -> None:
    with ledger.work() as work:
        mail = plain_mail(text="confirm 7kq2\n")
        row = Outbox(work).enqueue(mail, cause="answer:tokens", kind=kind)
        outbox_id = row.id
    with ledger.work() as work:
        attempt = Outbox(work).start_attempt(outbox_id)
        assert attempt is not None
        Outbox(work).record(outbox_id, number=1, result=Deferred("451 later"), jitter=0.0)
    with ledger.work() as work:
        attempt = Outbox(work).start_attempt(outbox_id)
        assert attempt is not None
        assert b"7kq2" in attempt.head  # needed again until then
        Outbox(work).record(outbox_id, number=2, result=Delivered("250 ok"), jitter=0.0)

    with ledger.read() as session:
        kept = session.execute(select(OutboxMail.head, OutboxMail.size_bytes)).one()
    assert kept == (b"", mail.size_bytes)


def test_book_that_a_gateway_refused_can_be_sent_again(ledger: Ledger, reader: Reader) -> None:
    with ledger.work() as work:
        mail_id = enqueue_book(work, reader).id
        Outbox(work).start_attempt(mail_id)
        Outbox(work).record(mail_id, number=1, result=Delivered("250 ok"), jitter=0.0)

    with ledger.read() as session:
        assert session.scalars(select(OutboxMail.head)).one() != b""


def test_text_of_what_was_given_up_is_forgotten_with_time_and_then_not_sent(ledger: Ledger) -> None:
    with ledger.work() as work:
        given_up, waiting = enqueue_answer(work), enqueue_answer(work)
        references = given_up.reference, waiting.reference
        Outbox(work).start_attempt(given_up.id)
        Outbox(work).record(given_up.id, number=1, result=Refused("550 no"), jitter=0.0)
    ledger.clock.pass_by(60)

    with ledger.work() as work:
        assert Outbox(work).forget_texts(before=work.now) == 1
        assert Outbox(work).forget_texts(before=work.now) == 0

    with ledger.work() as work:
        with pytest.raises(Conflict, match="not kept"):
            Outbox(work).retry(references[0])
        assert b"Hello" in Outbox(work).retry(references[1]).head


def test_accepted_mail_can_be_neither_retried_nor_dropped(ledger: Ledger, reader: Reader) -> None:
    outbox_id = enqueued(ledger, reader)
    attempt(ledger, outbox_id, TAKEN)
    reference = mail_row(ledger, outbox_id).reference

    with pytest.raises(Conflict), ledger.work() as work:
        Outbox(work).retry(reference)
    with pytest.raises(Conflict), ledger.work() as work:
        Outbox(work).drop(reference)


@pytest.mark.parametrize("reference", ["K7Q29-FDM3X", "nonsense", ""])
def test_unknown_reference_is_said(ledger: Ledger, reference: str) -> None:
    with pytest.raises(NotFound), ledger.work() as work:
        Outbox(work).find(reference)


def test_mails_are_listed_newest_first_in_pages_and_by_state(ledger: Ledger, reader: Reader) -> None:
    ids = [enqueued(ledger, reader) for _ in range(21)]
    attempt(ledger, ids[0], TAKEN)

    with ledger.work() as work:
        outbox = Outbox(work)
        first, second = outbox.list_page(), outbox.list_page(page=2)
        accepted = outbox.list_page(state=OutboxState.ACCEPTED)

    assert [mail.id for mail in first.rows] == ids[:0:-1]
    assert ([mail.id for mail in second.rows], second.pages, second.total) == ([ids[0]], 2, 21)
    assert [mail.id for mail in accepted.rows] == [ids[0]]


def test_queue_depth_and_age_are_measured(ledger: Ledger, reader: Reader) -> None:
    enqueued(ledger, reader)
    ledger.clock.pass_by(90)
    enqueued(ledger, reader)
    attempt(ledger, enqueued(ledger, reader), TAKEN)

    with ledger.work() as work:
        depths = Outbox(work).get_pending()

    assert depths == {OutboxState.QUEUED: QueueDepth(2, 90.0), OutboxState.SENDING: QueueDepth(0, 0.0)}


def test_folder_is_not_called_a_relay(ledger: Ledger, reader: Reader) -> None:
    outbox_id = enqueued(ledger, reader)

    attempt(ledger, outbox_id, Delivered("kept in the Maildir as 1.x"))

    assert told(ledger, outbox_id) == "accepted: kept in the Maildir as 1.x"
