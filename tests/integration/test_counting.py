"""`popular` and `stats`: counted once while nothing happens to a library, and never told when something has.

That an answer was kept shows where a row is changed behind the service's back, with no event: it is not seen.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot.cache import Cache, CacheSettings
from bot.counting import TTL_SECONDS, LibraryCounter
from core.mail.grammar import Command
from core.models import Book, User
from core.services.accounts import Accounts
from core.services.book_manager import BookManager
from core.services.counted import NOTHING_COUNTED, Counted
from core.work import Work
from tests.factories.books import make_epub
from tests.factories.rows import NOW, make_book
from tests.support.newsroom import Newsroom, open_newsroom
from tests.support.service import House, open_house

ASKED = (Command("popular"), Command("stats"))


@pytest.fixture(params=["memory", "redis"])
def cache_settings(request: pytest.FixtureRequest) -> CacheSettings:
    return CacheSettings(url=request.getfixturevalue("redis_url") if request.param == "redis" else "")


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Newsroom]:
    async with open_newsroom(tmp_path) as opened:
        yield opened


@asynccontextmanager
async def process(room: Newsroom, settings: CacheSettings) -> AsyncIterator[LibraryCounter]:
    """What one process has of it, with a cache that knows nothing of earlier tests."""
    cache = Cache(settings)
    try:
        for name in TTL_SECONDS:
            await cache.delete_prefix(name)
        yield LibraryCounter(database=room.engine, cache=cache, clock=lambda: NOW)
    finally:
        await cache.close()


async def reader(room: Newsroom) -> int:
    """With two books, of which the first was sent."""

    def add(work: Work) -> int:
        user, _ = Accounts(work).add_user("ada@reader.test")
        make_book(work.session, user, title="Sent", download_count=1)
        make_book(work.session, user, title="Unsent")
        return user.id

    return await room.engine.in_work(add)


def told(work: Work, user_id: int, counted: Counted) -> tuple[list[str], int, int]:
    """(titles of the popular, books, how often one was sent), as the commands tell them."""
    books = BookManager(work, counted=counted)
    stats = books.stats(user_id)
    return [book.title for book in books.popular(user_id)], stats.books, stats.sent


async def change_unseen(room: Newsroom, **values: object) -> None:
    await room.engine.in_work(lambda work: work.session.execute(sa.update(Book).values(**values)))


async def test_library_is_counted_once_while_nothing_happens(room: Newsroom, cache_settings: CacheSettings) -> None:
    user_id = await reader(room)
    async with process(room, cache_settings) as counter:
        first = await counter.count(user_id, ASKED)
        await change_unseen(room, download_count=7)
        second = await counter.count(user_id, ASKED)

        assert second == first
        assert await room.engine.in_work(lambda work: told(work, user_id, second)) == (["Sent"], 2, 1)


async def test_what_happens_to_a_library_is_told_at_once_by_every_process(
    room: Newsroom, cache_settings: CacheSettings
) -> None:
    user_id = await reader(room)
    async with process(room, cache_settings) as mine, process(room, cache_settings) as other:
        await mine.count(user_id, ASKED)
        await other.count(user_id, ASKED)

        def remove(work: Work) -> None:
            sent = work.session.scalars(sa.select(Book).where(Book.title == "Sent")).one()
            BookManager(work).remove(user_id, sent.id)

        await room.engine.in_work(remove)
        for counter in (mine, other):
            counted = await counter.count(user_id, ASKED)
            assert counted.stats is not None
            assert (counted.stats.books, counted.popular_ids) == (1, [])


async def test_what_was_counted_is_not_told_after_a_change(room: Newsroom, cache_settings: CacheSettings) -> None:
    user_id = await reader(room)
    async with process(room, cache_settings) as counter:
        counted = await counter.count(user_id, ASKED)

        def remove_and_tell(work: Work) -> tuple[list[str], int, int]:
            sent = work.session.scalars(sa.select(Book).where(Book.title == "Sent")).one()
            BookManager(work).remove(user_id, sent.id)
            return told(work, user_id, counted)

        assert await room.engine.in_work(remove_and_tell) == ([], 1, 0)


async def test_change_that_was_rolled_back_leaves_what_was_counted(room: Newsroom) -> None:
    user_id = await reader(room)
    async with process(room, CacheSettings()) as counter:
        before = await counter.count(user_id, ASKED)

        def fail(work: Work) -> None:
            Accounts(work).set_name(user_id, "Ada")
            raise ConnectionError

        with pytest.raises(ConnectionError):
            await room.engine.in_work(fail)

        assert await counter.count(user_id, ASKED) == before


async def test_readers_do_not_see_each_others_numbers(room: Newsroom, cache_settings: CacheSettings) -> None:
    user_id = await reader(room)
    other_id = await room.engine.in_work(lambda work: Accounts(work).add_user("kei@reader.test")[0].id)
    async with process(room, cache_settings) as counter:
        await counter.count(user_id, ASKED)
        counted = await counter.count(other_id, ASKED)

        assert counted.stats is not None
        assert (counted.stats.books, counted.popular_ids) == (0, [])
        mine = await counter.count(user_id, ASKED)
        assert await room.engine.in_work(lambda work: told(work, other_id, mine)) == ([], 0, 0)


async def test_other_commands_cost_nothing_and_times_are_as_promised(room: Newsroom) -> None:
    user_id = await reader(room)
    async with process(room, CacheSettings()) as counter:
        assert await counter.count(user_id, (Command("list"),)) is NOTHING_COUNTED
        assert (await counter.count(user_id, (Command("stats"),))).popular_ids is None
    assert TTL_SECONDS == {"popular": 900, "stats": 600}


async def add_unseen(house: House, address: str) -> None:
    """A book that the service is not told of."""

    def add(work: Work) -> None:
        make_book(work.session, work.session.scalars(sa.select(User).where(User.address == address)).one())

    await house.app.engine.in_work(add)


@pytest.mark.parametrize("kept_in", ["memory", "redis and postgres"])
async def test_mails_get_what_is_kept_until_their_own_commands_change_it(
    tmp_path: Path, kept_in: str, request: pytest.FixtureRequest
) -> None:
    servers: dict[str, Any] = {}
    if kept_in != "memory":
        servers["cache"] = CacheSettings(url=request.getfixturevalue("redis_url"))
        servers["database_url"] = request.getfixturevalue("postgres_url")
    async with open_house(tmp_path, **servers) as house:
        ada = await house.person("ada@reader.test")
        await ada.asks("", attach=[("one.epub", make_epub(title="One"))])
        assert "1 book in" in (await ada.asks("stats")).text
        await add_unseen(house, ada.address)
        assert "1 book in" in (await ada.asks("stats")).text, "it is the kept answer"

        changed = await ada.asks("", "remove one\nstats")

        assert "1 book in" in changed.text, "the unseen book is counted now, and the removed one is not"
        assert "2 books in" in (await ada.asks("undo", "stats")).text
