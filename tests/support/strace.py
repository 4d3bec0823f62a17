"""What a running process asks of its kernel, seen and tampered with by strace(1)."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SYNCS, SENDS = ("fsync", "fdatasync"), ("sendto", "sendmsg", "write", "writev")
END_SECONDS = 10.0
_CALL = re.compile(r"^(?P<pid>\d+) +(?:(?P<call>\w+)\((?P<rest>.*)|<\.\.\. (?P<resumed>\w+) resumed>(?P<result>.*))$")


class NoStrace(Exception):
    """It is not installed, or may not look at this process."""


@contextmanager
def traced(pid: int, log: Path, *options: str) -> Iterator[None]:
    """All threads of a process under strace, from the moment that the block begins. Raises `NoStrace`."""
    program = shutil.which("strace")
    if program is None:
        raise NoStrace("strace is not installed")
    command = [program, "-f", "-y", "-s", "32", "-o", str(log), *options, "-p", str(pid)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        first = process.stderr.readline()
        if "attached" not in first:
            raise NoStrace(first.strip())
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=END_SECONDS)


def replies_behind_a_sync(log: Path, *, file: str, reply: bytes) -> tuple[int, int]:
    """How many writes that begin with `reply` there are, and before how many a sync of `file` had come to its end.

    A sync counts for one reply only: with one client and one mail at a time each mail has a commit of its own.
    """
    replies = synced = 0
    syncing: set[str] = set()
    is_synced = False
    for line in log.read_text(errors="replace").splitlines():
        if (match := _CALL.match(line)) is None:
            continue
        pid, call, rest = match["pid"], match["call"] or match["resumed"], match["rest"] or match["result"]
        if call in SYNCS:
            if match["call"] and file in rest and "unfinished" in rest:
                syncing.add(pid)
            elif rest.endswith("= 0") and ((match["call"] and file in rest) or pid in syncing):
                syncing.discard(pid)
                is_synced = True
        elif call in SENDS and match["call"] and f'"{reply.decode()}' in rest:
            replies += 1
            synced += is_synced
            is_synced = False
    return replies, synced
