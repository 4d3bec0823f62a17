"""GET over HTTP (RFC 9110): conditional, decompressed, bounded in time and memory, polite to every host."""

from __future__ import annotations

import asyncio
import importlib.metadata
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar
from urllib.parse import urlencode
from weakref import WeakValueDictionary

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.http import HttpProcessingError
from yarl import URL

from bot.fetch import failures
from bot.fetch.connections import Answer, Connections
from bot.fetch.guard import FetchSettings, Guard, GuardedResolver, SystemResolver
from bot.fetch.memory import MemoryBudget
from core.news.values import Fetched, FetchFailed, NotModified, Validators
from core.ports import FetchLimits

T = TypeVar("T")
Reader = Callable[[Answer, asyncio.Timeout], Awaitable[T]]
"""Reads the rest of an answer; may stop the clock of its deadline."""

MOST_REDIRECTS = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})
PERMANENT_REDIRECTS = frozenset({301, 308})
ACCEPTED = {"Accept": "*/*", "Accept-Encoding": "gzip, deflate, br, zstd"}  # what aiohttp unpacks with our libraries
SMALL_BODY_BYTES = 256 * 1024  # most feeds are smaller; times `in_flight` it is 25 MB that need no budget


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class _Way:
    """How far a fetch has come."""

    at: URL
    asked: URL
    kept: URL
    """Where permanent redirects alone have led."""
    seconds_left: float
    is_permanent: bool = True
    redirects: int = 0

    def go(self, status: int, target: URL) -> None:
        is_downgrade = self.at.scheme == "https" and target.scheme == "http"
        self.is_permanent = self.is_permanent and status in PERMANENT_REDIRECTS and not is_downgrade
        if self.is_permanent:
            self.kept = target
        self.at = target
        self.redirects += 1

    @property
    def moved_to(self) -> str | None:
        return None if self.kept == self.asked else str(self.kept)


