"""From feeds to an issue in the outbox: once, whole, and never the same story twice."""

from __future__ import annotations

import email
import email.policy
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import unquote

import pytest
import sqlalchemy as sa

from bot.fetch import FetchSettings, HttpFetcher
from bot.jobs_retry import RetryLater
from bot.news.awaited import Awaited
from bot.news.issues import IssueBuilder
from bot.news.pictures import PictureFetcher
from bot.storage.local import LocalStore
from core.devices import DEVICE_KINDS
from core.events import DeliveryFailed
from core.models import DeliveredStory, Digest, DigestIssue, IssueStory, OutboxMail, User
from core.models.issue import IssueState
from core.models.outbox import OutboxKind
from core.news.check_paper import check_paper
from core.news.one_click import stopped_letter
from core.news.schedule import Schedule, Target
from core.services.digests import Digests
from core.services.kindle_sync import KindleSyncService
from core.work import Work
from tests.factories.feeds import Item, rss, story_text
from tests.factories.issues import make_picture
from tests.factories.rows import make_outbox_mail
from tests.support.newsroom import IDENTITY, Newsroom, open_newsroom
from tests.support.web_server import Loopback, WebServer

MORNING = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)


class Press(Newsroom):
    """A newsroom that prints."""

    builder: IssueBuilder
    store: LocalStore

    async def tick(self) -> None:
        """Open what is due, and make all that is open."""
        await self.do(lambda work: Digests(work).open_due(limit=100))
        await self.build()

    async def build(self) -> None:
        for issue in await self.all(DigestIssue):
            if issue.state is IssueState.DUE:
                await self.builder.build(issue_id=issue.id)

    async def letters(self) -> list[EmailMessage]:
        return [parsed(mail) for mail in await self.mails(OutboxKind.ISSUE)]


