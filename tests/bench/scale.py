"""`python -m tests.bench scale [--users N]`: what so many users cost, from unit costs that are measured here and now.

Measured on this machine: processor time of a mail (in, read, answered, out), of a book, of a feed that has not changed
and of one that has, of an issue; and the bytes that each leaves in the database. The load model stands in `Load`, with
the reason for each figure. The table says how many cores, commits and bytes that is, and what runs out first.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import io
import math
import os
import random
import sqlite3
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from PIL import Image
from rich.console import Console, Group
from rich.table import Table

from core.news.paper import make_paper
from core.news.reading import read_feed
from tests.factories.books import make_epub
from tests.factories.feeds import Item, rss
from tests.factories.issues import make_issue
from tests.support.processes import process_tree
from tests.support.service import House, open_house

DAY = 86_400.0
BUSY = 0.6  # of a core: more, and the p99 goes up
COMMITS_A_MAIL = 5  # accept; answer; attempt begun; attempt ended; the job's end
COMMITS_AN_ISSUE = 8  # opened; built; two mails of three commits each
FETCH_SECONDS = 0.002  # of a conditional request, by `python -m tests.bench fetch`
POSTGRES_COMMITS = 2_000.0  # a second that one primary syncs: 0.5 ms on a disk of a cloud, without group commit
STORY_BYTES, ISSUE_BYTES = 6_000, 40_000  # rows of a story with its text; of a letter with its head and 20 places
RELAY_MAILS = 100.0  # a second that a relay takes from one customer; ask yours


@dataclass(frozen=True)
class Load:
    """What one user does a day, and how it bunches."""

    mails: float = 0.5  # commands and replies; most days somebody only reads
    books: float = 0.05  # a book every three weeks
    sent: float = 0.05  # and each goes to a device
    issues: float = 0.6  # four in ten have a weekly or none
    feeds: float = 10.0
    readers_a_feed: float = 50.0  # people read the same feeds: 200,000 of them for a million users
    checks_a_feed: float = 24.0  # between 15 minutes and a day, by what it publishes
    changed: float = 0.1
    morning: float = 0.4  # of a day's issues are due in the busiest hour
    evening: float = 3.0  # mails in the busiest hour to those in the mean one


@dataclass(frozen=True)
class Unit:
    """One of something, measured."""

    cpu_seconds: float
    database_bytes: float


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench scale", description=__doc__)
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--units", type=int, default=100, help="how many of each are measured")
    parser.add_argument("--short", action="store_true", help="ten of each")
    options = parser.parse_args(argv)
    units = asyncio.run(_measure(10 if options.short else options.units))
    console = Console(width=120)
    console.print(_unit_table(units), _load_table(units, Load(), options.users))
    return 0


async def _measure(count: int) -> dict[str, Unit]:
    with tempfile.TemporaryDirectory(prefix="inkpost-scale-") as name:
        folder = Path(name)
        async with open_house(folder) as house:
            mail = await _mails(house, folder, [("list", ())] * count)
            books = [("", (("book.epub", _book(number)),)) for number in range(max(2, count // 5))]
            book = await _mails(house, folder, books)
        return {
            "mail": mail,
            "book of 1 MB": book,
            "feed unchanged": Unit(_cpu(_hash_feed, count) + FETCH_SECONDS, 0),
            "feed of 20 stories": Unit(_cpu(_read_feed, max(3, count // 5)) + FETCH_SECONDS, STORY_BYTES * 20),
            "issue of 20 stories": Unit(_cpu(lambda: _paper(folder), max(2, count // 20)), ISSUE_BYTES),
        }


async def _mails(house: House, folder: Path, mails: Sequence[tuple[str, tuple[tuple[str, bytes], ...]]]) -> Unit:
    """Of mails that eight readers write at a time, with the whole service and its workers, and the world, in it."""
    people = [await house.person(f"reader{number}.{len(mails)}@reader.test") for number in range(8)]
    await people[0].asks("list")
    started, size = _cpu_now(), _size(folder)
    for first in range(0, len(mails), len(people)):
        part = mails[first : first + len(people)]
        await asyncio.gather(
            *(person.asks(subject, attach=list(files)) for person, (subject, files) in zip(people, part, strict=False))
        )
    await house.settle()
    return Unit((_cpu_now() - started) / len(mails), (_size(folder) - size) / len(mails))


def _cpu_now() -> float:
    """Of this process, its workers, and those of them that have ended."""
    ticks = 0
    for pid in process_tree(os.getpid()):
        with contextlib.suppress(OSError):  # it ended while we looked
            fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
            ticks += sum(int(field) for field in fields[11:15])  # utime, stime, cutime, cstime: proc(5)
    return ticks / os.sysconf("SC_CLK_TCK")


def _size(folder: Path) -> int:
    """Of the database, without its log: that is as long as it was when it was longest."""
    with contextlib.closing(sqlite3.connect(folder / "data" / "inkpost.db")) as database:
        return math.prod(database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))


def _cpu(act: Callable[[], object], count: int) -> float:
    started = time.process_time()
    for _ in range(count):
        act()
    return (time.process_time() - started) / count


def _hash_feed() -> None:
    hashlib.sha256(b"x" * 113_000).hexdigest()


def _read_feed() -> None:
    now = datetime.now(UTC)
    items = [Item(guid=f"{time.time_ns()}-{number}", title=f"Story {number}", published_at=now, seed=number, words=700)
             for number in range(20)]  # fmt: skip
    read_feed(rss(items).encode(), url="https://feed.test/rss", headers={}, known=frozenset())


def _paper(folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as place:
        make_paper(make_issue(20), folder=Path(place))


def _book(number: int) -> bytes:
    """Of a megabyte, most of it a picture, as of books."""
    return make_epub(title=f"Book {number}", cover=make_noise(number))


def make_noise(seed: int) -> bytes:
    """A JPEG of a megabyte."""
    picture = Image.frombytes("RGB", (900, 900), random.Random(seed).randbytes(900 * 900 * 3))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=80)
    return file.getvalue()


def _unit_table(units: dict[str, Unit]) -> Table:
    table = Table("measured here", "CPU ms", "bytes of rows", title="Unit costs", title_justify="left", box=None)
    for name, unit in units.items():
        table.add_row(name, f"{unit.cpu_seconds * 1000:.1f}", f"{unit.database_bytes:,.0f}")
    return table


@dataclass(frozen=True)
class Need:
    """Of one resource in the busiest hour; `limit` is how much of it there can be, None for as much as is paid for."""

    name: str
    amount: float
    unit: str
    limit: float | None = None


def needs(units: dict[str, Unit], load: Load, users: int) -> list[Need]:
    """What the busiest hour and the day take. Pure."""
    mails = users * (load.mails + load.books) / DAY * load.evening
    books = users * load.books / DAY * load.evening
    issues = users * load.issues * load.morning / 3600
    feeds = users * load.feeds / load.readers_a_feed
    checks = feeds * load.checks_a_feed / DAY
    out = mails + users * load.sent / DAY * load.evening + 2 * issues  # a letter and a book each
    cpu = {name: unit.cpu_seconds for name, unit in units.items()}
    worker = mails * cpu["mail"] + books * cpu["book of 1 MB"] + issues * cpu["issue of 20 stories"]
    feeding = checks * ((1 - load.changed) * cpu["feed unchanged"] + load.changed * cpu["feed of 20 stories"])
    commits = mails * COMMITS_A_MAIL + issues * COMMITS_AN_ISSUE + checks / 20  # results of checks share a commit
    rows = (
        users
        * (
            load.mails * units["mail"].database_bytes
            + load.books * units["book of 1 MB"].database_bytes
            + load.issues * units["issue of 20 stories"].database_bytes
        )
        + feeds * load.checks_a_feed * load.changed * units["feed of 20 stories"].database_bytes / 20
    )
    return [
        Need("mails in", mails, "a second"),
        Need("issues made", issues, "a second"),
        Need("feeds checked", checks, "a second"),
        Need("cores of workers", worker / BUSY, "cores"),
        Need("cores of schedulers (feeds)", feeding / BUSY, "cores"),
        Need("commits in PostgreSQL", commits, "a second", POSTGRES_COMMITS),
        Need("mails to the relay", out, "a second", RELAY_MAILS),
        Need("rows written", rows / 1e9, "GB a day"),
        Need("books stored", users * load.books * 1e6 / 1e9, "GB a day"),
    ]


def _load_table(units: dict[str, Unit], load: Load, users: int) -> Group:
    table = Table("in the busiest hour", "needed", "", "one has", "of it", title=f"{users:,} users",
                  title_justify="left", box=None)  # fmt: skip
    found = needs(units, load, users)
    for need in found:
        limit = "" if need.limit is None else f"{need.limit:,.0f}"
        share = "" if need.limit is None else f"{need.amount / need.limit:.0%}"
        table.add_row(need.name, f"{need.amount:,.1f}", need.unit, limit, share)
    first = max((need for need in found if need.limit), key=lambda need: need.amount / (need.limit or 1))
    most = users / (first.amount / (first.limit or 1))
    return Group(table, f"First bottleneck: {first.name}, at {most:,.0f} users.")
