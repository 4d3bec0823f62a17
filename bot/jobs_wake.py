"""What both connectors need around Procrastinate's storage so that no job waits for a poll that could run now."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Collection, Iterable
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
_MAKE_WORK = {QUERIES[name] for name in ("defer_jobs", "defer_periodic_job", "retry_job", "cancel_job")}
"""Queries after which a job may be due that was not before, and in any queue."""


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
        self._last_wakes: dict[str | None, object] = {}
        """By queue, None for all of them."""
        self._inboxes: dict[Callable[[str], object], set[str]] = {}
        """Those of the workers, with the queues that each does the jobs of."""
        self._doing: dict[int, str | None] = {}
        """The queue of each job in hand, None where it holds no lock."""

    def wake(self, queues: Collection[str] | None = None) -> None:
        """Have the workers of this process look for jobs, in these queues if they are known. Call it after a commit,
        from any thread."""
        self._tell({"type": "job_inserted", "job_id": 0}, queues)

    def _tell(self, notification: dict[str, Any], queues: Collection[str] | None = None) -> None:
        for queue in (None,) if queues is None else queues:
            self._last_wakes[queue] = object()  # a new one each time: assigning is atomic, counting would not be
        for put, theirs in tuple(self._inboxes.items()):
            if queues is None or not theirs.isdisjoint(queues):
                put(json.dumps(notification))

    def _seen(self, queues: Iterable[str] | None) -> list[object]:
        """What was heard of these queues so far."""
        return [self._last_wakes.get(queue) for queue in (None, *(queues or self._last_wakes))]

    async def listen_notify(self, on_notification: Notify, channels: Iterable[str]) -> None:
        async def note(*, channel: str, payload: str) -> None:
            self._last_wakes[_queue_of(channel)] = object()
            await on_notification(channel=channel, payload=payload)

        async with asyncio.TaskGroup() as group:
            group.create_task(super().listen_notify(note, channels))
            group.create_task(self._listen_here(on_notification, channels))

    async def _listen_here(self, on_notification: Notify, channels: Iterable[str]) -> None:
        inbox: asyncio.Queue[str] = asyncio.Queue()
        put = partial(_put, asyncio.get_running_loop(), inbox)
        self._inboxes[put] = {_queue_of(channel) for channel in channels}
        try:
            while True:
                await on_notification(channel=next(iter(channels)), payload=await inbox.get())
        finally:
            del self._inboxes[put]

    async def execute_query_one_async(self, query: LiteralString, **arguments: Any) -> dict[str, Any]:
        while True:
            seen = self._seen(arguments.get("queues"))
            row = await super().execute_query_one_async(query, **arguments)
            if query != _FETCH or row["id"] is not None or seen == self._seen(arguments.get("queues")):
                break
        if query == _FETCH and row["id"] is not None:
            self._doing[row["id"]] = row["queue_name"] if row["lock"] is not None else None
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
        if query == _FINISH:
            self._release(arguments["job_id"])
            return
        if query == _RETRY:
            self._doing.pop(arguments["job_id"], None)
        if query == _CANCEL and arguments["abort"]:
            self._tell({"type": "abort_job_requested", "job_id": arguments["job_id"]})
        elif query in _MAKE_WORK:
            self.wake()

    def _release(self, job_id: int) -> None:
        """Tell who may wait for the lock of a job that has ended: a lock is of one queue (`core.jobs.Job`)."""
        if job_id not in self._doing:
            self.wake()
        elif (queue := self._doing.pop(job_id)) is not None:
            self.wake([queue])


def _queue_of(channel: str) -> str:
    """`procrastinate_queue_v1#inbound` is told of the jobs of `inbound`."""
    return channel.rpartition("#")[2]


def _put(loop: asyncio.AbstractEventLoop, inbox: asyncio.Queue[str], payload: str) -> None:
    """From any thread, after a commit that stands whatever becomes of this."""
    with suppress(RuntimeError):  # The loop was closed: it has no worker any more, and nobody is to be told.
        loop.call_soon_threadsafe(inbox.put_nowait, payload)
