"""One mail that comes in by several ways, in any order: one effect, one answer. And what is believed of each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.authenticate import TrustSettings
from bot.intake.imap import ImapSettings
from bot.intake.imap_connection import ImapAccount
from bot.intake.lmtp import LmtpSettings
from core.models import Inbound
from tests.support.imap_servers import Mailbox, MailDevel
from tests.support.intake import until
from tests.support.service import BOT, House, Person, open_house
from tests.support.smtp_client import connected

TRACE = {
    "smtp": b"Received: from a by b; Sun, 22 Nov 2026 10:00:00 +0000\r\n",
    "lmtp": b"Received: from a by c; Sun, 22 Nov 2026 10:00:01 +0000\r\nX-Spam-Score: 0\r\n",
    "imap": b"Return-Path: <ada@reader.test>\r\nDelivered-To: books@house.test\r\nReceived: from a by d; now\r\n",
}


def letter(person: Person, *, to: str = "") -> bytes:
    return (
        f"From: {person.address}\r\nTo: {to or person.bot_address}\r\nSubject: subscriptions\r\nMIME-Version: 1.0\r\n"
        "Date: Sun, 22 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@reader.test>\r\n\r\nhelp\r\n"
    ).encode()


@asynccontextmanager
async def house_with(folder: Path, *accounts: ImapAccount) -> AsyncIterator[House]:
    trust = TrustSettings(check_origin=False)  # there are no name servers here
    imap = ImapSettings(accounts=accounts, retry_seconds=0.1, poll_seconds=1.0)
    async with open_house(folder, lmtp=LmtpSettings(port=0), imap=imap, trust=trust) as house:
        yield house


async def bring(
    house: House, way: str, box: Mailbox, raw: bytes, *, rcpt: str, sender: str = "ada@reader.test"
) -> None:
    """By one of the ways, and wait until it has been read."""
    content = TRACE[way] + raw
    before = len(await ledger(house))
    if way == "imap":
        await asyncio.to_thread(box.put, content)
    else:
        port = house.app.smtp_port if way == "smtp" else house.app.lmtp.addresses[0][1]
        async with connected(port) as client:
            await client.say("EHLO a" if way == "smtp" else "LHLO a")
            assert (await client.bring(content, sender=sender, rcpt=rcpt)).startswith("250")
    async with asyncio.timeout(50):
        while len(await ledger(house)) == before:
            await asyncio.sleep(0.02)
    await house.settle()


async def ledger(house: House) -> list[Inbound]:
    return await house.app.engine.in_read(
        lambda session: list(session.scalars(sa.select(Inbound).order_by(Inbound.id)))
    )


@pytest.mark.parametrize("ways", list(permutations(["smtp", "lmtp", "imap"])), ids="-".join)
async def test_mail_by_three_ways_has_one_answer(tmp_path: Path, mail_devel: MailDevel, ways: tuple[str, ...]) -> None:
    box = mail_devel.mailbox()
    async with house_with(tmp_path, box.account()) as house:
        ada = await house.person()
        for way in ways:
            await bring(house, way, box, letter(ada), rcpt=ada.bot_address)
        rows = await ledger(house)
        assert [(row.intake, row.outcome) for row in rows] == list(
            zip(ways, ["answered", "duplicate", "duplicate"], strict=True)
        )
        assert {row.reason for row in rows[1:]} == {f"the same mail came by {ways[0]} as {rows[0].reference}"}
        assert len(house.world.mails) == 1


async def test_mail_in_two_mailboxes_has_one_answer(tmp_path: Path, mail_devel: MailDevel) -> None:
    boxes = [mail_devel.mailbox() for _ in range(2)]
    async with house_with(tmp_path, *(box.account() for box in boxes)) as house:
        ada = await house.person()
        for box in boxes:
            await asyncio.to_thread(box.put, b"X-Original-To: %s\r\n" % box.user.encode() + letter(ada))
        await until(lambda: all(reader.problem is None for reader in house.app.imap.readers))
        async with asyncio.timeout(50):
            while not house.world.mails or any(box.unread() for box in boxes):
                await asyncio.sleep(0.05)
        await house.settle()
        assert len(house.world.mails) == 1
        assert sorted(row.outcome for row in await ledger(house)) in (["answered"], ["answered", "duplicate"])


async def test_copy_that_nobody_believes_does_not_keep_the_real_one_out(tmp_path: Path, mail_devel: MailDevel) -> None:
    box = mail_devel.mailbox()
    async with house_with(tmp_path, box.account()) as house:
        ada = await house.person()
        blind = letter(ada, to=BOT)  # the secret stands in the envelope only, which no mailbox keeps
        await bring(house, "imap", box, blind, rcpt=BOT)
        await bring(house, "smtp", box, blind, rcpt=BOT, sender="mallory@elsewhere.test")
        await bring(house, "smtp", box, blind, rcpt=ada.bot_address)
        assert [row.outcome for row in await ledger(house)] == ["unbelieved", "unbelieved", "answered"]
        assert len(house.world.mails) == 1


async def test_mail_of_somebody_else_is_no_copy(tmp_path: Path, mail_devel: MailDevel) -> None:
    async with house_with(tmp_path) as house:
        box = mail_devel.mailbox()
        ada, bob = await house.person(), await house.person("bob@reader.test")
        await bring(house, "smtp", box, letter(ada), rcpt=bob.bot_address)
        await bring(house, "smtp", box, letter(ada), rcpt=ada.bot_address)
        assert [row.outcome for row in await ledger(house)] == ["answered", "answered"]


@pytest.mark.parametrize(
    "claim",
    [
        b"Authentication-Results: mx.house.test; dmarc=pass header.from=reader.test; spf=pass\r\n",
        b"Received: from reader.test ([127.0.0.1]) by mx.house.test with ESMTPSA id 1; now\r\n",
        b"",
    ],
    ids=["results", "login", "nothing"],
)
async def test_fetched_mail_is_believed_for_nothing_that_it_says(
    tmp_path: Path, mail_devel: MailDevel, claim: bytes
) -> None:
    box = mail_devel.mailbox()
    async with house_with(tmp_path, box.account()) as house:
        ada = await house.person()
        await bring(house, "imap", box, claim + letter(ada, to=BOT), rcpt=BOT)
        assert [row.outcome for row in await ledger(house)] == ["unbelieved"]
        assert house.world.mails == []


@pytest.mark.parametrize(
    ("claim", "outcome"),
    [
        (b"mx.house.test; dmarc=pass header.from=reader.test", "answered"),
        (b"mx.house.test;\r\n\tdmarc=fail (no dmarc=pass) header.from=reader.test", "unbelieved"),
        (b"mx.evil.test; dmarc=pass header.from=reader.test", "unbelieved"),
    ],
    ids=["pass", "fail", "another name"],
)
async def test_house_of_the_mailbox_is_believed_where_that_is_set(
    tmp_path: Path, mail_devel: MailDevel, claim: bytes, outcome: str
) -> None:
    box = mail_devel.mailbox()
    async with house_with(tmp_path, replace(box.account(), authserv_id="mx.house.test")) as house:
        ada = await house.person()
        field = b"Authentication-Results: " + claim + b"\r\n"
        await bring(house, "imap", box, field + letter(ada, to=BOT), rcpt=BOT)
        await bring(house, "smtp", box, field + letter(ada, to=BOT), rcpt=BOT)  # the sender's own word there
        assert [row.outcome for row in await ledger(house)] == [outcome, "unbelieved"]
