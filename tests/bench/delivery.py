"""Outbound mail: memory and loop stall of a large one, and small ones a second. `python -m tests.bench.delivery`"""

from __future__ import annotations

import argparse
import asyncio
import logging
import multiprocessing
import os
import re
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import structlog

from bot.circuit import CircuitSettings, RelayCircuit
from bot.delivery import Deliverer
from bot.journal import Journal
from bot.pace import Pacer, PaceSettings
from bot.storage.local import LocalStore
from bot.transport import RelaySettings, Security, open_transport
from core.ports import Delivered, MailBody, Transport
from tests.support.outgoing import Ledger, body_of, book_mail, enqueue_answer, plain_mail
from tests.support.smtp_sink import SmtpSink

BOOK_BYTES = 50_000_000
KEY = "books/be/bench.epub"


def _serve(ready: Connection) -> None:
    """A relay in a process of its own, so that its memory and its time are not ours."""

    async def serve() -> None:
        async with SmtpSink() as sink:
            ready.send(sink.port)
            while True:
                await asyncio.sleep(0.5)
                sink.mails.clear()
                sink.commands.clear()

    asyncio.run(serve())


@contextmanager
def relay() -> Iterator[int]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        process.kill()
        process.join()


@asynccontextmanager
async def way_out(port: int, *, connections: int) -> AsyncIterator[Transport]:
    settings = RelaySettings(host="127.0.0.1", port=port, security=Security.PLAIN, connections=connections)
    transport = open_transport(settings, ehlo_name="bench.example", maildir=Path("unused"))
    yield transport
    await transport.close()


async def send(transport: Transport, body: MailBody) -> None:
    result = await transport.send(mail_from="books@inkpost.example", rcpt_to="a@kindle.com", body=body)
    assert isinstance(result, Delivered), result


@contextmanager
def rate_of(mails: int, what: str) -> Iterator[None]:
    """Prints mails a second, and the processor time of this process for each (which a busy machine does not change)."""
    started, used = time.perf_counter(), time.process_time()
    yield
    rate = mails / (time.perf_counter() - started)
    print(f"{what:40} {rate:7.0f} mails/s   {(time.process_time() - used) * 1000 / mails:.2f} ms CPU each")


@asynccontextmanager
async def watched_loop() -> AsyncIterator[Callable[[], float]]:
    """How long the event loop stood still at most, in seconds, asked for at the end."""
    worst = 0.0

    async def watch() -> None:
        nonlocal worst
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            worst = max(worst, time.perf_counter() - before - 0.001)

    task = asyncio.create_task(watch())
    yield lambda: worst
    task.cancel()


def peak_bytes() -> int:
    """Of this process's memory since `forget_peak` (Linux)."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


async def large(port: int, folder: Path) -> None:
    source = folder / "book"
    source.write_bytes(os.urandom(BOOK_BYTES))
    store = LocalStore(folder / "blobs")
    store.put_file(KEY, source, media_type="application/epub+zip")
    mail = book_mail(bytes(BOOK_BYTES), key=KEY)
    body = body_of(mail, store.open)
    async with way_out(port, connections=3) as transport:
        await send(transport, body_of(plain_mail()))
        for at_once in (1, 3):
            forget_peak()
            before = peak_bytes()
            started = time.perf_counter()
            async with watched_loop() as stall:
                await asyncio.gather(*(send(transport, body) for _ in range(at_once)))
                took = time.perf_counter() - started
                print(
                    f"{at_once} x {mail.size_bytes / 1e6:.0f} MB    {took:6.2f} s   "
                    f"peak +{(peak_bytes() - before) / 1e6:.1f} MB   worst stall {stall() * 1000:.0f} ms"
                )


async def small(port: int, *, mails: int) -> None:
    body = body_of(plain_mail(text="Hello, reader. " * 330 + "\n"))
    for connections in (1, 5):
        async with way_out(port, connections=connections) as transport:
            with rate_of(mails, f"{body.size_bytes / 1000:.0f} KB, {connections} connection(s)"):
                await asyncio.gather(*(send(transport, body) for _ in range(mails)))


async def whole_job(port: int, folder: Path, *, mails: int) -> None:
    """With the ledger: two commits and a journal line a mail."""
    ledger = Ledger(folder / "ledger.db")
    with ledger.work() as work:
        ids = [enqueue_answer(work, rcpt_to=f"reader{number}@example.org").id for number in range(mails)]
    async with way_out(port, connections=5) as transport:
        deliverer = Deliverer(
            database=ledger,
            open_blob=LocalStore(folder / "blobs").open,
            transport=transport,
            circuit=RelayCircuit(CircuitSettings()),
            pacer=Pacer(PaceSettings()),
            journal=Journal(folder / "deliveries.journal"),
        )
        at_once = asyncio.Semaphore(10)

        async def deliver(outbox_id: int) -> None:
            async with at_once:
                await deliverer.deliver(outbox_id)

        with rate_of(mails, "job `deliver`, SQLite, 5 connections"):
            await asyncio.gather(*map(deliver, ids))
    ledger.close()


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench delivery", description=__doc__)
    parser.add_argument("--mails", type=int, default=2000)
    parser.add_argument("--short", action="store_true", help="a few mails, to see that it runs")
    arguments = parser.parse_args(argv)
    if arguments.short:
        arguments.mails = 40
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with relay() as port, tempfile.TemporaryDirectory() as folder:
        asyncio.run(large(port, Path(folder)))
        asyncio.run(small(port, mails=arguments.mails))
        asyncio.run(whole_job(port, Path(folder), mails=arguments.mails // 2))
    return 0
