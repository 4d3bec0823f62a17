"""Through the whole service, in a process of its own: mail in to answer out, books added, memory.

Every mail comes over SMTP and every answer leaves over SMTP, to a mailbox in this process. Memory is the proportional
set size of the service and all its workers together.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import re
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from email.utils import make_msgid
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bot.config import Config
from bot.mailbox import LoopbackMailbox
from bot.opening import migrate, open_database, open_jobs
from bot.roles import Role
from core.services.accounts import Accounts
from tests.bench._books import WAYS, Way, added_by, calibredb_seconds, has_calibredb, make_books
from tests.support.fleet import Fleet, sailing
from tests.support.postgres import database_to_measure
from tests.support.processes import process_tree, pss_bytes
from tests.support.service import DOMAIN, service_config
from tests.support.smtp_client import RawClient, connected

READERS = 16  # each one's mails are done in order and one at a time, and so are the answers to each
IDLE_SECONDS = 2.0
CALIBRE_BOOKS, CALIBRE_STARTS = 100, 5  # at most: it takes its time
LARGE_BYTES = 50_000_000
LARGE_MAILS = 20
CONNECTIONS = 4


@dataclass
class Outside:
    """The service in its process, and the world that writes to it."""

    world: LoopbackMailbox
    port: int
    pids: list[int]
    secrets: list[str]
    """Of the readers, in order."""
    answered: int = 0

    async def bring(self, client: RawClient, mail: bytes, *, reader: int = 0) -> None:
        """A whole mail by a client that costs next to nothing: it is the service that is measured."""
        await client.send(
            f"MAIL FROM:<{_address(reader)}>\r\nRCPT TO:<books+{self.secrets[reader]}@{DOMAIN}>\r\nDATA\r\n".encode()
        )
        replies = [await client.reply() for _ in range(3)]
        assert replies[-1].startswith("354"), replies
        await client.send(mail)
        await client.send(b".\r\n")
        async with asyncio.timeout(600):
            reply = await client.reader.readline()
        assert reply.startswith(b"250"), reply

    async def answers(self, count: int) -> None:
        """Wait for so many more answers."""
        self.answered += count
        await self.world.wait_for_all(self.answered, timeout_seconds=600)

    def mail(self, subject: str, *attachment: bytes, filename: str = "book.epub") -> bytes:
        """As it goes over the wire, dots stuffed."""
        mail = EmailMessage()
        mail["From"], mail["Subject"], mail["Message-ID"] = _address(0), subject, make_msgid()
        mail.set_content("")
        for content in attachment:
            mail.add_attachment(content, maintype="application", subtype="octet-stream", filename=filename)
        wire = mail.as_bytes(policy=policy.SMTP)
        return re.sub(rb"^\.", b"..", wire, flags=re.MULTILINE)

    def memory_bytes(self, kind: str = "Pss") -> int:
        """Of the service and its children; shared pages count once. See `pss_bytes`."""
        return sum(pss_bytes(pid, kind) for mine in self.pids for pid in process_tree(mine))


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench answers", description=__doc__)
    parser.add_argument("--mails", type=int, default=500)
    parser.add_argument("--books", type=int, default=300)
    parser.add_argument("--database", default="", help="postgresql://… (empty), or wheel; SQLite where not given")
    parser.add_argument("--workers", type=int, default=1, help="on PostgreSQL, beside an intake and a scheduler")
    parser.add_argument("--short", action="store_true", help="a few of each, to see that it runs")
    options = parser.parse_args(argv)
    mails, books, large = (20, 8, 2) if options.short else (options.mails, options.books, LARGE_MAILS)
    table = Table("what", "figure", box=None)
    with Progress(console=Console(stderr=True)) as bar, database_to_measure(options.database) as url:
        service = _fleet(url, options.workers) if url else _service()
        for name, value in asyncio.run(_measure(service, mails, books, large, bar)):
            table.add_row(name, value)
    Console().print(table)
    return 0


async def _measure(
    service: AbstractAsyncContextManager[Outside], mails: int, books: int, large: int, bar: Progress
) -> list[tuple[str, str]]:
    async with service as outside:
        await asyncio.sleep(IDLE_SECONDS)
        figures = [
            ("memory, idle after the first start", f"{outside.memory_bytes() / 1e6:.0f} MB"),
            ("of that its own, and not mapped from files", f"{outside.memory_bytes('Pss_Anon') / 1e6:.0f} MB"),
        ]
        times = await _latency(outside, mails, bar)
        figures += [
            (f"mail in to answer out, p50 of {mails}", f"{times[len(times) // 2] * 1000:.1f} ms"),
            (f"mail in to answer out, p99 of {mails}", f"{times[int(len(times) * 0.99)] * 1000:.1f} ms"),
        ]
        figures += await _libraries(outside, books, bar)
        figures.append(("memory after that", f"{outside.memory_bytes() / 1e6:.0f} MB"))
        seconds, peak = await _large(outside, large, bar)
        figures.append((f"{large} mails of 50 MB at once: taken a second", f"{large / seconds:.1f}"))
        figures.append((f"{large} mails of 50 MB at once: peak memory, to the last answer", f"{peak / 1e6:.0f} MB"))
        return figures


async def _latency(outside: Outside, count: int, bar: Progress) -> list[float]:
    task = bar.add_task("answers", total=count)
    times = []
    async with _client(outside) as client:
        for _ in range(count):
            mail = outside.mail("list")
            started = time.perf_counter()
            await outside.bring(client, mail)
            await outside.answers(1)
            times.append(time.perf_counter() - started)
            bar.advance(task)
    return sorted(times)


async def _libraries(outside: Outside, count: int, bar: Progress) -> list[tuple[str, str]]:
    """Books added a second, by each way to mail them and by calibredb, which is the measure of each."""
    books = make_books(min(count, CALIBRE_BOOKS), seed=len(WAYS))
    starts = books[:CALIBRE_STARTS]
    peer = len(books) / calibredb_seconds(books, files_a_start=len(books)) if has_calibredb() else None
    figures = []
    for seed, way in enumerate(WAYS):
        rate = count / await _books(outside, make_books(count, seed=seed), way, bar)
        ratio = f", {rate / peer:.1f} times calibredb" if peer else ""
        figures.append((f"books of 1 MB added a second, {way.words}, of {count}", f"{rate:.1f}{ratio}"))
    if peer:
        alone = len(starts) / calibredb_seconds(starts, files_a_start=1)
        figures.append((f"calibredb add, all files in one start, of {len(books)}", f"{peer:.1f}"))
        figures.append((f"calibredb add, a start for each file, of {len(starts)}", f"{alone:.1f}"))
    return figures


async def _books(outside: Outside, books: Sequence[bytes], way: Way, bar: Progress) -> float:
    """Seconds from the first byte to the last answer."""
    task = bar.add_task(f"books, {way.words}", total=len(books))
    mails = [outside.mail("", *attached, filename=way.filename) for attached in way.mails_of(books)]
    waiting = iter(enumerate(mails))

    async def bring() -> None:
        async with _client(outside) as client:
            for number, mail in waiting:
                await outside.bring(client, mail, reader=number % READERS)
                bar.advance(task, way.books_a_mail)

    started = time.perf_counter()
    await asyncio.gather(*(bring() for _ in range(CONNECTIONS)))
    await outside.answers(len(mails))
    seconds = time.perf_counter() - started
    added = sum(added_by(mail.message) for mail in outside.world.mails[-len(mails) :])
    assert added == len(books), f"{added} of {len(books)} were added"
    return seconds


async def _large(outside: Outside, count: int, bar: Progress) -> tuple[float, int]:
    """Seconds until all are taken, and the peak of memory until all are answered."""
    task = bar.add_task("large mails", total=count)
    content = random.Random(2).randbytes(LARGE_BYTES)
    body = outside.mail("add", content)
    peak = 0
    is_over = asyncio.Event()

    async def watch() -> None:
        nonlocal peak
        while not is_over.is_set():
            peak = max(peak, await asyncio.to_thread(outside.memory_bytes))
            await asyncio.sleep(0.05)

    async def bring(number: int) -> None:
        async with _client(outside) as client:
            await outside.bring(
                client, body.replace(b"Message-ID: <", b"Message-ID: <%d." % number, 1), reader=number % READERS
            )
            bar.advance(task)

    watcher = asyncio.create_task(watch())
    started = time.perf_counter()
    await asyncio.gather(*(bring(number) for number in range(count)))
    seconds = time.perf_counter() - started
    await outside.answers(count)
    is_over.set()
    await watcher
    return seconds, peak


@contextlib.asynccontextmanager
async def _service() -> AsyncIterator[Outside]:
    """All of it in one process, `inkpost serve` as it is started for the first time: it makes its database itself."""
    with tempfile.TemporaryDirectory(prefix="inkpost-bench-") as place:
        folder = Path(place)
        world = LoopbackMailbox(folder / "world")
        fleet = Fleet(folder, "", relay_port=await world.open())
        async with sailing(fleet):
            ship = await fleet.start(",".join(Role))
            await ship.is_up()
            secrets = _people(service_config(folder, relay_port=1))
            yield Outside(world, fleet.smtp_port, [ship.process.pid], secrets)
        await world.close()


@contextlib.asynccontextmanager
async def _fleet(database_url: str, workers: int) -> AsyncIterator[Outside]:
    """An intake, so many workers and a scheduler over a PostgreSQL."""
    with tempfile.TemporaryDirectory(prefix="inkpost-bench-") as place:
        folder = Path(place)
        world = LoopbackMailbox(folder / "world")
        fleet = Fleet(folder, database_url, relay_port=await world.open())
        secrets = _people(service_config(folder, relay_port=1, database_url=database_url))
        async with sailing(fleet):
            ships = [await fleet.start(roles) for roles in ("intake", *["worker"] * workers, "scheduler")]
            await asyncio.gather(*(ship.is_up() for ship in ships))
            yield Outside(world, fleet.smtp_port, [ship.process.pid for ship in ships], secrets)
        await world.close()


def _people(config: Config) -> list[str]:
    """The readers' secrets, in a new database."""
    database = open_database(config)
    migrate(database)
    with open_jobs(config, database).work() as work:
        secrets = [Accounts(work).add_user(_address(reader))[1] for reader in range(READERS)]
    database.dispose()
    return secrets


@contextlib.asynccontextmanager
async def _client(outside: Outside) -> AsyncIterator[RawClient]:
    async with connected(outside.port) as client:
        await client.greet()
        yield client


def _address(reader: int) -> str:
    return f"reader{reader}@reader.test"
