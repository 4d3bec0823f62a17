"""Kind `smtp`: conversations with our listeners, our conversations with relays and mailboxes, and others' mails.

The server is a whole intake on a fresh folder for each case, so that what was stored by a case can be counted.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import sys
import tempfile
from base64 import b64decode
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bot.intake.smtp_settings import SmtpSettings
from bot.logs import LogSettings, set_up_logs
from tests.corpus.outcome import Outcome
from tests.corpus.smtp_dialogues import run_dialogue
from tests.corpus.smtp_imap import run_fetches, run_responses
from tests.corpus.smtp_relay import run_client_tls, run_fault
from tests.corpus.smtp_vectors import run_vector
from tests.support.certificates import make_certificate
from tests.support.intake import Intake, running_intake, running_lmtp, until
from tests.support.smtp_client import RawClient, connected

HOST = "mx.books.example"
IDLE_SECONDS = 1.0  # for the case that drips; all others are done in milliseconds
END_OF_DATA = re.compile(rb"(?:^|\r\n)\.\r\n")

Case = dict[str, Any]


def cases(corpus: Path, *folders: str) -> list[Path]:
    """The files of cases in order, e.g. of `smtp/protocol-cases`; none where there is no corpus."""
    return [file for folder in folders for file in sorted((corpus / folder).glob("*.json"))]


FOLDERS = ("smtp/protocol-cases", "security/smuggling", "security/starttls")


def run_case(file: Path) -> Outcome:
    """Blocks; in an event loop of its own."""
    case: Case = json.loads(file.read_text("utf-8"))
    if case["id"].startswith("smtp-client-"):
        return run_client_tls(file)
    play = _SPECIAL.get(case["id"]) or _BY_FOLDER[file.parent.name]
    return Outcome(case["id"], problem=asyncio.run(_play(play, case)))


async def _play(play: Play, case: Case) -> str:
    async with _lmtp_server() if case["id"].startswith("lmtp-") else _server() as server:
        return await play(case, server)


@dataclass(frozen=True, slots=True)
class Server:
    """An intake, a client that has heard its banner, and the client's trust in its certificate."""

    intake: Intake
    client: RawClient
    trust: ssl.SSLContext


@asynccontextmanager
async def _server() -> AsyncIterator[Server]:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        certificate, trust = make_certificate(place, HOST)
        settings = SmtpSettings(port=0, certificate_file=str(certificate), idle_timeout_seconds=IDLE_SECONDS)
        async with running_intake(place, settings=settings) as intake, connected(intake.port) as client:
            yield Server(intake, client, trust)


@asynccontextmanager
async def _lmtp_server() -> AsyncIterator[Server]:
    with tempfile.TemporaryDirectory() as folder:
        async with running_lmtp(Path(folder)) as intake, connected(intake.port) as client:
            yield Server(intake, client, ssl.create_default_context())


async def _protocol(case: Case, server: Server) -> str:
    """A step at a time as a client would, a mail in one step; every reply but the greeting's must match."""
    steps = _steps(b64decode(case["send_b64"]))
    replies = []
    for step in steps:
        await server.client.send(step)
        if (reply := await server.client.reply()) == "":
            break
        replies.append(reply)
    if len(replies) > 1 and steps[0].upper().startswith((b"EHLO", b"HELO")):
        replies = replies[1:]
    return _mismatch(case["expect_regex"], "\n".join(replies))


def _steps(script: bytes) -> list[bytes]:
    """Command lines; what follows DATA is one step up to the end of data."""
    head, separator, mail = script.partition(b"\r\nDATA\r\n")
    lines = re.findall(rb"[^\n]*\n|[^\n]+\Z", head + separator)
    if not mail:
        return lines
    end = END_OF_DATA.search(mail)
    assert end is not None
    return [*lines, mail[: end.end()], *_steps(mail[end.end() :])]


async def _drip(case: Case, server: Server) -> str:
    heard = asyncio.create_task(server.client.rest())
    for octet in b"EHLO slowly.example\r\n":
        await server.client.send(bytes([octet]))
        await asyncio.wait([heard], timeout=IDLE_SECONDS / 5)
        if heard.done():
            break
    return _mismatch(case["expect_regex"], await heard)


