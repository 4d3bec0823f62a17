"""What tests of outbound mail share: a ledger on SQLite, people with books and devices, and mails to send."""

from __future__ import annotations

import io
import itertools
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import BinaryIO

from bot.transactions import Transactions
from core.events import Event, EventBus
from core.jobs import Job
from core.mail.outgoing import (
    BOT_POLICY,
    AttachedFile,
    Identity,
    OpenBlob,
    OutgoingMail,
    StreamedBody,
    attachment_name,
    compose_delivery,
    to_bytes,
)
from core.models import Book, Device, OutboxMail, User
from core.models.outbox import OutboxKind
from core.ports import BlobNotFound, Deferred, Delivered, MailBody, Refused, SendResult
from core.references import new_reference
from core.services.outbox import Outbox
from core.services.standing import describe
from core.values import BookFormat
from core.work import Work
from tests.support.schema import new_database

IDENTITY = Identity(address="books@inkpost.example", name="Inkpost")
KINDLE = "reader_1@kindle.com"
READER = "reader@example.org"
START = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)

_numbers = itertools.count(1)


@dataclass
class Clock:
    """Time that stands until it is moved."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Ledger(Transactions):
    """Units of work on a SQLite file; the jobs that they defer are kept in a list instead of being run."""

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.events: list[Event] = []
        self.bus = EventBus()
        self.bus.subscribe(Event, lambda _work, event: self.events.append(event))
        self.jobs: list[Job] = []
        super().__init__(new_database(path), clock=self.clock, bus=self.bus)

    def _join(self, work: Work) -> None:
        self.jobs += work.jobs

    def wake(self, queues: Collection[str] | None = None) -> None:
        pass

    def close(self) -> None:
        self._threads.shutdown()
        self.db.dispose()


@dataclass(frozen=True)
class Reader:
    """A person with a book and a Kindle, as rows."""

    user_id: int
    book_id: int
    device_id: int


@dataclass
class Shelf:
    """Opens blobs from a dict."""

    blobs: dict[str, bytes] = field(default_factory=dict)

    @contextmanager
    def open(self, key: str) -> Iterator[BinaryIO]:
        if key not in self.blobs:
            raise BlobNotFound(key)
        with io.BytesIO(self.blobs[key]) as file:
            yield file


def add_reader(work: Work, *, title: str = "Dune", address: str = READER) -> Reader:
    user = User(address=address, created_at=work.now)
    work.session.add(user)
    work.session.flush()
    book = Book(
        user_id=user.id, title=title, authors=["Frank Herbert"], identifiers=[], tags=[], format=BookFormat.EPUB,
        filename="dune.epub", size_bytes=4, sha256="ab12", work_key="w", storage_key="books/ab/ab12.epub",
        added_at=work.now,
    )  # fmt: skip
    device = Device(user_id=user.id, name="kindle", kind="kindle", address=KINDLE, created_at=work.now)
    work.session.add_all([book, device])
    work.session.flush()
    return Reader(user.id, book.id, device.id)


def plain_mail(*, rcpt_to: str = READER, text: str = "Hello.\n") -> OutgoingMail:
    reference = new_reference()
    message = EmailMessage(policy=BOT_POLICY)
    message["From"] = IDENTITY.from_header
    message["To"] = rcpt_to
    message["Subject"] = "An answer"
    message["Message-ID"] = IDENTITY.message_id(reference)
    message.set_content(text)
    return OutgoingMail(
        reference=reference, message_id=IDENTITY.message_id(reference), mail_from=IDENTITY.address, rcpt_to=rcpt_to,
        subject="An answer", head=to_bytes(message),
    )  # fmt: skip


def book_mail(content: bytes = b"book", *, key: str = "books/ab/ab12.epub", rcpt_to: str = KINDLE) -> OutgoingMail:
    name = attachment_name(title="Dune", authors=("Frank Herbert",), storage_key=key, extension="epub")
    return compose_delivery(
        identity=IDENTITY, rcpt_to=rcpt_to, reference=new_reference(), date=START, title="Dune",
        authors=("Frank Herbert",),
        file=AttachedFile(key=key, size_bytes=len(content), filename=name, media_type="application/epub+zip"),
    )  # fmt: skip


def body_of(mail: OutgoingMail, open_blob: OpenBlob | None = None) -> MailBody:
    return StreamedBody(
        head=mail.head,
        message_id=mail.message_id,
        attachment_key=mail.attachment.key if mail.attachment else None,
        size_bytes=mail.size_bytes,
        open_blob=open_blob or Shelf().open,
    )


def enqueue_book(work: Work, reader: Reader, *, cause: str | None = None, content: bytes = b"book") -> OutboxMail:
    return Outbox(work).enqueue(
        book_mail(content), cause=cause or f"delivery:{next(_numbers)}:1", kind=OutboxKind.DELIVERY,
        user_id=reader.user_id, book_id=reader.book_id, device_id=reader.device_id,
    )  # fmt: skip


def enqueue_answer(work: Work, *, rcpt_to: str = READER, user_id: int | None = None) -> OutboxMail:
    return Outbox(work).enqueue(
        plain_mail(rcpt_to=rcpt_to), cause=f"answer:{next(_numbers)}", kind=OutboxKind.ANSWER, user_id=user_id
    )


TAKEN = Delivered("250 2.0.0 queued as 4F2A")
LATER = Deferred("451 4.7.1 greylisted")
NEVER = Refused("550 5.1.1 no such user")


def enqueued(ledger: Ledger, reader: Reader) -> int:
    with ledger.work() as work:
        return enqueue_book(work, reader).id


def start(ledger: Ledger, outbox_id: int) -> int | None:
    with ledger.work() as work:
        attempt = Outbox(work).start_attempt(outbox_id, resends_unknown=True)
        return attempt.number if attempt else None


def finish(ledger: Ledger, outbox_id: int, number: int, result: SendResult) -> float | None:
    with ledger.work() as work:
        return Outbox(work).record(outbox_id, number=number, result=result, jitter=0.5)


def attempt(ledger: Ledger, outbox_id: int, result: SendResult) -> float | None:
    number = start(ledger, outbox_id)
    assert number is not None
    return finish(ledger, outbox_id, number, result)


def mail_row(ledger: Ledger, outbox_id: int) -> OutboxMail:
    with ledger.read() as session:
        return session.get_one(OutboxMail, outbox_id)


def book_row(ledger: Ledger, reader: Reader) -> Book:
    with ledger.read() as session:
        return session.get_one(Book, reader.book_id)


def told(ledger: Ledger, outbox_id: int) -> str:
    return describe(mail_row(ledger, outbox_id), "Europe/Berlin")
