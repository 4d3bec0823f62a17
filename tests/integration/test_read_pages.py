"""Pages and stories that become books: `read`, `later`, `save 3`, `send 5`, from the web to the outbox, once each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from bot.fetch import FetchSettings, HttpFetcher
from bot.news.books import StoryBooks
from bot.news.pages import LIMITS, PageReader
from bot.news.pictures import PictureFetcher
from bot.storage.local import LocalStore
from core.devices import DEVICE_KINDS
from core.models import Article, Book, OutboxMail, ReadLater, User
from core.models.outbox import OutboxKind
from core.models.read_later import ReadState
from core.news.check_paper import check_paper
from core.services.kindle_sync import KindleSyncService
from core.services.reading_list import ReadingList
from core.work import Work
from tests.factories.feeds import Item, rss, story_text
from tests.factories.issues import make_picture
from tests.factories.rows import make_outbox_mail
from tests.support.newsroom import IDENTITY, Newsroom, open_newsroom
from tests.support.web_server import Loopback, WebServer


class Desk(Newsroom):
    """A newsroom with what makes books of pages."""

    pages: PageReader
    books: StoryBooks
    store: LocalStore

    async def wishes(self, user_id: int, url: str, *, is_now: bool = True, cause: str = "MAIL-1:1") -> int:
        """Somebody's wish to read a page; its id."""

        def add(work: Work) -> int:
            return ReadingList(work).add(user_id, url, is_now=is_now, cause=cause).id

        return await self.do(add)

    async def add_device(self, user_id: int, address: str, *, name: str | None = None) -> None:
        await self.do(lambda work: KindleSyncService(work).add_device(user_id, address, name=name))

    async def told(self) -> list[str]:
        return [mail.subject for mail in await self.notices()]

    async def had(self, user_id: int, *, count: int = 1, size_bytes: int = 1000) -> None:
        """So many books went to a reader's device just now."""

        def add(work: Work) -> None:
            user = work.session.get_one(User, user_id)
            for _ in range(count):
                make_outbox_mail(work.session, user=user, created_at=work.now, size_bytes=size_bytes)

        await self.do(add)

    def path(self, mail: OutboxMail) -> Path:
        assert mail.attachment_key is not None
        with self.store.open(mail.attachment_key) as file:
            return Path(file.name)


@pytest.fixture
async def web() -> AsyncIterator[WebServer]:
    async with WebServer() as server:
        yield server


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_newsroom(tmp_path) as room:
        fetcher = HttpFetcher(FetchSettings(allow_private=True), resolver=Loopback())
        desk = Desk(room.engine, room.refresher, room.clock)
        desk.store = LocalStore(tmp_path / "blobs")
        sandbox = room.refresher.sandbox
        desk.books = StoryBooks(
            database=room.engine, blobs=desk.store, sandbox=sandbox, pictures=PictureFetcher(fetcher, sandbox),
            identity=IDENTITY, work_root=tmp_path,
        )  # fmt: skip
        desk.pages = PageReader(
            database=room.engine, fetcher=fetcher, sandbox=sandbox, books=desk.books, identity=IDENTITY
        )
        yield desk
        await fetcher.close()


def page(title: str = "A bridge over the harbour", *, picture: str = "") -> str:
    figure = f'<figure><img src="{picture}" alt="The bridge"></figure>' if picture else ""
    return (
        f"<!DOCTYPE html><html lang='en'><head><title>{title}</title><meta name='author' content='Ada Byron'></head>"
        f"<body><nav><a href='/'>Home</a> <a href='/shop'>Shop</a></nav><article><h1>{title}</h1>{figure}"
        f"{story_text(title, words=400)}</article><footer>Cookies, terms, newsletter</footer></body></html>"
    )


def put_page(web: WebServer, html: str, path: str = "/story") -> str:
    web.put(path, html, headers={"Content-Type": "text/html; charset=utf-8"})
    return web.url(path, host="harbour.test")


async def test_page_goes_to_the_default_device_as_a_valid_book_with_its_picture(desk: Desk, web: WebServer) -> None:
    web.put("/bridge.jpg", make_picture(1).content, headers={"Content-Type": "image/jpeg"})
    url = put_page(web, page(picture="/bridge.jpg"))
    ada = await desk.reader("ada")
    await desk.add_device(ada, "ada@kindle.com")

    await desk.pages.read_page(read_later_id=await desk.wishes(ada, url))

    (parcel,) = await desk.mails(OutboxKind.DELIVERY)
    assert (parcel.rcpt_to, parcel.subject) == ("ada@kindle.com", "Book: A bridge over the harbour")
    assert check_paper(desk.path(parcel)) == []
    assert len(web.requests("/bridge.jpg")) == 1
    assert await desk.told() == []


async def test_page_read_twice_after_a_crash_is_one_parcel(desk: Desk, web: WebServer) -> None:
    ada = await desk.reader("ada")
    await desk.add_device(ada, "ada@kindle.com")
    wish = await desk.wishes(ada, put_page(web, page()))

    await desk.pages.read_page(read_later_id=wish)
    await desk.pages.read_page(read_later_id=wish)

    assert len(await desk.mails(OutboxKind.DELIVERY)) == 1
    assert len(await desk.all(Article)) == 1


async def test_page_without_a_device_goes_into_the_library(desk: Desk, web: WebServer) -> None:
    ada = await desk.reader("ada")

    await desk.pages.read_page(read_later_id=await desk.wishes(ada, put_page(web, page())))

    (book,) = await desk.all(Book)
    assert (book.user_id, book.title, book.authors) == (ada, "A bridge over the harbour", ["Ada Byron"])
    assert await desk.told() == ["Saved: A bridge over the harbour"]


