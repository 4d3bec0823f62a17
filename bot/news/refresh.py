"""Feeds checked when they are due: a hundred hosts at once, one feed of a host at a time, results committed together.

No jobs are made for it: a check is a lease in the feed's row. One that dies with its process is made again when the
lease is over (on SQLite at the next start), and what it costs is one commit for many feeds, which two thousand
unchanged feeds a second need.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from typing import Protocol, TypeVar

import structlog
from sqlalchemy.orm import Session

from bot.sandbox import Sandbox, SandboxError
from core.errors import Unavailable
from core.i18n import _
from core.news.feed import NotAFeed
from core.news.reading import read_feed
from core.news.values import Fetched, FetchFailed, NotModified
from core.ports import Fetcher, FetchLimits
from core.services.feed_checks import FeedChecks, FeedToFetch
from core.work import Work

log = structlog.get_logger(__name__)

T = TypeVar("T")
Record = Callable[[FeedChecks], None]

MEBIBYTE = 1 << 20
MAX_BATCH = 200  # results a commit: one of 200 takes a sixth of the time that 200 take in eight
GATHER_SECONDS = 0.05  # that results wait for others to be written with
CLAIMED_AHEAD = 6  # times `at_once`: some are asked, some wait for a place, and most for their commit
CLAIMED_TOGETHER = 2  # times `at_once`: a question for 200 feeds costs little more than one for 20
MAX_ENTRIES = 100  # a commit: some 2 ms each, in which no mail can be taken in
QUICK_SECONDS = 0.5  # ten times what a feed takes; what takes more waits for its like, and no other for it
READ_SECONDS = 5.0  # the largest feeds that we know are read in two


@dataclass(frozen=True, slots=True)
class _Result:
    """What to write down of a feed."""

    feed_id: int
    record: Record
    is_unchanged: bool = False
    entries: int = 0


@dataclass(frozen=True, slots=True)
class FeedSettings:
    """How feeds are asked for news."""

    at_once: int = 100
    """How many hosts are asked at the same time."""
    max_mib: int = 10
    """The largest feed that is read."""
    timeout_seconds: float = 30.0
    """How long one feed may take to come."""
    poll_seconds: float = 10.0
    """How often to look for feeds that have come due."""

    @property
    def limits(self) -> FetchLimits:
        return FetchLimits(body_bytes=self.max_mib * MEBIBYTE, seconds=self.timeout_seconds)


class Database(Protocol):
    """What this room needs of `bot.transactions.Transactions`."""

    async def in_work(self, act: Callable[[Work], T]) -> T: ...

    async def in_read(self, ask: Callable[[Session], T]) -> T: ...


@dataclass(eq=False)
class FeedRefresher:
    """Runs until it is cancelled; what is in hand then is checked again later."""

    settings: FeedSettings
    database: Database
    fetcher: Fetcher
    sandbox: Sandbox
    _checks: set[asyncio.Task[None]] = field(default_factory=set)
    _places: asyncio.Semaphore = field(init=False)
    _limits: FetchLimits = field(init=False)
    _results: list[tuple[_Result, asyncio.Future[None]]] = field(default_factory=list)
    _wanted: asyncio.Event = field(default_factory=asyncio.Event)
    _asking: int = 0
    """Claimed feeds that have no result yet."""
    _gathered: asyncio.Event = field(default_factory=asyncio.Event)
    _writing: asyncio.Task[None] | None = None

    def __post_init__(self) -> None:
        self._places, self._limits = asyncio.Semaphore(self.settings.at_once), self.settings.limits

    async def run(self) -> None:
        """Check feeds as they come due."""
        try:
            while True:
                self._wanted.clear()
                if not await self._start_checks():
                    await self._until_wanted()
        finally:
            for check in self._checks:
                check.cancel()

    def wake(self) -> None:
        """Look at once: somebody subscribed."""
        self._wanted.set()

    async def check_now(self, feed_id: int) -> None:
        """Check one feed that somebody waits for, unless it is being checked already."""
        feed = await self.database.in_work(lambda work: FeedChecks(work).claim_one(feed_id))
        if feed is not None:
            await self._check(feed)

    async def drain(self) -> int:
        """Check all that is due now, to the end; how many feeds that were. For tests, benchmarks and the demo."""
        count = 0
        while (started := await self._start_checks()) or self._checks:
            count += started
            if not started:
                await asyncio.wait(self._checks, return_when=asyncio.FIRST_COMPLETED)
        return count

    async def _start_checks(self) -> int:
        """How many: of what is due as much as there is room for, once there is room for many."""
        while self._room < CLAIMED_TOGETHER * self.settings.at_once:
            await asyncio.wait(self._checks, return_when=asyncio.FIRST_COMPLETED)
        room = self._room
        try:
            feeds = await self.database.in_work(lambda work: FeedChecks(work).claim(limit=room))
        except Unavailable as error:
            log.warning("feeds wait for the database", reason=str(error))
            return 0
        self._asking += len(feeds)
        for feed in feeds:
            check = asyncio.create_task(self._check_in_turn(feed), name=f"feed {feed.id}")
            self._checks.add(check)
            check.add_done_callback(self._checked)
        return len(feeds)

    @property
    def _room(self) -> int:
        return CLAIMED_AHEAD * self.settings.at_once - len(self._checks)

    def _checked(self, check: asyncio.Task[None]) -> None:
        self._checks.discard(check)
        self._wanted.set()  # its host is free, and there is room for another
        if not check.cancelled() and (error := check.exception()) is not None:
            log.error("feed could not be checked", task=check.get_name(), exc_info=error)

    async def _until_wanted(self) -> None:
        await _until(self._wanted, self.settings.poll_seconds)

    async def _check_in_turn(self, feed: FeedToFetch) -> None:
        async with self._places:
            try:
                result = await self._ask(feed)
            finally:
                self._asking -= 1
            if result.entries:  # whoever brings a body's worth of text keeps the place until it is written down
                await self._commit(result)
                return
        await self._commit(result)

    async def _check(self, feed: FeedToFetch) -> None:
        await self._commit(await self._ask(feed))

    async def _ask(self, feed: FeedToFetch) -> _Result:
        try:
            answer = await self.fetcher.fetch(feed.url, limits=self._limits, validators=feed.validators)
            return await self._read(feed, answer)
        except FetchFailed as failure:
            return _Result(feed.id, partial(_record_failure, feed.id, failure))

    async def _read(self, feed: FeedToFetch, answer: Fetched | NotModified) -> _Result:
        """What to write down. Raises `FetchFailed` for what is no feed."""
        if isinstance(answer, NotModified):
            return _unchanged(feed, answer)
        body_sha256 = hashlib.sha256(answer.body).hexdigest()
        if body_sha256 == feed.body_sha256:
            return _unchanged(feed, answer)
        known = await self.database.in_read(lambda session: FeedChecks.known_entries(session, feed.id))
        try:
            read = await self.sandbox.run_quick(
                read_feed, answer.body, url=answer.url, headers=dict(answer.headers), known=known,
                key=f"feed:{feed.id}", quick_seconds=QUICK_SECONDS, timeout_seconds=READ_SECONDS,
            )  # fmt: skip
        except NotAFeed as error:
            raise FetchFailed(str(error), code="feed.none") from error
        except SandboxError as error:
            raise FetchFailed(_("It takes too long or too much memory to read."), code="feed.too-hungry") from error

        def record(checks: FeedChecks) -> None:
            checks.record_read(feed.id, answer, read, body_sha256=body_sha256)

        return _Result(feed.id, record, entries=len(read.entries))

    async def _commit(self, result: _Result) -> None:
        """Write a result down together with those that come meanwhile."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._results.append((result, done))
        if self._has_gathered:
            self._gathered.set()
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        await done

    async def _write(self) -> None:
        try:
            while self._results:
                if not self._has_gathered:
                    self._gathered.clear()
                    await _until(self._gathered, GATHER_SECONDS)
                count = _batch_size([result.entries for result, _ in self._results])
                batch, self._results = self._results[:count], self._results[count:]
                outcomes = await self._write_or_split([result for result, _ in batch])
                for (_, done), error in zip(batch, outcomes, strict=True):
                    if done.cancelled():
                        continue
                    if error is None:
                        done.set_result(None)
                    else:
                        done.set_exception(error)
        finally:
            self._writing = None

    @property
    def _has_gathered(self) -> bool:
        """A whole batch is there, or nobody is left to wait for."""
        return len(self._results) >= MAX_BATCH or self._asking == 0

    async def _write_or_split(self, results: list[_Result]) -> list[Exception | None]:
        """One outcome for each. A batch that fails is written one by one: one feed must not fail the others."""
        try:
            await self.database.in_work(lambda work: _apply(work, results))
        except Exception as error:  # noqa: BLE001 - handed to the check, which ends; its lease ends too, and it is made again
            if len(results) == 1 or isinstance(error, Unavailable):
                return [error] * len(results)
            return [outcome for result in results for outcome in await self._write_or_split([result])]
        return [None] * len(results)


async def _until(event: asyncio.Event, seconds: float) -> None:
    """For so long at most."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


def _batch_size(entries: Sequence[int]) -> int:
    """How many of these results one commit takes: the first in any case."""
    sums = accumulate(entries[:MAX_BATCH])
    return max(1, sum(total <= MAX_ENTRIES for total in sums))


def _apply(work: Work, results: list[_Result]) -> None:
    checks = FeedChecks(work)
    with work.session.no_autoflush:  # else each question writes what the feed before it changed
        checks.prepare([result.feed_id for result in results if not result.is_unchanged])
        for result in results:
            result.record(checks)
        checks.settle()


def _unchanged(feed: FeedToFetch, answer: Fetched | NotModified) -> _Result:
    return _Result(feed.id, partial(_record_unchanged, feed, answer), is_unchanged=True)


def _record_failure(feed_id: int, failure: FetchFailed, checks: FeedChecks) -> None:
    checks.record_failure(feed_id, failure)


def _record_unchanged(feed: FeedToFetch, answer: Fetched | NotModified, checks: FeedChecks) -> None:
    checks.record_unchanged(feed, answer)
