"""Days of news replayed: feeds that carry the same stories in every bad habit of real ones, through the real refresh
and the real digests, with a clock that is moved; and what each reader was told, against what there was to tell.

What happens is drawn from a seed: stories that several feeds carry, with edited titles and texts, trackers in their
addresses, or addresses of their own; updates, which a copying feed has a day later; GUIDs that all change; stories
published again; feeds that are down; a day on which no scheduler runs; two schedulers and two builders at once.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bot.fetch import FetchSettings, HttpFetcher
from bot.news.clock import DigestClock
from bot.news.issues import IssueBuilder
from bot.news.pictures import PictureFetcher
from bot.storage.local import LocalStore
from core.models import Article, Digest, DigestIssue, IssueStory
from core.models.issue import IssueState
from core.models.outbox import OutboxKind
from core.services.digests import Digests
from core.services.kindle_sync import KindleSyncService
from tests.factories.feeds import WORDS, Item, rss, story_text
from tests.support.newsroom import IDENTITY, Newsroom, open_newsroom
from tests.support.web_server import Loopback, WebServer

MORNING = timedelta(hours=6, minutes=30)
FLUSH_DAYS = 3  # without news at the end, so that what came last is in an issue
WINDOW = timedelta(days=5)  # so long an item stands in its feed
LONGEST_WAIT = timedelta(days=1)  # from when a feed says something until it is fetched (`core.news.pace`)
ZONES = {"ada": "Europe/Berlin", "kei": "America/New_York"}  # the clocks go back on 25 October and 1 November 2026
_STORY = re.compile(r"/s(\d+)")


@dataclass(frozen=True, kw_only=True)
class Script:
    """How much of what."""

    days: int = 30
    feeds: int = 6
    stories_a_day: int = 8
    step_hours: float = 3.0
    seed: int = 1
    start: date = date(2026, 10, 10)
    with_kindle: bool = True


@dataclass(frozen=True, kw_only=True)
class _Carried:
    """A story as one feed has it."""

    story: int
    feed: int
    at: datetime
    title: str
    link: str
    seed: str
    updated_at: datetime | None = None
    again_at: datetime | None = None
    """When it is published once more as if it were new."""


@dataclass
class Outcome:
    """What came of it, for all readers together."""

    stories: int = 0
    updates: int = 0
    issues: int = 0
    told: int = 0
    repeats: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    wrong_issues: list[str] = field(default_factory=list)
    """Two for one day, one at another minute, or mails that are not one for each."""

    @property
    def is_right(self) -> bool:
        return not (self.repeats or self.lost or self.wrong_issues)


async def replay(script: Script, folder: Path) -> Outcome:
    """Blocks the loop no longer than the service does."""
    async with WebServer() as web, open_newsroom(folder) as room:
        world = _World(script, web)
        room.clock[0] = world.start
        press = _Press(room, folder, script)
        readers = {name: await press.reader(name, world, web) for name in ZONES}
        try:
            for now in world.moments():
                room.clock[0] = now
                world.publish(now)
                await room.refresher.drain()
                if not world.is_outage(now):
                    await press.tick()
        finally:
            await press.close()
        return await _judge(room, world, readers)


class _World:
    """The feeds and what happens to them."""

    def __init__(self, script: Script, web: WebServer) -> None:
        self._script, self._web = script, web
        self._chance = random.Random(script.seed)
        self.start = datetime.combine(script.start, datetime.min.time(), tzinfo=UTC)
        self.end = self.start + timedelta(days=script.days)
        self.carried = [one for day in range(script.days) for one in self._day(day)]
        self._outage_day = script.days // 2
        self._guids_change = self.start + timedelta(days=script.days * 0.6)
        self._down = {
            feed: self.start + timedelta(days=self._chance.uniform(1, script.days - 2)) for feed in range(1, 3)
        }

    def moments(self) -> Iterator[datetime]:
        """Every step, and every minute at which a reader's paper is due."""
        until = self.end + timedelta(days=FLUSH_DAYS)
        steps = int((until - self.start) / timedelta(hours=self._script.step_hours))
        moments = {self.start + timedelta(hours=self._script.step_hours * step) for step in range(steps)}
        for day in range(-1, self._script.days + FLUSH_DAYS):
            for zone in ZONES.values():
                local = datetime.combine(self._script.start + timedelta(days=day), datetime.min.time()) + MORNING
                moments.add(local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC))
        yield from sorted(moment for moment in moments if self.start <= moment < until)

    def is_outage(self, now: datetime) -> bool:
        """No scheduler runs for a day and a half."""
        begin = self.start + timedelta(days=self._outage_day, hours=2)
        return begin <= now < begin + timedelta(hours=36)

    def publish(self, now: datetime) -> None:
        """What the feeds say at this moment."""
        for feed in range(self._script.feeds):
            down = self._down.get(feed)
            if down is not None and down <= now < down + timedelta(hours=20):
                self._web.put(f"/{feed}", "away", status=503)
                continue
            mine = [one for one in self.carried if one.feed == feed]
            shown = [item for one in mine for item in self._items(one, now)]
            newest = sorted(shown, key=lambda item: item.published_at, reverse=True)
            self._web.put(f"/{feed}", rss(newest, title=f"Feed {feed}", site=f"https://feed{feed}.test/"))

    def _items(self, one: _Carried, now: datetime) -> Iterator[Item]:
        text = story_text(one.story, words=200)
        if one.seed:
            text = _edited(text, random.Random(one.seed))
        if one.updated_at is not None and now >= one.updated_at:
            text += story_text(f"what became of {one.story}", words=120)
        fate = "new" if one.feed == 0 and now >= self._guids_change else "old"
        if one.at <= now < one.at + WINDOW:
            yield Item(
                guid=f"{fate}-{one.feed}-{one.story}", title=one.title, published_at=one.at, link=one.link, html=text
            )
        if one.again_at is not None and one.again_at <= now < one.again_at + WINDOW:
            yield Item(
                guid=f"again-{one.feed}-{one.story}", title=f"Once more: {one.title}", published_at=one.again_at,
                link=one.link, html=text,
            )  # fmt: skip

    def _day(self, day: int) -> Iterator[_Carried]:
        for number in range(self._script.stories_a_day):
            story = day * self._script.stories_a_day + number + 1
            at = self.start + timedelta(days=day, minutes=self._chance.randrange(1440))
            title = " ".join(self._chance.sample(WORDS, 7)).capitalize()
            carriers = self._chance.sample(range(self._script.feeds), self._chance.choice((1, 1, 2, 3, 4)))
            updated_at = at + timedelta(hours=self._chance.randint(30, 60)) if self._chance.random() < 0.15 else None
            if updated_at is not None and updated_at > self.end:
                updated_at = None
            again_at = at + timedelta(days=self._chance.randint(7, 12)) if self._chance.random() < 0.1 else None
            for place, feed in enumerate(carriers):
                yield self._copy(story, place, feed, at=at, title=title, updated_at=updated_at, again_at=again_at)

    def _copy(
        self, story: int, place: int, feed: int, *, at: datetime, title: str, updated_at: datetime | None,
        again_at: datetime | None,
    ) -> _Carried:  # fmt: skip
        original = f"https://news.test/s{story}"
        links = (f"{original}?utm_source=feed{feed}", f"https://feed{feed}.test/s{story}", f"{original}?fbclid={feed}x")
        words = title.split()
        late = timedelta(hours=6 * place)
        return _Carried(
            story=story,
            feed=feed,
            at=at + late,
            title=" ".join([*words[:-1], self._chance.choice(WORDS)]) if place else title,
            link=self._chance.choice(links) if place else original,
            seed=f"{story}-{feed}" if place else "",
            updated_at=updated_at + timedelta(days=1 if place else 0) if updated_at is not None else None,
            again_at=again_at if not place else None,
        )

    def times(self, story: int, *, first_at: datetime) -> set[int]:
        """How often a story may come to a reader who got it first then: once, and again if it changed since.

        What changed just before was perhaps not fetched yet.
        """
        changed = [one.updated_at for one in self.carried if one.story == story and one.updated_at is not None]
        if not changed or min(changed) < first_at - LONGEST_WAIT:
            return {1}
        return {2} if min(changed) > first_at else {1, 2}