async def _drop_after_dot(case: Case, server: Server) -> str:
    """Twice, as a sender does that never saw the 250."""
    *steps, mail = _steps(b64decode(case["send_b64"]).partition(b"<close")[0])
    for step in steps:
        await server.client.send(step)
        await server.client.reply()
    await server.client.send(mail)
    server.client.writer.close()
    await until(server.intake.mails)
    async with connected(server.intake.port) as again:
        await again.send(b"".join([*steps, mail, b"QUIT\r\n"]))
        replies = await again.rest()
    first, *others = server.intake.mails()
    is_known = f"queued as {first.reference}" in replies
    return "" if is_known and not others else f"{1 + len(others)} mails, and then {replies!r}"


async def _starttls(case: Case, server: Server) -> str:
    """What stands behind STARTTLS in the clear is neither answered nor remembered inside of TLS."""
    client = server.client
    await client.greet()
    script = b64decode(case["plaintext_b64"]).removeprefix(b"STARTTLS\r\n")
    await client.start_tls(server.trust, behind=script)
    replies = [await client.say("NOOP"), await client.say("MAIL FROM:<a@example.org>")]
    if [reply[:3] for reply in replies] != ["250", "503"]:
        return f"NOOP and MAIL inside of TLS were answered with {replies}"
    return "a mail was stored" if server.intake.mails() else ""


async def _smuggling(case: Case, server: Server) -> str:
    """One mail, byte for byte what was sent, from the sender that the envelope names."""
    data = b64decode(case["data_after_354_b64"])
    await server.client.greet()
    await server.client.start_mail(sender="remote@attack.example")
    await server.client.send(data)
    reply = await server.client.reply()
    await server.client.send(b"QUIT\r\n")
    after = await server.client.rest()
    mails = server.intake.mails()
    if len(mails) != 1 or not reply.startswith("250") or not after.startswith("221"):
        return f"{len(mails)} mails, {reply!r}, then {after!r}"
    wanted = data.removesuffix(b".\r\n").replace(b"\r\n.", b"\r\n")
    if mails[0].mail_from != "remote@attack.example" or server.intake.content(mails[0]) != wanted:
        return "what was stored is not what was sent"
    return ""


async def _pipelining(case: Case, server: Server) -> str:
    await server.client.send(b64decode(case["client_b64"]) + b"QUIT\r\n")
    codes = [line[:3] for line in (await server.client.rest()).splitlines() if line[3:4] == " "]
    stored = len(server.intake.mails())
    in_order = ["250", "250", "250", "354", "250", "250", "221"]
    return "" if codes == in_order and stored == 1 else f"{codes}, {stored} mails"


def _mismatch(pattern: str, text: str) -> str:
    return "" if re.search(pattern, text, re.DOTALL) else f"{text!r} does not match {pattern!r}"


Play = Callable[[Case, Server], Coroutine[Any, Any, str]]
_BY_FOLDER: dict[str, Play] = {"protocol-cases": _protocol, "smuggling": _smuggling, "starttls": _starttls}
_SPECIAL: dict[str, Play] = {
    "slow-1-byte-per-s": _drip,
    "drop-after-dot": _drop_after_dot,
    "unauth-pipelining": _pipelining,
}


def _of_files(play: Callable[[Path], Outcome], pattern: str = "*") -> Callable[[Path], list[Outcome]]:
    return lambda folder: [play(file) for file in sorted(folder.glob(pattern))]


SETS: dict[str, Callable[[Path], list[Outcome]]] = {
    **{name: _of_files(run_case, "*.json") for name in FOLDERS},
    "smtp/exim-dialogues": _of_files(run_dialogue),
    "smtp/postfix-vectors": _of_files(run_vector),
    "smtp/haraka": _of_files(run_vector),
    "smtp/smarthost-faults": _of_files(run_fault),
    "smtp/imap-fetch": run_fetches,
    "smtp/imap-responses": run_responses,
}


def run(folder: Path) -> bool:
    """A table of all sets, a line for each case that did not go as it should, and one of totals. True if all did."""
    set_up_logs(LogSettings(level="error", style="console"), stream=sys.stderr)
    table = Table("folder", "cases", *_RESULTS, box=None)
    totals: Counter[str] = Counter()
    for name, play in SETS.items():
        outcomes = play(folder.parent / name)
        found = Counter(one.result for one in outcomes)
        table.add_row(name, *(str(number) for number in (len(outcomes), *(found[key] for key in _RESULTS))))
        totals += found
        for outcome in outcomes:
            if outcome.words:
                print(f"{name} {outcome.case}: {outcome.words}")
    Console(width=120).print(table)
    print(f"{totals.total()} cases: " + ", ".join(f"{totals[key]} {key}" for key in _RESULTS))
    return totals.total() > 0 and not totals["not"]


_RESULTS = ("as wanted", "differs", "not", "skipped")
