"""Forged senders (espoofer, "Composition Kills", USENIX Security 2020) over SMTP through the whole service.

The attacker's host may send for attack.com by SPF and signs with attack.com's key; legitimate.com publishes p=reject
and `-all`. The victim, admin@legitimate.com, is a registered user: whoever passes for them is obeyed and answered.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import tempfile
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bot.intake.smtp_settings import SmtpSettings
from core.models import Inbound, OutboxMail
from tests.corpus.security._outcome import Outcome, Result, compare
from tests.support.names import Zone
from tests.support.service import BOT, House, open_house
from tests.support.signing import SigningKey, make_key
from tests.support.smtp_client import RawClient, connected

SETS = ("espoofer",)

VICTIMS = ("admin@legitimate.com", "admin@example.com")
ACCOUNT = "attacker@example.com"
_SIGNED = ([b"from"], [b"from", b"to", b"cc", b"subject"])
"""What the attacker signs, and what an honest server does."""


def zone(attacker: SigningKey, owner: SigningKey) -> Zone:
    return {
        "attack.com": [("TXT", "v=spf1 ip4:127.0.0.1 -all")],
        "helo.attack.com": [("TXT", "v=spf1 ip4:127.0.0.1 -all")],
        "33.attack.com": [("TXT", "v=spf1 ip4:127.0.0.1 -all")],
        "selector._domainkey.attack.com": [("TXT", attacker.record)],
        "selector._domainkey.legitimate.com'a.attack.com": [("TXT", attacker.record)],
        "selector._domainkey.legitimate.com(.attack.com": [("TXT", attacker.record)],
        "legitimate.com": [("TXT", "v=spf1 -all")],
        "_dmarc.legitimate.com": [("TXT", "v=DMARC1; p=reject")],
        "own._domainkey.legitimate.com": [("TXT", owner.record)],
        "example.com": [("TXT", "v=spf1 -all")],
        "_dmarc.example.com": [("TXT", "v=DMARC1; p=reject")],
    }


def run_set(folder: Path) -> Iterator[Outcome]:
    """The control first: a mail that the victim's own server signed is answered, so an answer can be seen here."""
    cases = [json.loads(file.read_text("utf-8")) for file in sorted(folder.glob("*.json"))]
    yield from asyncio.run(_play([_control(), *cases]))


def _control() -> dict[str, Any]:
    mail = (
        f"From: <admin@legitimate.com>\r\nTo: <{BOT}>\r\nSubject: list\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\n"
        "Message-ID: <own@legitimate.com>\r\n\r\n\r\n"
    )
    return {
        "id": "control",
        "helo": "legitimate.com",
        "mail_from": "<admin@legitimate.com>",
        "dkim": {"d": "legitimate.com", "s": "own"},
        "message_b64": base64.b64encode(mail.encode()).decode(),
    }


async def _play(cases: list[dict[str, Any]]) -> list[Outcome]:
    attacker, owner = make_key("attacker"), make_key("owner")
    outcomes = []
    with tempfile.TemporaryDirectory() as place:
        settings = SmtpSettings(port=0, plaintext_login_networks=(ip_network("127.0.0.0/8"),))
        async with open_house(Path(place), zone=zone(attacker, owner), smtp=settings) as house:
            for victim in VICTIMS:
                await house.person(victim)
            account = await house.person(ACCOUNT)
            for case in cases:
                login = account.secret if case["id"].startswith("client") else ""
                key = owner if case["id"] == "control" else attacker
                outcomes.append(await _play_one(house, case, key=key, login=login))
    return outcomes


async def _play_one(house: House, case: dict[str, Any], *, key: SigningKey, login: str) -> Outcome:
    before = await _owed(house)
    reply = await _bring(house, case, key=key, login=login)
    await house.settle()
    answers = await _owed(house) - before
    if case["id"] == "control":
        return compare("control", wanted=1, got=answers)
    row = await house.app.engine.in_read(lambda session: _newest(session))
    if answers or (reply.startswith("2") and (row is None or row[0] == "answered")):
        return Outcome(case["id"], Result.FAILED, f"{reply}; {answers} answers; {row}")
    if not re.match(r"250|5\d\d", reply):
        return Outcome(case["id"], Result.FAILED, f"neither refused for good nor met with silence: {reply!r}")
    return Outcome(case["id"])


def _newest(session: Any) -> tuple[str, str] | None:
    row = session.scalars(sa.select(Inbound).order_by(Inbound.id.desc()).limit(1)).one_or_none()
    return None if row is None else (row.outcome, row.reason)


async def _owed(house: House) -> int:
    count = sa.select(sa.func.count(OutboxMail.id))
    return await house.app.engine.in_read(lambda session: session.scalar(count) or 0)


async def _bring(house: House, case: dict[str, Any], *, key: SigningKey, login: str) -> str:
    """The reply that decided: the first refusal, or that to the mail."""
    raw = base64.b64decode(case["message_b64"])
    if how := case.get("dkim"):
        raw = key.sign(raw, domain=how["d"], selector=how["s"], include_headers=_SIGNED[case["id"] == "control"])
    async with connected(house.app.smtp_port) as client:
        await client.say(f"EHLO {case['helo']}")
        if login:
            word = base64.b64encode(f"\0{ACCOUNT}\0{login}".encode()).decode()
            assert (await client.say(f"AUTH PLAIN {word}")).startswith("235")
        for command in (f"MAIL FROM:{case['mail_from']}", f"RCPT TO:<{BOT}>", "DATA"):
            reply = await client.say(command)
            if not reply.startswith(("2", "3")):
                return reply
        return await _end(client, raw)


async def _end(client: RawClient, raw: bytes) -> str:
    await client.send(re.sub(rb"^\.", b"..", raw, flags=re.MULTILINE) + b"\r\n.\r\n")
    return await client.reply()
