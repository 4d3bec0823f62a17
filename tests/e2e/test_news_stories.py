"""The morning paper as two people have it: feeds over HTTP, mails over SMTP, and a clock that is moved."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from bot.fetch import FetchSettings
from bot.mailbox import ReceivedMail
from core.news.check_paper import check_paper
from core.news.one_click import stopped_letter
from core.services.feed_checks import FeedChecks
from tests.factories.feeds import Item, rss
from tests.support.epub_checker import HAS_JAVA, messages_of
from tests.support.service import BOT, Answered, House, Person, open_house
from tests.support.web_server import WebServer

KINDLE = "ada_1815@kindle.com"
MONDAY = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
TOKYO = datetime(2026, 11, 23, 21, 30, tzinfo=UTC)  # 06:30 of Tuesday in Tokyo
BERLIN = datetime(2026, 11, 24, 5, 30, tzinfo=UTC)  # 06:30 of Tuesday in Berlin
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@dataclass
class Town:
    """A service, three papers of the web, and the time."""

    house: House
    post: WebServer
    echo: WebServer
    weather: WebServer
    clock: list[datetime]

    async def at(self, moment: datetime) -> None:
        """It is that moment: the feeds that are due are read, the digests that are due are made and sent."""
        self.clock[0] = moment
        await self.house.app.refresher.drain()
        await self.house.app.digests.tick()
        await self.house.settle()

    def mails(self, address: str) -> list[ReceivedMail]:
        return [mail for mail in self.house.world.mails if mail.rcpt_to == address]

    def letters(self, person: Person) -> list[Answered]:
        return [Answered(mail) for mail in self.mails(person.address) if "List-Id" in mail.message]

    def books(self, folder: Path) -> list[Path]:
        """The papers that lie at the Kindle, as files."""
        paths = []
        for number, mail in enumerate(self.mails(KINDLE)):
            (book,) = mail.message.iter_attachments()
            path = folder / f"{number}.epub"
            path.write_bytes(book.get_content())
            paths.append(path)
        return paths


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    async with AsyncExitStack() as stack:
        post, echo, weather = [await stack.enter_async_context(WebServer()) for _ in range(3)]
        clock = [MONDAY]
        house = await stack.enter_async_context(
            open_house(tmp_path, clock=lambda: clock[0], fetch=FetchSettings(allow_private=True))
        )
        yield Town(house, post, echo, weather, clock)


def story(number: int, at: datetime, *, server: WebServer, title: str = "", seed: int = 0, query: str = "") -> Item:
    return Item(
        guid=f"{server.port}-{number}",
        title=title or f"Story number {number} of the harbour",
        published_at=at,
        link=server.url(f"/story/{number}{query}"),
        seed=seed or number,
    )


def publish(town: Town, day: datetime, first: int) -> None:
    """Of that day: two stories of the Post, the first of which the Echo has copied, and one of the weather's own."""
    post = [story(number, day, server=town.post) for number in (first, first + 1)]
    copy = story(
        first, day, server=town.echo, title=f"Story number {first} of the harbor", query="?utm_source=rss&utm_medium=x"
    )
    town.post.put("/rss", rss(post, title="The Harbour Post", site=town.post.url("/")))
    town.echo.put("/feed.xml", rss([copy], title="The Echo", site=town.echo.url("/")))
    wind = story(
        first + 2, day, server=town.weather, title=f"Wind and tide, part {first}", query="?utm_source=rss&page=2"
    )
    town.weather.put("/atom", rss([wind], title="Weather", site=town.weather.url("/")))
    head = '<html><head><link rel="alternate" type="application/rss+xml" href="/feed.xml"></head><body>The Echo</body>'
    town.echo.put("/", head, headers={"Content-Type": "text/html"})


async def subscribe(person: Person, *urls: str) -> None:
    """Each with its two answers, or one where the feed is known already."""
    for url in urls:
        answer = await person.asks(f"subscribe {url}")
        if "Looking at" in answer.text:
            answer = await person.answer()
        assert "Subscribed:" in answer.text, answer.text


