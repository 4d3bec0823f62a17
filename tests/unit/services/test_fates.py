"""What becomes of deliveries behind the relay: who is told what, and what stops."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from core.events import MailBounced, NoRefusalSeen, SendingStopped
from core.mail.dsn import Bounce, BounceKind
from core.mail.notices import Notice, NoticeKind, read_words
from core.models import OutboxMail, SendingStop, User
from core.models.outbox import OutboxState
from core.ports import Delivered
from core.services.fates import Fates
from core.services.outbox import Outbox
from core.services.standing import describe
from core.services.stops import Stops
from tests.factories.rows import make_outbox_mail, make_user
from tests.support.outgoing import IDENTITY, START, Ledger, Reader, add_reader, enqueue_book

FROM = (IDENTITY.address,)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path / "ledger.db")
    yield opened
    opened.close()


def accepted_book(ledger: Ledger, reader: Reader | None = None) -> tuple[Reader, int]:
    with ledger.work() as work:
        owner = reader or add_reader(work)
        mail_id = enqueue_book(work, owner).id
        attempt = Outbox(work).start_attempt(mail_id)
        assert attempt is not None
        Outbox(work).record(mail_id, number=1, result=Delivered("250 ok"), jitter=0.0)
    return owner, mail_id


def refusal() -> Notice:
    at = START.strftime("%I:%M %p on %a, %b %d, %Y GMT")
    text = f"The following document(s), sent at {at}, could not be delivered due to E999: * Dune - Frank Herbert.epub"
    notice = read_words("There was a problem with the document(s) you sent to Kindle", text)
    assert notice is not None
    return notice


def mail_of(ledger: Ledger, mail_id: int) -> OutboxMail:
    with ledger.read() as session:
        return session.get_one(OutboxMail, mail_id)


def test_refusal_is_put_down_to_the_book_of_its_file_name(ledger: Ledger) -> None:
    _, mail_id = accepted_book(ledger)

    with ledger.work() as work:
        found = Fates(work).take_notice(refusal(), rcpt_tos=FROM)
        assert [mail.id for mail in found] == [mail_id]

    mail = mail_of(ledger, mail_id)
    assert mail.state is OutboxState.REJECTED
    assert describe(mail, "UTC").startswith("rejected by the gateway: The following document(s)")


def test_refusal_of_what_another_address_sent_is_not_ours(ledger: Ledger) -> None:
    _, mail_id = accepted_book(ledger)

    with ledger.work() as work:
        assert Fates(work).take_notice(refusal(), rcpt_tos=("other@inkpost.example",)) == []

    assert mail_of(ledger, mail_id).state is OutboxState.ACCEPTED


def test_same_refusal_twice_counts_once(ledger: Ledger) -> None:
    accepted_book(ledger)

    with ledger.work() as work:
        first = Fates(work).take_notice(refusal(), rcpt_tos=FROM)
        again = Fates(work).take_notice(refusal(), rcpt_tos=FROM)

    assert (len(first), len(again)) == (1, 0)


def test_refusal_without_a_name_is_nobodys_where_two_readers_could_be_meant(ledger: Ledger) -> None:
    accepted_book(ledger)
    with ledger.work() as work:
        other = add_reader(work, address="other@example.org")
    accepted_book(ledger, other)
    notice = read_words("Kindle", "could not be processed due to E009 - No Attachment.")
    assert notice is not None

    with ledger.work() as work:
        assert Fates(work).take_notice(notice, rcpt_tos=FROM) == []


def test_unapproved_sender_holds_this_readers_books_until_they_say_so(ledger: Ledger) -> None:
    reader, _ = accepted_book(ledger)
    notice = read_words("Kindle", f"E014 - Unapproved sender email address. {IDENTITY.address}")
    assert notice is not None
    with ledger.work() as work:
        Fates(work).take_notice(notice, rcpt_tos=FROM)
        waiting = enqueue_book(work, reader).id
    with ledger.work() as work:
        assert Outbox(work).waiting_for(waiting) is None
    assert describe(mail_of(ledger, waiting), "UTC") == "queued, held: unapproved-sender"
    ledger.jobs.clear()

    with ledger.work() as work:
        (stop,) = Stops(work).of_user(reader.user_id)
        assert Stops(work).lift(stop) == 1

    assert [job.args["outbox_id"] for job in ledger.jobs] == [waiting]
    with ledger.work() as work:
        assert Outbox(work).waiting_for(waiting) is not None


def test_suspension_stops_everybodys_books_and_nobodys_answers(ledger: Ledger) -> None:
    accepted_book(ledger)
    notice = read_words("Send to Kindle", "there is problem with books@inkpost.example’s account and we are unable to")
    assert notice is not None

    with ledger.work() as work:
        Fates(work).take_notice(notice, rcpt_tos=FROM)

    assert [event.scope for event in ledger.events if isinstance(event, SendingStopped)] == ["all:kindle"]
    with ledger.work() as work:
        other = add_reader(work, address="other@example.org")
        assert Outbox(work).waiting_for(enqueue_book(work, other).id) is None


def test_request_to_confirm_is_kept_with_its_link_and_its_end(ledger: Ledger) -> None:
    _, mail_id = accepted_book(ledger)
    link = "https://www.amazon.com/sendtokindle/verification/confirm/A0/00"
    notice = read_words("Verify your Send to Kindle document request", f"Verify Request ({link})")
    assert notice is not None

    with ledger.work() as work:
        Fates(work).take_notice(notice, rcpt_tos=FROM)

    mail = mail_of(ledger, mail_id)
    assert (mail.state, mail.notice, mail.settle_at) == (OutboxState.NEEDS_CLICK, link, START + timedelta(hours=48))


def test_silence_becomes_no_refusal_seen_and_never_delivered(ledger: Ledger) -> None:
    _, mail_id = accepted_book(ledger)
    with ledger.work() as work:
        assert Fates(work).settle() == 0
    ledger.clock.pass_by(2 * 3600 + 1)

    with ledger.work() as work:
        assert Fates(work).settle() == 1

    assert describe(mail_of(ledger, mail_id), "UTC") == "accepted by the relay: 250 ok; no refusal seen since"
    assert any(isinstance(event, NoRefusalSeen) for event in ledger.events)


def test_late_word_of_the_relay_does_not_undo_a_refusal(ledger: Ledger) -> None:
    _, mail_id = accepted_book(ledger)
    with ledger.work() as work:
        Fates(work).take_notice(refusal(), rcpt_tos=FROM)

    with ledger.work() as work:
        Outbox(work).record(mail_id, number=1, result=Delivered("250 ok"), jitter=0.0)

    assert mail_of(ledger, mail_id).state is OutboxState.REJECTED


def test_report_is_put_down_to_the_mail_whose_id_it_gives_back(ledger: Ledger) -> None:
    _, mail_id = accepted_book(ledger)
    message_id = mail_of(ledger, mail_id).message_id

    with ledger.work() as work:
        stranger = Bounce(kind=BounceKind.FAILED, message_ids=("<x@y>",), reply="550 5.1.1 no")
        assert Fates(work).take_bounce(stranger) is None
        found = Fates(work).take_bounce(
            Bounce(kind=BounceKind.FAILED, message_ids=("<x@y>", message_id), reply="550 5.1.1 no")
        )
        assert found is not None

    assert mail_of(ledger, mail_id).state is OutboxState.BOUNCED
    assert any(isinstance(event, MailBounced) for event in ledger.events)


def test_address_that_keeps_bouncing_is_left_alone(ledger: Ledger) -> None:
    reader, first = accepted_book(ledger)
    mails = [first, *(accepted_book(ledger, reader)[1] for _ in range(2))]

    with ledger.work() as work:
        for mail_id in mails:
            message_id = work.session.get_one(OutboxMail, mail_id).message_id
            Fates(work).take_bounce(Bounce(kind=BounceKind.FAILED, message_ids=(message_id,), reply="550 no"))

    with ledger.read() as session:
        assert session.get(SendingStop, "address:reader_1@kindle.com") is not None


def test_delay_is_not_the_end(ledger: Ledger) -> None:
    _, mail_id = accepted_book(ledger)
    with ledger.work() as work:
        message_id = work.session.get_one(OutboxMail, mail_id).message_id
        Fates(work).take_bounce(Bounce(kind=BounceKind.DELAYED, message_ids=(message_id,), reply="4.4.1 later"))

    assert mail_of(ledger, mail_id).state is OutboxState.ACCEPTED


def test_unknown_notice_changes_no_state(ledger: Ledger) -> None:
    _, mail_id = accepted_book(ledger)
    notice = read_words("Send to Kindle", "Coś się stało: * Dune - Frank Herbert.epub")
    assert notice is not None
    assert notice.kind is NoticeKind.UNKNOWN

    with ledger.work() as work:
        assert len(Fates(work).take_notice(notice, rcpt_tos=FROM)) == 1

    assert mail_of(ledger, mail_id).state is OutboxState.ACCEPTED


def test_pocketbook_notice_is_of_the_reader_whose_address_it_names(ledger: Ledger) -> None:
    reader, _ = accepted_book(ledger)
    with ledger.work() as work:
        theirs = make_outbox_mail(
            work.session, user=work.session.get_one(User, reader.user_id), state=OutboxState.ACCEPTED,
            rcpt_to="ada@pbsync.com", mail_from=IDENTITY.address, created_at=work.now,
        )  # fmt: skip
        make_outbox_mail(
            work.session, user=make_user(work.session), state=OutboxState.ACCEPTED, rcpt_to="bob@pbsync.com",
            mail_from=IDENTITY.address, created_at=work.now,
        )  # fmt: skip
        notice = read_words("PocketBook", "Your email to ada@pbsync.com does not contain documents.")
        assert notice is not None

        found = Fates(work).take_notice(notice, rcpt_tos=FROM)

        assert [mail.id for mail in found] == [theirs.id]
        assert theirs.state is OutboxState.REJECTED
