"""A server of many feeds in a process of its own, each of some 113 kB, packed by gzip, with an ETag.

`Press.publish()` gives every feed one new item, and takes its oldest away.
"""

from __future__ import annotations

import asyncio
import gzip
import multiprocessing
import random
import string
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import cast

from bot.loops import run_loop

ITEMS = 20
WORDS_AN_ITEM = 660  # with their markup 113 kB a feed
VERSIONS = 3
_DATES = tuple(f"{day:02} Nov 2026 06:00:00 GMT" for day in range(1, 29))


class Press:
    """The server, from outside."""

    def __init__(self, pipe: Connection, *, feeds: int) -> None:
        self._pipe = pipe
        self._feeds = feeds
        self.port: int = pipe.recv()
        self.feed_bytes: int = pipe.recv()

    def publish(self) -> None:
        """A new item in every feed; at most `VERSIONS - 1` times."""
        self._pipe.send("publish")
        self._pipe.recv()

    def urls(self) -> list[str]:
        """Each on a host of its own, for a resolver that knows no other place than this machine."""
        return [f"http://host{number}.test:{self.port}/feed/{number}" for number in range(self._feeds)]

    def plain_urls(self) -> list[str]:
        """For programs that look names up."""
        return [f"http://127.0.0.1:{self.port}/feed/{number}" for number in range(self._feeds)]


@contextmanager
def press(feeds: int) -> Iterator[Press]:
    """Runs it; it takes a few seconds to write all that it will say."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs, feeds), daemon=True)
    server.start()
    try:
        yield Press(ours, feeds=feeds)
    finally:
        server.terminate()
        server.join()


def _serve(pipe: Connection, feeds: int) -> None:
    """Everything is made and packed beforehand: it is the clients that are measured."""
    versions = [[] for _ in range(VERSIONS)]  # type: list[list[bytes]]
    size = 0
    vocabulary = _vocabulary()
    for number in range(feeds):
        items = [_item(number, story, vocabulary) for story in range(ITEMS + VERSIONS - 1)]
        for version in range(VERSIONS):
            body = _feed(number, items[version : version + ITEMS][::-1])
            size = len(body)
            versions[version].append(_answer(gzip.compress(body, 6), version))
    current = 0

    class Answers(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = cast(asyncio.Transport, transport)  # uvloop's are none of its subclasses

        def data_received(self, data: bytes) -> None:
            if f'If-None-Match: "{current}"'.encode() in data:
                self.transport.write(f'HTTP/1.1 304 Not Modified\r\nETag: "{current}"\r\n\r\n'.encode())
            else:
                number = int(data.split(b" ", 2)[1].rpartition(b"/")[2])
                self.transport.write(versions[current][number])

    async def serve() -> None:
        nonlocal current
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Answers, "127.0.0.1", 0, backlog=1024)
        pipe.send(server.sockets[0].getsockname()[1])
        pipe.send(size)
        while True:
            await loop.run_in_executor(None, pipe.recv)
            current += 1
            pipe.send(current)

    run_loop(serve())


def _answer(packed: bytes, version: int) -> bytes:
    head = (
        f'HTTP/1.1 200 OK\r\nETag: "{version}"\r\nContent-Type: application/rss+xml\r\n'
        f"Content-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n"
    )
    return head.encode() + packed


def _vocabulary() -> list[str]:
    chance = random.Random(20_261_128)
    return ["".join(chance.choices(string.ascii_lowercase, k=chance.randint(2, 10))) for _ in range(2_000)]


def _item(feed: int, story: int, vocabulary: list[str]) -> str:
    """Paragraphs as WordPress writes them, with a link and a picture."""
    chance = random.Random(feed * 1_000 + story)
    words = chance.choices(vocabulary, k=WORDS_AN_ITEM)
    paragraphs = [" ".join(words[at : at + 60]).capitalize() + "." for at in range(0, WORDS_AN_ITEM, 60)]
    paragraphs[2] = f'<a href="https://host{feed}.test/about/{story}">{paragraphs[2][:40]}</a> {paragraphs[2]}'
    html = f'<p><img src="https://host{feed}.test/{story}.jpg" width="800" height="600" alt=""></p>' + "".join(
        f"<p>{paragraph}</p>\n" for paragraph in paragraphs
    )
    return (
        f'<item><guid isPermaLink="false">{feed}-{story}</guid><title>{" ".join(words[:8])}</title>'
        f"<link>https://host{feed}.test/{story}</link><pubDate>{_DATES[story % 28]}</pubDate>"
        f"<dc:creator><![CDATA[{words[9].title()}]]></dc:creator><description><![CDATA[{paragraphs[0]}]]></description>"
        f"<content:encoded><![CDATA[{html}]]></content:encoded></item>\n"
    )


def _feed(number: int, items: list[str]) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<rss version="2.0" '
        'xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<channel><title>Feed {number}</title><link>https://host{number}.test/</link>"
        f"<description>Of host {number}</description><language>en</language>{''.join(items)}</channel></rss>"
    ).encode()
