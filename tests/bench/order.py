"""`python -m tests.bench order [--mails N]`: the commit is on the disk before 250 is said; exit 1 where it is not.

strace watches an intake: before each write of its 250 an fsync of the database has to have ended. Then it has the disk
fail (EIO, ENOSPC) for small mails and for large ones: each reply has to be 451 or 452, and what was not promised must
not be there. The last line has the totals.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench._servers import python_server
from tests.support.ports import free_port
from tests.support.smtp_client import connected
from tests.support.strace import NoStrace, replies_behind_a_sync, traced

SENDER, RCPT = "load@example.org", "bot@books.example"
SMALL_BYTES, LARGE_BYTES = 2_000, 600_000  # a value in a row, and a file with a spool of its own
START_SECONDS = 60.0
FAULTS = (
    ("EIO on fsync", "small", ("-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:error=EIO")),
    ("ENOSPC on write", "small", ("-e", "trace=pwrite64", "-e", "inject=pwrite64:error=ENOSPC")),
    ("EIO on write", "small", ("-e", "trace=pwrite64", "-e", "inject=pwrite64:error=EIO")),
    ("EIO on fsync", "large", ("-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:error=EIO")),
    ("ENOSPC on link", "large", ("-e", "trace=link,linkat", "-e", "inject=link,linkat:error=ENOSPC")),
)


@dataclass
class Found:
    """What came of it."""

    replies: int = 0
    synced: int = 0
    by_fault: dict[str, Counter[str]] = field(default_factory=dict)
    """The codes of the replies while the disk failed."""
    promised: int = 0
    kept: int = 0

    @property
    def is_good(self) -> bool:
        faulty = all(set(codes) <= {"451", "452"} for codes in self.by_fault.values())
        return 0 < self.replies == self.synced and faulty and self.promised == self.kept

    def __str__(self) -> str:
        faults = "; ".join(
            f"{name}: {', '.join(f'{count} x {code}' for code, count in sorted(codes.items()))}"
            for name, codes in self.by_fault.items()
        )
        return (
            f"the commit's fsync before the 250 in {self.synced} of {self.replies}; {faults}; "
            f"{self.promised} promised, {self.kept} in the database"
        )


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench order", description=__doc__)
    parser.add_argument("--mails", type=int, default=1000)
    parser.add_argument("--short", action="store_true", help="20 mails")
    options = parser.parse_args(argv)
    try:
        found = measure(20 if options.short else options.mails, mails_a_fault=5 if options.short else 20)
    except NoStrace as error:
        print(f"SKIPPED: {error}")
        return 2
    print(f"TOTAL {found}")
    return 0 if found.is_good else 1


def measure(mails: int, *, mails_a_fault: int) -> Found:
    """Raises `NoStrace`."""
    with tempfile.TemporaryDirectory(prefix="inkpost-order-") as name:
        folder, port = Path(name) / "intake", free_port()
        with python_server("inkpost", "asyncio", folder, port=port) as process:
            _await_port(port)
            return asyncio.run(_measure(folder, port, process.pid, mails=mails, mails_a_fault=mails_a_fault))


async def _measure(folder: Path, port: int, pid: int, *, mails: int, mails_a_fault: int) -> Found:
    found, log = Found(), folder / "strace"
    with traced(pid, log, "-e", "trace=fsync,fdatasync,sendto,sendmsg,write,writev"):
        codes = await _bring(port, mails, size_bytes=SMALL_BYTES)
    found.promised += codes["250"]
    found.replies, found.synced = replies_behind_a_sync(log, file="inkpost.db-wal", reply=b"250 2.0.0 queued")
    for fault, size, options in FAULTS:
        size_bytes = LARGE_BYTES if size == "large" else SMALL_BYTES
        with traced(pid, log, *options):
            codes = await _bring(port, mails_a_fault, size_bytes=size_bytes)
        found.by_fault[f"{fault}, {size} mails"] = codes
        found.promised += codes["250"] + (await _bring(port, 1, size_bytes=size_bytes))["250"]  # and it heals
    with closing(sqlite3.connect(folder / "inkpost.db")) as database:
        found.kept = database.execute("SELECT count(*) FROM inbound").fetchone()[0]
    return found


async def _bring(port: int, mails: int, *, size_bytes: int) -> Counter[str]:
    """The codes of the replies to so many mails, one after the other."""
    codes: Counter[str] = Counter()
    for _ in range(mails):
        async with connected(port) as client:
            await client.greet()
            header = f"From: <{SENDER}>\r\nMessage-ID: <{time.time_ns()}@example.org>\r\n\r\n".encode()
            body = (b"x" * 70 + b"\r\n") * (size_bytes // 72)
            codes[(await client.bring(header + body, sender=SENDER, rcpt=RCPT))[:3]] += 1
    return codes


def _await_port(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
