"""The cache, in memory and in a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack

import pytest
import structlog

from bot import cache as cache_room
from bot.cache import Cache, CacheSettings
from tests.support.ports import free_port
from tests.support.redis_server import find_redis_server, running_redis


class Source:
    """What is cached: says how often it was asked, and can be made to wait."""

    def __init__(self, value: object = "value") -> None:
        self.value = value
        self.calls = 0
        self.called = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self) -> object:
        self.calls += 1
        self.called.set()
        await self.gate.wait()
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


@pytest.fixture(params=["memory", "redis"])
async def cache(request: pytest.FixtureRequest) -> AsyncIterator[Cache]:
    url = request.getfixturevalue("redis_url") if request.param == "redis" else ""
    cache = Cache(CacheSettings(url=url))
    for prefix in ("test", "other"):
        await cache.delete_prefix(prefix)
    yield cache
    await cache.close()


async def get(cache: Cache, source: Source, key: str = "test:key", *, ttl_seconds: float = 60) -> object:
    return await cache.get_or_set(key, ttl_seconds=ttl_seconds, factory=source)


async def test_value_is_made_once_and_then_kept(cache: Cache) -> None:
    source = Source()

    assert [await get(cache, source) for _ in range(3)] == ["value"] * 3
    assert source.calls == 1


VALUES = ["", "5", "text \N{SNOWMAN}\n", 5, -5, 0, 2.5, True, False, None, [], [1, "2", None], {"a": [{"b": None}]}]


@pytest.mark.parametrize("value", VALUES, ids=repr)
async def test_value_comes_back_as_it_was(cache: Cache, value: object) -> None:
    source = Source(value)

    found = [await get(cache, source), await get(cache, source)]

    assert found == [value, value]
    assert [type(one) for one in found] == [type(value)] * 2
    assert source.calls == 1


async def test_each_caller_has_a_copy_of_its_own(cache: Cache) -> None:
    source = Source(["a"])

    both = await asyncio.gather(get(cache, source), get(cache, source))
    for found in both:
        assert isinstance(found, list)
        found.append("changed")

    assert await get(cache, source) == ["a"]


async def test_keys_are_apart(cache: Cache) -> None:
    assert await get(cache, Source("one"), "test:jane+x@example.org") == "one"
    assert await get(cache, Source("two"), "test:jane+y@example.org") == "two"


async def test_value_is_made_anew_when_it_is_too_old(cache: Cache) -> None:
    source = Source()

    async with asyncio.timeout(60):
        while source.calls < 2:
            await get(cache, source, ttl_seconds=0.02)
            await asyncio.sleep(0)


async def test_many_who_want_it_at_once_have_it_made_once(cache: Cache) -> None:
    source = Source()

    found = await asyncio.gather(*(get(cache, source) for _ in range(20)))

    assert found == ["value"] * 20
    assert source.calls == 1


async def test_error_reaches_all_who_wait_and_is_not_kept(cache: Cache) -> None:
    source = Source(LookupError("no such book"))

    found = await asyncio.gather(*(get(cache, source) for _ in range(3)), return_exceptions=True)
    source.value = "found"

    assert [str(error) for error in found] == ["no such book"] * 3
    assert await get(cache, source) == "found"


async def test_caller_that_is_cancelled_does_not_disturb_the_others(cache: Cache) -> None:
    source = Source()
    source.gate.clear()
    first, second = (asyncio.ensure_future(get(cache, source)) for _ in range(2))
    await source.called.wait()

    first.cancel()
    source.gate.set()

    assert await second == "value"
    assert source.calls == 1
    assert first.cancelled()


async def test_deleted_value_is_made_anew(cache: Cache) -> None:
    source = Source()
    await get(cache, source)

    await cache.delete("test:key")
    await cache.delete("test:key")

    await get(cache, source)
    assert source.calls == 2


async def test_values_are_deleted_by_the_start_of_their_keys(cache: Cache) -> None:
    users, others = Source(), Source()
    for key in ("test:user:1", "test:user:jane.o'hara+x@example.org"):
        await get(cache, users, key)
    for key in ("test:use", "other:test:user:1"):
        await get(cache, others, key)

    await cache.delete_prefix("test:user:")

    for key in ("test:user:1", "test:user:jane.o'hara+x@example.org"):
        await get(cache, users, key)
    for key in ("test:use", "other:test:user:1"):
        await get(cache, others, key)
    assert (users.calls, others.calls) == (4, 2)


@pytest.mark.parametrize("prefix", ["", "*", "te?t", "test[", "test.", "test\\"])
async def test_pattern_is_no_prefix(cache: Cache, prefix: str) -> None:
    with pytest.raises(ValueError, match="is no prefix"):
        await cache.delete_prefix(prefix)


@pytest.mark.parametrize("how", ["key", "prefix"])
async def test_value_that_was_deleted_while_it_was_made_is_not_kept(cache: Cache, how: str) -> None:
    old, new = Source("old"), Source("new")
    old.gate.clear()
    waiting = asyncio.ensure_future(get(cache, old))
    await old.called.wait()

    await (cache.delete("test:key") if how == "key" else cache.delete_prefix("test"))
    old.gate.set()

    assert await waiting == "old"
    assert await get(cache, new) == "new"
    assert await get(cache, new) == "new"


async def test_redis_is_shared_between_processes(redis_url: str) -> None:
    one, other = (Cache(CacheSettings(url=redis_url)) for _ in range(2))
    await one.delete_prefix("test")
    source = Source()

    await get(one, source)
    await get(other, source)
    calls_when_shared = source.calls
    await other.delete("test:key")
    await get(one, source)

    assert (calls_when_shared, source.calls) == (1, 2)
    await one.close()
    await other.close()


async def test_memory_keeps_no_more_than_it_may() -> None:
    cache = Cache(CacheSettings(entries=2))
    source = Source()
    for key in ("test:1", "test:2", "test:3", "test:3", "test:2", "test:1"):
        await get(cache, source, key)

    assert source.calls == 4
    await cache.close()


async def test_service_goes_on_while_redis_is_away() -> None:
    cache = Cache(CacheSettings(url=f"redis://127.0.0.1:{free_port()}/0"))
    source = Source()

    with structlog.testing.capture_logs() as logs:
        found = [await get(cache, source), await get(cache, source)]
        await cache.delete("test:key")
        await cache.delete_prefix("test")

    assert found == ["value", "value"]
    assert source.calls == 2
    assert [(line["log_level"], line["event"]) for line in logs] == [("warning", "cache is away")]
    await cache.close()


async def test_what_was_deleted_while_redis_was_away_is_not_seen_again(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_room, "AWAY_SECONDS", 0.0)
    program = find_redis_server()
    assert program is not None
    port = free_port()
    source = Source("old")
    with ExitStack() as first:
        url = first.enter_context(running_redis(program, port=port))
        cache = Cache(CacheSettings(url=url))
        await get(cache, source)
    other = Source("new")

    await cache.delete("test:key")
    with running_redis(program, port=port):
        seeding = Cache(CacheSettings(url=url))
        await get(seeding, source)  # as if it had been there all the time
        found = await get(cache, other)
        await seeding.close()

    assert found == "new"
    await cache.close()


@pytest.mark.parametrize("url", ["memcached://localhost", "localhost:6379", "mem://"])
def test_url_of_no_cache_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="redis://"):
        Cache(CacheSettings(url=url))
