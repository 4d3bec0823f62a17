"""What the next issue would hold: chosen once in half an hour, told to each who asks, and nothing of it remembered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.cache import Cache, CacheSettings
from bot.news.previews import TTL_SECONDS, Previewer
from core.models import DeliveredStory, Digest, DigestIssue
from core.services.digests import Digests
from tests.factories.feeds import Item, rss
from tests.support.newsroom import IDENTITY, Newsroom, open_newsroom
from tests.support.web_server import WebServer


class Window(Newsroom):
    """A newsroom that one may look into."""

    previewer: Previewer
    web: WebServer
    user_id: int

    async def publish(self, *numbers: int) -> None:
        items = [Item(guid=f"g{n}", title=f"Story number {n}", published_at=self.now, seed=n) for n in numbers]
        self.web.put("/feed", rss(items))
        self.wait(days=1)
        await self.refresher.drain()

    async def look(self, cause: str) -> str:
        """The subject of the mail that tells what is in it."""
        (digest,) = await self.all(Digest)
        await self.previewer.preview(digest_id=digest.id, user_id=self.user_id, cause=cause)
        return (await self.notices())[-1].subject


@pytest.fixture
async def window(tmp_path: Path) -> AsyncIterator[Window]:
    cache = Cache(CacheSettings())
    async with WebServer() as web, open_newsroom(tmp_path) as room:
        window = Window(room.engine, room.refresher, room.clock)
        window.web = web
        window.previewer = Previewer(database=room.engine, cache=cache, identity=IDENTITY)
        window.user_id = await window.reader("ada")
        await window.subscribed(window.user_id, web.url("/feed"))
        await window.do(lambda work: Digests(work).ensure(window.user_id))
        await window.publish(1, 2)
        yield window
    await cache.close()


async def test_preview_tells_what_is_new_and_delivers_nothing(window: Window) -> None:
    assert await window.look("MAIL-1:1") == "Morning paper: 2 stories, 2 min"

    assert await window.all(DigestIssue) == []
    assert await window.all(DeliveredStory) == []


async def test_second_look_is_the_kept_one_and_a_mail_of_its_own(window: Window) -> None:
    await window.look("MAIL-1:1")
    await window.publish(1, 2, 3)

    assert await window.look("MAIL-2:1") == "Morning paper: 2 stories, 2 min"
    assert len(await window.notices()) == 2
    assert TTL_SECONDS == 1800


async def test_job_that_runs_again_tells_it_once(window: Window) -> None:
    await window.look("MAIL-1:1")
    await window.look("MAIL-1:1")

    assert len(await window.notices()) == 1


async def test_what_the_reader_changes_is_seen_at_once(window: Window) -> None:
    await window.look("MAIL-1:1")

    await window.do(lambda work: Digests(work).limit(Digests(work).ensure(window.user_id), max_articles=1))

    assert await window.look("MAIL-2:1") == "Morning paper: 1 story, 1 min"


async def test_digest_of_somebody_else_is_not_shown(window: Window) -> None:
    kei = await window.reader("kei")
    (digest,) = await window.all(Digest)

    await window.previewer.preview(digest_id=digest.id, user_id=kei, cause="MAIL-3:1")

    assert await window.notices() == []
