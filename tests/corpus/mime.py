"""Kind `mime`: every mail over SMTP through the whole service. One answer or a deliberate silence, and no exception."""

from __future__ import annotations

import asyncio
import re
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from email.utils import parseaddr
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from rich.console import Console
from rich.progress import track
from rich.table import Table

from core.models import Inbound, OutboxMail
from core.models.inbound import InboundState
from tests.corpus.manifest import read_manifest
from tests.support.service import House, open_house
from tests.support.smtp_client import RawClient, connected

P99_SECONDS = 1.0
WAIT_SECONDS = 30.0
_RETURN_PATH = re.compile(rb"^return-path:[ \t]*([^\r\n]*)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one mail."""

    file: str
    result: str
    """`answered`, `silent`, `unbelieved`, or the reply that refused it."""
    why: str
    seconds: float
    complaints: tuple[str, ...]


def run(folder: Path, *, rows: Sequence[dict[str, Any]] | None = None) -> bool:
    """Print the table and the totals; True where every expectation is met."""
    mails = [row for row in (rows or read_manifest(folder)) if row.get("facts")]
    outcomes = asyncio.run(put_through(folder, mails))
    report(outcomes)
    return not any(outcome.complaints for outcome in outcomes) and p99(outcomes) < P99_SECONDS


async def put_through(folder: Path, rows: Iterable[dict[str, Any]]) -> list[Outcome]:
    """Each mail to a user's secret address, one after the other, until the service is done with it."""
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="inkpost-corpus-") as place:
        async with open_house(Path(place)) as house:
            person = await house.person()
            async with connected(house.app.smtp_port) as client:
                await client.greet()
                for row in track(list(rows), description="mails", console=Console(stderr=True)):
                    raw = await asyncio.to_thread((folder / row["file"]).read_bytes)
                    outcomes.append(await _put_through(house, client, row, raw, rcpt_to=person.bot_address))
    return outcomes


async def _put_through(house: House, client: RawClient, row: dict[str, Any], raw: bytes, *, rcpt_to: str) -> Outcome:
    started = time.monotonic()
    refusal = await _bring(client, raw, mail_from=reverse_path(raw), rcpt_to=rcpt_to)
    if not refusal.startswith("250"):
        return Outcome(row["file"], refusal, "", time.monotonic() - started, _judge_refusal(refusal))
    reference = refusal.split()[-1]
    done, answers = await _wait_for(house, reference)
    seconds = time.monotonic() - started
    complaints = _judge(done, answers, must_be_silent=row["facts"]["must_be_silent"])
    return Outcome(row["file"], done.outcome or done.state.value, done.reason, seconds, complaints)


async def _wait_for(house: House, reference: str) -> tuple[Inbound, int]:
    """The row of the mail when it is dealt with and its answers have left, and how many they were."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        row, sent, waiting = await house.app.engine.in_read(lambda session: _look(session, reference))
        is_over = row.state is not InboundState.ACCEPTED or row.attempts
        if (is_over and not waiting) or time.monotonic() > deadline:
            return row, sent
        await asyncio.sleep(0.005)


def _look(session: Any, reference: str) -> tuple[Inbound, int, int]:
    row = session.scalars(sa.select(Inbound).where(Inbound.reference == reference)).one()
    states = list(session.scalars(sa.select(OutboxMail.state).where(OutboxMail.inbound_id == row.id)))
    return row, len(states), sum(state.value in ("queued", "sending") for state in states)


async def _bring(client: RawClient, raw: bytes, *, mail_from: str, rcpt_to: str) -> str:
    """The last reply. What has bare line ends gets proper ones, as a sending server does it."""
    lines = re.sub(rb"\r\n|\n", b"\r\n", raw)
    lines = lines if lines.endswith(b"\r\n") else lines + b"\r\n"
    body = " BODY=8BITMIME" if not raw.isascii() else ""
    reply = await client.say(f"MAIL FROM:<{mail_from}>{body}")
    if reply.startswith("2"):
        reply = await client.say(f"RCPT TO:<{rcpt_to}>")
    if reply.startswith("2"):
        reply = await client.say("DATA")
    if not reply.startswith("354"):
        await client.say("RSET")
        return reply
    await client.send(re.sub(rb"^\.", b"..", lines, flags=re.MULTILINE) + b".\r\n")
    return await client.reply()


def reverse_path(raw: bytes) -> str:
    """From the Return-Path field that the delivering server left, else an address of the sender's own."""
    found = _RETURN_PATH.search(raw.split(b"\r\n\r\n")[0].split(b"\n\n")[0])
    if found is None:
        return "somebody@sender.test"
    address = parseaddr(found[1].decode("ascii", "ignore"))[1]
    return address if re.fullmatch(r"[\w.+=-]+@[\w.-]+\w", address) else ""


def _judge(row: Inbound, answers: int, *, must_be_silent: bool) -> tuple[str, ...]:
    complaints = []
    if row.state is not InboundState.DONE or row.attempts:
        complaints.append(f"not processed: {row.state.value}, {row.attempts} failures, {row.reason}")
    if answers > 1:
        complaints.append(f"{answers} answers")
    if (row.outcome == "answered") != (answers == 1):
        complaints.append(f"{row.outcome}, and {answers} answers")
    if must_be_silent and answers:
        complaints.append("answered, and must be silent")
    if row.outcome != "answered" and not row.reason:
        complaints.append("silent without a reason")
    return tuple(complaints)


def _judge_refusal(reply: str) -> tuple[str, ...]:
    """A refusal is a deliberate silence if it is for good and says why in its enhanced code (RFC 3463)."""
    return () if re.match(r"55\d 5\.\d\.\d ", reply) else (f"refused with {reply!r}",)


def p99(outcomes: Sequence[Outcome]) -> float:
    times = sorted(outcome.seconds for outcome in outcomes)
    return times[min(len(times) - 1, int(len(times) * 0.99))]


def report(outcomes: Sequence[Outcome]) -> None:
    """A row a set and result, then each complaint, then one line of totals."""
    console = Console()
    table = Table("set", "answered", "silent", "unbelieved", "refused", "complaints", box=None)
    for name in sorted({outcome.file.split("/")[0] for outcome in outcomes}):
        mine = [outcome for outcome in outcomes if outcome.file.split("/")[0] == name]
        counts = Counter(outcome.result[:3] if outcome.result[:1].isdigit() else outcome.result for outcome in mine)
        refused = sum(count for result, count in counts.items() if result[:1].isdigit())
        complaints = sum(bool(outcome.complaints) for outcome in mine)
        table.add_row(
            name, *(str(counts[key]) for key in ("answered", "silent", "unbelieved")), str(refused), str(complaints)
        )
    console.print(table)
    for outcome in outcomes:
        for complaint in outcome.complaints:
            console.print(f"{outcome.file}: {complaint}", markup=False, soft_wrap=True)
    times = sorted(outcome.seconds for outcome in outcomes)
    counts = Counter(outcome.result if not outcome.result[:1].isdigit() else "refused" for outcome in outcomes)
    console.print(
        f"TOTAL {len(outcomes)} mails: {', '.join(f'{count} {name}' for name, count in sorted(counts.items()))}; "
        f"{sum(bool(outcome.complaints) for outcome in outcomes)} with complaints; "
        f"p50 {times[len(times) // 2] * 1000:.0f} ms, p99 {p99(outcomes) * 1000:.0f} ms, max {times[-1] * 1000:.0f} ms",
        markup=False,
        soft_wrap=True,
    )