async def test_page_for_later_is_kept_and_told(desk: Desk, web: WebServer) -> None:
    ada = await desk.reader("ada")

    await desk.pages.read_page(read_later_id=await desk.wishes(ada, put_page(web, page()), is_now=False))

    (wish,) = await desk.all(ReadLater)
    assert wish.state is ReadState.READY
    assert await desk.told() == ["Saved for later: A bridge over the harbour"]
    assert await desk.mails(OutboxKind.DELIVERY) == []


def gone(web: WebServer) -> str:
    web.put("/gone", "<p>gone</p>", status=410, headers={"Content-Type": "text/html"})
    return web.url("/gone", host="harbour.test")


def no_article(web: WebServer) -> str:
    return put_page(web, "<html><body><nav><a href='/'>Home</a></nav></body></html>")


def too_large(web: WebServer) -> str:
    return put_page(web, page() + " " * LIMITS.body_bytes)


def a_picture(web: WebServer) -> str:
    web.put("/p.jpg", make_picture(1).content, headers={"Content-Type": "image/jpeg"})
    return web.url("/p.jpg", host="harbour.test")


def nobody(web: WebServer) -> str:
    return web.raw("/silent")


@pytest.mark.parametrize(
    ("put", "said"),
    [
        (gone, "gone from harbour.test for good"),
        (no_article, "no article"),
        (too_large, "larger than"),
        (a_picture, "image/jpeg"),
        (nobody, "could not be read"),
    ],
)
async def test_page_that_cannot_be_read_is_told_once_with_the_reason(
    desk: Desk, web: WebServer, put: Callable[[WebServer], str], said: str
) -> None:
    ada = await desk.reader("ada")
    await desk.add_device(ada, "ada@kindle.com")
    url = put(web)
    wish = await desk.wishes(ada, url)

    await desk.pages.read_page(read_later_id=wish)
    await desk.pages.read_page(read_later_id=wish)

    (notice,) = await desk.notices()
    text = notice.head.decode().replace("=\r\n", "").replace("=\n", "")
    assert url.split("/")[-1] in notice.subject
    assert said in text, text
    assert await desk.mails(OutboxKind.DELIVERY) == []
    (row,) = await desk.all(ReadLater)
    assert row.state is ReadState.FAILED


# Stories of an issue -----------------------------------------------------------------------------------------------


async def a_story(desk: Desk, web: WebServer) -> tuple[int, int]:
    """The ids of a reader and of an article of their feed."""
    ada = await desk.reader("ada")
    item = Item(guid="g1", title="The harbour", published_at=desk.now, link="https://harbour.test/1", words=400)
    await desk.subscribed(ada, web.put("/feed", rss([item])))
    await desk.refresher.drain()
    (article,) = await desk.articles()
    return ada, article.id


async def test_story_is_saved_once_however_often_the_job_runs(desk: Desk, web: WebServer) -> None:
    ada, article_id = await a_story(desk, web)

    for _ in range(2):
        await desk.books.save_story(article_id=article_id, user_id=ada, cause="K7:1:2")

    (book,) = await desk.all(Book)
    assert book.title == "The harbour"
    assert await desk.told() == ["Saved: The harbour"]


async def test_story_goes_to_the_named_device_once(desk: Desk, web: WebServer) -> None:
    ada, article_id = await a_story(desk, web)
    await desk.add_device(ada, "ada@kindle.com", name="kindle")
    await desk.add_device(ada, "ada@pbsync.com", name="pocket")

    for _ in range(2):
        await desk.books.send_story(article_id=article_id, user_id=ada, cause="K7:1:5", device="pocket")

    (parcel,) = await desk.mails(OutboxKind.DELIVERY)
    assert parcel.rcpt_to == "ada@pbsync.com"
    assert check_paper(desk.path(parcel)) == []


async def test_story_whose_device_is_gone_is_kept_in_the_library(desk: Desk, web: WebServer) -> None:
    ada, article_id = await a_story(desk, web)

    await desk.books.send_story(article_id=article_id, user_id=ada, cause="K7:1:5", device="kobo")

    assert [book.title for book in await desk.all(Book)] == ["The harbour"]
    assert await desk.told() == ["Saved: The harbour"]


async def test_stories_are_bounded_as_books_are_and_their_reader_is_told_once(desk: Desk, web: WebServer) -> None:
    ada, article_id = await a_story(desk, web)
    await desk.add_device(ada, "ada@kindle.com")
    cap = DEVICE_KINDS["kindle"].a_day
    await desk.had(ada, count=cap - 1)
    await desk.books.send_story(article_id=article_id, user_id=ada, cause="K7:1:5")  # the last one that is let in

    for cause in ("K7:1:5", "K7:1:6", "K7:1:6"):
        await desk.books.send_story(article_id=article_id, user_id=ada, cause=cause)

    assert [mail.cause for mail in await desk.mails(OutboxKind.DELIVERY) if mail.cause.startswith("story")] == [
        "story:K7:1:5"
    ]
    (notice,) = await desk.notices()
    text = notice.head.decode().replace("=\r\n", "")
    assert "was not sent to kindle" in text
    assert f"{cap} books to Kindle" in text


async def test_page_larger_than_a_days_bytes_is_told_of(desk: Desk, web: WebServer) -> None:
    ada, article_id = await a_story(desk, web)
    await desk.add_device(ada, "ada@pbsync.com")
    await desk.had(ada, size_bytes=2_000_000_000)

    await desk.books.send_story(article_id=article_id, user_id=ada, cause="K7:1:5")

    assert len(await desk.mails(OutboxKind.DELIVERY)) == 1
    assert len(await desk.told()) == 1
