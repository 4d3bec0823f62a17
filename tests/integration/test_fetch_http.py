"""The fetcher against a real server: what HTTP says is understood, and told in words."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from socket import AddressFamily

import brotli
import pytest
from aiohttp.abc import ResolveResult
from aiohttp.web import BaseRequest, Response
from backports import zstd

from bot.fetch import FetchSettings, HttpFetcher
from core.news.values import Fetched, FetchFailed, NotModified, Validators
from core.ports import FetchLimits
from tests.support.certificates import make_certificate
from tests.support.web_server import Loopback, WebServer

LIMITS = FetchLimits(body_bytes=1_000_000, seconds=10.0)
NOW = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)


@pytest.fixture
async def web() -> AsyncIterator[WebServer]:
    async with WebServer() as server:
        yield server


@pytest.fixture
async def fetcher() -> AsyncIterator[HttpFetcher]:
    settings = FetchSettings(allow_private=True, contact_url="https://inkpost.example/about")
    client = HttpFetcher(settings, resolver=Loopback({"nowhere.test": [[]]}), clock=lambda: NOW)
    yield client
    await client.close()


async def fetched(fetcher: HttpFetcher, url: str, limits: FetchLimits = LIMITS) -> Fetched:
    answer = await fetcher.fetch(url, limits=limits)
    assert isinstance(answer, Fetched)
    return answer


async def failure(fetcher: HttpFetcher, url: str, limits: FetchLimits = LIMITS) -> FetchFailed:
    with pytest.raises(FetchFailed) as caught:
        await fetcher.fetch(url, limits=limits)
    return caught.value


async def test_a_page_is_fetched_with_its_headers(fetcher: HttpFetcher, web: WebServer) -> None:
    url = web.put("/feed.xml", "<rss/>", headers={"ETag": '"1"', "Content-Type": "application/rss+xml"})

    answer = await fetched(fetcher, url)

    assert (answer.body, answer.url, answer.moved_to) == (b"<rss/>", url, None)
    assert answer.headers["content-type"] == "application/rss+xml"
    assert answer.validators == Validators(etag='"1"')


async def test_the_fetcher_says_who_it_is_and_nothing_else(
    fetcher: HttpFetcher, web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")  # would be refused, were it asked
    web.put("/a", "x", headers={"Set-Cookie": "spy=1; Path=/"})
    web.redirect("/b", "/a", status=302)

    await fetched(fetcher, web.url("/a"))
    await fetched(fetcher, web.url("/b#part"))

    assert [seen.path for seen in web.requests()] == ["/a", "/b", "/a"]
    for seen in web.requests():
        assert seen.headers["User-Agent"].startswith("Inkpost/")
        assert seen.headers["User-Agent"].endswith("(+https://inkpost.example/about)")
        assert not {"Cookie", "Referer", "Authorization"} & set(seen.headers)


async def test_what_is_known_already_is_not_sent_again(fetcher: HttpFetcher, web: WebServer) -> None:
    url = web.put("/feed.xml", "<rss/>", headers={"ETag": '"1"'})

    answer = await fetcher.fetch(url, limits=LIMITS, validators=Validators(etag='"1"'))

    assert isinstance(answer, NotModified)
    assert answer.headers["etag"] == '"1"'


async def test_both_validators_are_sent(fetcher: HttpFetcher, web: WebServer) -> None:
    url = web.put("/feed.xml", "<rss/>")
    date = "Mon, 23 Nov 2026 06:00:00 GMT"

    await fetcher.fetch(url, limits=LIMITS, validators=Validators(etag='W/"a"', last_modified=date))

    [seen] = web.requests()
    assert (seen.headers["If-None-Match"], seen.headers["If-Modified-Since"]) == ('W/"a"', date)


async def test_a_304_that_nobody_asked_for_is_an_error(fetcher: HttpFetcher, web: WebServer) -> None:
    url = web.put("/feed.xml", status=304)

    assert (await failure(fetcher, url)).status == 304


@pytest.mark.parametrize(
    ("coding", "compress"), [("gzip", gzip.compress), ("br", brotli.compress), ("zstd", zstd.compress)]
)
async def test_compressed_bodies_arrive_plain(
    coding: str, compress: Callable[[bytes], bytes], fetcher: HttpFetcher, web: WebServer
) -> None:
    body = b"<rss>" + b"news " * 5000 + b"</rss>"
    url = web.put("/feed.xml", compress(body), headers={"Content-Encoding": coding})

    assert (await fetched(fetcher, url)).body == body
    assert coding in web.requests()[0].headers["Accept-Encoding"]


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [(301, 301, "/c"), (308, 301, "/c"), (301, 302, "/b"), (302, 301, None), (307, 307, None), (303, 308, None)],
)
async def test_only_an_unbroken_chain_of_permanent_redirects_moves_a_feed(
    first: int, second: int, kept: str | None, fetcher: HttpFetcher, web: WebServer
) -> None:
    web.redirect("/a", "/b", status=first)
    web.redirect("/b", web.url("/c"), status=second)
    web.put("/c", "here")

    answer = await fetched(fetcher, web.url("/a"))

    assert (answer.body, answer.url) == (b"here", web.url("/c"))
    assert answer.moved_to == (kept and web.url(kept))


async def test_a_feed_that_moved_and_did_not_change_says_both(fetcher: HttpFetcher, web: WebServer) -> None:
    web.redirect("/old", "/new")
    web.put("/new", "<rss/>", headers={"ETag": '"1"'})

    answer = await fetcher.fetch(web.url("/old"), limits=LIMITS, validators=Validators(etag='"1"'))

    assert isinstance(answer, NotModified)
    assert answer.moved_to == web.url("/new")


async def test_five_redirects_are_followed_and_six_are_not(fetcher: HttpFetcher, web: WebServer) -> None:
    for step in range(6):
        web.redirect(f"/{step}", f"/{step + 1}")
    web.put("/6", "far")

    assert (await fetched(fetcher, web.url("/1"))).body == b"far"
    assert (await failure(fetcher, web.url("/0"))).code == "fetch.redirects"


async def test_a_loop_of_redirects_ends(fetcher: HttpFetcher, web: WebServer) -> None:
    web.redirect("/a", "/b")
    web.redirect("/b", "/a")

    assert (await failure(fetcher, web.url("/a"))).code == "fetch.redirects"
    assert len(web.requests()) == 6


@pytest.fixture
async def secure_web(tmp_path: Path) -> AsyncIterator[tuple[WebServer, ssl.SSLContext]]:
    file, trust = make_certificate(tmp_path, "secure.test")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    async with WebServer(tls=context) as server:
        yield server, trust


async def test_a_redirect_from_https_to_http_is_followed_and_not_kept(
    web: WebServer, secure_web: tuple[WebServer, ssl.SSLContext]
) -> None:
    secure, trust = secure_web
    secure.redirect("/a", web.put("/b", "plain"))
    fetcher = HttpFetcher(FetchSettings(allow_private=True), resolver=Loopback(), tls=trust)

    answer = await fetched(fetcher, secure.url("/a", host="secure.test"))
    await fetcher.close()

    assert (answer.body, answer.moved_to) == (b"plain", None)


async def test_a_certificate_that_nobody_trusts_is_refused(
    fetcher: HttpFetcher, secure_web: tuple[WebServer, ssl.SSLContext]
) -> None:
    server, _ = secure_web

    why = await failure(fetcher, server.url("/", host="secure.test"))

    assert why.code == "fetch.tls"
    assert "secure.test" in why.text
    assert server.requests() == []


@pytest.mark.parametrize(
    ("status", "is_host_down"), [(404, False), (410, False), (429, False), (500, True), (599, True)]
)
async def test_an_error_status_is_told(status: int, is_host_down: bool, fetcher: HttpFetcher, web: WebServer) -> None:
    why = await failure(fetcher, web.put("/feed.xml", "no", status=status))

    assert (why.code, why.status, why.is_host_down) == ("fetch.http", status, is_host_down)
    assert "127.0.0.1" in why.text


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        ("Mon, 23 Nov 2026 06:31:00 GMT", 60.0),
        ("Mon, 23 Nov 2026 06:00:00 GMT", 0.0),
        ("9" * 400, 86_400.0),
        ("soon", None),
        ("-5", None),
        ("²", None),
        ("Mon, 99 Nov 9999999 06:31:00 GMT", None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
async def test_what_the_host_asked_to_wait_is_told(
    status: int, header: str, seconds: float | None, fetcher: HttpFetcher, web: WebServer
) -> None:
    url = web.put("/feed.xml", status=status, headers={"Retry-After": header})

    assert (await failure(fetcher, url)).retry_after_seconds == seconds


async def test_media_types_that_are_of_no_use_are_refused(fetcher: HttpFetcher, web: WebServer) -> None:
    limits = FetchLimits(body_bytes=1000, media_types=("image/", "application/pdf"))
    web.put("/page", "<p>", headers={"Content-Type": "text/html; charset=utf-8"})
    web.put("/picture", b"PNG", headers={"Content-Type": "Image/PNG"})

    assert (await failure(fetcher, web.url("/page"), limits)).code == "fetch.media-type"
    assert (await fetched(fetcher, web.url("/picture"), limits)).body == b"PNG"


async def test_a_name_that_is_nowhere_is_told(fetcher: HttpFetcher) -> None:
    why = await failure(fetcher, "http://nowhere.test/feed.xml")

    assert (why.code, why.is_host_down) == ("fetch.dns", True)
    assert why.text == "The name nowhere.test was not found."


async def test_a_name_server_that_says_nothing_is_left_after_the_time_for_connecting() -> None:
    class Silent(Loopback):
        async def resolve(
            self, host: str, port: int = 0, family: AddressFamily = AddressFamily.AF_INET
        ) -> list[ResolveResult]:
            await asyncio.Event().wait()
            return []

    fetcher = HttpFetcher(FetchSettings(connect_seconds=0.1), resolver=Silent())

    why = await failure(fetcher, "http://slow.test/")
    await fetcher.close()

    assert (why.code, why.is_host_down) == ("fetch.connect", True)
    assert why.text == "slow.test could not be reached within 0.1 seconds."


async def test_names_are_looked_up_by_the_system(web: WebServer) -> None:
    fetcher = HttpFetcher(FetchSettings(allow_private=True))

    answer = await fetched(fetcher, web.put("/feed.xml", "<rss/>").replace("127.0.0.1", "localhost"))
    await fetcher.close()

    assert answer.body == b"<rss/>"


async def test_servers_that_hang_up_after_each_answer_lose_nothing(fetcher: HttpFetcher, web: WebServer) -> None:
    url = web.raw("/feed.xml", b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<rss/>")

    answers = [await fetched(fetcher, url) for _ in range(20)]

    assert [answer.body for answer in answers] == [b"<rss/>"] * 20


async def test_a_port_where_nobody_listens_is_told(fetcher: HttpFetcher) -> None:
    async with WebServer() as server:
        url = server.url("/")

    why = await failure(fetcher, url)

    assert (why.code, why.is_host_down) == ("fetch.connect", True)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00\xff\x00\xff" * 100,
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200",
        b"HTTP/1.1 999999 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nbad",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 4\r\n\r\nnope",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: zstd\r\nContent-Length: 4\r\n\r\nnope",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 100_000 + b"\r\n",
    ],
)
async def test_what_is_no_http_is_an_error_of_the_host(data: bytes, fetcher: HttpFetcher, web: WebServer) -> None:
    why = await failure(fetcher, web.raw("/feed.xml", data))

    assert (why.code, why.is_host_down) == ("fetch.connect", True)
    assert "127.0.0.1" in why.text


@pytest.mark.parametrize(
    "location", ["", "http://", "http://[::1", "javascript:alert(1)", "file:///etc/passwd", "x" * 9000]
)
async def test_a_redirect_to_nowhere_is_told(location: str, fetcher: HttpFetcher, web: WebServer) -> None:
    web.redirect("/a", location, status=302)

    assert (await failure(fetcher, web.url("/a"))).code in ("fetch.bad-url", "fetch.redirects", "fetch.connect")


async def test_a_header_of_unknown_bytes_can_be_stored(fetcher: HttpFetcher, web: WebServer) -> None:
    url = web.raw("/a", b'HTTP/1.1 200 OK\r\nETag: "\xe9"\r\nContent-Length: 2\r\n\r\nok')

    assert (await fetched(fetcher, url)).validators.etag.encode() == '"\ufffd"'.encode()


async def test_a_server_that_drips_is_left_at_the_deadline(fetcher: HttpFetcher, web: WebServer) -> None:
    why = await failure(fetcher, web.drip("/a", b"x" * 1000), FetchLimits(body_bytes=2000, seconds=0.2))

    assert (why.code, why.is_host_down) == ("fetch.timeout", True)
    assert why.text == "The server of 127.0.0.1 did not answer within 0.2 seconds."


async def test_redirects_do_not_lengthen_the_deadline(fetcher: HttpFetcher, web: WebServer) -> None:
    async def dawdle(request: BaseRequest) -> Response:
        await asyncio.sleep(0.15)
        return Response(status=302, headers={"Location": request.path + "x"})

    for path in ("/a", "/ax", "/axx", "/axxx"):
        web.put(path, dawdle)

    why = await failure(fetcher, web.url("/a"), FetchLimits(body_bytes=2000, seconds=0.4))

    assert (why.code, len(web.requests())) == ("fetch.timeout", 3)


async def test_a_server_that_says_nothing_is_left_at_the_deadline(fetcher: HttpFetcher, web: WebServer) -> None:
    why = await failure(fetcher, web.stall("/a"), FetchLimits(body_bytes=2000, seconds=0.2))

    assert why.code == "fetch.timeout"
