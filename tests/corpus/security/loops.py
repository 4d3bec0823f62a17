"""Mail loops (RFC 3834, RFC 5230, RFC 5321 6.3) through the whole service, in which every sender is believed."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from pathlib import Path

import sqlalchemy as sa

from bot.authenticate import TrustSettings
from bot.config import ServiceSettings
from bot.mailbox import ReceivedMail
from core.limits import UserLimits
from core.models import Inbound
from tests.corpus.security._outcome import Outcome, Result, compare
from tests.support.service import House, open_house
from tests.support.smtp_client import connected

SETS = ("mail-loops",)

USER = "alice@example.org"
TRUST = TrustSettings(networks=(ip_network("127.0.0.0/8"),), check_origin=False)
SERVICE = ServiceSettings(domain="books.example", mailbox="bot")
COMMANDS = 3  # an hour, against the peer that hides what it is
ROUNDS = 4  # so often a mail may go to and fro
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
    yield asyncio.run(_two_bots("scenario-two-bots", b""))
    yield asyncio.run(_two_bots("scenario-two-bots, automatic", b"Auto-Submitted: auto-generated\r\n"))
    yield from asyncio.run(_bounces())
    yield asyncio.run(_stripped())


async def _play(mails: dict[str, bytes]) -> list[Outcome]:
    with tempfile.TemporaryDirectory() as place:
        async with open_house(Path(place), trust=TRUST, service=SERVICE) as house:
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


async def _bring(house: House, raw: bytes, *, sender: str = USER, rcpt: str = "bot@books.example") -> None:
    async with connected(house.app.smtp_port) as client:
        await client.greet()
        written = re.findall(rb"^Return-Path: *<([^>]*)>", raw, re.MULTILINE)
        stuffed = (b"\r\n" + raw).replace(b"\r\n.", b"\r\n..")[2:]
        stuffed += b"" if stuffed.endswith(b"\r\n") else b"\r\n"
        await client.bring(stuffed, sender=written[0].decode() if written else sender, rcpt=rcpt)


async def _two_bots(name: str, extra: bytes) -> Outcome:
    """Two Inkposts, each a registered and believed user of the other: what one sends out comes in at the other."""
    tasks: list[asyncio.Task[None]] = []
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        here, there = ServiceSettings(domain="here.example"), ServiceSettings(domain="there.example")
        async with (
            open_house(Path(one), trust=TRUST, service=here) as first,
            open_house(Path(other), trust=TRUST, service=there) as second,
        ):
            await first.person(there.address)
            await second.person(here.address)

            def carry(to: House, sender: str, rcpt: str) -> Callable[[ReceivedMail], None]:
                return lambda mail: tasks.append(asyncio.create_task(_bring(to, mail.raw, sender=sender, rcpt=rcpt)))

            first.world.on_mail = carry(second, here.address, there.address)
            second.world.on_mail = carry(first, there.address, here.address)
            seed = f"From: {there.address}\r\nTo: {here.address}\r\nSubject: help\r\nMessage-ID: <seed@x>\r\n".encode()
            await _bring(first, seed + extra + b"\r\nhelp\r\n", sender=there.address, rcpt=here.address)
            for _ in range(ROUNDS):
                await first.settle()
                await second.settle()
                await asyncio.gather(*tasks)
            arrived = await second.app.engine.in_read(
                lambda session: session.scalar(sa.select(sa.func.count(Inbound.id)))
            )
            answers = len(first.world.mails), len(second.world.mails)
    return compare(name, wanted=[(0, 0, 0) if extra else (1, 0, 1)], got=(*answers, arrived))


async def _stripped() -> Outcome:
    """A believed peer that returns each answer as a new mail, without a sign that it is one: the limit of commands ends
    it, with one word that it is reached."""
    limits = UserLimits(commands_an_hour=COMMANDS, uploads_a_minute=0)
    with tempfile.TemporaryDirectory() as place:
        async with open_house(Path(place), trust=TRUST, service=SERVICE, limits=limits) as house:
            await house.person(USER)
            subject = "help"
            for number in range(2 * COMMANDS + ROUNDS):
                subject = f"Re: {subject}"
                head = f"From: {USER}\r\nTo: bot@books.example\r\nSubject: {subject}\r\nMessage-ID: <{number}@x>\r\n"
                await _bring(house, f"{head}\r\nhelp\r\n".encode())
                await house.settle()
            answers = len(house.world.mails)
    return compare("scenario-strip-headers", wanted=COMMANDS + 1, got=answers)


async def _bounces() -> list[Outcome]:
    """A bounce of our answer, and a bounce of that."""
    with tempfile.TemporaryDirectory() as place:
        async with open_house(Path(place), trust=TRUST, service=SERVICE) as house:
            await house.person(USER)
            await _bring(house, CONTROL)
            await house.settle()
            (answer,) = house.world.mails
            bounce = _dsn(answer.raw)
            outcomes = []
            for name, raw in (("scenario-bounce-of-reply", bounce), ("scenario-double-bounce", _dsn(bounce))):
                await _bring(house, raw, sender="")
                await house.settle()
                outcomes.append(compare(name, wanted=1, got=len(house.world.mails)))
            return outcomes


def _dsn(returned: bytes) -> bytes:
    """RFC 3464: that a mail to the user could not be delivered."""
    return (
        b"From: MAILER-DAEMON@mx.example.org\r\nTo: bot@books.example\r\nSubject: Undelivered Mail\r\n"
        b"Message-ID: <%d@mx.example.org>\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: multipart/report; report-type=delivery-status; boundary=dsn\r\n\r\n"
        b"--dsn\r\n\r\nNot delivered.\r\n"
        b"--dsn\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.org\r\n\r\n"
        b"Final-Recipient: rfc822; alice@example.org\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n"
        b"--dsn\r\nContent-Type: message/rfc822\r\n\r\n%s\r\n--dsn--\r\n" % (len(returned), returned)
    )