def parsed(mail: OutboxMail) -> EmailMessage:
    message = email.message_from_bytes(mail.head, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def text_of(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


@pytest.fixture
async def web() -> AsyncIterator[WebServer]:
    async with WebServer() as server:
        yield server


@pytest.fixture
async def press(tmp_path: Path) -> AsyncIterator[Press]:
    async with open_newsroom(tmp_path) as room:
        fetcher = HttpFetcher(FetchSettings(allow_private=True), resolver=Loopback())
        press = Press(room.engine, room.refresher, room.clock)
        press.store = LocalStore(tmp_path / "blobs")
        sandbox = room.refresher.sandbox
        press.builder = IssueBuilder(
            database=room.engine,
            blobs=press.store,
            sandbox=sandbox,
            pictures=PictureFetcher(fetcher, sandbox),
            identity=IDENTITY,
            work_root=tmp_path,
            awaited=Awaited(room.engine),
        )
        yield press
        await fetcher.close()


def item(number: int, at: datetime, **more: object) -> Item:
    fields: dict[str, object] = {
        "guid": f"g{number}",
        "title": f"Story number {number} of the harbour",
        "published_at": at,
        "link": f"https://harbour.test/{number}",
    }
    return Item(**{**fields, **more})  # type: ignore[arg-type] # as its fields are


async def reader(press: Press, url: str, *, name: str = "ada", timezone: str = "UTC", kindle: bool = False) -> int:
    user_id = await press.reader(name, timezone=timezone)
    if kindle:
        await press.do(lambda work: KindleSyncService(work).add_device(user_id, f"{name}@kindle.com"))
    await press.subscribed(user_id, url)
    await press.do(lambda work: Digests(work).ensure(user_id))
    await press.refresher.drain()
    return user_id


async def test_issue_comes_as_letter_and_book_with_all_that_is_new(press: Press, web: WebServer) -> None:
    now = press.now
    await reader(press, web.put("/feed", rss([item(1, now), item(2, now)])), kindle=True)
    press.clock[0] = MORNING

    await press.tick()

    (letter,) = await press.letters()
    (book,) = await press.mails(OutboxKind.DELIVERY)
    assert letter["To"].addresses[0].addr_spec == "ada@reader.test"
    assert "Story number 1 of the harbour" in text_of(letter)
    assert "Story number 2 of the harbour" in text_of(letter)
    assert book.rcpt_to == "ada@kindle.com"
    assert book.attachment_key is not None
    with press.store.open(book.attachment_key) as file:
        assert check_paper(Path(file.name)) == []


async def test_paper_is_a_letter_when_the_kindle_gets_no_more_in_a_day(press: Press, web: WebServer) -> None:
    ada = await reader(press, web.put("/feed", rss([item(1, press.now)])), kindle=True)
    press.clock[0] = MORNING

    def fill(work: Work) -> None:
        work.session.scalars(sa.select(Digest)).one().target = Target.KINDLE
        for _ in range(DEVICE_KINDS["kindle"].a_day):
            make_outbox_mail(work.session, user=work.session.get_one(User, ada), created_at=work.now)

    await press.do(fill)

    await press.tick()

    assert not [mail for mail in await press.mails(OutboxKind.DELIVERY) if mail.cause.startswith("digest")]
    assert len(await press.letters()) == 1
    (notice,) = await press.notices()
    assert "came by mail and not to kindle" in notice.head.decode().replace("=\r\n", "")


async def test_letter_says_how_a_click_ends_it(press: Press, web: WebServer) -> None:
    await reader(press, web.put("/feed", rss([item(1, press.now)])))
    press.clock[0] = MORNING

    await press.tick()

    (letter,), (issue,) = await press.letters(), await press.all(DigestIssue)
    (link,) = str(letter["List-Unsubscribe"]).split(", ")
    subject = unquote(link.strip("<>").partition("?subject=")[2])
    assert subject == f"digest off Morning paper in {issue.reference}"
    assert stopped_letter(subject) == issue.reference


async def test_next_day_has_only_what_is_new(press: Press, web: WebServer) -> None:
    now = press.now
    await reader(press, web.put("/feed", rss([item(1, now)])))
    press.clock[0] = MORNING
    await press.tick()
    press.wait(hours=20)
    web.put("/feed", rss([item(2, press.now), item(1, now)]))
    await press.refresher.drain()
    press.clock[0] = MORNING + timedelta(days=1)

    await press.tick()

    _, second = await press.letters()
    assert "Story number 2" in text_of(second)
    assert "Story number 1" not in text_of(second)


async def test_day_without_news_sends_nothing(press: Press, web: WebServer) -> None:
    await reader(press, web.put("/feed", rss([item(1, press.now)])))
    press.clock[0] = MORNING
    await press.tick()
    press.clock[0] = MORNING + timedelta(days=1)

    await press.tick()

    assert len(await press.letters()) == 1
    assert [issue.state for issue in await press.all(DigestIssue)] == [IssueState.SENT, IssueState.EMPTY]


async def test_two_schedulers_and_a_second_run_make_one_issue(press: Press, web: WebServer) -> None:
    await reader(press, web.put("/feed", rss([item(1, press.now)])), kindle=True)
    press.clock[0] = MORNING
    await press.do(lambda work: Digests(work).open_due(limit=10))

    def forget_the_plan(work: object) -> None:
        work.session.execute(sa.update(Digest).values(next_due_at=MORNING))  # type: ignore[attr-defined] # a Work

    await press.do(forget_the_plan)  # as another scheduler saw it
    await press.do(lambda work: Digests(work).open_due(limit=10))
    (issue,) = await press.all(DigestIssue)
    await press.builder.build(issue_id=issue.id)

    await press.builder.build(issue_id=issue.id)

    assert len(await press.letters()) == 1
    assert len(await press.mails(OutboxKind.DELIVERY)) == 1


async def test_after_an_outage_one_issue_comes(press: Press, web: WebServer) -> None:
    await reader(press, web.put("/feed", rss([item(1, press.now)])))
    press.clock[0] = MORNING + timedelta(days=4, hours=3)

    await press.tick()

    (issue,) = await press.all(DigestIssue)
    assert issue.local_date == (MORNING + timedelta(days=4)).date()


async def test_issue_comes_at_its_hour_in_the_readers_zone(press: Press, web: WebServer) -> None:
    url = web.put("/feed", rss([item(1, press.now)]))
    await reader(press, url, name="ada", timezone="Europe/Berlin")
    await reader(press, url, name="kei", timezone="Asia/Tokyo")

    due = {one.user_id: one.next_due_at for one in await press.all(Digest)}

    assert sorted(due.values()) == [  # type: ignore[type-var] # both are on
        datetime(2026, 11, 23, 21, 30, tzinfo=UTC),  # Tokyo's next morning: today's was before the order
        datetime(2026, 11, 24, 5, 30, tzinfo=UTC),
    ]


async def test_story_of_two_feeds_comes_once_and_says_where_else(press: Press, web: WebServer) -> None:
    now = press.now
    user_id = await reader(press, web.put("/a", rss([item(1, now, seed="same")])))
    copy = item(7, now, seed="same", title="Story number 1 of the harbor", link="https://echo.test/7")
    web.put("/b", rss([copy], title="The Echo"))
    await press.subscribed(user_id, web.url("/b", host="echo.test"), name="The Echo")
    await press.refresher.drain()
    press.clock[0] = MORNING

    await press.tick()

    assert len(await press.all(IssueStory)) == 1
    assert "Echo" in text_of((await press.letters())[0])


async def test_changed_story_comes_again_marked_updated(press: Press, web: WebServer) -> None:
    now = press.now
    first = item(1, now, words=200)
    await reader(press, web.put("/feed", rss([first])))
    press.clock[0] = MORNING
    await press.tick()
    press.wait(hours=12)
    longer = story_text("g1", words=200) + story_text("what became of it", words=120)
    web.put("/feed", rss([item(1, now, html=longer)]))
    await press.refresher.drain()
    press.clock[0] = MORNING + timedelta(days=1)

    await press.tick()

    letters = await press.letters()
    assert len(letters) == 2
    assert "updated" in text_of(letters[1]).lower()


async def test_sections_have_digests_of_their_own(press: Press, web: WebServer) -> None:
    now = press.now
    user_id = await reader(press, web.put("/town", rss([item(1, now)])))
    await press.subscribed(user_id, web.url("/tech", host="tech.test"), name="Tech", section="Tech")
    web.put("/tech", rss([item(2, now)]))
    await press.do(lambda work: Digests(work).order(user_id, Schedule(), section="Tech"))
    await press.refresher.drain()
    press.clock[0] = MORNING

    await press.tick()

    subjects = sorted(str(letter["Subject"]) for letter in await press.letters())
    assert len(subjects) == 2
    assert "Story number 1" in subjects[0]
    assert subjects[1].startswith("Tech")
    assert len(await press.all(DeliveredStory)) == 2


async def test_paused_digest_stays_away_until_its_day(press: Press, web: WebServer) -> None:
    user_id = await reader(press, web.put("/feed", rss([item(1, press.now)])))
    until = (MORNING + timedelta(days=3)).date()
    await press.do(lambda work: Digests(work).pause(Digests(work).of_user(user_id)[0], until))

    for day in range(5):
        press.clock[0] = MORNING + timedelta(days=day)
        await press.tick()

    assert [issue.local_date for issue in await press.all(DigestIssue)][:1] == [until]


async def test_asking_now_for_a_paper_without_news_is_answered(press: Press, web: WebServer) -> None:
    user_id = await reader(press, web.put("/feed", rss([])))

    await press.do(lambda work: Digests(work).open_now(Digests(work).ensure(user_id), cause="K7Q29:1"))
    await press.build()

    (notice,) = await press.notices()
    assert "nothing new" in notice.subject


async def ask_now(press: Press, user_id: int) -> None:
    await press.do(lambda work: Digests(work).open_now(Digests(work).ensure(user_id), cause="K7Q29:1"))


async def test_paper_asked_for_waits_for_feeds_that_were_never_read(press: Press, web: WebServer) -> None:
    user_id = await press.reader("ada")
    await press.subscribed(user_id, web.put("/feed", rss([item(1, press.now)])))
    await ask_now(press, user_id)

    with pytest.raises(RetryLater):
        await press.build()
    await press.refresher.drain()
    await press.build()

    (letter,) = await press.letters()
    assert "Story number 1 of the harbour" in text_of(letter)


async def test_paper_asked_for_waits_a_minute_for_full_texts_and_no_longer(press: Press, web: WebServer) -> None:
    user_id = await reader(press, web.put("/feed", rss([item(1, press.now, words=60)])))  # its text is to be fetched
    await ask_now(press, user_id)

    waits = []
    while True:
        try:
            await press.build()
            break
        except RetryLater as later:
            waits.append(later.seconds)
            press.wait(seconds=later.seconds)

    assert sum(waits) == 60
    assert len(await press.letters()) == 1


async def test_paper_asked_for_waits_for_no_text_that_could_not_be_had(press: Press, web: WebServer) -> None:
    user_id = await reader(press, web.put("/feed", rss([item(1, press.now, words=60)])))
    for job in press.engine.list_jobs(task="fetch_article"):
        press.engine.drop(job.id)  # as one that is done is gone
    await ask_now(press, user_id)

    await press.build()

    assert len(await press.letters()) == 1


async def test_paper_that_is_due_waits_for_nothing(press: Press, web: WebServer) -> None:
    user_id = await reader(press, web.put("/feed", rss([item(1, press.now, words=60)])))
    await press.subscribed(user_id, web.url("/never-read"), name="Another")
    press.clock[0] = MORNING

    await press.tick()

    assert len(await press.letters()) == 1


async def test_who_asks_for_a_paper_too_early_is_told_what_was_not_read(press: Press, web: WebServer) -> None:
    user_id = await press.reader("ada")
    await press.subscribed(user_id, web.put("/feed", rss([item(1, press.now)])), name="Post")
    await ask_now(press, user_id)
    press.wait(seconds=61)

    await press.build()

    (notice,) = await press.notices()
    assert b"Not read yet: Post." in notice.head


async def test_pictures_are_in_the_book(press: Press, web: WebServer) -> None:
    web.put("/p.jpg", make_picture(1).content, headers={"Content-Type": "image/jpeg"})
    html = f'<p><img src="{web.url("/p.jpg", host="pictures.test")}"></p>' + "<p>" + "word " * 200 + "</p>"
    await reader(press, web.put("/feed", rss([item(1, press.now, html=html)])), kindle=True)
    press.clock[0] = MORNING

    await press.tick()

    assert len(web.requests("/p.jpg")) == 1


async def test_paper_without_pictures_misses_none(press: Press, web: WebServer) -> None:
    html = f'<p><img src="{web.url("/p.jpg", host="pictures.test")}"></p>' + "<p>" + "word " * 200 + "</p>"
    user_id = await reader(press, web.put("/feed", rss([item(1, press.now, html=html)])), kindle=True)
    await press.do(lambda work: Digests(work).limit(Digests(work).ensure(user_id), with_pictures=False))
    press.clock[0] = MORNING

    await press.tick()

    (book,) = await press.mails(OutboxKind.DELIVERY)
    assert book.attachment_key is not None
    with press.store.open(book.attachment_key) as file, zipfile.ZipFile(file) as paper:
        colophon = paper.read("EPUB/colophon.xhtml").decode()
    assert "could not be had" not in colophon
    assert web.requests("/p.jpg") == []


async def test_paper_that_the_relay_refuses_is_told_as_what_it_is(press: Press, web: WebServer) -> None:
    await reader(press, web.put("/feed", rss([item(1, press.now)])), kindle=True)
    press.clock[0] = MORNING
    await press.tick()
    (book,) = await press.mails(OutboxKind.DELIVERY)

    def refuse(work: Work) -> None:
        work.emit(
            DeliveryFailed(user_id=book.user_id, outbox_id=book.id, rcpt_to=book.rcpt_to, reason="550 5.1.1 nobody")
        )

    await press.do(refuse)

    (notice,) = await press.notices()
    text = text_of(parsed(notice))
    assert "Morning paper, 23 November 2026" in text
    assert "digest to mail" in text
    assert "library" not in text
