"""Whoever a delivery that failed is told to, and who is not."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage

from sqlalchemy import func, select

from core.events import DeliveryFailed
from core.models import OutboxMail, User
from core.models.book import SyncStatus
from core.models.outbox import OutboxKind
from core.models.user import UserState
from core.services.outbox import Outbox
from tests.factories.rows import make_inbound
from tests.support.outgoing import (
    KINDLE,
    NEVER,
    READER,
    Ledger,
    Reader,
    attempt,
    book_mail,
    book_row,
    enqueue_answer,
    enqueued,
    mail_row,
    plain_mail,
)


def test_refused_delivery_is_told_to_its_user_in_plain_words(ledger: Ledger, reader: Reader) -> None:
    outbox_id = enqueued(ledger, reader)

    attempt(ledger, outbox_id, NEVER)

    failed = mail_row(ledger, outbox_id)
    assert (
        DeliveryFailed(user_id=reader.user_id, outbox_id=outbox_id, rcpt_to=KINDLE, reason=NEVER.reply) in ledger.events
    )
    with ledger.read() as session:
        notice = session.scalars(select(OutboxMail).where(OutboxMail.kind == OutboxKind.NOTICE)).one()
        message = message_from_bytes(notice.head, _class=EmailMessage, policy=policy.default)
    assert (notice.rcpt_to, notice.mail_from, notice.cause) == (READER, "", f"failed:{outbox_id}")
    assert "“Dune” could not be sent" in message["Subject"]
    assert message["Auto-Submitted"] == "auto-generated"
    text = text_of(message)
    assert "“Dune” could not be sent to reader_1@kindle.com: the address does not exist" in text
    assert "550 5.1.1 no such user" in text
    assert failed.reference in text
    assert book_row(ledger, reader).sync_status is SyncStatus.FAILED


def text_of(message: EmailMessage) -> str:
    part = message.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def test_notice_hangs_in_its_thread_and_holds_no_secret(ledger: Ledger, reader: Reader) -> None:
    with ledger.work() as work:
        inbound = make_inbound(work.session, rcpt_tos=["else@inkpost.example", "Books+s3cret@inkpost.example"])
        answer = Outbox(work).enqueue(plain_mail(), cause="answer", kind=OutboxKind.ANSWER, inbound_id=inbound.id)
        delivery = Outbox(work).enqueue(
            book_mail(), cause="delivery", kind=OutboxKind.DELIVERY, user_id=reader.user_id, book_id=reader.book_id,
            inbound_id=inbound.id,
        )  # fmt: skip

    attempt(ledger, delivery.id, NEVER)

    with ledger.read() as session:
        head = session.scalars(select(OutboxMail.head).where(OutboxMail.kind == OutboxKind.NOTICE)).one()
    message = message_from_bytes(head, _class=EmailMessage, policy=policy.default)
    html = message.get_body(("html",))
    assert message["In-Reply-To"] == answer.message_id
    assert html is not None
    assert f"mailto:books@inkpost.example?subject=send%20%23{reader.book_id}" in html.get_content()
    assert b"s3cret" not in head


def notices(ledger: Ledger) -> int:
    with ledger.read() as session:
        return session.scalar(select(func.count(OutboxMail.id)).where(OutboxMail.kind == OutboxKind.NOTICE)) or 0


def test_failed_answer_is_told_to_nobody(ledger: Ledger, reader: Reader) -> None:
    with ledger.work() as work:
        answer = enqueue_answer(work, user_id=reader.user_id, rcpt_to="elsewhere@example.org")

    attempt(ledger, answer.id, NEVER)

    assert notices(ledger) == 0


def test_notice_does_not_go_to_the_address_that_failed(ledger: Ledger, reader: Reader) -> None:
    with ledger.work() as work:
        mail = Outbox(work).enqueue(
            book_mail(rcpt_to=READER.upper()), cause="c", kind=OutboxKind.DELIVERY, user_id=reader.user_id
        )

    attempt(ledger, mail.id, NEVER)

    assert notices(ledger) == 0


def test_suspended_user_is_told_nothing(ledger: Ledger, reader: Reader) -> None:
    outbox_id = enqueued(ledger, reader)
    with ledger.work() as work:
        work.session.get_one(User, reader.user_id).state = UserState.SUSPENDED

    attempt(ledger, outbox_id, NEVER)

    assert notices(ledger) == 0


def test_failed_notice_makes_no_notice(ledger: Ledger, reader: Reader) -> None:
    attempt(ledger, enqueued(ledger, reader), NEVER)
    with ledger.read() as session:
        notice_id = session.scalars(select(OutboxMail.id).where(OutboxMail.kind == OutboxKind.NOTICE)).one()

    attempt(ledger, notice_id, NEVER)

    assert notices(ledger) == 1
