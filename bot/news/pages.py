"""The jobs that read web pages: the full text of a feed's teaser, and what somebody wants to read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

import structlog
from sqlalchemy.orm import Session

from bot.news.books import StoryBooks
from bot.news.refresh import Database
from bot.sandbox import Sandbox, SandboxError
from core.errors import BotError
from core.i18n import _, speaking
from core.mail.answer import Answer, Paragraph, Problem, Step, Steps
from core.mail.outgoing import Identity
from core.models import Article, ReadLater, User
from core.models.read_later import ReadState
from core.news.reading import ReadEntry, read_page
from core.news.values import Fetched, FetchFailed
from core.ports import Fetcher, FetchLimits
from core.services.answers import Answers
from core.services.feed_checks import FeedChecks
from core.services.reading_list import ReadingList
from core.work import Work

log = structlog.get_logger(__name__)

LIMITS = FetchLimits(body_bytes=2 << 20, seconds=30.0, media_types=("text/", "application/xhtml", "application/xml"))
QUICK_SECONDS = 1.0  # five times what a page takes
READ_SECONDS = 15.0  # trafilatura takes 7 s for the worst page of 2 MB that we know


@dataclass(frozen=True, slots=True, kw_only=True)
class PageReader:
    """Fetches pages and keeps their articles."""

    database: Database
    fetcher: Fetcher
    sandbox: Sandbox
    books: StoryBooks
    identity: Identity

    async def fetch_article(self, *, article_id: int) -> None:
        """The job for a teaser. What cannot be had leaves the teaser as it is."""
        url = await self.database.in_read(lambda session: _url_of(session.get(Article, article_id)))
        if url is None:
            return
        try:
            entry = await self._read(url)
        except FetchFailed as failure:
            log.info("teaser stays", article=article_id, reason=failure.text)
            return
        await self.database.in_work(lambda work: FeedChecks(work).replace_text(article_id, entry))

    async def read_page(self, *, read_later_id: int) -> None:
        """The job for `read` and `later`: runs again after a crash, and tells its reader once."""
        url = await self.database.in_read(lambda session: _wanted(session.get(ReadLater, read_later_id)))
        if url is None:
            return
        try:
            with speaking(await self.database.in_read(lambda session: _language_of(session, read_later_id))):
                entry = await self._read(url)
        except FetchFailed as failure:
            await self._fail(read_later_id, failure)
            return
        article_id = await self.database.in_work(lambda work: self._keep(work, read_later_id, entry))
        if article_id is not None:
            await self.books.send_wish(read_later_id, article_id)

    async def _read(self, url: str) -> ReadEntry:
        """Raises `FetchFailed`."""
        answer = await self.fetcher.fetch(url, limits=LIMITS)
        assert isinstance(answer, Fetched)  # nothing conditional was asked
        try:
            entry = await self.sandbox.run_quick(
                read_page, answer.body, url=answer.url, headers=dict(answer.headers),
                key=f"page:{urlsplit(url).hostname}", quick_seconds=QUICK_SECONDS, timeout_seconds=READ_SECONDS,
            )  # fmt: skip
        except SandboxError as error:
            raise FetchFailed(_("The page takes too long to read."), code="page.too-hungry") from error
        if entry is None:
            raise FetchFailed(_("There is no article on this page that I can read."), code="page.none")
        return entry

    def _keep(self, work: Work, read_later_id: int, entry: ReadEntry) -> int | None:
        """The article's id, if a book is to be made of it now."""
        wish = work.session.get_one(ReadLater, read_later_id)
        if wish.state is not ReadState.FETCHING:
            return wish.article_id if wish.is_now else None
        article = ReadingList(work).keep(wish, entry)
        if wish.is_now:
            return article.id
        user = work.session.get_one(User, wish.user_id)
        say = partial(_saved, article.title, url=wish.url)
        Answers(work).tell(say, user=user, identity=self.identity, cause=f"read:{wish.id}")
        return None

    async def _fail(self, read_later_id: int, failure: FetchFailed) -> None:
        def fail(work: Work) -> None:
            wish = work.session.get_one(ReadLater, read_later_id)
            ReadingList(work).fail(wish, failure.text)
            user = work.session.get_one(User, wish.user_id)
            Answers(work).tell(
                partial(_unread, wish.url, failure), user=user, identity=self.identity, cause=f"read:{wish.id}"
            )

        await self.database.in_work(fail)


def _saved(title: str, *, url: str) -> Answer:
    return Answer(
        _("Saved for later: {article}").format(article=title),
        (
            Paragraph(_("It stands in your next issue.")),
            Steps((Step(_("Read it now"), f"read {url}"), Step(_("A paper now"), "digest now"))),
        ),
    )


def _unread(url: str, failure: FetchFailed) -> Problem:
    return Problem(
        failure.code,
        _("{url} could not be read. {why}").format(url=url, why=failure.text),
        fix=_("Look whether the address is right."),
    )


def _language_of(session: Session, read_later_id: int) -> str:
    """Of whom the page is read for."""
    return User.language_of(session, session.get_one(ReadLater, read_later_id).user_id)


def problem_of(error: BotError) -> Problem:
    return Problem(error.code, error.text, fix=error.fix, blocks=error.blocks)


def _url_of(article: Article | None) -> str | None:
    return article.url if article is not None and article.is_stub and article.url else None


def _wanted(wish: ReadLater | None) -> str | None:
    return wish.url if wish is not None and (wish.state is ReadState.FETCHING or wish.is_now) else None
