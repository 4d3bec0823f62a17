"""A cache's entries in Redis, for the processes that share one. A module of its own: its imports take 13 MB."""

from __future__ import annotations

import warnings
from typing import Any

from cashews import Cache as Cashews
from cashews.exceptions import CacheError
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from core.errors import Unavailable

REDIS_SECONDS = 0.5  # a Redis that is slower than this is slower than the database
_NAMESPACE = "inkpost:"  # others may use the same Redis
_OPTIONS: dict[str, Any] = {  # raise at once instead of logging a traceback for each command, as cashews does
    "suppress": False,
    "client_name": "inkpost",
    "socket_timeout": REDIS_SECONDS,
    "socket_connect_timeout": REDIS_SECONDS,
    "wait_for_connection_timeout": REDIS_SECONDS,
}


class RedisEntries:
    """See `bot.cache.Entries`."""

    def __init__(self, url: str) -> None:
        """Connects to nothing. Raises `ValueError` for a URL that is none."""
        self._cashews = Cashews(name="inkpost")
        self._cashews.setup(url, pickle_type="json", retry=Retry(NoBackoff(), 0), **_OPTIONS)

    async def get(self, key: str) -> object:
        try:
            return await self._cashews.get(_NAMESPACE + key)
        except CacheError as error:
            raise _away(error) from error

    async def set(self, key: str, text: str, *, ttl_seconds: float) -> None:
        try:
            await self._cashews.set(_NAMESPACE + key, text, expire=ttl_seconds)
        except CacheError as error:
            raise _away(error) from error

    async def delete(self, key: str) -> None:
        try:
            await self._cashews.delete(_NAMESPACE + key)
        except CacheError as error:
            raise _away(error) from error

    async def delete_prefix(self, prefix: str) -> None:
        try:
            await self._cashews.delete_match(f"{_NAMESPACE}{prefix}*")
        except CacheError as error:
            raise _away(error) from error

    async def close(self) -> None:
        with warnings.catch_warnings():  # cashews 7.6 calls Redis.close(), which redis 5 renamed
            warnings.simplefilter("ignore", DeprecationWarning)
            await self._cashews.close()


def _away(error: CacheError) -> Unavailable:
    return Unavailable(str(error.__cause__ or error))
