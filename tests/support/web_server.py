"""A web server on a loopback port that says what a test wants, also what no server should, and remembers who asked.

async with WebServer() as web:
    web.put("/feed.xml", "<rss/>", headers={"ETag": '"1"'})
    await fetcher.fetch(web.url("/feed.xml"), limits=...)
    assert web.requests("/feed.xml")[0].headers["User-Agent"].startswith("Inkpost/")
"""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from multidict import CIMultiDictProxy

Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
"""Full power: makes the response itself, or writes to `request.transport`."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that came."""

    path: str
    """With its query."""
    headers: CIMultiDictProxy[str]


@dataclass(frozen=True, slots=True)
class Page:
    """What stands under a path."""

    body: bytes
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)


class WebServer:
    """Real HTTP on a loopback address. Pages may be changed while it runs; a path that has none is a 404.

    A page with an `ETag` or a `Last-Modified` answers 304 to who has it already. A page is found by its path with
    the query, else by the path alone.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None, address: str = "127.0.0.1") -> None:
        self.port = 0
        self._address = address
        self.busiest = 0
        """The most requests that were ever being answered at one time."""
        self._tls = tls
        self._pages: dict[str, Page | Answer] = {}
        self._seen: list[Seen] = []
        self._now = 0
        self._closed = asyncio.Event()
        server = web.Server(self._answer, access_log=None, handler_cancellation=True)
        self._runner = web.ServerRunner(server, shutdown_timeout=1.0)

    async def __aenter__(self) -> WebServer:
        await self._runner.setup()
        await web.TCPSite(self._runner, self._address, 0, ssl_context=self._tls).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closed.set()
        await self._runner.cleanup()

    def url(self, path: str = "/", *, host: str = "") -> str:
        """A host other than the address itself needs a resolver such as `Loopback`."""
        return f"{'https' if self._tls else 'http'}://{host or self._address}:{self.port}{path}"

    def put(
        self,
        path: str,
        body: bytes | str | Answer = b"",
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> str:
        """What `path` answers from now on; returns its URL. A `str` is sent as UTF-8, a callable answers itself."""
        if callable(body):
            self._pages[path] = body
        else:
            self._pages[path] = Page(body.encode() if isinstance(body, str) else body, status, dict(headers or {}))
        return self.url(path)

    def redirect(self, path: str, to: str, *, status: int = 301) -> str:
        return self.put(path, status=status, headers={"Location": to})

    def put_gzip(self, path: str, body: bytes, *, headers: Mapping[str, str] | None = None) -> str:
        return self.put(path, gzip.compress(body), headers={"Content-Encoding": "gzip", **(headers or {})})

    def drip(self, path: str, body: bytes, *, every_seconds: float = 0.05) -> str:
        """A byte at a time."""

        async def answer(request: web.BaseRequest) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Length": str(len(body))})
            await response.prepare(request)
            for byte in body:
                await asyncio.sleep(every_seconds)  # before it: whoever has the last one is no longer being answered
                await response.write(bytes([byte]))
            return response

        return self.put(path, answer)

    def stall(self, path: str) -> str:
        """Takes the request and says nothing."""

        async def answer(_request: web.BaseRequest) -> web.StreamResponse:
            await self._closed.wait()
            return web.Response(status=503)

        return self.put(path, answer)

    def raw(self, path: str, data: bytes = b"") -> str:
        """These bytes and the end of the connection, whatever they mean; none: a server that hangs up."""

        async def answer(request: web.BaseRequest) -> web.StreamResponse:
            assert isinstance(request.transport, asyncio.Transport)
            request.transport.write(data)
            request.transport.close()
            return web.Response()

        return self.put(path, answer)

    def remove(self, path: str) -> None:
        del self._pages[path]

    def requests(self, path: str | None = None) -> list[Seen]:
        """What was asked for, in order: of this path (with its query, or without any), or all."""
        return [seen for seen in self._seen if path in (None, seen.path, seen.path.partition("?")[0])]

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self._seen.append(Seen(request.path_qs, request.headers))
        self._now += 1
        self.busiest = max(self.busiest, self._now)
        try:
            page = self._pages.get(request.path_qs) or self._pages.get(request.path)
            match page:
                case None:
                    return web.Response(status=404, text="There is nothing here.")
                case Page():
                    return _response(page, request.headers)
                case _:
                    return await page(request)
        finally:
            self._now -= 1


def _response(page: Page, asked: Mapping[str, str]) -> web.Response:
    pairs = (("ETag", "If-None-Match"), ("Last-Modified", "If-Modified-Since"))
    had = [(page.headers[ours], asked[theirs]) for ours, theirs in pairs if ours in page.headers and theirs in asked]
    if page.status == 200 and had and had[0][0] == had[0][1]:  # RFC 9110 13.1.3: the entity tag goes before the date
        validators = {ours: page.headers[ours] for ours, _ in pairs if ours in page.headers}
        return web.Response(status=304, headers=validators)
    return web.Response(status=page.status, body=page.body, headers=page.headers)


class Loopback(AbstractResolver):
    """Every name is 127.0.0.1, but for those that are given other addresses: a list of answers, the last for good."""

    def __init__(self, answers: Mapping[str, list[list[str]]] | None = None) -> None:
        self._answers = {host: list(each) for host, each in (answers or {}).items()}
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        answers = self._answers.get(host, [["127.0.0.1"]])
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        if not addresses:
            raise OSError(None, "there is no such name")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        """Nothing is kept."""
