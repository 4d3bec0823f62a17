"""Upkeep: what is forgotten and deleted, when, and what is never; on a SQLite file and a folder of blobs."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from bot.storage.local import LocalStore
from bot.upkeep import Upkeep, UpkeepSettings
from core.errors import Unavailable
from core.models import Book, DoomedBlob, Inbound, OutboxMail, User
from core.models.inbound import InboundState
from core.models.outbox import OutboxState
from core.services.book_manager import BookManager
from core.values import StagedBook
from tests.factories.rows import make_inbound, make_outbox_mail, make_staged_book, make_user
from tests.support.outgoing import Ledger
from tests.support.service import open_house


@dataclass
class Household:
    """Rows, blobs and their upkeep, at a time that stands until it is moved."""

    ledger: Ledger
    blobs: LocalStore
    upkeep: Upkeep

    def put(self, key: str) -> str:
        self.blobs.put(key, io.BytesIO(b"bytes"), size_bytes=5, media_type="application/octet-stream")
        return key

    def keys(self) -> list[str]:
        return [blob.key for blob in self.blobs.list()]

    def doomed(self) -> list[str]:
        with self.ledger.read() as session:
            return DoomedBlob.all_keys(session)

    def removed_book(self) -> tuple[int, StagedBook]:
        """A book that its user has just taken out of their library: the id of its row, and its file."""
        staged = make_staged_book()
        self.put(staged.storage_key)
        with self.ledger.work() as work:
            user, manager = make_user(work.session), BookManager(work)
            book = manager.add(user.id, staged).book
            manager.remove(user.id, book.id)
        return book.id, staged

    def mail(self, *, raw_key: str | None = None, **columns: object) -> int:
        """A mail that was received and answered just now."""
        values = {"state": InboundState.DONE, "outcome": "answered", "received_at": self.ledger.clock.now}
        text = {"raw": None, "raw_key": self.put(raw_key)} if raw_key else {}
        with self.ledger.work() as work:
            return make_inbound(work.session, **{**values, **text, **columns}).id

    def texts(self) -> int:
        """How many mails still have their text."""
        with self.ledger.read() as session:
            has_text = sa.or_(Inbound.raw.is_not(None), Inbound.raw_key.is_not(None))
            return session.scalar(sa.select(sa.func.count(Inbound.id)).where(has_text)) or 0

    def pass_by(self, **period: float) -> None:
        self.ledger.clock.now += timedelta(**period)

    async def rounds(self, count: int = 1) -> None:
        for _ in range(count):
            await self.upkeep.round()


@pytest.fixture
def household(tmp_path: Path) -> Iterator[Household]:
    ledger, blobs = Ledger(tmp_path / "inkpost.db"), LocalStore(tmp_path / "blobs")
    yield Household(ledger, blobs, Upkeep(UpkeepSettings(keep_mail_days=30), database=ledger, blobs=blobs))
    ledger.close()


async def test_removed_book_is_kept_as_long_as_it_can_be_brought_back(household: Household) -> None:
    _, staged = household.removed_book()
    household.pass_by(hours=23)

    await household.rounds(3)

    assert household.keys() == [staged.storage_key]


async def test_blob_of_a_removed_book_is_deleted_a_round_after_it_was_doomed(household: Household) -> None:
    _, staged = household.removed_book()
    household.pass_by(hours=25)

    await household.rounds()
    assert (household.doomed(), household.keys()) == ([staged.storage_key], [staged.storage_key])

    await household.rounds()
    assert (household.doomed(), household.keys()) == ([], [])


async def test_book_that_somebody_else_has_keeps_its_blob(household: Household) -> None:
    _, staged = household.removed_book()
    with household.ledger.work() as work:
        BookManager(work).add(make_user(work.session).id, staged)
    household.pass_by(hours=25)

    await household.rounds(3)

    assert (household.doomed(), household.keys()) == ([], [staged.storage_key])


async def test_book_on_its_way_to_a_device_is_kept_until_it_is_there(household: Household) -> None:
    book_id, staged = household.removed_book()
    with household.ledger.work() as work:
        user = work.session.get_one(User, work.session.get_one(Book, book_id).user_id)
        delivery = make_outbox_mail(work.session, user=user, book_id=book_id, attachment_key=staged.storage_key).id
    household.pass_by(days=3)
    await household.rounds(3)
    assert household.keys() == [staged.storage_key]

    with household.ledger.work() as work:
        work.session.get_one(OutboxMail, delivery).state = OutboxState.ACCEPTED
    await household.rounds(2)
    assert household.keys() == []


async def test_same_file_is_not_added_while_its_blob_is_being_deleted(household: Household) -> None:
    _, staged = household.removed_book()
    household.pass_by(hours=25)
    await household.rounds()

    with pytest.raises(Unavailable), household.ledger.work() as work:
        BookManager(work).add(make_user(work.session).id, staged)
    await household.rounds()

    with household.ledger.work() as work:
        assert BookManager(work).add(make_user(work.session).id, staged).is_new


async def test_text_of_a_mail_is_forgotten_when_its_time_is_over(household: Household) -> None:
    household.mail()
    household.mail(raw_key="mails/aa/large.eml")
    household.pass_by(days=29)
    await household.rounds(2)
    assert (household.texts(), household.keys()) == (2, ["mails/aa/large.eml"])

    household.pass_by(days=2)
    await household.rounds(2)
    assert (household.texts(), household.keys(), household.doomed()) == (0, [], [])


@pytest.mark.parametrize("state", [InboundState.ACCEPTED, InboundState.SET_ASIDE])
async def test_text_of_a_mail_that_is_not_dealt_with_is_never_forgotten(
    household: Household, state: InboundState
) -> None:
    household.mail(raw_key="mails/aa/large.eml", state=state)
    household.pass_by(days=365)

    await household.rounds(3)

    assert (household.texts(), household.keys()) == (1, ["mails/aa/large.eml"])


async def test_bytes_that_come_again_after_they_were_doomed_are_spared(household: Household) -> None:
    household.mail(raw_key="mails/aa/large.eml")
    household.pass_by(days=31)
    await household.rounds()
    assert household.doomed() == ["mails/aa/large.eml"]
    household.mail(raw_key="mails/aa/large.eml", state=InboundState.ACCEPTED)

    await household.rounds(3)

    assert (household.doomed(), household.keys()) == ([], ["mails/aa/large.eml"])


async def test_bytes_that_were_doomed_twice_hinder_nothing(household: Household) -> None:
    household.mail(raw_key="mails/aa/large.eml")
    household.pass_by(days=31)
    with household.ledger.work() as work:
        DoomedBlob.doom(work.session, ["mails/aa/large.eml"])

    await household.rounds(3)

    assert (household.texts(), household.keys(), household.doomed()) == (0, [], [])


async def test_backlog_is_worked_off_round_by_round(household: Household) -> None:
    with household.ledger.work() as work:
        for _ in range(2300):
            make_inbound(work.session, state=InboundState.DONE)
    household.pass_by(days=31)

    left = []
    for _ in range(3):
        await household.rounds()
        left.append(household.texts())

    assert left == [1300, 300, 0]


async def test_store_that_is_away_costs_nothing_but_time(household: Household, tmp_path: Path) -> None:
    _, staged = household.removed_book()
    household.pass_by(hours=25)
    await household.rounds()
    root = tmp_path / "blobs" / "books"
    moved = root.rename(tmp_path / "elsewhere")
    root.write_bytes(b"")  # a file where a folder should be: a fault that root meets as well

    with capture_logs() as logs:
        await household.rounds()
    assert [line["log_level"] for line in logs] == ["warning"]
    assert household.doomed() == [staged.storage_key]

    root.unlink()
    moved.rename(root)
    await household.rounds()
    assert (household.doomed(), household.keys()) == ([], [])


async def test_what_a_crash_left_in_spool_and_work_folder_is_gone_after_a_start(tmp_path: Path) -> None:
    data = tmp_path / "data"
    remains = [data / "spool" / "mail-half.eml", data / "work" / "tmp123" / "mail.eml"]
    for path in remains:
        path.parent.mkdir(parents=True)
        path.write_bytes(b"half a mail")

    async with open_house(tmp_path) as house:
        assert not any(path.exists() for path in remains)
        assert await (await house.person()).asks("list")
