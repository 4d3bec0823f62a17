"""Copies of books: what a mail waits for, what it carries then, and that no mail is larger than any hop takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from core.books.kindle.order import RECIPES
from core.devices import DEVICE_KINDS
from core.errors import DamagedFile
from core.mail.outgoing import AttachedFile, Identity, closing, compose_delivery, encoded_size, most_file_bytes
from core.models import Book, Derived, OutboxMail
from core.models.outbox import OutboxState
from core.services import build_bus
from core.services.book_manager import BookManager
from core.services.copies import Copies, CopyToMake, MadeCopy
from core.services.kindle_sync import KindleSyncService
from core.values import BookFormat
from core.work import Work
from tests.factories.rows import NOW, make_book, make_device, make_user, open_database

IDENTITY = Identity(address="books@inkpost.example", name="Inkpost")
VERSIONS = {name: recipe.version for name, recipe in RECIPES.items()}
FIX = {"rule": "language", "count": 1, "changes": [["content.opf", "it was “English”"]]}


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Work]:
    with open_database(tmp_path / "library.db") as engine, Session(engine) as session:
        yield Work(session, NOW, build_bus(IDENTITY))


def sent(work: Work) -> tuple[OutboxMail, Book]:
    user = make_user(work.session, address="ada@reader.example")
    kept = make_book(work.session, user)
    device = make_device(work.session, user, is_default=True)
    return KindleSyncService(work).send(user.id, kept, device, cause="delivery:1", identity=IDENTITY), kept


def wanted(work: Work, mail: OutboxMail, *, size_limit: int | None = None) -> CopyToMake | None:
    return Copies(work, identity=IDENTITY).wanted(mail.id, version=VERSIONS, size_limit=size_limit)


def keep(work: Work, order: CopyToMake, *files: MadeCopy, fixes: tuple[dict[str, object], ...] = (FIX,)) -> None:
    Copies(work, identity=IDENTITY).keep(order, files, version=VERSIONS[order.recipe], fixes=fixes)


def test_mail_carries_the_copy_under_its_own_reference(work: Work) -> None:
    mail, book = sent(work)
    before = (mail.reference, mail.message_id, mail.subject, mail.attachment_name)
    order = wanted(work, mail)
    assert order is not None

    keep(work, order, MadeCopy("copies/ab/ab.epub", 1234, BookFormat.EPUB, book.title))

    assert (mail.wants, mail.attachment_key) == ("", "copies/ab/ab.epub")
    assert (mail.reference, mail.message_id, mail.subject, mail.attachment_name) == before
    assert mail.size_bytes == len(mail.head) + encoded_size(1234) + len(closing(mail.message_id))


def test_original_goes_where_nothing_was_to_be_mended(work: Work) -> None:
    mail, book = sent(work)
    order = wanted(work, mail)
    assert order is not None

    keep(work, order, fixes=())

    assert (mail.wants, mail.attachment_key) == ("", book.storage_key)


def test_second_delivery_takes_the_copy_that_is_there(work: Work) -> None:
    mail, book = sent(work)
    order = wanted(work, mail)
    assert order is not None
    keep(work, order, MadeCopy("copies/ab/ab.epub", 1234, BookFormat.EPUB, book.title))
    device = KindleSyncService(work).device(book.user_id, None)

    again = KindleSyncService(work).send(book.user_id, book, device, cause="delivery:2", identity=IDENTITY)

    assert wanted(work, again) is None
    assert again.attachment_key == "copies/ab/ab.epub"


@pytest.mark.parametrize(
    ("key", "value", "is_made_anew"),
    [("title", "Another", True), ("author", "Another", True), ("language", "sv", True), ("genre", "Another", False)],
)
def test_copy_of_a_book_that_is_called_otherwise_is_made_anew(
    work: Work, key: str, value: str, is_made_anew: bool
) -> None:
    mail, book = sent(work)
    order = wanted(work, mail)
    assert order is not None
    keep(work, order, MadeCopy("copies/ab/ab.epub", 1234, BookFormat.EPUB, book.title))
    BookManager(work).edit(book.user_id, book.id, {key: value})
    device = KindleSyncService(work).device(book.user_id, None)

    again = KindleSyncService(work).send(book.user_id, book, device, cause="delivery:2", identity=IDENTITY)
    order = wanted(work, again)

    assert (order is not None) is is_made_anew
    if order is not None:
        keep(work, order, MadeCopy("copies/cd/cd.epub", 1234, BookFormat.EPUB, book.title))
    assert (mail.attachment_key, again.attachment_key == "copies/cd/cd.epub") == ("copies/ab/ab.epub", is_made_anew)


def test_each_part_is_a_mail_of_its_own(work: Work) -> None:
    mail, book = sent(work)
    order = wanted(work, mail)
    assert order is not None
    parts = [MadeCopy(f"copies/ab/{n}.epub", 1000 + n, BookFormat.EPUB, f"{book.title} ({n} of 2)") for n in (1, 2)]

    keep(work, order, *parts, fixes=({"rule": "parts", "count": 1, "changes": []},))
    keep(work, order, *parts)

    mails = work.session.scalars(sa.select(OutboxMail).order_by(OutboxMail.id)).all()
    assert [one.attachment_key for one in mails] == ["copies/ab/1.epub", "copies/ab/2.epub"]
    names = ["Dune - Frank Herbert (1 of 2).epub", "Dune - Frank Herbert (2 of 2).epub"]
    assert [one.attachment_name for one in mails] == names
    assert len(work.session.scalars(sa.select(Derived)).all()) == 2


def test_reader_is_told_what_cannot_be_sent(work: Work) -> None:
    mail, _ = sent(work)
    order = wanted(work, mail)
    assert order is not None

    Copies(work, identity=IDENTITY).refuse(order, DamagedFile("The EPUB is damaged.", fix="Send it again."))

    work.session.flush()
    work.session.refresh(mail)
    assert mail.state is OutboxState.FAILED
    notice = work.session.scalars(sa.select(OutboxMail).where(OutboxMail.cause == f"failed:{mail.id}")).one()
    words = b" ".join(notice.head.split())
    assert b"The EPUB is damaged. Send it again." in words
    assert b"mail server" not in words


def test_copies_go_with_their_book(work: Work) -> None:
    mail, book = sent(work)
    order = wanted(work, mail)
    assert order is not None
    keep(work, order, MadeCopy("copies/ab/ab.epub", 1234, BookFormat.EPUB, book.title))
    mail.state = OutboxState.ACCEPTED
    book.removed_at = NOW.replace(year=2020)

    BookManager(work).purge()

    assert work.session.scalars(sa.select(Derived)).all() == []
    doomed = set(work.session.scalars(sa.text("SELECT key FROM doomed_blob")))
    assert "copies/ab/ab.epub" in doomed


caps = st.integers(min_value=20_000, max_value=200_000_000)


@settings(max_examples=40, deadline=None)
@given(
    relay=st.none() | caps,
    kind=st.sampled_from(sorted(DEVICE_KINDS)),
    short=st.integers(0, 100),
    title=st.text(max_size=500),
    authors=st.lists(st.text(max_size=300), max_size=5),
)
def test_no_mail_exceeds_any_cap(relay: int | None, kind: str, short: int, title: str, authors: list[str]) -> None:
    most = min(filter(None, (DEVICE_KINDS[kind].max_mail_bytes, relay)))
    size_bytes = most_file_bytes(most) - short

    mail = compose_delivery(
        identity=IDENTITY,
        rcpt_to="ada@kindle.com",
        reference="K7Q29-FDM3X",
        date=NOW,
        title=title,
        authors=authors,
        file=AttachedFile(
            key="copies/ab/ab.epub", size_bytes=size_bytes, filename="a.epub", media_type="application/epub+zip"
        ),
    )

    assert mail.size_bytes <= most
