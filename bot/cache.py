"""Answers that may be a little old, kept in the process's memory or in Redis, and computed once at a time."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar, cast
from urllib.parse import urlsplit

import structlog

from core.errors import InkpostError, Unavailable

log = structlog.get_logger(__name__)

T = TypeVar("T")

AWAY_SECONDS = 30.0  # for so long one that failed is not asked again
_AWAY = object()
_PREFIX = re.compile(r"[\w:-]+")  # no sign that Redis or cashews takes for a pattern


@dataclass(frozen=True, slots=True)
class CacheSettings:
    """Where answers are kept that are asked for often, and what each client did at the edge."""

    url: str = ""
    """`redis://host:6379/0` to share them between processes; the memory of each process where empty."""
    entries: int = 10_000
    """How many are kept in memory; those that were not asked for the longest go first."""

    def __post_init__(self) -> None:
        if self.url and not self.url.startswith(("redis://", "rediss://")):
            raise ValueError("a cache's URL starts with redis:// or rediss://")
        _ = urlsplit(self.url).port  # raises ValueError for what is no port


class Entries(Protocol):
    """Where a cache's texts are, each until its time is over. Raises `Unavailable`, `ValueError` for no text."""

    async def get(self, key: str) -> object: ...

    async def set(self, key: str, text: str, *, ttl_seconds: float) -> None: ...

    async def delete(self, key: str) -> None: ...

    async def delete_prefix(self, prefix: str) -> None: ...

    async def close(self) -> None: ...


class MemoryEntries:
    """In this process. One that is too old goes when it is asked for, or is pushed out. See `Entries`.

    Not cashews' own: to import cashews is to import redis with it, and all that redis may use.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._texts: OrderedDict[str, tuple[float, str]] = OrderedDict()
        """With the time at which each is too old; what was asked for last stands last."""

    async def get(self, key: str) -> object:
        old_at, text = self._texts.get(key, (0.0, None))
        if time.monotonic() >= old_at:
            self._texts.pop(key, None)
            return None
        self._texts.move_to_end(key)
        return text

    async def set(self, key: str, text: str, *, ttl_seconds: float) -> None:
        self._texts[key] = (time.monotonic() + ttl_seconds, text)
        self._texts.move_to_end(key)
        if len(self._texts) > self._most:
            self._texts.popitem(last=False)

    async def delete(self, key: str) -> None:
        self._texts.pop(key, None)

    async def delete_prefix(self, prefix: str) -> None:
        for key in [key for key in self._texts if key.startswith(prefix)]:
            del self._texts[key]

    async def close(self) -> None:
        self._texts.clear()


class Cache:
    """A cache of JSON values. Nothing fails because of it: without Redis, values are computed.

    A value is as old as its `ttl_seconds` at most. An invalidation reaches the processes that share a Redis, and
    otherwise this process alone, so a short time to live is what limits how long a revoked right still counts.
    """

    def __init__(self, settings: CacheSettings) -> None:
        """Connects to nothing. Raises `ValueError` for a URL that is none; see `open_entries`."""
        self._entries = open_entries(settings)
        self._flights: dict[str, asyncio.Task[str]] = {}
        self._away_until = 0.0
        self._missed_deletion = False

    async def get_or_set(self, key: str, *, ttl_seconds: float, factory: Callable[[], Awaitable[T]]) -> T:
        """The kept value, or what `factory` makes, which is then kept. Each caller gets a copy of its own.

        Values are JSON: tuples come back as lists. In this process the factory runs once for all who wait; what it
        raises, all of them get, and it is not kept. A caller that is cancelled does not disturb the others.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = asyncio.create_task(self._load(key, ttl_seconds, factory))
            flight.add_done_callback(lambda landed: self._land(key, landed))
        return cast(T, json.loads(await asyncio.shield(flight)))

    async def delete(self, key: str) -> None:
        """Forget a value; one that is being computed is not kept."""
        self._flights.pop(key, None)
        await self._forget(lambda: self._entries.delete(key))

    async def delete_prefix(self, prefix: str) -> None:
        """Forget all values whose key starts so. Letters, digits, `_`, `-` and `:` only, else `ValueError`."""
        if not _PREFIX.fullmatch(prefix):
            raise ValueError(f"{prefix!r} is no prefix of keys")
        for key in [key for key in self._flights if key.startswith(prefix)]:
            del self._flights[key]
        await self._forget(lambda: self._entries.delete_prefix(prefix))

    async def close(self) -> None:
        for flight in self._flights.values():
            flight.cancel()
        await self._entries.close()

    async def _load(self, key: str, ttl_seconds: float, factory: Callable[[], Awaitable[object]]) -> str:
        text = await self._ask(lambda: self._entries.get(key), otherwise=None)
        if not isinstance(text, str):
            text = json.dumps(await factory())
            if self._flights.get(key) is asyncio.current_task():  # else it was deleted since, and may be old already
                made = text
                await self._ask(lambda: self._entries.set(key, made, ttl_seconds=ttl_seconds), otherwise=None)
        return text

    def _land(self, key: str, flight: asyncio.Task[str]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
        if not flight.cancelled():
            flight.exception()  # told to those who waited; where all of them were cancelled, to nobody

    async def _forget(self, deletion: Callable[[], Awaitable[object]]) -> None:
        if await self._ask(deletion, otherwise=_AWAY) is _AWAY:
            self._missed_deletion = True

    async def _ask(self, call: Callable[[], Awaitable[object]], *, otherwise: object) -> object:
        """What the cache says, or `otherwise` while it is away. One line in the log for each time that it goes."""
        now = asyncio.get_running_loop().time()
        if now < self._away_until:
            return otherwise
        try:
            if self._missed_deletion:  # which one, nobody remembers
                await self._entries.delete_prefix("")
                self._missed_deletion = False
            return await call()
        except Unavailable as error:
            self._away_until = now + AWAY_SECONDS
            log.warning("cache is away", error=str(error), seconds=AWAY_SECONDS)
        except ValueError:
            log.warning("cache holds what is no JSON")
        return otherwise


def open_entries(settings: CacheSettings) -> Entries:
    """Connects to nothing. Raises `InkpostError` where what a Redis takes is not installed."""
    if not settings.url:
        return MemoryEntries(settings.entries)
    try:
        from bot.cache_redis import RedisEntries  # 13 MB, for those who share their cache
    except ImportError as error:
        raise InkpostError("a cache in Redis needs the package `redis`") from error
    return RedisEntries(settings.url)
