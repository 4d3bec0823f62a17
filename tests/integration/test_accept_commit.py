"""The one door: mails into rows and jobs, together, once, and each for itself when one is bad."""

from __future__ import annotations

import asyncio
import hashlib
import traceback
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bot.intake.accept import MAX_BATCH, Acceptor
from bot.intake.entry import Row, enter_into
from bot.intake.received import Receipt, ReceivedMail
from bot.jobs import JobEngine
from bot.storage.local import LocalStore
from core.errors import Unavailable
from core.values import Envelope, Peer
from tests.support.intake import Ledger, make_engine, until


@dataclass
class Door:
    """An acceptor on a real engine that counts transactions, and that can be held shut."""

    engine: JobEngine
    blobs: LocalStore
    folder: Path
    transactions: int = 0
    faults: list[Exception] = field(default_factory=list)
    """Raised by the next transactions, one each."""
    acceptor: Acceptor = field(init=False)

    def __post_init__(self) -> None:
        self.acceptor = Acceptor(self.enter, self.blobs)

    def enter(self, rows: list[Row]) -> list[str]:
        self.transactions += 1
        if self.faults:
            raise self.faults.pop(0)
        return enter_into(self.engine)(rows)

    def held(self) -> AbstractContextManager[object]:
        """While this is open no commit can end: SQLite has one writer."""
        return self.engine.db.begin()

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.engine, self.blobs)


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    engine = make_engine(tmp_path)
    door = Door(engine, LocalStore(tmp_path / "blobs"), tmp_path)
    yield door
    await door.acceptor.close()
    engine.db.dispose()


def mail(number: int, content: bytes | Path = b"Subject: x\r\n\r\nhi\r\n", **changes: object) -> ReceivedMail:
    raw = content if isinstance(content, bytes) else content.read_bytes()
    received = ReceivedMail(
        intake="smtp",
        peer=Peer("192.0.2.1", helo="client.example", auth_user=None, tls=True),
        envelope=Envelope("Ann@Example.org", ("books+S3cret@books.example",)),
        content=content,
        size_bytes=len(raw),
        content_hash=hashlib.sha256(raw).hexdigest(),
        mail_key=f"{number:064d}",
    )
    return replace(received, **changes)  # type: ignore[arg-type] # fields by name


def large(door: Door, number: int) -> ReceivedMail:
    path = door.folder / f"mail-{number}.eml"
    path.write_bytes(b"large %d" % number * 1000)
    return mail(number, path)


async def test_receipt_names_a_committed_row_with_its_job(door: Door) -> None:
    receipt = await door.acceptor.accept(mail(1))
    (row,) = door.ledger.mails()
    assert receipt == Receipt(row.reference, is_duplicate=False)
    assert (row.peer_ip, row.helo, row.tls, row.mail_from) == ("192.0.2.1", "client.example", True, "Ann@Example.org")
    assert (row.rcpt_tos, row.raw, row.raw_key) == (["books+S3cret@books.example"], b"Subject: x\r\n\r\nhi\r\n", None)
    assert door.ledger.jobs() == [("process_mail", row.id)]


async def test_mails_of_one_sender_are_processed_in_order(door: Door) -> None:
    await door.acceptor.accept(mail(1))
    await door.acceptor.accept(mail(2, envelope=Envelope("", ("books@books.example",))))
    locks = [job.lock for job in door.engine.list_jobs()]
    assert locks == ["mail:ann@example.org", f"mail:{2:064d}"]


async def test_mails_that_come_together_share_a_commit(door: Door) -> None:
    with door.held():
        waiting = [asyncio.create_task(door.acceptor.accept(mail(0)))]
        await until(lambda: door.transactions == 1)
        waiting += [asyncio.create_task(door.acceptor.accept(mail(number))) for number in range(1, 20)]
        await asyncio.sleep(0)
    receipts = await asyncio.gather(*waiting)
    assert door.transactions == 2  # the first mail's, and that of all who came meanwhile
    assert len({receipt.reference for receipt in receipts}) == 20
    assert len(door.ledger.mails()) == len(door.ledger.jobs()) == 20


async def test_crowd_beyond_one_batch_takes_several(door: Door) -> None:
    with door.held():
        waiting = [asyncio.create_task(door.acceptor.accept(mail(0)))]
        await until(lambda: door.transactions == 1)
        waiting += [asyncio.create_task(door.acceptor.accept(mail(number))) for number in range(1, 2 * MAX_BATCH + 2)]
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    assert len(door.ledger.jobs()) == 2 * MAX_BATCH + 2
    assert door.transactions == 1 + 3


async def test_mail_that_comes_again_gets_the_first_reference_and_no_job(door: Door) -> None:
    first = await door.acceptor.accept(mail(1))
    again = await door.acceptor.accept(mail(1))
    assert again == Receipt(first.reference, is_duplicate=True)
    assert len(door.ledger.jobs()) == 1


