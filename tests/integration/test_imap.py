"""Mail that is fetched, from real servers: once, whole, and marked after it is on the disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from structlog.testing import capture_logs

from bot.intake.accept import Acceptor
from bot.intake.received import Receipt, ReceivedMail
from core.errors import Unavailable
from tests.support.imap_servers import Dovecot, ImapServer, MailDevel
from tests.support.intake import fetching, until


def mail(number: int, body: bytes = b"hi\r\n") -> bytes:
    head = b"Return-Path: <a@example.org>\r\nFrom: a@example.org\r\nTo: Books <books+s3cret@books.example>\r\n"
    return head + b"Date: Sun, 22 Nov 2026 10:00:00 +0000\r\nMessage-ID: <%d@example.org>\r\n\r\n" % number + body


class Door:
    """Counts what is brought to the acceptor, and has faults."""

    def __init__(self, *faults: str) -> None:
        self.faults = list(faults)
        self.brought = 0

    async def accept(self, acceptor: Acceptor, received: ReceivedMail) -> Receipt:
        self.brought += 1
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "before":
            raise Unavailable("the database is away")
        receipt = await acceptor.accept(received)
        if fault == "after":
            raise Unavailable("a crash behind the commit")
        return receipt


async def eventually(is_so: Callable[[], bool]) -> None:
    """Wait until a mailbox is as it should be; to look costs a login."""
    async with asyncio.timeout(50):
        while not await asyncio.to_thread(is_so):
            await asyncio.sleep(0.1)


async def test_mail_is_taken_as_it_is_and_marked(imap_server: ImapServer, tmp_path: Path) -> None:
    box = imap_server.mailbox()
    box.put(mail(1))
    async with fetching(tmp_path, box.account()) as house:
        await until(house.mails)
        await eventually(lambda: box.unread() == 0)
        (row,) = house.mails()
        assert house.content(row) == mail(1)
    assert (row.intake, row.peer_ip, row.auth_user) == ("imap", None, None)
    assert (row.mail_from, row.rcpt_tos) == ("a@example.org", ["books+s3cret@books.example"])


async def test_what_comes_while_we_wait_is_taken_at_once(imap_server: ImapServer, tmp_path: Path) -> None:
    box = imap_server.mailbox()
    async with fetching(tmp_path, box.account(), poll_seconds=600) as house:
        await until(lambda: house.problems == [None])
        await asyncio.sleep(0.3)  # it idles
        await asyncio.to_thread(box.put, mail(1))
        await until(lambda: len(house.mails()) == 1)
        await asyncio.to_thread(box.put, mail(2))
        await until(lambda: len(house.mails()) == 2)


async def test_what_others_have_read_before_the_first_look_is_theirs(imap_server: ImapServer, tmp_path: Path) -> None:
    box = imap_server.mailbox()
    box.put(mail(1), flags=(b"\\Seen",))
    box.put(mail(2))
    async with fetching(tmp_path, box.account()) as house:
        await eventually(lambda: box.unread() == 0)
        assert [row.size_bytes for row in house.mails()] == [len(mail(2))]


async def test_only_what_is_new_is_fetched_after_a_restart(imap_server: ImapServer, tmp_path: Path) -> None:
    box = imap_server.mailbox()
    box.put(mail(1), mail(2))
    async with fetching(tmp_path, box.account()) as house:
        await until(lambda: len(house.mails()) == 2)
        await until(lambda: house.problems == [None])
    box.put(mail(3), flags=(b"\\Seen",))  # somebody was quicker: it is new all the same
    door = Door()
    async with fetching(tmp_path, box.account(), accept=door.accept) as house:
        await until(lambda: len(house.mails()) == 3)
        await until(lambda: house.problems == [None])
        assert door.brought == 1


async def test_mail_is_moved_when_it_is_taken(imap_server: ImapServer, tmp_path: Path) -> None:
    box = imap_server.mailbox()
    box.put(mail(1))
    door = Door("before")
    async with fetching(tmp_path, box.account(done_folder="Taken"), accept=door.accept) as house:
        await until(house.mails)
        await eventually(lambda: box.count() == 0)
        assert box.count("Taken") == 1
    assert door.brought == 2


async def test_mail_that_cannot_be_committed_stays_unread_and_is_taken_later(
    imap_server: ImapServer, tmp_path: Path
) -> None:
    box = imap_server.mailbox()
    box.put(mail(1))
    door = Door(*["before"] * 1000)
    async with fetching(tmp_path, box.account(), accept=door.accept) as house:
        await until(lambda: door.brought >= 2)
        assert (house.mails(), house.problems) == ([], ["the database is away"])
        assert await asyncio.to_thread(box.unread) == 1
        door.faults.clear()
        await eventually(lambda: box.unread() == 0)
        assert len(house.mails()) == 1


async def test_crash_between_commit_and_mark_takes_nothing_twice(imap_server: ImapServer, tmp_path: Path) -> None:
    box = imap_server.mailbox()
    box.put(mail(1))
    door = Door("after")
    async with fetching(tmp_path, box.account(), accept=door.accept) as house:
        await eventually(lambda: box.unread() == 0)
        assert (door.brought, len(house.mails())) == (2, 1)


async def test_mail_that_is_gone_before_it_is_fetched_is_no_hindrance(imap_server: ImapServer, tmp_path: Path) -> None:
    box = imap_server.mailbox()
    box.put(mail(1), mail(2), mail(3))

    async def accept(acceptor: Acceptor, received: ReceivedMail) -> Receipt:
        await asyncio.to_thread(box.empty)
        return await acceptor.accept(received)

    with capture_logs() as logs:
        async with fetching(tmp_path, box.account(), accept=accept) as house:
            await until(lambda: house.problems == [None])
            await asyncio.to_thread(box.put, mail(4))
            await until(lambda: len(house.mails()) == 2)
    assert [line for line in logs if line["log_level"] in ("warning", "error")] == []


async def test_mail_of_twenty_megabytes_comes_whole(imap_server: ImapServer, tmp_path: Path) -> None:
    large = mail(1, b"".join(b"%076d\r\n" % number for number in range(20_000_000 // 78)))
    box = imap_server.mailbox()
    box.put(large)
    async with fetching(tmp_path, box.account()) as house:
        await until(house.mails)
        (row,) = house.mails()
        assert row.size_bytes == len(large)
        assert house.content(row) == large


async def test_mail_that_is_too_large_stays_and_the_next_is_taken(imap_server: ImapServer, tmp_path: Path) -> None:
    box = imap_server.mailbox()
    box.put(mail(1, b"x" * 5000 + b"\r\n"), mail(2))
    with capture_logs() as logs:
        async with fetching(tmp_path, box.account(), max_message_bytes=2000) as house:
            await until(lambda: house.problems == [None])
            assert len(house.mails()) == 1
    assert box.unread() == 1
    assert [line["event"] for line in logs if line["log_level"] == "warning"] == ["imap_mail_too_large"]


async def test_accounts_do_not_wait_for_each_other(mail_devel: MailDevel, tmp_path: Path) -> None:
    boxes = [mail_devel.mailbox() for _ in range(3)]
    for number, box in enumerate(boxes):
        box.put(mail(number))
    accounts = [boxes[0].account(), boxes[1].account(password="wrong"), boxes[2].account()]
    async with fetching(tmp_path, *accounts) as house:
        await until(lambda: len(house.mails()) == 2)
        await until(lambda: house.problems[::2] == [None, None])
        await until(lambda: "refused" in str(house.problems[1]))


async def test_server_that_goes_away_in_the_middle_of_a_mail_gives_it_later(dovecot: Dovecot, tmp_path: Path) -> None:
    large = mail(1, b"".join(b"%076d\r\n" % number for number in range(40_000_000 // 78)))
    box = dovecot.mailbox()
    box.put(large)
    async with fetching(tmp_path, box.account()) as house:
        await until(lambda: list(house.spool.folder.iterdir()))
        await asyncio.to_thread(dovecot.stop)
        await until(lambda: house.problems != [None])
        assert house.mails() == []
        await asyncio.to_thread(dovecot.start)
        await until(house.mails)
        assert house.content(house.mails()[0]) == large
        await until(lambda: len(list(house.spool.folder.iterdir())) == 0)


async def test_folder_with_new_numbers_is_not_taken_twice(dovecot: Dovecot, tmp_path: Path) -> None:
    box = dovecot.mailbox()
    box.put(mail(1), mail(2))
    async with fetching(tmp_path, box.account()) as house:
        await until(lambda: len(house.mails()) == 2)
        await until(lambda: house.problems == [None])
    dovecot.renumber(box)
    box.put(mail(3))
    door = Door()
    with capture_logs() as logs:
        async with fetching(tmp_path, box.account(), accept=door.accept) as house:
            await until(lambda: len(house.mails()) == 3)
            await until(lambda: house.problems == [None])
    assert "imap_folder_renumbered" in [line["event"] for line in logs]
    assert door.brought == 3


async def test_server_that_forgets_everything_is_read_anew(mail_devel: MailDevel, tmp_path: Path) -> None:
    box = mail_devel.mailbox()
    box.put(mail(1))
    async with fetching(tmp_path, box.account()) as house:
        await until(house.mails)
        await until(lambda: house.problems == [None])
        await asyncio.to_thread(mail_devel.restart)
        await asyncio.to_thread(box.put, mail(1), mail(2))
        await until(lambda: len(house.mails()) == 2)
        await until(lambda: house.problems == [None])
        assert len(house.mails()) == 2
