"""Server-side request forgery: every URL asked for by the fetcher that all feeds, pages and pictures come by.

A server of this program on 127.0.0.2 is the world outside, the only one that may be called; it plays what the set says
of a host behind its URL (a redirect, a body that drips, has no end or swells). Names are looked up by a resolver that
knows no net, odd spellings of numbers by the system's own. Every socket is watched, and the canaries listen.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from bot.fetch import FetchSettings, HttpFetcher
from bot.fetch.guard import SystemResolver
from core.news.values import FetchFailed
from core.ports import FetchLimits
from tests.corpus.canaries import CANARY_PORTS, connections, listening
from tests.corpus.security._outcome import Outcome, Result, compare
from tests.corpus.security._watch import watched_connections
from tests.support.web_server import Loopback, WebServer

SETS = ("ssrf",)

OUTSIDE = "127.0.0.2"
LIMITS = FetchLimits(body_bytes=1_000_000, seconds=1.5)
PATIENCE_SECONDS = 20.0  # on top, on a busy machine
REFUSED = ("fetch.forbidden-address", "fetch.bad-url")

_NUMBERS = re.compile(r"localhost\.?|[0-9a-fx.]*\d", re.IGNORECASE)
"""Hosts that the system turns into an address without asking anybody."""
_PLAY = re.compile(r"(\S+?)(?: -> (\d{3}) (\S+))?(?: \((.+)\))?")
_ADDRESS = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b")


@dataclass(frozen=True, slots=True)
class Play:
    """A URL, and what is told of its host."""

    url: str
    status: int = 0
    """Of a redirect to `target`."""
    target: str = ""
    note: str = ""

    @property
    def is_played(self) -> bool:
        return bool(self.target or self.note)


class Names(AbstractResolver):
    """Numbers as the system reads them, names as `known` has them, and all others are the loopback."""

    def __init__(self, known: dict[str, list[list[str]]]) -> None:
        self._system, self._fake = SystemResolver(), Loopback(known)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        resolver = self._system if _NUMBERS.fullmatch(host) else self._fake
        return await resolver.resolve(host, port, family)

    async def close(self) -> None:
        await self._system.close()


def run_set(folder: Path) -> Iterator[Outcome]:
    """The control first: what may be fetched is, and its socket is seen."""
    rows = [(file.stem, json.loads(file.read_text("utf-8"))) for file in sorted(folder.glob("*.json"))]
    with listening() as canaries:
        yield asyncio.run(_control())
        for case, row in rows:
            problem = asyncio.run(_judge(read_play(row["url"]), may_be_bounded="bounded" in row["expected"]))
            problem = problem or ", ".join(connections(canaries))
            yield Outcome(case, Result.FAILED if problem else Result.AS_STATED, problem)


def read_play(text: str) -> Play:
    """`http://x.test/ -> 302 http://127.0.0.1/` and `http://x.test/ (endless body)`; everything else is a URL."""
    if (found := _PLAY.fullmatch(text)) is not None and (found[3] or found[4]):
        return Play(found[1], int(found[2] or 0), found[3] or "", found[4] or "")
    query = dict(parse_qsl(text.partition("?")[2]))
    target = next((value for value in query.values() if value.startswith(("http:", "https:"))), "")
    if target and text.startswith("http") and not _ADDRESS.match(urlsplit(text).hostname or ""):
        return Play(text, 307, target)
    return Play(text)


async def _control() -> Outcome:
    async with WebServer(address=OUTSIDE) as server:
        server.put("/", "public")
        with watched_connections() as seen:
            found = await fetch(server.url("/", host="public.test"), server, {"public.test": [[OUTSIDE]]}, 1)
    return compare("control", wanted=[("", [(OUTSIDE, server.port)])], got=(found, seen))


async def _judge(play: Play, *, may_be_bounded: bool) -> str:
    """What is wrong, or ""."""
    async with WebServer(address=OUTSIDE) as server:
        url, known = play.url, dict[str, list[list[str]]]()
        if play.is_played:
            host = urlsplit(play.url).hostname or ""
            url = server.url(_set_up(server, play), host=host)
            known[host] = _addresses(play.note)
        started = time.monotonic()
        with watched_connections() as seen:
            code = await fetch(url, server, known, times=max(1, len(known.get("", [])), *map(len, known.values())))
        seconds = time.monotonic() - started
    if astray := [place for place in seen if place != (OUTSIDE, server.port)]:
        return f"connected to {astray}"
    if code not in REFUSED and not (may_be_bounded and (code or play.is_played)):
        return f"wanted a refusal, got {code or 'a page'}"
    limit = LIMITS.seconds + PATIENCE_SECONDS
    return f"took {seconds:.1f} s" if seconds > limit else ""


async def fetch(url: str, server: WebServer, known: dict[str, list[list[str]]], times: int = 1) -> str:
    """The code of the last of so many fetches, "" for a page within the limits."""
    settings = FetchSettings(
        allowed_networks=(ip_network(f"{OUTSIDE}/32"),), other_ports=(server.port, *CANARY_PORTS), connect_seconds=1.0
    )
    fetcher = HttpFetcher(settings, resolver=Names(known))
    code = ""
    try:
        for _ in range(times):
            try:
                await fetcher.fetch(url, limits=LIMITS)
                code = ""
            except FetchFailed as why:
                code = why.code
    finally:
        await fetcher.close()
    return code


def _addresses(note: str) -> list[list[str]]:
    """What a name means at first, and later: public addresses that a note names stand for the world outside."""
    found = [OUTSIDE if ip_address(one).is_global else one for one in _ADDRESS.findall(note)]
    return [[one] for one in found] or [[OUTSIDE]]


def _set_up(server: WebServer, play: Play) -> str:
    """The path at which the server does what the play says."""
    path, note = urlsplit(play.url).path or "/", play.note.lower()
    match play:
        case Play(target=str() as target) if target:
            server.redirect(path, target, status=play.status)
        case _ if "loop" in note or "redirect" in note:
            server.redirect(path, path, status=302)
        case _ if "gzip" in note or "deflate" in note:
            server.put(path, _swelling)
        case _ if "endless" in note or "infinite" in note:
            server.put(path, _endless)
        case _ if "byte" in note or "slow" in note:
            server.drip(path, b"x" * 1000, every_seconds=1.0)
        case _:
            server.put(path, "public", headers={"Connection": "close"})
    return path


async def _endless(request: web.BaseRequest) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b"x" * 65_536)


async def _swelling(request: web.BaseRequest) -> web.StreamResponse:
    """A gigabyte of nothing in a megabyte of gzip: a block that repeats, as `Z_FULL_FLUSH` lets it."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    response = web.StreamResponse(headers={"Content-Encoding": "gzip"})
    await response.prepare(request)
    await response.write(block)
    for _ in range(1023):
        await response.write(block[10:])
    return response