async def test_mail_that_comes_twice_at_once_is_one(door: Door) -> None:
    one, other = await asyncio.gather(*(door.acceptor.accept(mail(1)) for _ in range(2)))
    assert one.reference == other.reference
    assert [one.is_duplicate, other.is_duplicate] == [False, True]
    assert len(door.ledger.jobs()) == 1


async def test_bad_mail_does_not_fail_its_neighbours(door: Door) -> None:
    poison = mail(1, envelope=Envelope("\udcff@example.org", ()))
    with capture_logs() as logs:
        calls = [door.acceptor.accept(one) for one in (mail(0), mail(2), poison, mail(3))]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Receipt, Receipt, Unavailable, Receipt]
    assert len(door.ledger.mails()) == len(door.ledger.jobs()) == 3
    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["mail_not_committed"]


async def test_error_of_the_database_does_not_tell_what_the_mail_says(door: Door) -> None:
    bad = mail(1, b"my diary", size_bytes=None)
    with capture_logs(), pytest.raises(Unavailable) as failure:
        await door.acceptor.accept(bad)
    told = "".join(traceback.format_exception(failure.value))
    assert "inbound.size_bytes" in told
    assert "diary" not in told
    assert "S3cret" not in told


async def test_database_that_is_away_fails_the_batch_at_once(door: Door) -> None:
    with door.held():
        first = asyncio.create_task(door.acceptor.accept(mail(0)))
        await until(lambda: door.transactions == 1)
        waiting = [asyncio.create_task(door.acceptor.accept(mail(number))) for number in range(1, 4)]
        await asyncio.sleep(0)
        door.faults.append(Unavailable("no route to the database"))
    await first
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Unavailable] * 3
    assert "no route" in str(outcomes[0])
    assert door.transactions == 2
    assert not (await door.acceptor.accept(mail(1))).is_duplicate


async def test_two_references_that_meet_are_drawn_again(tmp_path: Path) -> None:
    engine = make_engine(tmp_path)
    references = iter(["AAAAA-AAAAA", "AAAAA-AAAAA", "BBBBB-BBBBB"])
    acceptor = Acceptor(enter_into(engine), LocalStore(tmp_path / "blobs"), make_reference=lambda: next(references))
    await acceptor.accept(mail(1))
    with capture_logs(), pytest.raises(Unavailable):
        await acceptor.accept(mail(2))
    assert (await acceptor.accept(mail(2))).reference == "BBBBB-BBBBB"
    await acceptor.close()
    engine.db.dispose()


async def test_large_mail_is_a_blob_and_its_spool_file_goes(door: Door) -> None:
    received = large(door, 1)
    await door.acceptor.accept(received)
    (row,) = door.ledger.mails()
    assert row.raw is None
    assert row.raw_key == f"mails/{received.content_hash[:2]}/{received.content_hash}.eml"
    assert door.ledger.content(row) == b"large 1" * 1000
    assert list(door.folder.glob("mail-*")) == []


async def test_blob_that_cannot_be_stored_leaves_no_row_and_no_file(door: Door) -> None:
    received = large(door, 1)
    (door.folder / "blobs").rename(door.folder / "gone")
    with pytest.raises(Unavailable):
        await door.acceptor.accept(received)
    assert door.ledger.mails() == []
    assert list(door.folder.glob("mail-*")) == []


@pytest.mark.parametrize("is_large", [False, True])
async def test_call_that_is_cancelled_is_committed_all_the_same(door: Door, is_large: bool) -> None:
    with door.held():
        call = asyncio.create_task(door.acceptor.accept(large(door, 1) if is_large else mail(1)))
        await until(lambda: door.acceptor.is_busy)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    await until(door.ledger.mails)
    assert len(door.ledger.jobs()) == 1


async def test_peer_that_hangs_up_does_not_keep_those_waiting_who_share_its_commit(door: Door) -> None:
    with door.held():
        first = asyncio.create_task(door.acceptor.accept(mail(0)))
        await until(lambda: door.transactions == 1)
        gone, other = [asyncio.create_task(door.acceptor.accept(mail(number))) for number in (1, 2)]
        await asyncio.sleep(0)
        gone.cancel()
    async with asyncio.timeout(30):
        await asyncio.gather(first, other)
    assert len(door.ledger.mails()) == 3


async def test_failure_that_nobody_waits_for_is_no_warning(door: Door) -> None:
    with door.held():
        call = asyncio.create_task(door.acceptor.accept(mail(0)))
        await until(lambda: door.transactions == 1)
        other = asyncio.create_task(door.acceptor.accept(mail(1)))
        await asyncio.sleep(0)
        door.faults.append(Unavailable("away"))
        other.cancel()
    await call
    await until(lambda: not door.acceptor.is_busy)


async def test_close_finishes_what_was_handed_in_and_takes_nothing_more(door: Door) -> None:
    with door.held():
        waiting = [asyncio.create_task(door.acceptor.accept(one)) for one in (mail(1), large(door, 2))]
        await until(lambda: door.transactions == 1)
    await door.acceptor.close()
    assert len(door.ledger.mails()) == 2
    await asyncio.gather(*waiting)
    with pytest.raises(Unavailable):
        await door.acceptor.accept(mail(3))
