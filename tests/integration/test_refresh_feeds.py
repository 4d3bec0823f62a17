"""Feeds from a real server into real rows: what is kept, what is told, and that no feed keeps another waiting."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.news.refresh import FeedSettings
from core.models import Article, FeedHost, OutboxMail, Subscription
from core.models.feed import FeedState
from core.services.feed_checks import FAILING_AFTER, LEASE, FeedChecks
from core.services.news_aggregator import NewsAggregator
from tests.factories.feeds import Item, rss, story_text
from tests.factories.rows import NOW
from tests.support.newsroom import Newsroom, open_newsroom
from tests.support.web_server import WebServer

YESTERDAY = NOW - timedelta(days=1)


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Newsroom]:
    async with open_newsroom(tmp_path, settings=FeedSettings(timeout_seconds=6.0)) as opened:
        yield opened


@pytest.fixture
async def web() -> AsyncIterator[WebServer]:
    async with WebServer() as server:
        yield server


def item(number: int, **more: object) -> Item:
    fields: dict[str, object] = {
        "guid": f"g{number}",
        "title": f"Story number {number} of the harbour",
        "published_at": YESTERDAY + timedelta(minutes=number),
        "link": f"https://harbour.test/{number}",
    }
    return Item(**{**fields, **more})  # type: ignore[arg-type] # as its fields are


async def refresh(room: Newsroom, **period: float) -> int:
    room.wait(**(period or {"days": 1}))
    return await room.refresher.drain()


async def test_feed_becomes_articles_with_their_text(room: Newsroom, web: WebServer) -> None:
    feed_id = await room.subscribed(await room.reader("ada"), web.put("/feed", rss([item(1), item(2)])))

    checked = await room.refresher.drain()

    articles = await room.articles()
    assert checked == 1
    assert [one.title for one in articles] == ["Story number 1 of the harbour", "Story number 2 of the harbour"]
    assert all(one.words > 100 and not one.is_stub for one in articles)
    feed = await room.feed(feed_id)
    assert (feed.title, feed.last_error, feed.failures) == ("The Harbour Post", "", 0)
    assert feed.next_check_at > room.now


async def test_feed_of_two_readers_is_fetched_once(room: Newsroom, web: WebServer) -> None:
    url = web.put("/feed", rss([item(1)]))
    await room.subscribed(await room.reader("ada"), url)
    await room.subscribed(await room.reader("ben"), url)

    await room.refresher.drain()

    assert len(web.requests("/feed")) == 1


async def test_feed_that_nobody_reads_is_not_fetched(room: Newsroom, web: WebServer) -> None:
    url = web.put("/feed", rss([item(1)]))
    await room.do(lambda work: NewsAggregator(work).add_feed(url))

    await refresh(room)

    assert web.requests() == []


async def test_second_fetch_is_conditional_and_keeps_everything(room: Newsroom, web: WebServer) -> None:
    url = web.put("/feed", rss([item(1)]), headers={"ETag": '"one"'})
    await room.subscribed(await room.reader("ada"), url)
    await room.refresher.drain()

    await refresh(room)

    second = web.requests("/feed")[1]
    assert second.headers["If-None-Match"] == '"one"'
    assert len(await room.articles()) == 1


async def test_new_entry_is_added_beside_the_known_ones(room: Newsroom, web: WebServer) -> None:
    await room.subscribed(await room.reader("ada"), web.put("/feed", rss([item(1)])))
    await room.refresher.drain()
    web.put("/feed", rss([item(2), item(1)]))

    await refresh(room)

    assert [one.title[:14] for one in await room.articles()] == ["Story number 1", "Story number 2"]


async def test_typo_is_no_change_and_a_new_passage_is(room: Newsroom, web: WebServer) -> None:
    text = story_text("g1")
    await room.subscribed(await room.reader("ada"), web.put("/feed", rss([item(1, html=text)])))
    await room.refresher.drain()
    web.put("/feed", rss([item(1, html=text.replace("council", "counsil", 1))]))
    await refresh(room)
    (after_typo,) = await room.articles()
    web.put("/feed", rss([item(1, html=text + story_text("more", words=80))]))

    await refresh(room)

    (after_passage,) = await room.articles()
    assert after_typo.changed_at is None
    assert after_passage.changed_at is not None


async def test_same_story_of_two_feeds_is_one_story(room: Newsroom, web: WebServer) -> None:
    ada = await room.reader("ada")
    await room.subscribed(ada, web.put("/a", rss([item(1, seed="same")])))
    other = item(9, seed="same", title="Story number 1 of the harbor", link="https://echo.test/copy")
    await room.subscribed(ada, web.url("/b", host="echo.test"))
    web.put("/b", rss([other, item(8)], title="The Echo"))

    await room.refresher.drain()

    stories = {one.url: one.story_id for one in await room.articles()}
    assert stories["https://harbour.test/1"] == stories["https://echo.test/copy"] != stories["https://harbour.test/8"]


async def test_permanent_redirect_moves_the_feed(room: Newsroom, web: WebServer) -> None:
    feed_id = await room.subscribed(await room.reader("ada"), web.redirect("/old", web.put("/new", rss([item(1)]))))

    await room.refresher.drain()

    assert (await room.feed(feed_id)).url == web.url("/new")


async def test_feed_that_moves_to_a_known_one_hands_its_readers_over(room: Newsroom, web: WebServer) -> None:
    new = web.put("/new", rss([item(1)]))
    ada, ben = await room.reader("ada"), await room.reader("ben")
    there = await room.subscribed(ada, new)
    await room.subscribed(ada, web.redirect("/old", new), name="Old")
    await room.subscribed(ben, web.url("/old"))

    await room.refresher.drain()

    assert [(one.user_id, one.feed_id) for one in await room.all(Subscription)] == [(ada, there), (ben, there)]


def text_of(notice: OutboxMail) -> str:
    part = message_from_bytes(notice.head, policy=default).get_body(["plain"])
    assert part is not None
    return str(part.get_content())


async def test_feed_that_is_gone_is_told_once_to_each_reader(room: Newsroom, web: WebServer) -> None:
    url = web.put("/feed", "gone", status=410)
    feed_id = await room.subscribed(await room.reader("ada"), url)
    await room.subscribed(await room.reader("ben"), url)
    await room.refresher.drain()

    await refresh(room)

    assert (await room.feed(feed_id)).state is FeedState.GONE
    assert sorted(mail.rcpt_to for mail in await room.notices()) == ["ada@reader.test", "ben@reader.test"]
    assert len(web.requests()) == 1


async def test_feed_that_keeps_failing_is_told_once_with_the_reason(room: Newsroom, web: WebServer) -> None:
    await room.subscribed(await room.reader("ada"), web.put("/feed", "away", status=404))

    for _ in range(FAILING_AFTER + 4):
        await refresh(room, days=2)

    (notice,) = await room.notices()
    assert b"There is no such page at 127.0.0.1" in notice.head


async def test_failing_feed_is_told_in_the_language_of_each_reader(room: Newsroom, web: WebServer) -> None:
    url = web.put("/feed", "<html><p>Hello</p></html>")
    await room.subscribed(await room.reader("ada"), url)
    await room.subscribed(await room.reader("ben", language="de"), url)

    for _ in range(FAILING_AFTER):
        await refresh(room, days=2)

    english, german = [text_of(notice) for notice in await room.notices()]
    assert "Reason: This is a web page, not a feed." in english
    assert "konnte seit 25. November nicht gelesen werden." in german
    assert "Grund: Das ist eine Webseite, kein Feed." in german


async def test_feed_that_recovers_is_well_again(room: Newsroom, web: WebServer) -> None:
    feed_id = await room.subscribed(await room.reader("ada"), web.put("/feed", "away", status=500))
    await room.refresher.drain()
    web.put("/feed", rss([item(1)]))

    await refresh(room, days=2)

    feed = await room.feed(feed_id)
    assert (feed.failures, feed.last_error, feed.failing_since) == (0, "", None)
    assert await room.all(FeedHost) == []


async def test_feed_that_recovers_unchanged_is_well_again(room: Newsroom, web: WebServer) -> None:
    url = web.put("/feed", rss([item(1)]), headers={"ETag": '"1"'})
    feed_id = await room.subscribed(await room.reader("ada"), url)
    await room.refresher.drain()
    web.put("/feed", "away", status=500)
    await refresh(room, days=2)
    failed = (await room.feed(feed_id)).failures, len(await room.all(FeedHost))
    web.put("/feed", rss([item(1)]), headers={"ETag": '"1"'})

    await refresh(room, days=2)

    feed = await room.feed(feed_id)
    assert failed == (1, 1)
    assert (feed.failures, feed.last_error, feed.failing_since, feed.last_success_at) == (0, "", None, room.now)
    assert await room.all(FeedHost) == []


async def test_same_bytes_under_another_tag_are_asked_for_by_that_tag(room: Newsroom, web: WebServer) -> None:
    url = web.put("/feed", rss([item(1)]), headers={"ETag": '"1"'})
    await room.subscribed(await room.reader("ada"), url)
    await room.refresher.drain()
    web.put("/feed", rss([item(1)]), headers={"ETag": '"2"'})

    await refresh(room)
    await refresh(room)

    assert [seen.headers.get("If-None-Match") for seen in web.requests()] == [None, '"1"', '"2"']


async def test_page_that_is_no_feed_is_a_failure_with_words(room: Newsroom, web: WebServer) -> None:
    feed_id = await room.subscribed(await room.reader("ada"), web.put("/feed", "<html><p>Hello</p></html>"))

    await room.refresher.drain()

    feed = await room.feed(feed_id)
    assert feed.failures == 1
    assert feed.last_error


async def test_host_that_is_down_rests_also_after_a_restart(room: Newsroom, web: WebServer) -> None:
    await room.subscribed(await room.reader("ada"), web.raw("/feed"))
    for _ in range(5):
        await refresh(room, days=2)
    asked = len(web.requests())
    (host,) = await room.all(FeedHost)
    assert host.open_until is not None

    room.clock[0] = host.open_until - timedelta(seconds=1)
    claimed = await room.do(lambda work: FeedChecks(work).claim(limit=10))

    assert host.failures == 5
    assert claimed == []
    assert len(web.requests()) == asked


async def test_dead_feeds_keep_no_other_waiting(room: Newsroom, web: WebServer) -> None:
    ada = await room.reader("ada")
    web.stall("/dead")
    web.drip("/slow", rss([item(1)]).encode(), every_seconds=0.3)
    for number in range(4):
        await room.subscribed(ada, web.url("/dead", host=f"dead{number}.test"), name=f"Dead {number}")
    await room.subscribed(ada, web.url("/slow", host="slow.test"), name="Slow")
    quick = [
        await room.subscribed(ada, web.url(f"/quick{number}", host=f"quick{number}.test"), name=f"Quick {number}")
        for number in range(8)
    ]
    for number in range(8):
        web.put(f"/quick{number}", rss([item(number)]))

    refreshing = asyncio.create_task(room.refresher.drain())
    while not all([(await room.feed(one)).last_success_at for one in quick]):
        assert not refreshing.done()
        await asyncio.sleep(0.05)

    assert await refreshing == 13


async def test_feeds_of_one_host_are_asked_one_at_a_time(room: Newsroom, web: WebServer) -> None:
    ada = await room.reader("ada")
    for number in range(5):
        url = web.put(f"/{number}", rss([item(number)]))
        await room.subscribed(ada, url, name=f"Feed {number}")

    await room.refresher.drain()

    assert web.busiest == 1
    assert len(web.requests()) == 5


async def test_check_that_died_is_made_again_after_its_lease(room: Newsroom, web: WebServer) -> None:
    await room.subscribed(await room.reader("ada"), web.put("/feed", rss([item(1)])))
    await room.do(lambda work: FeedChecks(work).claim(limit=10))
    before = await room.refresher.drain()

    after = await refresh(room, seconds=LEASE.total_seconds() + 1)

    assert (before, after) == (0, 1)
    assert len(await room.articles()) == 1


async def test_check_that_died_is_made_again_at_once_where_nobody_else_checks(room: Newsroom, web: WebServer) -> None:
    await room.subscribed(await room.reader("ada"), web.put("/feed", rss([item(1)])))
    await room.do(lambda work: FeedChecks(work).claim(limit=10))

    await room.do(lambda work: FeedChecks(work).release_all())

    assert await room.refresher.drain() == 1


async def test_stories_that_come_in_one_round_find_each_other(room: Newsroom, web: WebServer) -> None:
    ada = await room.reader("ada")
    for number in range(6):
        same_address = item(number, seed=f"own {number}", link="https://harbour.test/one?utm_source=feed")
        same_text = item(10 + number, seed="same", link=f"https://echo{number}.test/two")
        web.put(f"/{number}", rss([same_address, same_text], title=f"Echo {number}"))
        await room.subscribed(ada, web.url(f"/{number}", host=f"echo{number}.test"), name=f"Echo {number}")

    await room.refresher.drain()

    articles = await room.articles()
    assert len(articles) == 12
    assert len({one.story_id for one in articles}) == 2


async def test_unchanged_feed_keeps_its_pace(room: Newsroom, web: WebServer) -> None:
    items = [item(number, published_at=NOW - timedelta(hours=8 * number)) for number in range(1, 12)]
    feed_id = await room.subscribed(await room.reader("ada"), web.put("/feed", rss(items), headers={"ETag": '"1"'}))
    await room.refresher.drain()
    await refresh(room, hours=6)

    waits = (await room.feed(feed_id)).next_check_at - room.now

    assert timedelta(hours=2) <= waits <= timedelta(hours=2, minutes=13)  # a quarter of eight hours, and the jitter


async def test_stalling_dripping_and_bombing_feeds_keep_no_other_waiting(room: Newsroom, web: WebServer) -> None:
    ada = await room.reader("ada")
    web.stall("/stall")
    web.drip("/drip", rss([item(1)]).encode(), every_seconds=1.0)
    web.put_gzip("/bomb", b"<rss>" + bytes(64 << 20))
    web.put("/entities", _LAUGHS)
    bad = [
        await room.subscribed(ada, web.url(f"/{name}", host=f"{name}.test"), name=name)
        for name in ("stall", "drip", "bomb", "entities")
    ]
    good = []
    for number in range(6):
        web.put(f"/{number}", rss([item(number)]))
        good.append(await room.subscribed(ada, web.url(f"/{number}", host=f"good{number}.test"), name=f"Good {number}"))

    started = time.monotonic()
    refreshing = asyncio.create_task(room.refresher.drain())
    while not all([(await room.feed(one)).last_success_at for one in good]):
        assert time.monotonic() - started < 5
        await asyncio.sleep(0.05)
    await refreshing

    stall, drip, bomb, entities = [(await room.feed(one)).last_error for one in bad]
    assert "did not answer within" in stall
    assert "did not answer within" in drip
    assert "larger than" in bomb
    assert len(await room.articles()) == 6
    assert entities == "" or "feed" in entities  # read without its entities, or refused: and no memory went with it


async def test_many_feeds_that_take_long_to_read_keep_no_other_waiting(
    room: Newsroom, web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.news.refresh.QUICK_SECONDS", 0.1)
    monkeypatch.setattr("bot.news.refresh.READ_SECONDS", 0.6)
    ada = await room.reader("ada")
    bad = []
    for number in range(6):
        web.put(f"/bad{number}", _SLOW_TO_READ[number % 2])
        bad.append(await room.subscribed(ada, web.url(f"/bad{number}", host=f"bad{number}.test"), name=f"B {number}"))
    refreshing = asyncio.create_task(room.refresher.run())
    while room.refresher.sandbox._calls < len(bad):
        assert not refreshing.done()
        await asyncio.sleep(0.01)
    good = []
    for number in range(6):
        web.put(f"/{number}", rss([item(number)]))
        good.append(await room.subscribed(ada, web.url(f"/{number}", host=f"good{number}.test"), name=f"G {number}"))

    room.refresher.wake()
    while not all([(await room.feed(one)).last_success_at for one in good]):
        assert not refreshing.done()
        await asyncio.sleep(0.05)

    given_up = sum([(await room.feed(one)).failures for one in bad])
    while not all([(await room.feed(one)).failures for one in bad]):
        assert not refreshing.done()
        await asyncio.sleep(0.05)
    refreshing.cancel()
    assert given_up <= 2  # in one queue with them, the good ones would have come when all or all but one were
    assert {(await room.feed(one)).last_error for one in bad} == {"It takes too long or too much memory to read."}


_HEAD = "<rss version='2.0'><channel><title>Slow</title><item><title>One</title>"
_SLOW_TO_READ = (  # seconds of feedparser each: it pops what was never pushed, or looks through all that is open
    f"{_HEAD}{'<author>a</author><link>b</link>' * 30_000}</item",
    f"{_HEAD}{'<x>' * 200_000}{'</x>' * 200_000}</item></channel></rss>",
)

_LAUGHS = (
    '<!DOCTYPE rss [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    + ']><rss version="2.0"><channel><title>&i;</title></channel></rss>'
)


async def test_same_bytes_are_not_read_again(room: Newsroom, web: WebServer) -> None:
    await room.subscribed(await room.reader("ada"), web.put("/feed", rss([item(1)])))
    await room.refresher.drain()
    await room.do(lambda work: work.session.execute(sa.delete(Article)) and None)

    await refresh(room)

    assert len(web.requests("/feed")) == 2
    assert await room.articles() == []  # who read them again would have the article back


async def test_server_that_names_a_time_is_left_alone_until_then(room: Newsroom, web: WebServer) -> None:
    url = web.put("/feed", "busy", status=503, headers={"Retry-After": "18000"})
    feed_id = await room.subscribed(await room.reader("ada"), url)

    await room.refresher.drain()

    feed = await room.feed(feed_id)
    assert feed.next_check_at >= room.now + timedelta(hours=5)
    assert "asked us to come back later" in feed.last_error


async def test_feed_that_names_its_ttl_is_not_asked_before(room: Newsroom, web: WebServer) -> None:
    body = rss([item(1)]).replace("<language>", "<ttl>600</ttl><language>")
    feed_id = await room.subscribed(await room.reader("ada"), web.put("/feed", body))

    await room.refresher.drain()

    waits = (await room.feed(feed_id)).next_check_at - room.now
    assert timedelta(hours=10) <= waits <= timedelta(hours=24)