def _edited(html: str, chance: random.Random) -> str:
    """Another editor's hand: two words of a hundred are others."""
    return re.sub(r"(?<=[ >])\w+", lambda word: chance.choice(WORDS) if chance.random() < 0.02 else word[0], html)


class _Press:
    """Two schedulers and two builders on one database."""

    def __init__(self, room: Newsroom, folder: Path, script: Script) -> None:
        self._room, self._script = room, script
        self._fetcher = HttpFetcher(FetchSettings(allow_private=True), resolver=Loopback())
        sandbox = room.refresher.sandbox
        self._clocks = [DigestClock(room.engine) for _ in range(2)]
        self._builder = IssueBuilder(
            database=room.engine,
            blobs=LocalStore(folder / "blobs"),
            sandbox=sandbox,
            pictures=PictureFetcher(self._fetcher, sandbox),
            identity=IDENTITY,
            work_root=folder,
        )

    async def reader(self, name: str, world: _World, web: WebServer) -> int:
        """Reads all feeds; gets all that there is."""
        user_id = await self._room.reader(name, timezone=ZONES[name])
        if self._script.with_kindle and name == "ada":
            await self._room.do(lambda work: KindleSyncService(work).add_device(user_id, "ada@kindle.com"))
        world.publish(world.start)
        for feed in range(self._script.feeds):
            await self._room.subscribed(user_id, web.url(f"/{feed}", host=f"feed{feed}.test"), name=f"Feed {feed}")
        await self._room.do(lambda work: Digests(work).ensure(user_id))
        everything = sa.update(Digest).values(min_quality=0, max_articles=500)
        await self._room.do(lambda work: work.session.execute(everything) and None)
        return user_id

    async def tick(self) -> None:
        await asyncio.gather(*(clock.tick() for clock in self._clocks))
        due = sa.select(DigestIssue.id).where(DigestIssue.state == IssueState.DUE)
        ids: Sequence[int] = await self._room.engine.in_read(lambda session: session.scalars(due).all())
        await asyncio.gather(*(self._builder.build(issue_id=one) for one in ids for _ in range(2)))

    async def close(self) -> None:
        await self._fetcher.close()