class HttpFetcher:
    """See `Fetcher` and `Poster`. For one event loop.

    A host is asked one thing at a time. The seconds of the limits do not run while a fetch waits for its turn.
    """

    def __init__(
        self,
        settings: FetchSettings,
        *,
        resolver: AbstractResolver | None = None,
        tls: ssl.SSLContext | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """`resolver` looks names up and `tls` says whom to trust, both instead of the system."""
        self._settings = settings
        self._guard = Guard(settings)
        self._clock = clock
        self._connections = Connections(
            self._guard,
            resolver=GuardedResolver(resolver or SystemResolver(), self._guard),
            tls=tls,
            connect_seconds=settings.connect_seconds,
        )
        self._headers = {"User-Agent": _user_agent(settings.contact_url), **ACCEPTED}
        self._in_flight = asyncio.Semaphore(settings.in_flight)
        self._memory = MemoryBudget(settings.memory_mib * 1024 * 1024)
        self._hosts: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def fetch(
        self, url: str, *, limits: FetchLimits, validators: Validators | None = None
    ) -> Fetched | NotModified:
        asked = self._guard.checked(url)
        way = _Way(at=asked, asked=asked, kept=asked, seconds_left=limits.seconds)
        conditions = _conditions(validators)
        while (answer := await self._ask(way, limits, conditions)) is None:
            if way.redirects > MOST_REDIRECTS:
                raise failures.redirected_too_often(asked, MOST_REDIRECTS)
        return answer

    async def post(self, url: str, *, form: Mapping[str, str], limits: FetchLimits) -> None:
        """See `Poster`."""
        asked, body = self._guard.checked(url), urlencode(form).encode()
        fields = {"Content-Type": "application/x-www-form-urlencoded", "Content-Length": str(len(body))}
        request = _request("POST", asked, {**self._headers, **fields}) + body
        status = await self._read_in_turn(asked, request, _status, limits, seconds=limits.seconds)
        if not 200 <= status < 300:
            raise failures.from_status(asked, status, retry_after="", now=self._clock())

    async def close(self) -> None:
        await self._connections.close()

    @property
    def held_bytes(self) -> int:
        """What the larger bodies that are being read may take up at this moment."""
        return self._memory.held_bytes

    async def _ask(self, way: _Way, limits: FetchLimits, conditions: dict[str, str]) -> Fetched | NotModified | None:
        """One request. None: `way` leads on to another place."""
        request = _request("GET", way.at, {**self._headers, **conditions})
        judge = partial(self._judge, way, limits, conditions)
        return await self._read_in_turn(way.at, request, judge, limits, seconds=way.seconds_left)

    async def _read_in_turn(
        self, url: URL, request: bytes, read: Reader[T], limits: FetchLimits, *, seconds: float
    ) -> T:
        """What `read` makes of the answer, when it is the host's turn. Errors leave it in words."""
        async with self._hosts.setdefault(url.raw_host or "", asyncio.Lock()), self._in_flight:
            connection = None
            try:
                async with asyncio.timeout(seconds) as deadline:
                    connection, answer = await self._connections.ask(url, request)
                    return await read(answer, deadline)
            except (TimeoutError, aiohttp.ClientError, HttpProcessingError, OSError, ValueError) as error:
                connect_seconds = self._settings.connect_seconds
                raise failures.from_error(error, url, limits=limits, connect_seconds=connect_seconds) from error
            finally:
                if connection is not None:
                    self._connections.give_back(connection)

    async def _judge(
        self, way: _Way, limits: FetchLimits, conditions: dict[str, str], answer: Answer, deadline: asyncio.Timeout
    ) -> Fetched | NotModified | None:
        status, headers = answer.status, answer.headers
        if status == 200:
            media_type = headers.get("Content-Type", "").strip().lower()
            if media_type and not media_type.startswith(limits.media_types or ""):
                raise failures.wrong_type(way.at, media_type.partition(";")[0].strip())
            body = await self._read(answer, way.at, limits, deadline)
            return Fetched(url=str(way.at), moved_to=way.moved_to, headers=_plain(headers), body=body)
        if status == 304 and conditions:
            return NotModified(url=str(way.at), moved_to=way.moved_to, headers=_plain(headers))
        if status in REDIRECTS and "Location" in headers:
            way.go(status, self._redirected(way.at, headers["Location"]))
            way.seconds_left = (deadline.when() or 0.0) - asyncio.get_running_loop().time()
            return None
        retry_after = headers.get("Retry-After", "").strip()
        raise failures.from_status(way.at, status, retry_after=retry_after, now=self._clock())

    def _redirected(self, at: URL, location: str) -> URL:
        try:
            return self._guard.checked(location, base=at)
        except FetchFailed as why:
            raise failures.redirected_astray(at, why) from why

    async def _read(self, answer: Answer, url: URL, limits: FetchLimits, deadline: asyncio.Timeout) -> bytes:
        """The decompressed body. A small one is read at once; a larger one when there is memory for it."""
        promised = _promised_bytes(answer)
        if promised > limits.body_bytes:
            raise failures.too_large(url, limits)
        pieces: list[bytes] = []
        size = await _fill(answer.content, pieces, most=min(SMALL_BODY_BYTES, limits.body_bytes))
        if SMALL_BODY_BYTES < size <= limits.body_bytes:
            is_exact = promised > 0 and "Content-Encoding" not in answer.headers
            async with self._room(promised if is_exact else limits.body_bytes, deadline):
                size += await _fill(answer.content, pieces, most=limits.body_bytes - size)
        if size > limits.body_bytes:
            raise failures.too_large(url, limits)
        return b"".join(pieces)

    @asynccontextmanager
    async def _room(self, wanted_bytes: int, deadline: asyncio.Timeout) -> AsyncIterator[None]:
        """Memory from the budget; the deadline stands still until there is some."""
        loop = asyncio.get_running_loop()
        left = (deadline.when() or loop.time()) - loop.time()
        deadline.reschedule(None)
        async with self._memory.held(wanted_bytes):
            deadline.reschedule(loop.time() + left)
            yield


def _request(method: str, url: URL, headers: Mapping[str, str]) -> bytes:
    """The head of a request (RFC 9112 3). Raises `ValueError` where a value would end its line."""
    lines = [f"{method} {url.raw_path_qs} HTTP/1.1", f"Host: {url.host_port_subcomponent}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if not all(map(str.isprintable, lines)):
        raise ValueError("a field of the request would end its line")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def _status(answer: Answer, _deadline: asyncio.Timeout) -> int:
    return answer.status


def _promised_bytes(answer: Answer) -> int:
    """By Content-Length, of the body as it travels; 0 where it is not said."""
    said = answer.headers.get("Content-Length", "")
    return int(said) if said.isascii() and said.isdigit() else 0


async def _fill(content: aiohttp.StreamReader, pieces: list[bytes], *, most: int) -> int:
    """Read to the end, or until there is more than `most`; how much it was. A piece is at most some 128 KiB."""
    size = 0
    while size <= most and (piece := await content.readany()):
        pieces.append(piece)
        size += len(piece)
    return size


def _conditions(validators: Validators | None) -> dict[str, str]:
    if validators is None:
        return {}
    fields = {"If-None-Match": validators.etag, "If-Modified-Since": validators.last_modified}
    return {name: value for name, value in fields.items() if value and value.isprintable()}


def _plain(headers: Mapping[str, str]) -> dict[str, str]:
    """Names in lower case; bytes that are no UTF-8 become U+FFFD, for no database takes what aiohttp makes of them."""
    return {
        name.lower(): value if value.isascii() else value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        for name, value in headers.items()
    }


def _user_agent(contact_url: str) -> str:
    name = f"Inkpost/{importlib.metadata.version('inkpost')}"
    return f"{name} (+{contact_url})" if contact_url else name
