"""Mails in which different readers see different authors: refused at the end of data, and nothing of them is kept."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from ipaddress import ip_network
from pathlib import Path

import pytest

from bot.intake.smtp_settings import SmtpSettings
from tests.support.intake import Intake, running_intake
from tests.support.smtp_client import RawClient, connected

VICTIM, ATTACKER = "admin@legitimate.example", "any@attack.example"
REST = "To: <bot@books.example>\r\nSubject: list\r\n\r\nHi\r\n"
AMBIGUOUS = {
    "server_a8": f"From: <{ATTACKER}>\r\nFrom: <{VICTIM}>\r\n",
    "server_a9": f" From: <{VICTIM}>\r\nFrom: <{ATTACKER}>\r\n",
    "server_a10": f"From : <{VICTIM}>\r\nFrom: <{ATTACKER}>\r\n",
    "server_a10 alone": f"From : <{VICTIM}>\r\n",
    "server_a11": f"From\r\n : <{VICTIM}>\r\nFrom: <{ATTACKER}>\r\n",
    "server_a12": f"From: x\r\nSender: <{VICTIM}>\r\n",
    "server_a13": f"From: x\r\nResent-From: <{VICTIM}>\r\n",
    "server_a14": f"From: <{ATTACKER}>, <{VICTIM}>\r\n",
    "server_a15": f"From: =?utf-8?B?{base64.b64encode(f'<{VICTIM}>'.encode()).decode()}?=,<{ATTACKER}>\r\n",
    "server_a16": f"From: <@attack.example,@any.example:{VICTIM}>\r\n",
    "server_a17": f"From: <{VICTIM}>\\,<{ATTACKER}>\r\n",
    "server_a18": f"From: {VICTIM},<{ATTACKER}>\r\n",
    "server_a19": f"From: <{ATTACKER}>{VICTIM}\r\n",
    "a group": f"From: friends:<{VICTIM}>;\r\n",
    "an address as a name": f"From: {VICTIM} <{ATTACKER}>\r\n",
    "no address": "From: Admin\r\n",
}


@pytest.fixture
async def intake(tmp_path: Path) -> AsyncIterator[Intake]:
    settings = SmtpSettings(port=0, plaintext_login_networks=(ip_network("127.0.0.0/8"),))

    async def verify(login: str, password: str) -> bool:
        return password == "right"

    async with running_intake(tmp_path, settings=settings, verify=verify) as opened:
        yield opened


@pytest.fixture
async def client(intake: Intake) -> AsyncIterator[RawClient]:
    async with connected(intake.port) as opened:
        await opened.greet()
        yield opened


async def bring(client: RawClient, mail: str, *, sender: str = ATTACKER, rcpt: str = "bot@books.example") -> str:
    await client.start_mail(sender=sender, rcpt=rcpt)
    await client.send(mail.encode() + b".\r\n")
    return await client.reply()


@pytest.mark.parametrize("fields", AMBIGUOUS.values(), ids=AMBIGUOUS)
async def test_mail_with_an_unclear_author_is_refused(intake: Intake, client: RawClient, fields: str) -> None:
    reply = await bring(client, fields + REST)

    assert reply.startswith("550 5.7.1 the author of the mail is not clear: ")
    assert intake.mails() == []


async def test_conversation_goes_on_after_a_refusal(intake: Intake, client: RawClient) -> None:
    await bring(client, AMBIGUOUS["server_a8"] + REST)

    assert (await bring(client, f"From: <{ATTACKER}>\r\n{REST}")).startswith("250")
    assert len(intake.mails()) == 1


@pytest.mark.parametrize(
    ("fields", "sender", "rcpt"),
    [
        pytest.param("", ATTACKER, "bot@books.example", id="nothing that could be mistaken for an author"),
        pytest.param(AMBIGUOUS["server_a8"], "", "bot@books.example", id="a report of a server"),
        pytest.param(AMBIGUOUS["server_a8"], ATTACKER, "postmaster", id="for the postmaster"),
        pytest.param(f"From: <{ATTACKER}>\r\n", ATTACKER, "bot@books.example", id="one author"),
    ],
)
async def test_what_is_read_otherwise_is_taken(
    intake: Intake, client: RawClient, fields: str, sender: str, rcpt: str
) -> None:
    assert (await bring(client, fields + REST, sender=sender, rcpt=rcpt)).startswith("250")


async def test_second_author_behind_an_unusual_end_of_the_header_is_none(intake: Intake, client: RawClient) -> None:
    assert (await bring(client, f"From: <{ATTACKER}>\r\nX: y\n\nFrom: <{VICTIM}>\r\n\r\nHi\r\n")).startswith("250")


async def test_nothing_is_left_of_a_large_refused_mail(intake: Intake, client: RawClient) -> None:
    reply = await bring(client, AMBIGUOUS["server_a8"] + REST + "Hi\r\n" * 100_000)

    intake.spool.disk.submit(lambda: None).result()
    assert reply.startswith("550")
    assert (list(intake.spool.folder.iterdir()), intake.mails()) == ([], [])


@pytest.mark.parametrize(("author", "code"), [(ATTACKER, "250"), (ATTACKER.upper(), "250"), (VICTIM, "550")])
async def test_login_writes_in_its_own_name_only(client: RawClient, author: str, code: str) -> None:
    """espoofer's client_a3."""
    word = base64.b64encode(f"\0{ATTACKER}\0right".encode()).decode()
    assert (await client.say(f"AUTH PLAIN {word}")).startswith("235")

    assert (await bring(client, f"From: <{author}>\r\n{REST}")).startswith(code)
