"""A week of one reader's life. After the first day she types no command any more: she taps, or answers with a word."""

from __future__ import annotations

import email.policy
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import make_msgid
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.fetch import FetchSettings
from core.models import Book, Digest, Inbound, User
from tests.factories.books import make_epub, make_picture
from tests.factories.feeds import Item, rss
from tests.factories.rows import make_book
from tests.support.service import BOT, Answered, House, Person, open_house
from tests.support.signing import make_key
from tests.support.smtp_client import connected
from tests.support.web_server import WebServer

KEY = make_key("reader")
KINDLE, KOBO = "ada_1815@kindle.com", "ada.kobo@devices.test"
MONDAY = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MORNING = datetime(2026, 11, 24, 6, 30, tzinfo=UTC)
DAY = timedelta(days=1)


@dataclass
class Week:
    """A service, a paper of the web, a clock, and Ada, whose telephone's mails nobody signs."""

    house: House
    ada: Person
    post: WebServer
    clock: list[datetime]
    words: list[str] = field(default_factory=list)
    """What she wrote herself since Monday."""

    async def types(self, subject: str, *, attach: dict[str, bytes] | None = None) -> Answered:
        """On Monday, at her desk: her provider signs what she writes to everybody's address."""
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = self.ada.address, BOT, subject
        mail["Date"], mail["Message-ID"] = MONDAY, make_msgid(domain="reader.test")
        mail.set_content("\n")
        for name, content in (attach or {}).items():
            mail.add_attachment(content, maintype="application", subtype="epub+zip", filename=name)
        raw = KEY.sign(mail.as_bytes(policy=email.policy.SMTP), domain="reader.test")
        async with connected(self.house.app.smtp_port) as client:
            await client.greet()
            reply = await client.bring(raw.replace(b"\r\n.", b"\r\n.."), sender="bounce@elsewhere.test", rcpt=BOT)
            assert reply.startswith("250"), reply
        return await self.ada.answer()

    async def taps(self, answer: Answered, label: str, *, near: str = "") -> Answered:
        return await self.ada.taps(answer, label, near=near)

    async def says(self, answer: Answered, word: str) -> Answered:
        self.words.append(word)
        return await self.ada.replies(answer, word)

    async def wakes_up(self, day: datetime, *, first: int) -> Answered:
        """Two new stories, and the letter of the morning with them."""
        self.clock[0] = day
        publish(self.post, day - timedelta(hours=3), first=first)
        await self.house.app.refresher.drain()
        await self.house.app.digests.tick()
        return await self.ada.answer()

    def sent_to(self, address: str) -> list[str]:
        mails = (mail for mail in self.house.world.mails if mail.rcpt_to == address)
        return [str(mail.message["Subject"]).removeprefix("Book: ") for mail in mails]

    async def titles(self) -> set[str]:
        kept = sa.select(Book.title).where(Book.removed_at.is_(None))
        return set(await self.house.app.engine.in_read(lambda session: list(session.scalars(kept))))


@pytest.fixture
async def week(tmp_path: Path) -> AsyncIterator[Week]:
    async with AsyncExitStack() as stack:
        post = await stack.enter_async_context(WebServer())
        clock = [MONDAY]
        house = await stack.enter_async_context(
            open_house(
                tmp_path,
                zone={"s1._domainkey.reader.test": [("TXT", KEY.record)]},
                clock=lambda: clock[0],
                fetch=FetchSettings(allow_private=True),
            )
        )
        yield Week(house, await house.person("ada@reader.test", name="Ada"), post, clock)


def publish(post: WebServer, day: datetime, *, first: int) -> None:
    items = [
        Item(guid=f"{n}", title=f"Story number {n} of the harbour", published_at=day, link=post.url(f"/{n}"), seed=n)
        for n in range(1, first + 2)
    ]
    post.put("/rss", rss(items, title="The Harbour Post", site=post.url("/")))


