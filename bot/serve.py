"""Running the service: what starts in which order, and how it ends so that nothing in hand is lost."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import importlib
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from typing import Any, TypeVar

import structlog

from bot.app import App
from bot.roles import Role

T = TypeVar("T")

log = structlog.get_logger(__name__)


M_ARENA_MAX = -8  # glibc's <malloc.h>
ARENAS = 2


def run_loop(main: Coroutine[Any, Any, T]) -> T:
    """What `main` returns, run in a loop of its own: uvloop's where the extra `fast` is installed, else asyncio's."""
    _share_heaps()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(main)


def _share_heaps() -> None:
    """Give all threads two heaps together, before there are any.

    Of glibc they get one each, up to eight a core, and every heap keeps the room that its busiest moment took. That
    they need not wait for each other is of no use to threads that wait for the interpreter's lock.
    """
    with suppress(AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, ARENAS)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        factory: Callable[[], asyncio.AbstractEventLoop] = importlib.import_module("uvloop").new_event_loop
    except ImportError:
        return None
    return factory


@asynccontextmanager
async def running(app: App) -> AsyncIterator[None]:
    """The service at work for as long as the block lasts.

    The way in opens last and closes first, with its 421; mails on their way get their grace, then jobs in hand get
    theirs. What is not done by then stands in the database and goes on at the next start.
    """
    async with AsyncExitStack() as stack:
        await app.health.start()
        stack.push_async_callback(app.health.close)
        await _replay(app)  # before any job: what the relay took must not be sent again
        if Role.WORKER in app.roles:
            await _start_worker(app, stack)
        if Role.SCHEDULER in app.roles:
            await _start_scheduler(app, stack)
        if Role.INTAKE in app.roles:
            await app.listener.start()
            stack.push_async_callback(app.listener.close)
            await app.lmtp.start()
            stack.push_async_callback(app.lmtp.close)
            app.imap.start()
            stack.push_async_callback(app.imap.close)
            if app.clicks is not None:
                await app.clicks.start()
                stack.push_async_callback(app.clicks.close)
        log.info("inkpost is up", roles=sorted(app.roles), smtp=app.listener.addresses, health=app.health.port)
        yield
        log.info("inkpost goes down")


async def _start_worker(app: App, stack: AsyncExitStack) -> None:
    worker = asyncio.create_task(app.engine.run_worker(before_reaping=partial(_replay, app)), name="worker")
    stack.push_async_callback(_end, worker)


async def _start_scheduler(app: App, stack: AsyncExitStack) -> None:
    refresher = asyncio.create_task(app.refresher.run(), name="feeds")
    stack.push_async_callback(_end, refresher)
    await app.digests.start()
    stack.callback(app.digests.close)
    app.upkeep.start()
    stack.callback(app.upkeep.close)


async def _replay(app: App) -> None:
    if replayed := await app.replay():
        log.info("deliveries recorded from a journal", count=replayed)


async def serve(app: App) -> None:
    """Run until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running(app):
        # A full collection looks at 150,000 objects that our modules hold for ever: 80 ms in which nothing is answered.
        gc.collect()
        gc.freeze()
        await stop.wait()


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
