"""Worker processes in which the files of strangers are read: under limits, and killed when they do not end.

The processes are pebble's, started by a fork server: it holds none of our sockets and files, and a worker that replaces
a killed one is there within a tenth of a second.
"""

from __future__ import annotations

import asyncio
import importlib.util
import multiprocessing
import pickle
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from multiprocessing import forkserver
from typing import ClassVar, TypeVar

import structlog
from pebble import ProcessExpired, ProcessPool

from bot.sandbox_worker import SandboxError, SandboxKilled, SandboxTimeout, call, confine
from core.errors import Unavailable
from core.i18n import said_in, spoken

__all__ = ["Sandbox", "SandboxError", "SandboxKilled", "SandboxSettings", "SandboxTimeout"]

log = structlog.get_logger(__name__)

T = TypeVar("T")

PATIENCE = 6.0  # times a call's limit may pass on the wall: workers are nice, and somebody else may have the cores
CALLS_A_WORKER = 500  # then a new one takes its place, for what libraries leak
MOST_IN_SLOW_LANE = 16  # calls that wait there or are at work: each holds its file in memory
MOST_KNOWN_SLOW = 1000  # keys; a few kilobytes
_STOPPED_FROM_OUTSIDE = (-signal.SIGTERM, -signal.SIGHUP, 255)  # 255: the fork server went first


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """The worker processes that read mails and books."""

    workers: int = 2
    """How many files are read at a time; as many as the machine has cores."""
    memory_mib: int = 512
    """Memory that one file may take while it is read; more, and it is refused."""
    idle_seconds: float = 300.0
    """After so long without work the processes end, and start again with the next file."""


