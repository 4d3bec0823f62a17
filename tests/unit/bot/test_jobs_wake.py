"""No job waits for a poll that could run now."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
from procrastinate import exceptions
from procrastinate.connector import BaseAsyncConnector, Notify
from procrastinate.manager import get_channel_for_queues

from bot.jobs_queries import NAMES, QUERIES
from bot.jobs_wake import Wakeful

FETCH = QUERIES["fetch_job"]
FINISH = QUERIES["finish_job"]
FINISHED: dict[str, Any] = {"job_id": 7, "status": "succeeded", "delete_job": True}


class Script(BaseAsyncConnector):
    """A storage whose answers are functions, called in their order; one that raises is an error of the storage."""

    lock: str | None = None
    """Of every job that is fetched."""

    def __init__(self, *answers: Callable[[], Any]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def execute_query_one_async(self, query: str, **_arguments: Any) -> dict[str, Any]:
        return {"id": self._answer(query), "queue_name": "inbound", "lock": self.lock}

    async def execute_query_async(self, query: str, **_arguments: Any) -> None:
        self._answer(query)

    async def listen_notify(self, on_notification: Notify, channels: Iterable[str]) -> None:
        await asyncio.Event().wait()

    def _answer(self, query: str) -> Any:
        self.asked.append(NAMES[query])
        return self.answers.pop(0)()


class WakefulScript(Wakeful, Script):
    """The connector under test."""


async def fetch(connector: Wakeful) -> object:
    return (await connector.execute_query_one_async(FETCH, queues=None, worker_id=1))["id"]


def nothing() -> None:
    return None


async def test_fetch_that_missed_a_commit_is_made_again() -> None:
    connector = WakefulScript()
    connector.answers = [connector.wake, lambda: 7]

    assert await fetch(connector) == 7


async def test_fetch_that_missed_nothing_is_made_once() -> None:
    connector = WakefulScript(nothing)

    assert await fetch(connector) is None
    assert connector.asked == ["fetch_job"]


async def test_fetch_that_found_a_job_hands_it_over_whatever_happened_meanwhile() -> None:
    def found() -> int:
        connector.wake()
        return 7

    connector = WakefulScript(found)

    assert await fetch(connector) == 7


async def test_end_of_a_job_outlasts_a_short_outage() -> None:
    def away() -> None:
        raise exceptions.ConnectorException from psycopg.errors.AdminShutdown()

    connector = WakefulScript(away, nothing)

    await connector.execute_query_async(FINISH, **FINISHED)

    assert connector.asked == ["finish_job", "finish_job"]


async def test_listener_hears_of_wakes_from_any_thread() -> None:
    connector = WakefulScript()
    heard = asyncio.Event()

    async def hear(*, channel: str, payload: str) -> None:
        assert (channel, "job_inserted" in payload) == ("any", True)
        heard.set()

    async with asyncio.timeout(5):
        listener = asyncio.create_task(connector.listen_notify(hear, ["any"]))
        while not heard.is_set():
            await asyncio.to_thread(connector.wake)
    listener.cancel()
    await asyncio.gather(listener, return_exceptions=True)


async def test_lane_hears_of_jobs_in_its_own_queues_alone() -> None:
    connector = WakefulScript()
    heard: list[str] = []
    async with listening(connector, heard, "inbound", "outbound"), listening(connector, heard, "news"):
        connector.wake(["outbound", "default"])
        await until(heard, ["inbound+outbound"])
        connector.wake(["news"])
        await until(heard, ["inbound+outbound", "news"])
        connector.wake()
        await until(heard, ["inbound+outbound", "news", "inbound+outbound", "news"])


async def test_fetch_is_not_made_again_for_a_job_of_another_lane() -> None:
    connector = WakefulScript()
    connector.answers = [lambda: connector.wake(["inbound"])]

    row = await connector.execute_query_one_async(FETCH, queues=["news"], worker_id=1)

    assert (row["id"], connector.asked) == (None, ["fetch_job"])


@pytest.mark.parametrize(("lock", "told"), [("mail:ada", ["inbound"]), (None, [])])
async def test_end_of_a_job_is_told_to_those_who_may_wait_for_its_lock(lock: str | None, told: list[str]) -> None:
    connector = WakefulScript(lambda: FINISHED["job_id"], nothing)
    connector.lock = lock
    heard: list[str] = []
    async with listening(connector, heard, "inbound"), listening(connector, heard, "news"):
        await fetch(connector)
        await connector.execute_query_async(FINISH, **FINISHED)
        connector.wake(["news"])
        await until(heard, [*told, "news"])


@asynccontextmanager
async def listening(connector: Wakeful, heard: list[str], *queues: str) -> AsyncIterator[None]:
    """A lane of these queues, which writes its name down each time that it is told of something."""

    async def hear(*, channel: str, payload: str) -> None:
        heard.append("+".join(queues))

    lane = asyncio.create_task(connector.listen_notify(hear, get_channel_for_queues(queues)))
    while not any(set(queues) == theirs for theirs in connector._inboxes.values()):
        await asyncio.sleep(0)
    yield
    lane.cancel()
    await asyncio.gather(lane, return_exceptions=True)


async def until(heard: list[str], told: list[str]) -> None:
    async with asyncio.timeout(5):
        while len(heard) < len(told):
            await asyncio.sleep(0)
    assert heard == told