def numbers_in(letter: Answered) -> set[int]:
    """The stories of the harbour and the wind that a letter has."""
    found = re.findall(r"Story number (\d+) of|Wind and tide, part (\d+)", letter.text)
    return {int(harbour) if harbour else int(wind) + 2 for harbour, wind in found}


@pytest.mark.timeout(180)  # epubcheck is a JVM, on a busy machine
async def test_two_people_in_two_zones_have_their_papers(town: Town, tmp_path: Path) -> None:
    publish(town, MONDAY - timedelta(hours=2), first=1)
    ada = await town.house.person("ada@reader.test", name="Ada", timezone="Europe/Berlin")
    kei = await town.house.person("kei@reader.test", name="Kei", timezone="Asia/Tokyo")
    await subscribe(ada, town.post.url("/rss"), town.echo.url("/"), town.weather.url("/atom"))
    await subscribe(kei, town.post.url("/rss"), town.echo.url("/feed.xml"))
    assert "Added" in (await ada.asks(f"kindle add {KINDLE}")).text
    assert "to mail" in (await kei.asks("digest daily 06:30 to mail")).text

    await town.at(TOKYO - MINUTE)
    assert town.letters(kei) == []
    await town.at(TOKYO)
    await town.at(BERLIN - MINUTE)
    assert (len(town.letters(kei)), len(town.letters(ada)), town.mails(KINDLE)) == (1, 0, [])
    await town.at(BERLIN)
    await town.at(BERLIN + MINUTE)

    (for_kei,), (for_ada,) = town.letters(kei), town.letters(ada)
    assert numbers_in(for_kei) == {1, 2}
    assert numbers_in(for_ada) == {1, 2, 3}
    assert "Tuesday, 24 November 2026" in for_kei.text
    assert for_ada.text.count("Story number 1 of the harb") == 2, "in the contents, and above its text"
    assert "Also in The Echo" in for_ada.text
    look_at(for_ada, ada)
    (book,) = town.books(tmp_path)
    assert check_paper(book) == []
    if HAS_JAVA:
        assert await asyncio.to_thread(messages_of, book) == []

    # The next day only what is new; and what stood in Monday's feeds and is still there comes to nobody again.
    publish(town, TOKYO + timedelta(hours=10), first=11)
    await town.at(TOKYO + DAY - 2 * MINUTE)  # the feeds are read
    await town.at(TOKYO + DAY)
    await town.at(BERLIN + DAY)
    await town.at(BERLIN + DAY + MINUTE)

    assert [numbers_in(letter) for letter in town.letters(kei)] == [{1, 2}, {11, 12}]
    assert [numbers_in(letter) for letter in town.letters(ada)] == [{1, 2, 3}, {11, 12, 13}]
    assert [check_paper(path) for path in town.books(tmp_path)] == [[], []]

    # A day without news sends nothing.
    await town.at(TOKYO + 2 * DAY)
    await town.at(BERLIN + 2 * DAY)
    assert (len(town.letters(kei)), len(town.letters(ada)), len(town.mails(KINDLE))) == (2, 2, 2)


def look_at(letter: Answered, person: Person) -> None:
    """Its fields, and that no part of it reaches out."""
    message = letter.message
    assert message["Auto-Submitted"] == "auto-generated"
    address, command = unsubscribe_of(letter)
    assert address == BOT
    assert person.secret not in letter.mail.raw.decode()
    assert stopped_letter(command) is not None
    assert "<img" not in letter.html
    assert "page=2" in letter.text
    assert "utm_" not in letter.text + letter.html
    assert "prefers-color-scheme: dark" in letter.html


def unsubscribe_of(letter: Answered) -> tuple[str, str]:
    """The address and the command of its List-Unsubscribe."""
    link = re.fullmatch(r"<mailto:(\S+)\?subject=(\S+)>", "".join(str(letter.message["List-Unsubscribe"]).split()))
    assert link is not None
    return unquote(link[1]), unquote(link[2])


