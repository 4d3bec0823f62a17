"""Mail loops (RFC 3834, RFC 5230, RFC 5321 6.3) through the whole service, in which every sender is believed."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

from bot.authenticate import TrustSettings
from bot.config import ServiceSettings
from tests.corpus.security._outcome import Outcome, Result, compare, skipped
from tests.support.service import House, open_house
from tests.support.smtp_client import connected

SETS = ("mail-loops",)

USER = "alice@example.org"
ONE_ANSWER = frozenset({"duplicate-message-id", "no-message-id", "received-60-hops"})
TWICE = frozenset({"duplicate-message-id", "no-message-id"})
EITHER = frozenset({"reply-to-self"})
"""An answer to From, or silence."""

CONTROL = (
    b"From: Alice <alice@example.org>\r\nTo: bot@books.example\r\nSubject: help\r\nMessage-ID: <c@x>\r\n\r\nhelp\r\n"
)


def run_set(folder: Path) -> Iterator[Outcome]:
    """The control first: a mail of a person is answered, so an answer can be seen here."""
    mails = {file.stem: re.sub(rb"\r?\n", b"\r\n", file.read_bytes()) for file in sorted(folder.glob("*.eml"))}
    yield from asyncio.run(_play({"control": CONTROL, **mails}))
    for file in sorted(folder.glob("*.json")):
        yield skipped(file.stem, f"a story, which is told in {_STORIES}")


_STORIES = "tests/integration"


async def _play(mails: dict[str, bytes]) -> list[Outcome]:
    trust = TrustSettings(networks=(ip_network("127.0.0.0/8"),), check_origin=False)
    service = ServiceSettings(domain="books.example", mailbox="bot")
    with tempfile.TemporaryDirectory() as place:
        async with open_house(Path(place), trust=trust, service=service) as house:
            await house.person(USER)
            return [await _judge(house, name, raw) for name, raw in mails.items()]


async def _judge(house: House, name: str, raw: bytes) -> Outcome:
    raw = raw.replace(b"<1@example.org>", f"<{name}@example.org>".encode())  # or each would be a copy of the one before
    before = len(house.world.mails)
    for _ in range(2 if name in TWICE else 1):
        await _bring(house, raw)
        await house.settle()
    answers = len(house.world.mails) - before
    if strangers := {mail.rcpt_to for mail in house.world.mails} - {USER}:
        return Outcome(name, Result.FAILED, f"answered to {strangers}")
    if name in EITHER:
        return compare(name, wanted=(0, 1), got=answers)
    return compare(name, wanted=1 if name in ONE_ANSWER | {"control"} else 0, got=answers)


async def _bring(house: House, raw: bytes) -> None:
    async with connected(house.app.smtp_port) as client:
        await client.greet()
        sender = (re.findall(rb"^Return-Path: *<([^>]*)>", raw, re.MULTILINE) or [USER.encode()])[0]
        stuffed = (b"\r\n" + raw).replace(b"\r\n.", b"\r\n..")[2:]
        await client.bring(stuffed if stuffed.endswith(b"\r\n") else stuffed + b"\r\n", sender=sender.decode())
