"""Durable accepts a second, beside bare aiosmtpd and Postfix in the same run; and the memory of twenty large mails.

Every server is a process of its own. Inkpost is its whole intake: row and job in SQLite, committed before the 250, with
a line of log for each mail. Bare aiosmtpd says 250 and forgets. Postfix has a configuration and a queue of its own and
holds what it takes, so that it delivers nothing meanwhile. The rounds of so many connections go over all of them in
turn, and of each server the best round counts: other work on the machine can only slow one down.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import random
import tempfile
import time
from base64 import b64encode
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.bench import _load, _servers
from tests.support.ports import free_port
from tests.support.postgres import database_to_measure
from tests.support.processes import process_tree
from tests.support.smtp_client import connected

CONNECTIONS = (1, 10, 50)
LARGE_MAILS = 20
LARGE_BYTES = 50_000_000
STEP_BYTES = 256 * 1024
WARM_SECONDS = 3.0
OURS = ("Inkpost", "Inkpost, uvloop")
Figures = dict[tuple[int, bool], float]


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench accept", description=__doc__)
    parser.add_argument("--mails", type=int, default=3000, help="of each round; a fifth over one connection")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--database", default="", help="an intake on PostgreSQL beside them: postgresql://…, or wheel")
    parser.add_argument("--short", action="store_true", help="a few mails, to see that it runs")
    options = parser.parse_args(argv)
    mails, rounds, large = (50, 1, 2) if options.short else (options.mails, options.rounds, LARGE_MAILS)
    console = Console()
    with tempfile.TemporaryDirectory(prefix="inkpost-bench-") as folder:
        with database_to_measure(options.database) as url:
            figures = _rates(Path(folder), mails=mails, rounds=rounds, database_url=url)
        console.print(_table(figures))
        console.print(f"Load: {_load.SMTP_SOURCE or 'own client, slower than smtp-source, which is not installed'}")
        if why := _servers.why_no_postfix():
            console.print(f"Postfix was not measured: {why}")
        console.print(asyncio.run(_large(Path(folder) / "large", large)))
    return 0


def _rates(folder: Path, *, mails: int, rounds: int, database_url: str) -> dict[str, Figures]:
    best: dict[str, Figures] = {}
    with contextlib.ExitStack() as stack:
        ports = _start_all(folder, stack, database_url=database_url)
        bar = stack.enter_context(Progress(console=Console(stderr=True)))
        task = bar.add_task("mails of 5 KB", total=rounds * len(ports) * len(CONNECTIONS) * 2)
        for connections in CONNECTIONS:
            if connections > 1:
                _warm(ports.values(), connections)
            for _ in range(rounds):
                for is_kept in (True, False):
                    for name, port in ports.items():
                        count = mails if connections > 1 else max(mails // 5, 1)
                        rate = _load.accepts_a_second(port, connections=connections, mails=count, is_kept=is_kept)
                        case, known = (connections, is_kept), best.setdefault(name, {})
                        known[case] = max(rate, known.get(case, 0.0))
                        bar.advance(task)
    return best


def _start_all(folder: Path, stack: contextlib.ExitStack, *, database_url: str) -> dict[str, int]:
    """Port by the name of each server."""
    ports = {}
    loops = ["asyncio", "uvloop"] if importlib.util.find_spec("uvloop") else ["asyncio"]
    for name in ("inkpost", "bare"):
        for loop in loops:
            label = {"inkpost": "Inkpost", "bare": "bare aiosmtpd"}[name] + (", uvloop" if loop == "uvloop" else "")
            ports[label] = free_port()
            stack.enter_context(_servers.python_server(name, loop, folder / f"{name}-{loop}", port=ports[label]))
    if database_url:
        place = folder / "inkpost-postgresql"
        ports["Inkpost, PostgreSQL"] = free_port()
        stack.enter_context(_servers.intake_on(database_url, place, port=ports["Inkpost, PostgreSQL"]))
    if not _servers.why_no_postfix():
        ports["Postfix"] = free_port()
        stack.enter_context(_servers.postfix(folder / "postfix", port=ports["Postfix"]))
    for port in ports.values():
        asyncio.run(_until_up(port))
    return ports


def _warm(ports: Iterable[int], connections: int) -> None:
    """Have each server start what it starts when so many come: Postfix its processes, and Inkpost the one it has."""
    for port in ports:
        _load.accepts_a_second(port, connections=connections, mails=connections, is_kept=True)
    time.sleep(WARM_SECONDS)


async def _until_up(port: int) -> None:
    async with asyncio.timeout(120):
        while True:
            with contextlib.suppress(OSError):
                async with connected(port):
                    return
            await asyncio.sleep(0.05)


def _table(figures: dict[str, Figures]) -> Table:
    names = [*figures, *(["to Postfix"] if "Postfix" in figures else [])]
    table = Table("5 KB mails a second", *names, box=None)
    for connections in CONNECTIONS:
        for is_kept in (True, False):
            rates = [known[connections, is_kept] for known in figures.values()]
            cells = [f"{rate:,.0f}" for rate in rates]
            if "Postfix" in figures:
                ours = [known[connections, is_kept] for name, known in figures.items() if name in OURS]
                # the loop that the service runs in
                cells.append(f"{ours[-1] / rates[-1]:.2f}")
            table.add_row(f"{connections:2} at once, {'kept' if is_kept else 'one a mail'}", *cells)
    return table


async def _large(folder: Path, count: int) -> str:
    """Large mails all at once, and small ones beside them."""
    port = free_port()
    with _servers.python_server("inkpost", "asyncio", folder, port=port) as server:
        await _until_up(port)
        idle = _peak_bytes(server.pid)
        encoded = b64encode(random.Random(1).randbytes(LARGE_BYTES))
        body = b"".join(encoded[at : at + 76] + b"\r\n" for at in range(0, len(encoded), 76))
        started = time.perf_counter()
        uploads = asyncio.gather(*(_upload(port, number, body) for number in range(count)))
        waits: list[float] = []
        while not uploads.done():
            waits.append(await _small(port, len(waits)))
        await uploads
        seconds = time.perf_counter() - started
        return (
            f"{count} mails of 50 MB ({len(body) / 1e6:.1f} MB encoded) at once: {count / seconds:.1f} a second, "
            f"peak memory {_peak_bytes(server.pid) / 1e6:.0f} MB with all its processes (before: {idle / 1e6:.0f} MB); "
            f"a small mail meanwhile took {sorted(waits)[len(waits) // 2] * 1000:.0f} ms in the median, "
            f"{max(waits) * 1000:.0f} ms at most, of {len(waits)}"
        )


async def _upload(port: int, number: int, body: bytes) -> None:
    async with connected(port) as client:
        await client.greet()
        assert (await client.start_mail()).startswith("354")
        await client.send(f"Message-ID: <large-{number}@example.org>\r\n\r\n".encode())
        view = memoryview(body)
        for at in range(0, len(body), STEP_BYTES):
            await client.send(view[at : at + STEP_BYTES])
        await client.send(b".\r\n")
        async with asyncio.timeout(600):
            reply = await client.reader.readline()
        assert reply.startswith(b"250"), reply


async def _small(port: int, number: int) -> float:
    """Seconds of a whole small mail, from the connection to its 250."""
    started = time.perf_counter()
    async with connected(port) as client:
        await client.greet()
        reply = await client.bring(f"Message-ID: <small-{number}@example.org>\r\n\r\nhi\r\n".encode())
    assert reply.startswith("250"), reply
    return time.perf_counter() - started


def _peak_bytes(pid: int) -> int:
    """Of a process and all below it, each by itself: together they may never have had so much."""
    statuses = [Path(f"/proc/{each}/status").read_text("ascii") for each in process_tree(pid)]
    lines = [line for status in statuses for line in status.splitlines()]
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
