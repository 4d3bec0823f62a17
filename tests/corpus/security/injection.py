"""Header injection: what users write into subjects, names, file names and commands, seen in all that we send for it."""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
from base64 import b64decode, encodebytes
from collections import Counter
from collections.abc import Iterator
from email.message import EmailMessage
from email.utils import getaddresses
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import sqlalchemy as sa

from bot.mailbox import ReceivedMail
from core.models import Book, Inbound
from core.news.feed import parse_feed
from tests.corpus.security._outcome import Outcome, Result
from tests.factories.books import make_epub
from tests.support.service import DOMAIN, House, Person, open_house
from tests.support.smtp_client import RawClient, connected

SETS = ("header-injection",)

USER, KINDLE = "eve@example.org", "eve_1@kindle.com"
TAME = {
    "subject": b"find dune",
    "from_name": b'"Eve" <eve@example.org>',
    "reply_to": b"eve@example.org",
    "filename": b"novel.epub",
    "message_id": b"<tame@example.org>",
    "command_arg": b"dune",
}
_UNSAFE_IN_NAMES = re.compile(r"[/\\:*?\"<>|\x00-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
Case = dict[str, Any]


def run_set(folder: Path) -> Iterator[Outcome]:
    """Each hostile value, and before it a tame one in its place: no other fields go out, and to nobody else."""
    cases = [json.loads(file.read_text("utf-8")) | {"id": file.stem} for file in sorted(folder.glob("*.json"))]
    yield from asyncio.run(_play(cases))


async def _play(cases: list[Case]) -> list[Outcome]:
    with tempfile.TemporaryDirectory() as place:
        async with open_house(Path(place)) as house:
            eve = await house.person(USER)
            await eve.asks(f"kindle add {KINDLE}")
            await house.settle()
            tame = {field: await _sent_for(house, eve, field, value) for field, value in TAME.items()}
            problems = {}
            for case in cases:
                field, value = case["field"], b64decode(case["value_b64"])
                problems[case["id"]] = await _judge(house, eve, field, value, tame=tame.get(field, []))
    untried = [field for field, sent in tame.items() if not sent]
    untried += [] if any(mail.rcpt_to == KINDLE for mail in tame["filename"]) else ["book"]
    control = Outcome("control", Result.FAILED if untried else Result.AS_STATED, f"no answer to a tame {untried}")
    return [control if untried else Outcome("control")] + [
        Outcome(case, Result.FAILED if problem else Result.AS_STATED, problem) for case, problem in problems.items()
    ]


async def _judge(house: House, eve: Person, field: str, value: bytes, *, tame: list[ReceivedMail]) -> str:
    """What is wrong, or ""."""
    if field == "feed_author":
        return _read_author(value.decode())
    if field in ("mail_from", "rcpt_to"):
        return await _say_envelope(house, field, value)
    allowed = Counter[str]()
    for mail in tame:
        allowed |= Counter(name.lower() for name in mail.message.keys())  # noqa: SIM118 - a name stands there twice
    sent = await _sent_for(house, eve, field, value)
    return next((problem for mail in sent if (problem := _defect(mail, allowed))), "")


def _defect(mail: ReceivedMail, allowed: Counter[str]) -> str:
    message = mail.message
    if mail.rcpt_to not in (USER, KINDLE):
        return f"sent to {mail.rcpt_to}"
    if more := Counter(name.lower() for name in message.keys()) - allowed:  # noqa: SIM118 - as above
        return f"fields of its own: {dict(more)}"
    fields = [str(message[name]) for name in ("To", "Cc", "Bcc", "From", "Reply-To") if message[name] is not None]
    named = [address for _, address in getaddresses(fields)]
    if strangers := [one for one in named if one not in (USER, KINDLE) and not one.endswith(f"@{DOMAIN}")]:
        return f"names {strangers}"
    return next((f"a file named {name!r}" for name in _file_names(message) if not _is_safe(name)), "")


def _file_names(message: EmailMessage) -> list[str]:
    return [name for part in message.walk() if (name := part.get_filename()) is not None]


def _is_safe(name: str) -> bool:
    stem = name.partition(".")[0].upper()
    return bool(name) and not _UNSAFE_IN_NAMES.search(name) and stem not in ("CON", "NUL", "AUX", "PRN", "")


async def _sent_for(house: House, eve: Person, field: str, value: bytes) -> list[ReceivedMail]:
    """All that goes out for a mail with this value in its place. A book is sent on, under the name that it has got."""
    before = len(house.world.mails)
    await _bring(house, eve, _mail(field, value, number=before))
    if field == "filename":
        newest = sa.select(Book.title).order_by(Book.id.desc()).limit(1)
        title = await house.app.engine.in_read(lambda session: session.scalar(newest)) or ""
        await eve.writes("", f"send {title}")
        await house.settle()
    return house.world.mails[before:]


async def _bring(house: House, eve: Person, raw: bytes) -> None:
    async with connected(house.app.smtp_port) as client:
        await client.greet()
        await client.bring((b"\r\n" + raw).replace(b"\r\n.", b"\r\n..")[2:], sender=USER, rcpt=eve.bot_address)
    await house.settle()


def _mail(field: str, value: bytes, *, number: int) -> bytes:
    """A mail as a client would send that does not care what it writes."""
    values = TAME | {"message_id": b"<%d@example.org>" % number, "reply_to": b""} | {field: value}
    subject = {"filename": b"", "command_arg": b""}.get(field, values["subject"])
    text = b"find " + value if field == "command_arg" else b""
    head = [
        b"From: " + values["from_name"],
        b"Subject: " + subject,
        b"Message-ID: " + values["message_id"],
        *([b"Reply-To: " + values["reply_to"]] if values["reply_to"] else []),
        b"MIME-Version: 1.0",
    ]
    if field != "filename":
        return b"\r\n".join([*head, b"", text, b""])
    book = make_epub(title="", authors=(), identifier=f"urn:x:{number}", text=f"Story {number}.")  # the file's name
    return b"\r\n".join(
        [
            *head,
            b"Content-Type: multipart/mixed; boundary=b",
            b"",
            b"--b",
            b"",
            b"add",
            b"--b",
            b"Content-Type: application/epub+zip",
            b'Content-Disposition: attachment; filename="' + value + b'"',
            b"Content-Transfer-Encoding: base64",
            b"",
            encodebytes(book).replace(b"\n", b"\r\n"),
            b"--b--",
            b"",
        ]
    )


def _read_author(author: str) -> str:
    feed = (
        '<?xml version="1.0"?><rss version="2.0"><channel><title>t</title><link>http://a.example/</link><item>'
        f"<title>x</title><link>http://a.example/1</link><author>{escape(author)}</author></item></channel></rss>"
    )
    parsed = parse_feed(feed.encode(), url="http://a.example/feed", headers={})
    wrong = [name for entry in parsed.entries for name in entry.authors if not name.isprintable()]
    return f"an author {wrong}" if wrong else ""


async def _say_envelope(house: House, field: str, value: bytes) -> str:
    """A value behind MAIL FROM: or RCPT TO:, and then a mail as far as it goes: nothing is kept for anybody else."""
    before = await _count(house)
    async with connected(house.app.smtp_port) as client:
        await client.greet()
        if field == "rcpt_to":
            await client.say("MAIL FROM:<eve@example.org>")
        await client.send((b"MAIL FROM:" if field == "mail_from" else b"RCPT TO:") + value + b"\r\n")
        replies = await _replies(client)
    rows = await _rows(house)
    strangers = [rcpt for row in rows for rcpt in row.rcpt_tos if not rcpt.endswith(f"@{DOMAIN}")]
    if strangers or len(rows) != before:
        return f"kept for {strangers}, {len(rows) - before} mails"
    return "" if replies and all(re.match(r"[2-5]\d\d ", reply) for reply in replies) else f"{replies}"


async def _replies(client: RawClient) -> list[str]:
    await client.send(b"RSET\r\nQUIT\r\n")
    return (await client.rest()).splitlines()


async def _rows(house: House) -> list[Inbound]:
    return await house.app.engine.in_read(lambda session: list(session.scalars(sa.select(Inbound))))


async def _count(house: House) -> int:
    return len(await _rows(house))
