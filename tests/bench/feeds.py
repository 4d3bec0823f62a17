"""Feeds refreshed a second: `python -m tests.bench feeds [--rss2email path of r2e]`

A thousand feeds of 20 items and 113 kB, each on a host of its own, served by another process on the loopback. From the
due row to the committed one: claimed, fetched, read in the workers, cleaned, fingerprinted, compared with all other
stories, written. Three rounds are measured: `new` (nothing is known, 20 articles a feed), `changed` (200 OK with one
new item) and `unchanged` (304; five times, since a thousand take half a second). Peers on the same feeds in the same
run: feedparser alone, which fetches and keeps nothing, and rss2email, where `--rss2email` names its program (`pip
install rss2email` in a place of its own).
"""

from __future__ import annotations

import argparse
import gc
import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import feedparser
import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from bot.loops import run_loop
from bot.news.refresh import FeedSettings
from core.models import Article, Feed
from core.services.news_aggregator import NewsAggregator
from core.work import Work
from tests.bench._feed_press import Press, press
from tests.support.newsroom import Newsroom, open_newsroom

AIMS = {"changed": 100.0, "unchanged": 2_000.0}
ROUNDS = {"new": 1, "changed": 1, "unchanged": 5}


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench feeds")
    parser.add_argument("--feeds", type=int, default=1_000)
    parser.add_argument("--peer-feeds", type=int, default=100, help="of them for the peers, which are slow")
    parser.add_argument("--rss2email", type=Path, help="the program r2e")
    parser.add_argument("--short", action="store_true", help="30 feeds, to see that it runs")
    options = parser.parse_args(argv)
    if options.short:
        options.feeds, options.peer_feeds = 30, 10
    with press(options.feeds) as server:
        print(f"{options.feeds} feeds of {server.feed_bytes / 1000:.0f} kB", flush=True)
        peers = {"feedparser alone": _feedparser(server.plain_urls()[: options.peer_feeds])}
        if options.rss2email is not None:
            peers["rss2email"] = _rss2email(options.rss2email, server.plain_urls()[: options.peer_feeds])
        ours = run_loop(_measure(server))
    Console().print(_table(ours, peers))
    return 0


async def _measure(server: Press) -> dict[str, tuple[float, float]]:
    """Feeds a second, and milliseconds of processor time for one, by round."""
    found = {}
    with tempfile.TemporaryDirectory() as name:
        async with open_newsroom(Path(name), settings=FeedSettings()) as room:
            user_id = await room.reader("ada")
            urls = server.urls()
            await room.do(lambda work: _subscribe(work, user_id, urls))
            gc.collect()
            gc.freeze()  # as the service does once it is up
            for name, times in ROUNDS.items():
                if name == "changed":
                    server.publish()
                found[name] = await _rounds(room, times, feeds=len(urls))
            articles, failed = await room.engine.in_read(
                lambda session: (
                    session.scalar(sa.select(sa.func.count()).select_from(Article)),
                    session.scalar(sa.select(sa.func.count()).where(Feed.failures > 0)),
                )
            )
            print(f"{articles:,} articles kept, {failed} feeds failed", flush=True)
    return found


def _subscribe(work: Work, user_id: int, urls: Sequence[str]) -> None:
    news = NewsAggregator(work)
    for number, url in enumerate(urls):
        news.subscribe(user_id, news.add_feed(url), name=f"Feed {number}")


async def _rounds(room: Newsroom, times: int, *, feeds: int) -> tuple[float, float]:
    started, cpu = time.perf_counter(), _cpu_seconds()
    for _ in range(times):
        room.clock[0] += timedelta(days=2)
        checked = await room.refresher.drain()
        if checked < feeds:
            raise RuntimeError(f"only {checked} of {feeds} feeds were checked")
    seconds, cpu = time.perf_counter() - started, _cpu_seconds() - cpu
    return times * feeds / seconds, cpu / (times * feeds) * 1000


def _feedparser(urls: Sequence[str]) -> dict[str, float]:
    """It fetches by itself, one after the other."""
    started = time.perf_counter()
    parse: Any = feedparser.parse  # our stub of it knows only what we call elsewhere
    etags = [parse(url).etag for url in urls]
    middle, times = time.perf_counter(), ROUNDS["unchanged"]
    statuses = [parse(url, etag=etag).status for url, etag in [*zip(urls, etags, strict=True)] * times]
    ended = time.perf_counter()
    assert set(statuses) == {304}
    return {"changed": len(urls) / (middle - started), "unchanged": len(statuses) / (ended - middle)}


def _rss2email(program: Path, urls: Sequence[str]) -> dict[str, float]:
    """With a maildir for its mails, so that no mail server is measured. Its start counts, half a second and more."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "mail").mkdir()
        for inner in ("cur", "new", "tmp"):
            (folder / "mail" / inner).mkdir()
        feeds = "".join(f"[feed.f{number}]\nurl = {url}\n" for number, url in enumerate(urls))
        (folder / "r2e.cfg").write_text(
            f"[DEFAULT]\nfrom = a@reader.test\nto = b@reader.test\nemail-protocol = maildir\nmaildir-path = {folder}\n"
            f"maildir-mailbox = mail\nsame-server-fetch-interval = 0\n{feeds}"
        )
        command = [str(program), "-c", str(folder / "r2e.cfg"), "-d", str(folder / "r2e.json")]
        changed, unchanged = _seconds([*command, "run"]), _seconds([*command, "run"])
        mails = sum(len(files) for _, _, files in os.walk(folder / "mail"))
        print(f"rss2email wrote {mails} mails", flush=True)
    return {"changed": len(urls) / changed, "unchanged": len(urls) / unchanged}


def _seconds(command: Sequence[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def _table(ours: dict[str, tuple[float, float]], peers: dict[str, dict[str, float]]) -> Table:
    table = Table("feeds a second", "ours", "CPU ms each", *peers, *(f"ours to {name}" for name in peers), "aim")
    for name, (rate, cpu) in ours.items():
        theirs = [peer.get(name) for peer in peers.values()]
        table.add_row(
            name,
            f"{rate:,.0f}",
            f"{cpu:.2f}",
            *(f"{one:,.0f}" if one else "" for one in theirs),
            *(f"{rate / one:.1f}" if one else "" for one in theirs),
            f"{AIMS[name]:,.0f}" if name in AIMS else "",
        )
    return table


def _cpu_seconds() -> float:
    """Of this process alone: the workers that read are others."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    return own.ru_utime + own.ru_stime
