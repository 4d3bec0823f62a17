"""The fetcher is not led astray: not by a URL, a redirect, a name, nor a name that changes its mind."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Iterator
from ipaddress import ip_network

import pytest
from aiohttp.abc import AbstractResolver
from yarl import URL

from bot.fetch import FetchSettings, HttpFetcher
from bot.fetch.guard import Guard
from core.news.values import Fetched, FetchFailed
from core.ports import FetchLimits
from tests.corpus.manifest import corpus_folder
from tests.support.web_server import Loopback, WebServer

LIMITS = FetchLimits(body_bytes=1_000_000, seconds=10.0)
METADATA = "169.254.169.254"
CORPUS = {
    file.stem: json.loads(file.read_text("utf-8"))["url"]
    for file in sorted((corpus_folder() / "security" / "ssrf").glob("*.json"))
}

_watchers: list[list[object]] = []
"""Who wants to hear of connections. An audit hook can never be taken out again, so there is one that reads this."""


def _hear(event: str, arguments: tuple[object, ...]) -> None:
    if _watchers and event == "socket.connect":
        _watchers[-1].append(arguments[1])


sys.addaudithook(_hear)


@pytest.fixture
def connections() -> Iterator[list[object]]:
    """The addresses that this process has begun to connect to."""
    _watchers.append([])
    yield _watchers[-1]
    _watchers.pop()


@pytest.fixture
async def web() -> AsyncIterator[WebServer]:
    async with WebServer() as server:
        server.put("/", "secret")
        yield server


async def refusal(url: str, *, resolver: AbstractResolver | None = None, port: int = 80) -> FetchFailed:
    fetcher = HttpFetcher(FetchSettings(other_ports=(port,)), resolver=resolver)
    try:
        with pytest.raises(FetchFailed) as caught:
            await fetcher.fetch(url, limits=LIMITS)
    finally:
        await fetcher.close()
    assert not caught.value.is_host_down
    return caught.value


@pytest.mark.skipif(not CORPUS, reason="no corpus: set INKPOST_CORPUS to its folder")
@pytest.mark.parametrize("url", CORPUS.values(), ids=CORPUS.keys())
async def test_no_url_of_the_corpus_opens_a_connection(url: str, connections: list[object]) -> None:
    why = await refusal(url, resolver=Loopback())

    assert why.code in ("fetch.forbidden-address", "fetch.bad-url")
    assert connections == []


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.255.0.9",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "192.0.0.192",
        "198.18.0.1",
        "203.0.113.7",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "[::]",
        "[::1]",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "[fec0::1]",
        "[ff02::1]",
        "[2001:db8::1]",
        "[::ffff:10.0.0.1]",
        "[::ffff:a9fe:a9fe]",
        "[::127.0.0.1]",
        "[64:ff9b::10.0.0.1]",
        "[64:ff9b:1::1]",
        "[2002:a00:1::]",
        "[2001:0:7f00:1::1]",
        "[2001::80ff:fffe]",
        "①②⑦.⓪.⓪.①",
    ],
)
async def test_special_addresses_are_refused(host: str, connections: list[object]) -> None:
    assert (await refusal(f"http://{host}/")).code == "fetch.forbidden-address"
    assert connections == []


@pytest.mark.parametrize(
    "host", ["2130706433", "017700000001", "0177.0.0.1", "127.1", "0x7f000001", "0x7f.1", "0x7f.0.0.0x1", "localhost"]
)
async def test_odd_spellings_of_the_loopback_are_refused_by_the_systems_own_resolver(
    host: str, web: WebServer, connections: list[object]
) -> None:
    why = await refusal(f"http://{host}:{web.port}/", port=web.port)

    assert why.code in ("fetch.forbidden-address", "fetch.bad-url")
    assert (web.requests(), connections) == ([], [])


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org/feed",
        "http:///feed",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_flushall",
        "http://user:password@example.org/",
        "http://example.org@127.0.0.1/",
        "http://example.org:22/",
        "http://example.org:0/",
        "http://example.org:99999/",
        "http://example.org\\@127.0.0.1/",
        "http://exa mple.org/",
        "http://[fe80::1%25eth0]/",
        "http://[::1",
        "http://example.org/" + "a" * 10_000,
        "http://" + "a" * 64 + ".org/",
        "http://a..org/",
        "http://\ud800.org/",
    ],
)
async def test_what_is_no_address_of_the_web_is_refused(url: str, connections: list[object]) -> None:
    assert (await refusal(url, resolver=Loopback())).code == "fetch.bad-url"
    assert connections == []


@pytest.mark.parametrize("address", ["127.0.0.1", METADATA, "10.0.0.1", "::1", "::ffff:127.0.0.1", "fe80::1%lo"])
async def test_a_name_that_means_a_private_address_is_refused(address: str, connections: list[object]) -> None:
    why = await refusal("http://harmless.test/", resolver=Loopback({"harmless.test": [[address]]}))

    assert why.code == "fetch.forbidden-address"
    assert why.text == "harmless.test is not a public address of the web."
    assert connections == []


async def test_one_private_address_among_public_ones_is_refused(connections: list[object]) -> None:
    resolver = Loopback({"harmless.test": [["93.184.215.14", "127.0.0.1"]]})

    assert (await refusal("http://harmless.test/", resolver=resolver)).code == "fetch.forbidden-address"
    assert connections == []


@pytest.fixture
async def half_open() -> AsyncIterator[tuple[HttpFetcher, WebServer, Loopback]]:
    """A fetcher that may visit 127.0.0.1 and no other private address, and names that point there at first."""
    async with WebServer() as server:
        inside = {host: [["127.0.0.2"]] for host in ("inside.test", "inside.test.", "0x7f000002")}
        names = Loopback({"changing.test": [["127.0.0.1"], ["127.0.0.2"]], **inside})
        settings = FetchSettings(allowed_networks=(ip_network("127.0.0.1/32"),), other_ports=(server.port,))
        fetcher = HttpFetcher(settings, resolver=names)
        yield fetcher, server, names
        await fetcher.close()


@pytest.mark.parametrize(
    "host", ["127.0.0.2", "inside.test", "[::ffff:127.0.0.2]", "0x7f000002", METADATA, "[::1]", "inside.test."]
)
@pytest.mark.parametrize("status", [301, 302, 307])
async def test_a_redirect_inside_is_refused(
    status: int, host: str, half_open: tuple[HttpFetcher, WebServer, Loopback], connections: list[object]
) -> None:
    fetcher, web, _ = half_open
    web.redirect("/a", f"http://{host}:{web.port}/", status=status)

    with pytest.raises(FetchFailed) as caught:
        await fetcher.fetch(web.url("/a"), limits=LIMITS)

    assert caught.value.code == "fetch.forbidden-address"
    assert connections == [("127.0.0.1", web.port)]


async def test_a_name_that_changes_its_mind_is_refused_at_the_next_connection(
    half_open: tuple[HttpFetcher, WebServer, Loopback], connections: list[object]
) -> None:
    fetcher, web, _ = half_open
    url = f"http://changing.test:{web.port}/"
    web.put("/", "public", headers={"Connection": "close"})

    first = await fetcher.fetch(url, limits=LIMITS)
    with pytest.raises(FetchFailed) as caught:
        await fetcher.fetch(url, limits=LIMITS)

    assert isinstance(first, Fetched)
    assert first.body == b"public"
    assert caught.value.code == "fetch.forbidden-address"
    assert connections == [("127.0.0.1", web.port)]


async def test_one_answer_of_a_name_is_all_that_a_connection_is_made_by(
    half_open: tuple[HttpFetcher, WebServer, Loopback], connections: list[object]
) -> None:
    fetcher, web, names = half_open
    web.put("/", "public")

    await fetcher.fetch(f"http://changing.test:{web.port}/", limits=LIMITS)

    assert names.asked == ["changing.test"]
    assert connections == [("127.0.0.1", web.port)]


async def test_the_socket_is_the_last_gate_whatever_went_before(
    web: WebServer, connections: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Guard, "checked", lambda _guard, text: URL(text))  # the fault: a URL that nobody looked at

    assert (await refusal(web.url("/"))).code == "fetch.forbidden-address"
    assert connections == []
