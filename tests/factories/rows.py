"""Rows and values of a library, as plain functions: every argument has a default that no test has to care about.

Rows are added to the session and flushed, so that they have an id. `make_work` is a unit of work without a shell: what
it emits and defers is kept for the test to look at.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.books.works import work_key
from core.db import Base
from core.events import Event, EventBus
from core.models import Book, Device, Inbound, Listing, OutboxMail, Spelling, User
from core.models.outbox import OutboxKind
from core.references import new_reference
from core.staging import BlobKind, blob_key
from core.values import BookFormat, BookMetadata, StagedBook
from core.work import Work
from tests.support.schema import new_database

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)

Row = TypeVar("Row", bound=Base)

_numbers = itertools.count(1)


@dataclass(slots=True)
class RecordingWork(Work):
    """A unit of work whose events are kept as well."""

    events: list[Event] = field(default_factory=list)

    def emitted(self) -> list[str]:
        """The names of the events so far."""
        return [event.name for event in self.events]


def make_work(session: Session, *, now: datetime = NOW, bus: EventBus | None = None) -> RecordingWork:
    """A unit of work in the session's transaction, with these subscribers and one that records."""
    work = RecordingWork(session, now, bus or EventBus())
    work.bus.subscribe(Event, lambda _work, event: work.events.append(event))
    return work


@contextmanager
def open_database(path: Path) -> Iterator[sa.Engine]:
    """A SQLite file with all tables."""
    engine = new_database(path)
    try:
        yield engine
    finally:
        engine.dispose()


def make_user(session: Session, *, address: str | None = None, **columns: Any) -> User:
    return _add(session, User(address=address or f"reader{next(_numbers)}@example.org", created_at=NOW, **columns))


def make_book(
    session: Session,
    user: User,
    *,
    title: str = "Dune",
    authors: Sequence[str] = ("Frank Herbert",),
    content: bytes | None = None,
    **columns: Any,
) -> Book:
    """A book of `user`; its bytes are no other book's, unless `content` is."""
    sha256, format_ = _sha256(content), columns.pop("format", BookFormat.EPUB)
    defaults = {
        "filename": f"{title}.{format_.value}"[:200],
        "identifiers": [],
        "tags": [],
        "size_bytes": 1_000_000,
        "work_key": work_key(BookMetadata(title=title, authors=tuple(authors))),
        "storage_key": blob_key(BlobKind.BOOK, sha256, extension=format_.value),
        "added_at": NOW,
    }
    values = {**defaults, **columns}
    book = Book(user_id=user.id, title=title, authors=list(authors), format=format_, sha256=sha256, **values)
    Spelling.learn(session, (title, *authors))
    return _add(session, book)


def make_device(session: Session, user: User, *, name: str = "kindle", **columns: Any) -> Device:
    defaults = {"kind": "kindle", "address": f"reader_{next(_numbers)}@kindle.com", "created_at": NOW}
    return _add(session, Device(user_id=user.id, name=name, **{**defaults, **columns}))


def make_listing(session: Session, user: User, item_ids: Sequence[int], **columns: Any) -> Listing:
    defaults = {"kind": "books", "message_id": f"<{next(_numbers)}@inkpost.example>", "created_at": NOW}
    return _add(session, Listing(user_id=user.id, item_ids=list(item_ids), **{**defaults, **columns}))


def make_inbound(session: Session, **columns: Any) -> Inbound:
    """An accepted mail that waits to be processed."""
    defaults = {
        "reference": new_reference(),
        "dedupe_key": _sha256(None),
        "mail_key": _sha256(None),
        "intake": "smtp",
        "mail_from": "reader@example.org",
        "rcpt_tos": ["books@inkpost.example"],
        "size_bytes": 20,
        "raw": b"Subject: list\r\n\r\n",
        "received_at": NOW,
    }
    return _add(session, Inbound(**{**defaults, **columns}))


def make_outbox_mail(session: Session, *, user: User, **columns: Any) -> OutboxMail:
    """A delivery that waits to be sent."""
    reference = new_reference()
    defaults = {
        "cause": f"delivery:test:{next(_numbers)}",
        "reference": reference,
        "kind": OutboxKind.DELIVERY,
        "mail_from": "books@inkpost.example",
        "rcpt_to": "reader@kindle.com",
        "message_id": f"<{reference}@inkpost.example>",
        "subject": "Book: Dune",
        "head": b"Subject: Book: Dune\r\n\r\n",
        "size_bytes": 23,
        "created_at": NOW,
    }
    return _add(session, OutboxMail(user_id=user.id, **{**defaults, **columns}))


def make_staged_book(
    *,
    title: str = "Dune",
    authors: tuple[str, ...] = ("Frank Herbert",),
    content: bytes | None = None,
    format: BookFormat = BookFormat.EPUB,  # noqa: A002 - the field's name
    size_bytes: int = 1_000_000,
    has_cover: bool = False,
    **metadata: Any,
) -> StagedBook:
    """A stored file, ready for a library; no other file is the same, unless `content` is."""
    sha256 = _sha256(content)
    return StagedBook(
        filename=f"{title}.{format.value}",
        format=format,
        size_bytes=size_bytes,
        sha256=sha256,
        storage_key=blob_key(BlobKind.BOOK, sha256, extension=format.value),
        cover_key=blob_key(BlobKind.COVER, sha256, extension="jpg") if has_cover else None,
        metadata=BookMetadata(title=title, authors=authors, **metadata),
    )


def _sha256(content: bytes | None) -> str:
    return hashlib.sha256(b"%d" % next(_numbers) if content is None else content).hexdigest()


def _add(session: Session, row: Row) -> Row:
    session.add(row)
    session.flush()
    return row
