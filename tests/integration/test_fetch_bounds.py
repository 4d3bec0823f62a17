"""What one fetch, one host and all fetches together may take, against a real server."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable

import brotli
import pytest
from aiohttp.web import BaseRequest, Response, StreamResponse
from backports import zstd

from bot.fetch import FetchSettings, HttpFetcher
from core.news.values import Fetched, FetchFailed
from core.ports import FetchLimits
from tests.support.web_server import Loopback, WebServer

MB = 1_000_000
LIMITS = FetchLimits(body_bytes=5 * MB, seconds=20.0)


@pytest.fixture
async def web() -> AsyncIterator[WebServer]:
    async with WebServer() as server:
        yield server


@pytest.fixture
async def make_fetcher() -> AsyncIterator[Callable[..., HttpFetcher]]:
    made: list[HttpFetcher] = []

    def make(*, in_flight: int = 100, memory_mib: int = 64) -> HttpFetcher:
        settings = FetchSettings(allow_private=True, in_flight=in_flight, memory_mib=memory_mib)
        made.append(HttpFetcher(settings, resolver=Loopback()))
        return made[-1]

    yield make
    for fetcher in made:
        await fetcher.close()


@pytest.fixture
def fetcher(make_fetcher: Callable[..., HttpFetcher]) -> HttpFetcher:
    return make_fetcher()


async def failure(fetcher: HttpFetcher, url: str, limits: FetchLimits = LIMITS) -> FetchFailed:
    with pytest.raises(FetchFailed) as caught:
        await fetcher.fetch(url, limits=limits)
    return caught.value


async def is_true(condition: Callable[[], bool], *, seconds: float = 5.0) -> None:
    """Waits for it, and fails at the deadline."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


def deflated_gigabyte() -> bytes:
    """1 GB of zeros as DEFLATE without an end: a megabyte that looks back at nothing, a thousand times."""
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    return (packer.compress(bytes(MB)) + packer.flush(zlib.Z_FULL_FLUSH)) * 1000


def brotli_gigabyte() -> bytes:
    packer = brotli.Compressor(quality=1)
    return b"".join([*(packer.process(bytes(MB)) for _ in range(1000)), packer.finish()])


def zstd_gigabyte() -> bytes:
    """Frames one behind the other (RFC 8878 3)."""
    frame: bytes = zstd.compress(bytes(MB))
    return frame * 1000


BOMBS = {
    "gzip": lambda: gzip.compress(b"")[:10] + deflated_gigabyte(),  # RFC 1952 2.3: ten bytes of header
    "gzip-members": lambda: gzip.compress(bytes(MB)) * 1000,  # RFC 1952 2.2: files one behind the other
    "deflate": lambda: zlib.compress(b"")[:2] + deflated_gigabyte(),  # RFC 1950 2.2: two bytes of header
    "br": brotli_gigabyte,
    "zstd": zstd_gigabyte,
}


@pytest.mark.parametrize("kind", BOMBS)
async def test_a_bomb_is_stopped_at_the_cap(kind: str, fetcher: HttpFetcher, web: WebServer) -> None:
    url = web.put("/bomb", BOMBS[kind](), headers={"Content-Encoding": kind.partition("-")[0]})
    tracemalloc.start()

    why = await failure(fetcher, url, FetchLimits(body_bytes=20 * MB))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (why.code, why.is_host_down) == ("fetch.too-large", False)
    assert why.text == "What 127.0.0.1 sends is larger than 20.0 MB."
    assert peak < 26 * MB  # the cap, a piece more, and what the server is just sending


async def test_a_body_that_says_that_it_is_too_large_is_not_read(fetcher: HttpFetcher, web: WebServer) -> None:
    url = web.raw("/large", b"HTTP/1.1 200 OK\r\nContent-Length: 5000001\r\n\r\n")  # and hangs up, which nobody sees

    assert (await failure(fetcher, url)).code == "fetch.too-large"