@pytest.mark.timeout(240)  # some forty mails, each with its answer, on a busy machine
async def test_a_week_without_a_command_typed_in_full(week: Week) -> None:
    ada = week.ada
    publish(week.post, MONDAY - timedelta(hours=2), first=1)

    # Monday, at a desk: the one day on which commands are typed.
    cover = make_picture(width=300, height=450, colour="maroon")
    for title in ("Emma", "Dune"):
        added = await week.types("", attach={f"{title}.epub": make_epub(title=title, identifier=title, cover=cover)})
        assert f"Added: {title}" in added.text
    assert ada.secret not in added.mail.raw.decode()
    assert "cid:cover-" in added.html
    question = await week.types(f"kindle add {KINDLE}")
    assert "confirm.needed" in question.text
    assert "Added: kindle" in (await week.taps(question, "Yes, do it")).text
    question = await week.types(f"kindle add {KOBO} name=kobo kind=email")
    assert "Added: kobo" in (await week.says(question, "yes")).text
    assert "Looking at" in (await week.types(f"subscribe {week.post.url('/rss')}")).text
    assert "Subscribed: The Harbour Post" in (await ada.answer()).text
    week.words.clear()
    await week.house.app.engine.in_work(lambda work: old_books(work.session, ada.address))

    # Tuesday: the first paper; every link of a story is tapped once.
    letter = await week.wakes_up(MORNING, first=1)
    assert letter.reply_to.startswith("books+r-")
    assert ada.secret not in letter.mail.raw.decode()
    assert "Saving “Story number" in (await week.taps(letter, "Save")).text
    assert "Saved: Story number" in (await ada.answer()).text
    assert "Noted: more like" in (await week.taps(letter, "More like this")).text
    assert "Noted: less like" in (await week.taps(letter, "Less", near='id="s2"')).text
    assert "Why story 1" in (await week.taps(letter, "Why?")).text
    assert "Why story 2" in (await week.says(letter, "2")).text

    # Wednesday: the library. The list of this day keeps its numbers for the rest of the week.
    week.clock[0] = MORNING + DAY
    shelf = await week.taps(letter, "Your feeds")
    shelf = await week.taps(shelf, "My books")
    assert "Page 1 of 2" in shelf.text
    second = await week.says(shelf, "more")
    assert "Page 2 of 2" in second.text
    assert "request.no-more" in (await week.says(second, "weiter")).text
    number = number_of("Dune", shelf, second)
    dune = await week.says(second, number)
    assert "Title: Dune" in dune.text
    assert "Queued: Dune to kindle" in (await week.taps(dune, "Send to my Kindle")).text
    assert "Queued: Dune to kobo" in (await week.says(second, f"{number} to kobo")).text
    await week.house.settle()
    assert (week.sent_to(KINDLE).count("Dune"), week.sent_to(KOBO)) == (1, ["Dune"])

    # Thursday: she removes a book, thinks better of it, and removes another one after all.
    week.clock[0] = MORNING + 2 * DAY
    question = await week.taps(dune, "Remove it")
    assert "confirm.needed" in question.text
    assert "Not done" in (await week.says(question, "no, thanks")).text
    question = await week.taps(dune, "Remove it")
    removed = await week.says(question, "Ja")
    assert "Removed: Dune" in removed.text
    assert "Dune" not in await week.titles()
    assert "confirm.used" in (await week.says(question, "yes")).text
    assert "Back in your library: Dune" in (await week.says(removed, "undo")).text
    assert "Dune" in await week.titles()

    # Friday: another paper. It is somebody else's telephone that has the wrong idea.
    letter = await week.wakes_up(MORNING + 3 * DAY, first=3)
    question = await week.taps(letter, "Stop this feed")
    eve = await week.house.person("eve@elsewhere.test")
    await eve.writes("Re: it", "yes", to=question.reply_to)
    await week.house.settle()
    assert "Not done" in (await week.taps(question, "No")).text

    # Saturday: feeds.
    week.clock[0] = MORNING + 4 * DAY
    feeds = await week.taps(letter, "Your feeds")
    paused = await week.taps(feeds, "Pause")
    assert "Paused: The Harbour Post" in paused.text
    assert "Resumed: The Harbour Post" in (await week.says(paused, "deshacer")).text

    # Sunday: Wednesday's list still means what it showed, whatever was added since.
    week.clock[0] = MORNING + 5 * DAY
    await week.house.app.engine.in_work(lambda work: old_books(work.session, ada.address, count=3))
    assert "Title: Dune" in (await week.says(second, number)).text
    assert "Morning paper is off" in (await week.taps(letter, "Stop this digest")).text
    due = sa.select(Digest.next_due_at)
    assert await week.house.app.engine.in_read(lambda session: session.scalars(due).one()) is None

    assert max(len(word.split()) for word in week.words) <= 3, week.words
    outcomes = sa.select(Inbound.outcome, sa.func.count()).group_by(Inbound.outcome)
    counted = await week.house.app.engine.in_read(lambda session: {row[0]: row[1] for row in session.execute(outcomes)})
    assert counted.keys() == {"answered", "unbelieved"}
    assert counted["unbelieved"] == 1  # Eve's


def old_books(session: sa.orm.Session, address: str, *, count: int = 22) -> None:
    """What she has had for long: so many that a list has two pages."""
    user = User.by_address(session, address)
    assert user is not None
    for number in range(count):
        make_book(session, user, title=f"An old book, no. {number}")


def number_of(title: str, *lists: Answered) -> str:
    """The number at which a title stands."""
    lines = (line.strip() for answer in lists for line in answer.text.splitlines())
    return next(line.partition(".")[0] for line in lines if line.endswith(f". {title}"))
