"""The job `discover_feed`: what stands at the address that somebody subscribed to, and the mail that tells them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bot.news.refresh import Database, FeedRefresher
from bot.sandbox import Sandbox, SandboxError
from core.errors import BotError
from core.i18n import _, speaking
from core.mail.answer import Answer, Item, Items, Paragraph, Problem
from core.mail.outgoing import Identity
from core.models import Feed, User
from core.news.discover import FoundFeed, likely_addresses
from core.news.reading import Looked, look
from core.news.values import Fetched, FetchFailed
from core.ports import Fetcher, FetchLimits
from core.services.answers import Answers
from core.services.news_aggregator import FOUND_FEEDS, NewsAggregator
from core.work import Work
from handlers._feeds import welcome

TOO_MANY_REQUESTS = 429  # RFC 6585 4
_CLOSED = frozenset({401, 402, 403, 451})  # RFC 9110 15.5, RFC 7725
_PASSING = frozenset({"fetch.timeout", "fetch.resting"})
PAGE = FetchLimits(body_bytes=10 << 20, seconds=30.0)
GUESS = FetchLimits(body_bytes=10 << 20, seconds=8.0)
QUICK_SECONDS = 0.5
LOOK_SECONDS = 10.0
MOST_GUESSES = 8  # addresses at which sites usually have their feed
MOST_CHOICES = 12


@dataclass(frozen=True, slots=True)
class FeedFinder:
    """Finds the feed of an address, has it read once, and tells its new reader what came of it."""

    database: Database
    fetcher: Fetcher
    sandbox: Sandbox
    refresher: FeedRefresher
    identity: Identity

    async def discover(self, *, url: str, user_id: int, name: str, section: str, cause: str) -> None:
        """The job. Runs again after a crash: a subscription is one however often it is made, and so is the mail."""
        with speaking(await self.database.in_read(lambda session: User.language_of(session, user_id))):
            await self._discover(url=url, user_id=user_id, name=name, section=section, cause=cause)

    async def _discover(self, *, url: str, user_id: int, name: str, section: str, cause: str) -> None:
        try:
            feeds = await self._find(url)
        except FetchFailed as failure:
            await self._tell(_unreachable(url, failure), user_id=user_id, cause=cause)
            return
        if len(feeds) != 1:
            await self._tell_found(feeds, url=url, user_id=user_id, cause=cause)
            return
        (found,) = feeds

        def subscribe(work: Work) -> tuple[int, bool] | Problem:
            news = NewsAggregator(work)
            try:
                with work.session.begin_nested():
                    feed = news.add_feed(found.url, title=found.title)
                    return feed.id, news.subscribe(user_id, feed, name=name, section=section).is_new
            except BotError as error:
                return Problem(error.code, error.text, fix=error.fix)

        subscribed = await self.database.in_work(subscribe)
        if isinstance(subscribed, Problem):
            await self._tell(subscribed, user_id=user_id, cause=cause)
            return
        feed_id, is_new = subscribed
        await self.refresher.check_now(feed_id)
        await self.database.in_work(
            lambda work: self._welcome(work, feed_id, user_id=user_id, is_new=is_new, cause=cause)
        )

    async def _find(self, url: str) -> tuple[FoundFeed, ...]:
        """The feeds at an address: itself, those that its page names, or one at the usual places."""
        page, looked = await self._look(url, limits=PAGE)
        if looked.is_feed:
            return (FoundFeed(url=page.moved_to or url, title=looked.title),)
        if looked.feeds:
            return looked.feeds[:MOST_CHOICES]
        for guess in likely_addresses(page.url)[:MOST_GUESSES]:
            try:
                there, guessed = await self._look(guess, limits=GUESS)
            except FetchFailed:
                continue  # most sites have most of these not
            if guessed.is_feed:
                return (FoundFeed(url=there.url, title=guessed.title),)
        return ()

    async def _look(self, url: str, *, limits: FetchLimits) -> tuple[Fetched, Looked]:
        fetched = await self.fetcher.fetch(url, limits=limits)
        assert isinstance(fetched, Fetched)  # nothing conditional was asked
        try:
            looked = await self.sandbox.run_quick(
                look, fetched.body, url=fetched.url, headers=dict(fetched.headers),
                key=f"look:{url}", quick_seconds=QUICK_SECONDS, timeout_seconds=LOOK_SECONDS,
            )  # fmt: skip
        except SandboxError as error:
            raise FetchFailed(_("The page takes too long to read."), code="feed.too-hungry") from error
        return fetched, looked

    async def _tell(self, outcome: Problem, *, user_id: int, cause: str) -> None:
        await self.database.in_work(lambda work: self._enqueue(work, outcome, user_id=user_id, cause=cause))

    def _enqueue(
        self, work: Work, outcome: Problem | Callable[[], Answer | Problem], *, user_id: int, cause: str
    ) -> None:
        if (user := work.session.get(User, user_id)) is not None:
            Answers(work).tell(outcome, user=user, identity=self.identity, cause=f"subscribed:{cause}")

    async def _tell_found(self, feeds: tuple[FoundFeed, ...], *, url: str, user_id: int, cause: str) -> None:
        def tell(work: Work) -> None:
            rows = [NewsAggregator(work).add_feed(found.url, title=found.title) for found in feeds]
            say = partial(_choice, url, feeds, rows) if rows else partial(_nothing, url)
            self._enqueue(work, say, user_id=user_id, cause=cause)

        await self.database.in_work(tell)

    def _welcome(self, work: Work, feed_id: int, *, user_id: int, is_new: bool, cause: str) -> None:
        """Tell a reader what they subscribed to."""
        feed = work.session.get_one(Feed, feed_id)
        self._enqueue(work, partial(welcome, work, feed, user_id=user_id, is_new=is_new), user_id=user_id, cause=cause)


def _choice(url: str, feeds: tuple[FoundFeed, ...], rows: list[Feed]) -> Answer:
    items = tuple(
        Item(number, found.title or found.url, found.url, command=f"subscribe {found.url}")
        for number, found in enumerate(feeds, start=1)
    )
    return Answer(
        _("{count} feeds at {url}").format(count=len(feeds), url=url),
        (
            Paragraph(_("Which of them? Reply with its number: subscribe 2")),
            Items(items, kind=FOUND_FEEDS, item_ids=tuple(row.id for row in rows), total=len(rows)),
        ),
    )


def _nothing(url: str) -> Problem:
    return Problem(
        "feed.none",
        _("There is no feed at {url}, and none is named there.").format(url=url),
        fix=_("Look on the page for a sign that says RSS, Feed or Atom, and send me its address."),
    )


def _unreachable(url: str, failure: FetchFailed) -> Problem:
    if failure.status in _CLOSED:
        fix = _("I read only what is open to everybody; look whether the site has a feed that is.")
    elif failure.status == TOO_MANY_REQUESTS or (failure.status or 0) >= 500 or failure.code in _PASSING:
        fix = _("Write it again in an hour.")
    else:
        fix = _("Look whether the address is right.")
    return Problem(failure.code, _("{url} could not be read. {failure}").format(url=url, failure=failure.text), fix=fix)
