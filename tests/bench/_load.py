"""The load: smtp-source where it is installed, else `python -m tests.bench._load <port> <connections> <mails> kept`."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator

from tests.support.smtp_client import connected

SENDER, RCPT = "load@example.org", "bot@books.example"
MAIL_BYTES = 5 * 1024
PROCESSES = 2

SMTP_SOURCE = shutil.which("smtp-source")


def accepts_a_second(port: int, *, connections: int, mails: int, is_kept: bool) -> float:
    """How many mails of 5 KB the server on the port took. Each mail has a Message-ID of its own."""
    started = time.perf_counter()
    commands = _commands(port, connections=connections, mails=mails, is_kept=is_kept)
    statuses = [process.wait() for process in [subprocess.Popen(command) for command in commands]]
    if any(statuses):
        raise RuntimeError("the load broke off: a server did not take a mail")
    return mails / (time.perf_counter() - started)


def _commands(port: int, *, connections: int, mails: int, is_kept: bool) -> Iterator[list[str]]:
    if SMTP_SOURCE is not None:
        kept = ["-d"] if is_kept else []
        envelope = ["-l", str(MAIL_BYTES), "-f", SENDER, "-t", RCPT]
        yield [SMTP_SOURCE, *kept, "-s", str(connections), "-m", str(mails), *envelope, f"127.0.0.1:{port}"]
        return
    processes = min(PROCESSES, connections)
    for number in range(processes):
        share = [str(amount // processes + (number < amount % processes)) for amount in (connections, mails)]
        yield [sys.executable, "-m", "tests.bench._load", str(port), *share, "kept" if is_kept else "fresh"]


async def _send(port: int, connections: int, mails: int, *, is_kept: bool) -> None:
    numbers = iter(range(mails))
    await asyncio.gather(*(_session(port, numbers, is_kept=is_kept) for _ in range(connections)))


async def _session(port: int, numbers: Iterator[int], *, is_kept: bool) -> None:
    for number in numbers:
        async with connected(port) as client:
            await client.greet()
            await client.bring(_mail(number), sender=SENDER, rcpt=RCPT)
            if not is_kept:
                continue
            for later in numbers:
                await client.bring(_mail(later), sender=SENDER, rcpt=RCPT)


def _mail(number: int) -> bytes:
    header = (
        f"From: <{SENDER}>\r\nMessage-ID: <{time.time_ns()}.{number}@example.org>\r\nSubject: load\r\n\r\n".encode()
    )
    return header + b"x" * (MAIL_BYTES - len(header) - 2) + b"\r\n"


if __name__ == "__main__":
    asyncio.run(_send(*(int(word) for word in sys.argv[1:4]), is_kept=sys.argv[4] == "kept"))