async def test_reader_looks_ahead_asks_for_a_paper_and_answers_it(town: Town) -> None:
    publish(town, MONDAY - timedelta(hours=2), first=1)
    ada = await town.house.person("ada@reader.test", name="Ada", timezone="Europe/Berlin")
    await subscribe(ada, town.post.url("/rss"))
    await ada.asks(f"kindle add {KINDLE}")
    assert "Looking at what stands in Morning paper" in (await ada.asks("digest preview")).text
    preview = await ada.answer()
    assert preview.subject.startswith("Morning paper: 2 stories")
    assert town.mails(KINDLE) == []

    assert "Making Morning paper" in (await ada.asks("digest now")).text
    letter = await ada.answer()
    await town.house.settle()
    (paper,) = town.mails(KINDLE)
    assert numbers_in(letter) == {1, 2}
    assert str(paper.message["Subject"]).startswith("Book: Morning paper, 23 November 2026")

    answer = await ada.replies(letter, "less 1\nwhy 1\nsend 2")
    await town.house.settle()
    assert "3 of 3 done" in answer.text
    assert "Noted: less like" in answer.text
    assert "of 100" in answer.text
    assert [str(mail.message["Subject"])[:18] for mail in town.mails(KINDLE)] == [
        "Book: Morning pape",
        "Book: Story number",
    ]

    assert "nothing new" in (await _after(ada, "digest now")).subject
    assert "Morning paper is off" in (await ada.asks(unsubscribe_of(letter)[1])).text
    publish(town, MONDAY + timedelta(hours=2), first=11)
    await town.at(BERLIN)
    assert len(town.letters(ada)) == 1


async def _after(person: Person, command: str) -> Answered:
    """What comes behind the answer to a command."""
    await person.asks(command)
    return await person.answer()


async def test_feeds_move_out_and_in_again_as_a_file(town: Town) -> None:
    publish(town, MONDAY, first=1)
    ada = await town.house.person("ada@reader.test", name="Ada")
    await subscribe(ada, town.post.url("/rss"), town.echo.url("/feed.xml"))
    await ada.asks("rename Echo to Échö in Gossip")
    (file,) = (await ada.asks("export")).message.iter_attachments()
    await ada.asks("unsubscribe Échö", "unsubscribe The Harbour Post")

    answer = await ada.asks("", attach=[(str(file.get_filename()), file.get_payload(decode=True))])

    assert "2 feeds subscribed" in answer.text
    assert re.search(r"Échö\s.*Gossip\s.*subscribed", answer.text), answer.text


async def test_a_feed_that_i_read_is_known_by_its_page_too(town: Town) -> None:
    publish(town, MONDAY, first=1)
    ada = await town.house.person("ada@reader.test", name="Ada")
    await subscribe(ada, town.echo.url("/"))

    await ada.asks(f"subscribe {town.echo.url('/')}")
    answer = await ada.answer()

    assert "You read it already: The Echo" in answer.text
    assert "request.not-done" in (await ada.replies(answer, "undo")).text


async def test_a_feed_in_hand_when_the_service_ended_is_read_when_it_is_back(tmp_path: Path) -> None:
    clock = [MONDAY]
    options: dict[str, Any] = {"clock": lambda: clock[0], "fetch": FetchSettings(allow_private=True)}
    async with WebServer() as server:
        server.put("/rss", rss([Item(guid="1", title="A story of the harbour", published_at=MONDAY)]))
        async with open_house(tmp_path, **options) as house:
            await subscribe(await house.person(), server.url("/rss"))
            clock[0] += DAY
            leased = await house.app.engine.in_work(lambda work: FeedChecks(work).claim(limit=10))
        before = len(server.requests())
        async with open_house(tmp_path, **options):
            async with asyncio.timeout(30):
                while len(server.requests()) == before:
                    await asyncio.sleep(0.02)
    assert len(leased) == 1


async def test_who_subscribes_to_what_cannot_be_read_is_told_what_helps(town: Town) -> None:
    ada = await town.house.person("ada@reader.test", name="Ada")
    for status, fix in (
        (401, "open to everybody"),
        (429, "in an hour"),
        (500, "in an hour"),
        (404, "address is right"),
    ):
        town.post.put("/feed", status=status)
        assert fix in (await _after(ada, f"subscribe {town.post.url('/feed')}")).text
