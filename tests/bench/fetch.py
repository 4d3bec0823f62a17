"""Feeds fetched a second from a server on the loopback, in a process of its own. `python -m tests.bench fetch`

A feed of 20 items and 113 kB, packed by gzip as most servers do, and the same feed unchanged (304); each on a host of
its own with a new connection, and all over connections that are kept. Names are looked up without a name server.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import multiprocessing
import random
import resource
import string
import time
from collections.abc import Awaitable, Callable
from functools import partial
from multiprocessing.connection import Connection
from typing import cast

import aiohttp
from rich.console import Console
from rich.table import Table

from bot.fetch import FetchSettings, HttpFetcher
from bot.loops import run_loop
from core.news.values import Validators
from core.ports import FetchLimits
from tests.support.web_server import Loopback

ITEMS = 20
WORDS_AN_ITEM = 785  # of 7 letters with its blank: 113 kB in all
LIMITS = FetchLimits(body_bytes=5_000_000)
KNOWN = Validators(etag='"1"')
AT_ONCE = 100


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench fetch")
    parser.add_argument("--fetches", type=int, default=5_000)
    parser.add_argument("--short", action="store_true", help="200 fetches")
    options = parser.parse_args(argv)
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,), daemon=True)
    server.start()
    try:
        run_loop(_measure(ours.recv(), fetches=200 if options.short else options.fetches))
    finally:
        server.terminate()
        server.join()
    return 0


async def _measure(port: int, *, fetches: int) -> None:
    table = Table("answer", "connections", "a second", "CPU ms each")
    urls = {name: [_url(port, number % hosts) for number in range(fetches)] for name, hosts in _hosts(fetches)}
    for answer, validators in (("304", KNOWN), ("200, 113 kB", None)):
        for connections in urls:
            fetcher = HttpFetcher(FetchSettings(allow_private=True), resolver=Loopback())
            fetch = partial(fetcher.fetch, limits=LIMITS, validators=validators)
            table.add_row(answer, connections, *await _pace(fetch, urls[connections]))
            await fetcher.close()
    connector = aiohttp.TCPConnector(limit=0, resolver=Loopback())
    async with aiohttp.ClientSession(connector=connector, headers={"If-None-Match": KNOWN.etag}) as session:

        async def fetch_bare(url: str) -> None:
            async with session.get(url) as response:
                await response.read()

        table.add_row("304, aiohttp alone", "kept", *await _pace(fetch_bare, urls["kept"]))
    Console().print(table)


def _hosts(fetches: int) -> tuple[tuple[str, int], ...]:
    """A host for each that fetches, whose connection is kept, or one for each fetch."""
    return ("kept", AT_ONCE), ("new", fetches)


def _url(port: int, host: int) -> str:
    return f"http://host{host}.test:{port}/feed.xml"


async def _pace(fetch: Callable[[str], Awaitable[object]], urls: list[str]) -> tuple[str, str]:
    """Fetches a second, and the milliseconds of CPU that one takes, as they are shown."""
    waiting = iter(urls)

    async def worker() -> None:
        for url in waiting:
            await fetch(url)

    started, cpu = time.perf_counter(), _cpu_seconds()
    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    seconds, cpu = time.perf_counter() - started, _cpu_seconds() - cpu
    return f"{len(urls) / seconds:,.0f}", f"{cpu / len(urls) * 1000:.2f}"


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _serve(pipe: Connection) -> None:
    """A server that does nothing but answer, so that it is the client that is measured."""
    body = gzip.compress(_feed())
    head = b'HTTP/1.1 200 OK\r\nETag: "1"\r\nContent-Type: application/rss+xml\r\nContent-Encoding: gzip\r\n'
    full = head + f"Content-Length: {len(body)}\r\n\r\n".encode() + body
    unchanged = b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\n\r\n'

    class Answers(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = cast(asyncio.Transport, transport)  # uvloop's are none of its subclasses

        def data_received(self, data: bytes) -> None:
            self.transport.write(unchanged if b"If-None-Match" in data else full)

    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(Answers, "127.0.0.1", 0, backlog=1024)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    run_loop(serve())


def _feed() -> bytes:
    """Words of a small vocabulary, so that it packs about as well as real feeds do."""
    chance = random.Random(20_261_123)
    vocabulary = ["".join(chance.choices(string.ascii_lowercase, k=chance.randint(2, 10))) for _ in range(2_000)]
    items = "".join(
        f"<item><guid>{number}</guid><title>{' '.join(chance.choices(vocabulary, k=8))}</title>"
        f"<description>{' '.join(chance.choices(vocabulary, k=WORDS_AN_ITEM))}</description></item>"
        for number in range(ITEMS)
    )
    return f'<?xml version="1.0"?><rss version="2.0"><channel><title>Feed</title>{items}</channel></rss>'.encode()
