"""Connections to hosts on the web (HTTP/1.1, RFC 9112): opened, asked one thing at a time, kept for a moment.

What comes back is read by aiohttp: its parser, its bounds on headers, its unpacking in bounded pieces. What goes out is
ours, for aiohttp's client takes 0.3 ms of processor time more for a new connection: as much as all else of a feed that
has not changed (docs/decisions/fetching.md).
"""

from __future__ import annotations

import asyncio
import ssl
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from ipaddress import ip_address
from itertools import chain, zip_longest
from socket import AI_NUMERICHOST

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.client_proto import ResponseHandler
from multidict import CIMultiDictProxy
from yarl import URL

from bot.fetch.failures import ConnectTimeout, NameNotFound, Unreachable
from bot.fetch.guard import Guard

# Long enough for the pictures of one page, which come from one host one after the other.
KEPT_SECONDS = 2.0
MOST_KEPT = 256  # of the 1,024 files that a process may usually open; two thousand feeds a second would open 4,000
HEAD_START_SECONDS = 0.25  # RFC 8305 5: "Connection Attempt Delay"
MOST_ADDRESSES = 8  # of one name, that are tried

Place = tuple[str, str, int]
"""Scheme, host and port."""
Attempt = Callable[[], Awaitable[ResponseHandler]]


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of an answer; its body is still coming."""

    status: int
    headers: CIMultiDictProxy[str]
    content: aiohttp.StreamReader


@dataclass(eq=False, slots=True)
class Connection:
    """One of whoever took it, until it is given back."""

    place: Place
    handler: ResponseHandler
    is_new: bool = True
    answer: Answer | None = None

    async def ask(self, request: bytes) -> Answer:
        """Raises what aiohttp does for what is no HTTP."""
        self.answer = None
        if (transport := self.handler.transport) is None:
            raise aiohttp.ServerDisconnectedError
        self.handler.set_response_params(read_until_eof=True)
        transport.write(request)
        while True:
            message, content = await self.handler.read()
            if not 100 <= message.code <= 199 or message.code == 101:  # RFC 9110 15.2: the final one is yet to come
                self.answer = Answer(message.code, message.headers, content)
                return self.answer

    @property
    def is_free(self) -> bool:
        """The answer has come to its end, and the server did not say that it hangs up."""
        if self.answer is None or self.handler.should_close:
            return False
        content = self.answer.content
        if content.is_eof() and content.exception() is None:
            content.read_nowait()  # what of it nobody wanted, such as the page that comes with a redirect
        return content.at_eof()


class Connections:
    """For one event loop."""

    def __init__(
        self, guard: Guard, *, resolver: AbstractResolver, tls: ssl.SSLContext | None, connect_seconds: float
    ) -> None:
        """`resolver` gives addresses that were judged. `tls` says whom to trust; None: whom the system trusts."""
        self._guard = guard
        self._resolver = resolver
        self._tls = tls
        self._connect_seconds = connect_seconds
        self._kept: OrderedDict[Place, tuple[ResponseHandler, float]] = OrderedDict()
        """By the time at which they were given back, which is also that in which they expire."""
        self._sweep: asyncio.TimerHandle | None = None
        self._is_closed = False

    async def ask(self, url: URL, request: bytes) -> tuple[Connection, Answer]:
        """Send a request, head and body; the answer, and its connection, to be given back when that was read.

        Raises `ForbiddenAddress` (or has it as its cause), `ConnectTimeout`, `NameNotFound`, `Unreachable`,
        `ssl.SSLError`, and what aiohttp does.
        """
        while True:
            connection = await self._take(url)
            try:
                return connection, await connection.ask(request)
            except BaseException as error:
                _drop(connection.handler)
                # A kept one may have been closed while the request was on its way: RFC 9112 9.3.1, 9.5.
                is_dead = isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError)
                if connection.is_new or not is_dead or not request.startswith(b"GET "):
                    raise

    async def _take(self, url: URL) -> Connection:
        """A kept one, else a new one."""
        place = (url.scheme, url.raw_host or "", url.port or 0)
        if (handler := self._kept.pop(place, (None, 0.0))[0]) is not None:
            if handler.is_connected() and not handler.should_close:
                return Connection(place, handler, is_new=False)
            _drop(handler)
        try:
            async with asyncio.timeout(self._connect_seconds):
                return Connection(place, await self._connected(place))
        except TimeoutError as error:
            raise ConnectTimeout from error

    def give_back(self, connection: Connection) -> None:
        if self._is_closed or not connection.is_free:
            _drop(connection.handler)
            return
        loop = asyncio.get_running_loop()
        self._kept[connection.place] = connection.handler, loop.time() + KEPT_SECONDS
        if len(self._kept) > MOST_KEPT:
            _drop(self._kept.popitem(last=False)[1][0])
        if self._sweep is None:
            self._sweep = loop.call_later(KEPT_SECONDS, self._drop_expired)

    async def close(self) -> None:
        self._is_closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        ends = [handler.closed for handler, _ in self._kept.values()]
        for handler, _ in self._kept.values():
            _drop(handler)
        self._kept.clear()
        await asyncio.gather(*(end for end in ends if end is not None), return_exceptions=True)
        await self._resolver.close()

    def _drop_expired(self) -> None:
        loop = asyncio.get_running_loop()
        self._sweep = None
        while self._kept:
            handler, expires_at = next(iter(self._kept.values()))
            if expires_at > loop.time():
                self._sweep = loop.call_at(expires_at, self._drop_expired)
                return
            self._kept.popitem(last=False)
            _drop(handler)

    async def _connected(self, place: Place) -> ResponseHandler:
        scheme, host, port = place
        addresses = await self._addresses(host, port)
        tls = self._trust if scheme == "https" else None
        try:
            if len(addresses) == 1:
                return await self._connect(addresses[0], port, tls, host)
            return await _first_of([partial(self._connect, address, port, tls, host) for address in addresses])
        except (TimeoutError, ssl.SSLError):
            raise
        except OSError as error:
            raise Unreachable(str(error)) from error

    async def _addresses(self, host: str, port: int) -> Sequence[str]:
        """Numeric, in the order in which they are to be tried."""
        if _is_numeric(host):
            return (host,)
        try:
            found = await self._resolver.resolve(host, port)
        except TimeoutError:
            raise
        except OSError as error:
            raise NameNotFound(host) from error
        if not found:
            raise NameNotFound(host)
        addresses = [place["host"] for place in found]
        return addresses if len(addresses) == 1 else _alternating(addresses)[:MOST_ADDRESSES]

    async def _connect(self, address: str, port: int, tls: ssl.SSLContext | None, host: str) -> ResponseHandler:
        """The one place where connections are made, and so the last gate: what is judged here is what is connected to.

        An address is a number by now; were it a name, `AI_NUMERICHOST` would have it fail and never be looked up.
        """
        self._guard.check_address(address)
        loop = asyncio.get_running_loop()
        name = host.rstrip(".") if tls is not None else None  # certificates have no dot at the end
        _, handler = await loop.create_connection(
            partial(ResponseHandler, loop), address, port, ssl=tls, server_hostname=name, flags=AI_NUMERICHOST
        )
        return handler

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        """Made when it is first needed: it takes 20 ms, and most of a megabyte."""
        if self._tls is not None:
            return self._tls
        context = ssl.create_default_context()
        context.set_alpn_protocols(("http/1.1",))
        return context


async def _first_of(attempts: Sequence[Attempt]) -> ResponseHandler:
    """Of several addresses the first that answers (RFC 8305): each has a head start before the next.

    Raises what the first that failed did, when all have.
    """
    waiting, tasks, errors = deque(attempts), list[asyncio.Task[ResponseHandler]](), list[BaseException]()
    winner: asyncio.Task[ResponseHandler] | None = None
    try:
        while waiting or len(errors) < len(tasks):
            if waiting:
                tasks.append(asyncio.ensure_future(waiting.popleft()()))
            running = [task for task in tasks if not task.done()]
            if running:
                patience = HEAD_START_SECONDS if waiting else None
                await asyncio.wait(running, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            ended = [task for task in tasks if task.done()]
            if (winner := next((task for task in ended if task.exception() is None), None)) is not None:
                return winner.result()
            errors = [error for task in ended if (error := task.exception()) is not None]
    finally:
        for task in tasks:
            if task is not winner:
                task.cancel()
                task.add_done_callback(_drop_result)
    raise errors[0]


def _drop_result(late: asyncio.Task[ResponseHandler]) -> None:
    if not late.cancelled() and late.exception() is None:
        _drop(late.result())


def _drop(handler: ResponseHandler) -> None:
    """Without TLS's farewell, for which some servers let one wait: what was wanted has come."""
    handler.abort() if _is_tls(handler) else handler.close()


def _is_tls(handler: ResponseHandler) -> bool:
    return handler.transport is not None and handler.transport.get_extra_info("sslcontext") is not None


def _is_numeric(host: str) -> bool:
    """Other spellings of numbers than these are names, which the system may look up and the gate judges."""
    if ":" not in host and not host[-1:].isdigit():
        return False  # no name of the web ends so; without this each name would cost an exception
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _alternating(addresses: Sequence[str]) -> list[str]:
    """IPv6 and IPv4 in turn, beginning with what the system would begin with (RFC 8305 4)."""
    first = [one for one in addresses if (":" in one) == (":" in addresses[0])]
    others = [one for one in addresses if one not in first]
    return [one for one in chain.from_iterable(zip_longest(first, others)) if one is not None]
