"""Running the service: what starts in which order, and how it ends so that nothing in hand is lost."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial

import structlog

from bot.app import App
from bot.roles import Role
from core.services.feed_checks import FeedChecks

log = structlog.get_logger(__name__)


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
        if app.engine.is_embedded:  # only this process checks feeds, and has not begun
            await app.engine.in_work(lambda work: FeedChecks(work).release_all())
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
        app.health.is_up = True
        log.info("inkpost is up", roles=sorted(app.roles), smtp=app.listener.addresses, health=app.health.port)
        yield
        app.health.is_up = False
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