async def _judge(room: Newsroom, world: _World, readers: dict[str, int]) -> Outcome:
    stories = sorted({one.story for one in world.carried})
    updates = {one.story for one in world.carried if one.updated_at is not None}
    outcome = Outcome(stories=len(stories), updates=len(updates))
    letters = await room.mails(OutboxKind.ISSUE)
    for name, user_id in readers.items():
        issues = await room.engine.in_read(lambda session, user_id=user_id: _issues(session, user_id))  # type: ignore[misc]
        told: dict[int, list[datetime]] = defaultdict(list)
        for issue, numbers in issues:
            for number in numbers:
                told[number].append(issue.made_at or issue.due_at)
        outcome.issues += len(issues)
        outcome.told += sum(map(len, told.values()))
        for story in stories:
            wanted = world.times(story, first_at=told[story][0]) if told[story] else {1}
            line = f"{name}: story {story} came {len(told[story])} times instead of {min(wanted)}"
            outcome.repeats += [line] if len(told[story]) > max(wanted) else []
            outcome.lost += [line] if len(told[story]) < min(wanted) else []
        mine = [mail for mail in letters if mail.user_id == user_id]
        outcome.wrong_issues += _wrong_issues(name, [issue for issue, _ in issues], letters=len(mine))
    return outcome


def _issues(session: Session, user_id: int) -> list[tuple[DigestIssue, list[int]]]:
    """A reader's issues that were sent, with the numbers of their stories."""
    sent = sa.select(DigestIssue).where(DigestIssue.user_id == user_id, DigestIssue.state == IssueState.SENT)
    found = []
    for issue in session.scalars(sent.order_by(DigestIssue.id)):
        urls = session.scalars(
            sa.select(Article.url).join(IssueStory, IssueStory.article_id == Article.id)
            .where(IssueStory.issue_id == issue.id)
        )  # fmt: skip
        found.append((issue, [int(match[1]) for url in urls if (match := _STORY.search(url))]))
    return found


def _wrong_issues(name: str, issues: Sequence[DigestIssue], *, letters: int) -> list[str]:
    wrong = [
        f"{name}: {count} issues of {day}"
        for day, count in Counter(issue.local_date for issue in issues).items()
        if count > 1
    ]
    for issue in issues:
        local = issue.due_at.astimezone(ZoneInfo(ZONES[name]))
        if (local.hour, local.minute) != (6, 30):
            wrong.append(f"{name}: the issue of {issue.local_date} was due at {local:%H:%M}")
    return wrong if letters == len(issues) else [*wrong, f"{name}: {letters} letters for {len(issues)} issues"]