async def test_a_body_without_end_is_left_at_the_cap(fetcher: HttpFetcher, web: WebServer) -> None:
    async def for_ever(request: BaseRequest) -> StreamResponse:
        response = StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(bytes(65_536))

    assert (await failure(fetcher, web.put("/endless", for_ever))).code == "fetch.too-large"


@pytest.mark.parametrize("size", [0, 1, 256 * 1024, 256 * 1024 + 1, 5 * MB])
@pytest.mark.parametrize("is_packed", [False, True], ids=["plain", "gzip"])
async def test_a_body_up_to_the_cap_arrives_whole(
    size: int, is_packed: bool, fetcher: HttpFetcher, web: WebServer
) -> None:
    body = bytes(index % 251 for index in range(1000)) * (size // 1000 + 1)
    (web.put_gzip if is_packed else web.put)("/page", body[:size])

    answer = await fetcher.fetch(web.url("/page"), limits=LIMITS)

    assert isinstance(answer, Fetched)
    assert answer.body == body[:size]


@pytest.mark.parametrize("cap", [1000, 300_000])
async def test_one_byte_over_the_cap_is_too_large(cap: int, fetcher: HttpFetcher, web: WebServer) -> None:
    limits = FetchLimits(body_bytes=cap)
    web.put_gzip("/fits", bytes(cap))
    web.put_gzip("/over", bytes(cap + 1))

    answer = await fetcher.fetch(web.url("/fits"), limits=limits)

    assert isinstance(answer, Fetched)
    assert (await failure(fetcher, web.url("/over"), limits)).code == "fetch.too-large"


async def test_a_hundred_hosts_are_asked_at_once(fetcher: HttpFetcher, web: WebServer) -> None:
    all_are_here = asyncio.Event()

    async def wait_for_all(_request: BaseRequest) -> Response:
        if len(web.requests()) == 100:
            all_are_here.set()
        await all_are_here.wait()
        return Response(body=b"<rss/>")

    web.put("/feed.xml", wait_for_all)
    urls = [web.url("/feed.xml", host=f"host{number}.test") for number in range(100)]

    answers = await asyncio.gather(*(fetcher.fetch(url, limits=LIMITS) for url in urls))

    assert len(answers) == 100
    assert web.busiest == 100


async def test_no_more_than_what_is_set_are_asked_at_once(
    make_fetcher: Callable[..., HttpFetcher], web: WebServer
) -> None:
    fetcher = make_fetcher(in_flight=3)
    web.drip("/feed.xml", b"<rss/>", every_seconds=0.002)
    urls = [web.url("/feed.xml", host=f"host{number}.test") for number in range(12)]

    await asyncio.gather(*(fetcher.fetch(url, limits=LIMITS) for url in urls))

    assert web.busiest == 3


async def test_one_host_is_asked_one_thing_at_a_time(fetcher: HttpFetcher, web: WebServer) -> None:
    for number in range(5):
        web.drip(f"/{number}", b"<rss/>", every_seconds=0.002)

    await asyncio.gather(*(fetcher.fetch(web.url(f"/{number}"), limits=LIMITS) for number in range(5)))

    assert web.busiest == 1


async def test_a_dead_host_delays_no_other(fetcher: HttpFetcher, web: WebServer) -> None:
    web.stall("/feed.xml")
    web.put("/alive.xml", "<rss/>")
    dead = [asyncio.create_task(failure(fetcher, web.url("/feed.xml", host=f"dead{n}.test"))) for n in range(50)]
    await is_true(lambda: len(web.requests("/feed.xml")) == 50)

    answer = await fetcher.fetch(web.url("/alive.xml", host="alive.test"), limits=LIMITS)

    assert isinstance(answer, Fetched)
    assert not any(task.done() for task in dead)
    for task in dead:
        task.cancel()


async def test_the_wait_for_a_busy_host_is_no_part_of_the_deadline(fetcher: HttpFetcher, web: WebServer) -> None:
    async def dawdle(_request: BaseRequest) -> Response:
        await asyncio.sleep(0.15)
        return Response(body=b"<rss/>")

    web.put("/feed.xml", dawdle)
    limits = FetchLimits(body_bytes=1000, seconds=0.3)

    answers = await asyncio.gather(*(fetcher.fetch(web.url("/feed.xml"), limits=limits) for _ in range(4)))

    assert [type(answer) for answer in answers] == [Fetched] * 4


async def test_a_host_that_failed_is_free_for_the_next(fetcher: HttpFetcher, web: WebServer) -> None:
    web.stall("/dead")
    web.put("/alive", "<rss/>")

    await failure(fetcher, web.url("/dead"), FetchLimits(body_bytes=1000, seconds=0.1))

    assert isinstance(await fetcher.fetch(web.url("/alive"), limits=LIMITS), Fetched)


class Tap:
    """A large body whose end comes when the test says so."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.end = asyncio.Event()

    async def __call__(self, request: BaseRequest) -> StreamResponse:
        response = StreamResponse(headers={"Content-Length": str(self._size)})
        await response.prepare(request)
        await response.write(bytes(self._size - 1))
        await self.end.wait()
        await response.write(b"!")
        return response


async def test_large_bodies_wait_for_memory_and_small_ones_do_not(
    make_fetcher: Callable[..., HttpFetcher], web: WebServer
) -> None:
    fetcher = make_fetcher(memory_mib=4)
    first, second = Tap(3 * MB), Tap(3 * MB)
    web.put("/first", first)
    web.put("/second", second)
    web.put("/small", bytes(200_000))
    one = asyncio.create_task(fetcher.fetch(web.url("/first", host="one.test"), limits=LIMITS))
    await is_true(lambda: fetcher.held_bytes == 3 * MB)
    second.end.set()
    two = asyncio.create_task(fetcher.fetch(web.url("/second", host="two.test"), limits=LIMITS))
    await is_true(lambda: len(web.requests("/second")) == 1)

    small = await fetcher.fetch(web.url("/small", host="three.test"), limits=LIMITS)
    while_the_first_is_read = (fetcher.held_bytes, two.done())
    first.end.set()
    large = await asyncio.gather(one, two)

    assert isinstance(small, Fetched)
    assert while_the_first_is_read == (3 * MB, False)
    assert [type(answer) for answer in large] == [Fetched, Fetched]
    assert fetcher.held_bytes == 0


async def test_the_wait_for_memory_is_no_part_of_the_deadline(
    make_fetcher: Callable[..., HttpFetcher], web: WebServer
) -> None:
    fetcher = make_fetcher(memory_mib=1)
    slow = Tap(MB)
    web.put("/slow", slow)
    web.put("/quick", bytes(MB))
    one = asyncio.create_task(fetcher.fetch(web.url("/slow", host="one.test"), limits=LIMITS))
    await is_true(lambda: fetcher.held_bytes == MB)
    limits = FetchLimits(body_bytes=2 * MB, seconds=0.2)
    two = asyncio.create_task(fetcher.fetch(web.url("/quick", host="two.test"), limits=limits))
    asyncio.get_running_loop().call_later(0.4, slow.end.set)

    answers = await asyncio.gather(one, two)

    assert [type(answer) for answer in answers] == [Fetched, Fetched]


async def test_what_a_failed_fetch_held_is_given_back(make_fetcher: Callable[..., HttpFetcher], web: WebServer) -> None:
    fetcher = make_fetcher(memory_mib=1)
    web.put("/slow", Tap(MB))

    await failure(fetcher, web.url("/slow"), FetchLimits(body_bytes=2 * MB, seconds=0.2))

    assert fetcher.held_bytes == 0


async def test_a_fetch_that_is_cancelled_leaves_nothing_behind(
    make_fetcher: Callable[..., HttpFetcher], web: WebServer
) -> None:
    fetcher = make_fetcher(in_flight=1)
    web.stall("/dead")
    web.put("/alive", "<rss/>")
    task = asyncio.create_task(fetcher.fetch(web.url("/dead"), limits=LIMITS))
    await is_true(lambda: len(web.requests()) == 1)

    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    assert isinstance(await fetcher.fetch(web.url("/alive"), limits=LIMITS), Fetched)
