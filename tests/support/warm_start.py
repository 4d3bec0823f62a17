"""The service forked from a process that has imported it and served once: all of that takes longer than its start.

What is forked opens its files, its database and its ports itself, as `python -m bot` does. The asking side is
`WarmStart`; `python -m tests.support.warm_start` is the other.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import select
import signal
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bot.cli import app, main
from bot.config import load_config
from tests.support.fork_server import release_fork_server
from tests.support.service import open_house

ENDED = 0
"""Somebody else's child: what it ended with, only its parent knows."""


@dataclass(eq=False)
class Forked:
    """A running service, by a descriptor that no other process will ever have, as `asyncio.subprocess.Process` is."""

    pid: int
    pidfd: int
    """Closed when the process is known to have ended; a run of two thousand kills would run out of them."""
    _has_ended: bool = False

    @property
    def returncode(self) -> int | None:
        if not self._has_ended and select.select([self.pidfd], [], [], 0)[0]:
            self._bury()
        return ENDED if self._has_ended else None

    def send_signal(self, number: int) -> None:
        if self._has_ended:
            raise ProcessLookupError(self.pid)
        signal.pidfd_send_signal(self.pidfd, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    async def wait(self) -> int:
        if self._has_ended:
            return ENDED
        over, loop = asyncio.Event(), asyncio.get_running_loop()
        loop.add_reader(self.pidfd, over.set)
        try:
            await over.wait()
        finally:
            loop.remove_reader(self.pidfd)
        self._bury()
        return ENDED

    def _bury(self) -> None:
        self._has_ended = True
        os.close(self.pidfd)


@dataclass
class WarmStart:
    """Forks the command line's verbs."""

    process: asyncio.subprocess.Process
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def __call__(self, arguments: Sequence[str], environment: Mapping[str, str]) -> Forked:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        async with self._turn:
            self.process.stdin.write(json.dumps([list(arguments), dict(environment)]).encode() + b"\n")
            pid = int(await self.process.stdout.readline())
            return Forked(pid, os.pidfd_open(pid))


@asynccontextmanager
async def warm_start() -> AsyncIterator[WarmStart]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.warm_start",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2],
        start_new_session=True,  # a Control-C is for the program that asked
    )  # fmt: skip
    try:
        yield WarmStart(process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def fork_as_asked() -> None:
    """A line in has a verb and its environment, a line out the process; until the asking side closes."""
    with tempfile.TemporaryDirectory(prefix="inkpost-rehearsal-") as folder:
        asyncio.run(_rehearse(Path(folder)))
    release_fork_server()
    assert threading.active_count() == 1, "a fork has none of the other threads"
    gc.collect()
    gc.freeze()
    children: set[int] = set()
    for line in sys.stdin.buffer:
        arguments, environment = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _become(arguments, environment)
        children.add(pid)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
        # The dead are buried one line later, when the asking side has long had its descriptor of them.
        children -= {child for child in children if child != pid and os.waitpid(child, os.WNOHANG)[0]}


async def _rehearse(folder: Path) -> None:
    """A command line, a configuration and one mail, so that what is imported and compiled on its first use is there."""
    app.parse_args(["serve"])
    load_config(None, environment={})
    async with open_house(folder) as house:
        await (await house.person()).asks("list")


def _become(arguments: list[str], environment: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    main(arguments)


if __name__ == "__main__":
    fork_as_asked()