class Sandbox:
    """Runs functions in worker processes, which start with the first call and end after some idle minutes.

    Belongs to the event loop that it is first used in.
    """

    _fork_server: ClassVar = threading.Lock()
    """Python has one fork server for a process, and ends it only with the process: here, with the last pool."""
    _pools: ClassVar = 0

    def __init__(self, settings: SandboxSettings, *, preload: Sequence[str] = ()) -> None:
        """`preload` names modules to import once, for all workers; they must not start threads when imported."""
        self._settings = settings
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([call.__module__, ProcessPool.__module__, *preload])
        self._pool: ProcessPool | None = None
        self._starting = asyncio.Lock()
        self._calls = 0
        self._slow_lane = asyncio.Lock()
        self._in_slow_lane = 0
        self._slow: dict[str, None] = {}
        """Keys of what took long the last time, the oldest first."""
        self._idle: asyncio.TimerHandle | None = None
        self._stopping: asyncio.Task[None] | None = None

    async def run(self, function: Callable[..., T], *args: object, timeout_seconds: float, **kwargs: object) -> T:
        """What `function(*args, **kwargs)` returns or raises; all of them must be picklable.

        The time is the processor's: that the machine is busy is not the file's fault. On the wall it may
        take `PATIENCE` times as long, counted from when a worker takes the call. If all the workers are lost for a
        reason of their own, the function may run twice. Raises `SandboxTimeout` and `SandboxKilled` for what the
        function does to its worker, and `Unavailable` if somebody else stops the worker. Cancelling kills the worker.
        """
        return await self._run(partial(function, *args, **kwargs), seconds=timeout_seconds, patience=timeout_seconds)

    async def run_quick(
        self,
        function: Callable[..., T],
        *args: object,
        key: str,
        quick_seconds: float,
        timeout_seconds: float,
        **kwargs: object,
    ) -> T:
        """`run`, for what is read in no time as a rule. `key` names the same thing from one time to the next.

        What takes more than `quick_seconds` is begun anew in the slow lane, where one is at work at a time, and begins
        there the next time: however many of them there are, they leave the other workers to those that are as they
        should be. Raises `SandboxTimeout` also where too many are in the lane.
        """
        call = partial(function, *args, **kwargs)
        if key not in self._slow:
            try:
                return await self._run(call, seconds=min(quick_seconds, timeout_seconds), patience=timeout_seconds)
            except SandboxTimeout as error:
                log.info("goes to the slow lane", key=key, reason=str(error))
        if self._in_slow_lane >= MOST_IN_SLOW_LANE:
            raise SandboxTimeout("too many that take long wait already")
        self._in_slow_lane += 1
        try:
            async with self._slow_lane:
                self._note_slow(key)
                started = time.monotonic()
                result = await self._run(call, seconds=timeout_seconds, patience=timeout_seconds)
                if time.monotonic() - started < quick_seconds:
                    self._slow.pop(key, None)
                return result
        finally:
            self._in_slow_lane -= 1

    def _note_slow(self, key: str) -> None:
        self._slow.pop(key, None)
        self._slow[key] = None
        if len(self._slow) > MOST_KNOWN_SLOW:
            del self._slow[next(iter(self._slow))]

    async def _run(self, function: Callable[[], T], *, seconds: float, patience: float) -> T:
        """Within these seconds of a processor, and `PATIENCE` times `patience` on the wall."""
        pickled = pickle.dumps(partial(said_in, spoken(), function))  # what it raises may be told to a user
        self._calls += 1
        try:
            value, error = pickle.loads(await self._call(pickled, seconds, patience * PATIENCE))  # noqa: S301 - see sandbox_worker
        finally:
            self._calls -= 1
            self._stop_when_idle()
        if error is not None:
            raise error
        result: T = value
        return result

    async def close(self) -> None:
        """Wait for the calls in hand (which have their time limits), then end the processes."""
        if self._idle is not None:
            self._idle.cancel()
        await self._stop()

    async def _call(self, pickled: bytes, seconds: float, wall_seconds: float) -> bytes:
        for _ in range(2):
            pool = await self._start()
            try:
                future = pool.schedule(call, args=(pickled, seconds), timeout=wall_seconds)
                return await asyncio.wrap_future(future)
            except TimeoutError as error:
                raise SandboxTimeout(f"not done after {wall_seconds} s") from error
            except ProcessExpired as error:
                if error.exitcode == -signal.SIGPROF:
                    raise SandboxTimeout(f"not done after {seconds} s of a processor") from error
                if error.exitcode in _STOPPED_FROM_OUTSIDE:
                    raise Unavailable("a worker process was stopped") from error
                raise SandboxKilled(f"the worker process ended with {_exit_status(error.exitcode)}") from error
            except (BrokenProcessPool, RuntimeError):
                # pebble 5.2 gives up the whole pool when a worker dies that it does not know to be at work: an idle
                # one, or one that died before it could say what it had begun. A new pool does what this one did not.
                await self._stop(pool)
        raise SandboxKilled("two pools of worker processes in a row were lost")

    async def _start(self) -> ProcessPool:
        async with self._starting:
            if self._pool is None:
                self._pool = await asyncio.to_thread(self._new_pool)
            return self._pool

    def _new_pool(self) -> ProcessPool:
        """A started pool. In a thread of its own, since the fork server takes its time to import what is preloaded."""
        _hide_script()
        pool = ProcessPool(
            max_workers=self._settings.workers,
            max_tasks=CALLS_A_WORKER,
            initializer=confine,
            initargs=(self._settings.memory_mib << 20,),
            context=self._context,
        )
        with Sandbox._fork_server:
            try:
                is_active = pool.active  # the question starts it
            except BrokenProcessPool as error:
                raise Unavailable(f"no worker process: {error.__cause__}") from error
            Sandbox._pools += 1
        if not is_active:
            self._end_pool(pool)
            raise Unavailable("the worker processes ended as they began")
        return pool

    def _end_pool(self, pool: ProcessPool) -> None:
        pool.close()  # type: ignore[no-untyped-call] # pebble 5.2 annotates no method without arguments
        pool.join()
        with Sandbox._fork_server:
            Sandbox._pools -= 1
            if Sandbox._pools == 0:
                # Undocumented, but CPython's own tests use it, from 3.11 to 3.14. It saves the 15 to 50 MB of an idle
                # fork server; where other workers are alive it would wait for them.
                forkserver._forkserver._stop()  # type: ignore[attr-defined]

    async def _stop(self, pool: ProcessPool | None = None) -> None:
        """End the processes of `pool`, if it is still the one in use."""
        async with self._starting:
            if self._pool is not None and pool in (None, self._pool):
                pool, self._pool = self._pool, None
                await asyncio.to_thread(self._end_pool, pool)

    def _stop_when_idle(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        if self._calls == 0 and self._pool is not None:
            loop = asyncio.get_running_loop()
            self._idle = loop.call_later(self._settings.idle_seconds, self._stop_idle)

    def _stop_idle(self) -> None:
        if self._calls == 0:
            self._stopping = asyncio.create_task(self._stop())


def _exit_status(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"status {code}"


def _hide_script() -> None:
    """Keep workers from importing the program that runs us, with all that it imports.

    multiprocessing runs the main script again in each new process, but not a `__main__` module of a package, and the
    script `inkpost` is `python -m bot` by another name.
    """
    main = sys.modules["__main__"]
    if main.__spec__ is None:
        main.__spec__ = importlib.util.find_spec("bot.__main__")
