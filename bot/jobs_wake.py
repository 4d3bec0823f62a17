"""What both connectors need around Procrastinate's storage so that no job waits for a poll that could run now."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any, LiteralString

import stamina
from procrastinate.connector import BaseAsyncConnector, Notify
from procrastinate.exceptions import ConnectorException, UniqueViolation

from bot.jobs_queries import QUERIES
from bot.transactions import is_transient

_FETCH, _FINISH, _RETRY = (QUERIES[name] for name in ("fetch_job", "finish_job", "retry_job"))
_CANCEL = QUERIES["cancel_job"]
_MAKE_WORK = {QUERIES[name] for name in ("defer_jobs", "defer_periodic_job", "finish_job", "retry_job", "cancel_job")}
"""Queries after which a job may be due that was not before; a finished one releases its lock."""


class Wakeful(BaseAsyncConnector):
    """A connector (the next class in the resolution order) that tells the workers of this process what they missed.

    Three things that Procrastinate 3.10 leaves to its poll, to be looked at again with each new version:

    - A released lock sends no notification, on PostgreSQL either.
    - A notification that comes while a fetch is under way is forgotten, because the worker clears its event after the
      fetch. So a fetch that found nothing, and during which something happened, is made again.
    - A retry whose queueing lock is taken by a waiting twin raises, and the job would be `doing` for ever. The twin
      does the same work, so the job is forgotten.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._last_wake = object()
        self._inboxes: set[Callable[[str], object]] = set()

    def wake(self) -> None:
        """Have the workers of this process look for jobs. Call it after a commit, from any thread."""
        self._tell({"type": "job_inserted", "job_id": 0})

    def _tell(self, notification: dict[str, Any]) -> None:
        self._last_wake = object()  # a new one each time: assigning is atomic, counting would not be
        for put in tuple(self._inboxes):
            put(json.dumps(notification))

    async def listen_notify(self, on_notification: Notify, channels: Iterable[str]) -> None:
        async def note(*, channel: str, payload: str) -> None:
            self._last_wake = object()
            await on_notification(channel=channel, payload=payload)

        async with asyncio.TaskGroup() as group:
            group.create_task(super().listen_notify(note, channels))
            group.create_task(self._listen_here(on_notification, channel=next(iter(channels))))

    async def _listen_here(self, on_notification: Notify, *, channel: str) -> None:
        inbox: asyncio.Queue[str] = asyncio.Queue()
        put = partial(_put, asyncio.get_running_loop(), inbox)
        self._inboxes.add(put)
        try:
            while True:
                await on_notification(channel=channel, payload=await inbox.get())
        finally:
            self._inboxes.discard(put)

    async def execute_query_one_async(self, query: LiteralString, **arguments: Any) -> dict[str, Any]:
        while True:
            seen = self._last_wake
            row = await super().execute_query_one_async(query, **arguments)
            if query != _FETCH or row["id"] is not None or seen is self._last_wake:
                break
        self._after(query, arguments)
        return row

    async def execute_query_all_async(self, query: LiteralString, **arguments: Any) -> list[dict[str, Any]]:
        rows = await super().execute_query_all_async(query, **arguments)
        self._after(query, arguments)
        return rows

    async def execute_query_async(self, query: LiteralString, **arguments: Any) -> None:
        try:
            await self._execute(query, **arguments)
        except ConnectorException as error:
            if query not in (_FINISH, _RETRY) or not is_transient(error):
                raise
            await self._patiently(query, **arguments)
        self._after(query, arguments)

    async def _patiently(self, query: LiteralString, **arguments: Any) -> None:
        """The end of a job is worth some patience: a mark that is lost to a database's restart runs the job again."""
        async for attempt in stamina.retry_context(on=is_transient, attempts=6, wait_initial=0.2, wait_max=5):
            with attempt:
                await self._execute(query, **arguments)

    async def _execute(self, query: LiteralString, **arguments: Any) -> None:
        try:
            await super().execute_query_async(query, **arguments)
        except UniqueViolation:
            if query != _RETRY:
                raise
            await super().execute_query_async(_FINISH, job_id=arguments["job_id"], status="aborted", delete_job=True)

    def _after(self, query: str, arguments: dict[str, Any]) -> None:
        if query == _CANCEL and arguments["abort"]:
            self._tell({"type": "abort_job_requested", "job_id": arguments["job_id"]})
        elif query in _MAKE_WORK:
            self.wake()


def _put(loop: asyncio.AbstractEventLoop, inbox: asyncio.Queue[str], payload: str) -> None:
    """From any thread, after a commit that stands whatever becomes of this."""
    with suppress(RuntimeError):  # The loop was closed: it has no worker any more, and nobody is to be told.
        loop.call_soon_threadsafe(inbox.put_nowait, payload)
