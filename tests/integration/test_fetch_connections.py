"""Connections of the fetcher: made to the first address that answers, kept for a moment, never trusted to be alive."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator

import pytest
from aiohttp.web import BaseRequest, Response

from bot.fetch import FetchSettings, HttpFetcher
from core.news.values import Fetched, FetchFailed
from core.ports import FetchLimits
from tests.support.web_server import Loopback, WebServer

LIMITS = FetchLimits(body_bytes=1_000_000, seconds=10.0)
DEAD = "127.0.0.2"


@pytest.fixture
async def web() -> AsyncIterator[WebServer]:
    async with WebServer() as server:
        yield server


@pytest.fixture
async def fetcher() -> AsyncIterator[HttpFetcher]:
    names = Loopback({"two.test": [[DEAD, "127.0.0.1"]], "dead.test": [[DEAD, "127.0.0.3"]]})
    client = HttpFetcher(FetchSettings(allow_private=True), resolver=names)
    yield client
    await client.close()


@pytest.fixture
def silence(web: WebServer) -> Iterator[None]:
    """An address at which connections are begun and never made: its queue, of one, is full."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind((DEAD, web.port))
        listener.listen(0)
        for one in (first, second):
            one.setblocking(False)
            one.connect_ex((DEAD, web.port))
        yield


async def body(fetcher: HttpFetcher, url: str) -> bytes:
    answer = await fetcher.fetch(url, limits=LIMITS)
    assert isinstance(answer, Fetched)
    return answer.body


def put_port(web: WebServer, path: str = "/", **answer: object) -> None:
    """A page that says which port it was asked from: the same one, the same connection."""

    async def say(request: BaseRequest) -> Response:
        assert request.transport is not None
        port = request.transport.get_extra_info("peername")[1]
        return Response(text=str(port), **answer)  # type: ignore[arg-type] # as its fields are

    web.put(path, say)


async def test_address_that_refuses_gives_way_to_the_next(fetcher: HttpFetcher, web: WebServer) -> None:
    web.put("/", "here")

    assert await body(fetcher, web.url(host="two.test")) == b"here"


@pytest.mark.usefixtures("silence")
async def test_address_that_says_nothing_gives_way_to_the_next(fetcher: HttpFetcher, web: WebServer) -> None:
    web.put("/", "here")

    assert await body(fetcher, web.url(host="two.test")) == b"here"


async def test_host_of_which_every_address_refuses_is_down(fetcher: HttpFetcher, web: WebServer) -> None:
    with pytest.raises(FetchFailed) as caught:
        await body(fetcher, web.url(host="dead.test"))

    assert (caught.value.code, caught.value.is_host_down) == ("fetch.connect", True)
    assert caught.value.text == "The server of dead.test could not be reached."


async def test_connection_serves_the_next_request_to_its_host(fetcher: HttpFetcher, web: WebServer) -> None:
    put_port(web)

    first, second = await body(fetcher, web.url()), await body(fetcher, web.url())
    other = await body(fetcher, web.url(host="other.test"))

    assert first == second != other


async def test_redirect_with_a_page_of_its_own_is_followed_over_the_same_connection(
    fetcher: HttpFetcher, web: WebServer
) -> None:
    put_port(web, "/a", status=302, headers={"Location": "/b"})
    put_port(web, "/b")
    first = await body(fetcher, web.url("/b"))

    assert await body(fetcher, web.url("/a")) == first


async def test_body_that_was_not_read_ends_its_connection(fetcher: HttpFetcher, web: WebServer) -> None:
    web.put("/large", bytes(3_000_000))
    put_port(web)
    first = await body(fetcher, web.url())

    with pytest.raises(FetchFailed):
        await body(fetcher, web.url("/large"))

    assert await body(fetcher, web.url()) != first


@pytest.mark.parametrize(("bound", "value"), [("KEPT_SECONDS", 0.0), ("MOST_KEPT", 1)])
async def test_connections_are_kept_for_so_long_and_so_many(
    bound: str, value: float, fetcher: HttpFetcher, web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"bot.fetch.connections.{bound}", value)
    put_port(web)

    first = await body(fetcher, web.url())
    await body(fetcher, web.url(host="other.test"))

    assert await body(fetcher, web.url()) != first


class Forgetful:
    """Answers the first request of a connection, and hangs up at the second."""

    def __init__(self) -> None:
        self.known: set[object] = set()

    async def __call__(self, request: BaseRequest) -> Response:
        if request.transport in self.known and request.transport is not None:
            request.transport.close()
        self.known.add(request.transport)
        return Response(text="here")


async def test_page_is_asked_for_again_when_its_kept_connection_was_dead(fetcher: HttpFetcher, web: WebServer) -> None:
    url = web.put("/", Forgetful())
    await body(fetcher, url)

    assert await body(fetcher, url) == b"here"
    assert len(web.requests()) == 3


async def test_form_is_never_sent_twice(fetcher: HttpFetcher, web: WebServer) -> None:
    url = web.put("/", Forgetful())
    await body(fetcher, url)

    with pytest.raises(FetchFailed):
        await fetcher.post(url, form={"a": "1"}, limits=LIMITS)

    assert len(web.requests()) == 2
