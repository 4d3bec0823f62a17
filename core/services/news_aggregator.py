"""Subscriptions: who reads which feed, and under which name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urldefrag, urlsplit

import sqlalchemy as sa

from core.errors import BadRequest, Conflict, NotFound, TooMuch
from core.events import (
    FeedSubscribed,
    FeedUnsubscribed,
)
from core.i18n import _
from core.mail.answer import Item, Items, Step
from core.mail.words import as_one_word
from core.models import Article, Feed, Subscription
from core.models.feed import LONGEST_URL, FeedState
from core.models.subscription import LONGEST_NAME
from core.news.canonical import fold
from core.pages import Page, fetch_page
from core.services.threads import Numbered
from core.work import Work

FEEDS = "feeds"
"""The kind of listing whose numbers mean subscriptions."""
FOUND_FEEDS = "found-feeds"
"""The kind of listing whose numbers mean feeds that a page has."""
MAX_SUBSCRIPTIONS = 1000
FIRST_TASTE = timedelta(days=3)
FIRST_STORIES = 3  # of a new feed, however old: a weekly's reader wants its last issue
CHOICES = 10


@dataclass(frozen=True, slots=True)
class Subscribed:
    """What came of subscribing."""

    subscription: Subscription
    is_new: bool


class NewsAggregator:
    """Feeds and their readers in one transaction. A subscription of somebody else is not found."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._session = work.session

    def subscribe(self, user_id: int, feed: Feed, *, name: str = "", section: str = "") -> Subscribed:
        """Have a reader read a feed. Raises `BadRequest` for the names, `TooMuch`."""
        mine = sa.select(Subscription).where(Subscription.user_id == user_id)
        earlier = self._session.scalars(mine.where(Subscription.feed_id == feed.id)).one_or_none()
        if earlier is not None:
            earlier.paused_at = None
            if name:
                self._rename(earlier, name)
            if section:
                earlier.section = _checked_name(section, what="section")
            return Subscribed(earlier, is_new=False)
        count = self._session.scalar(sa.select(sa.func.count()).select_from(mine.subquery())) or 0
        if count >= MAX_SUBSCRIPTIONS:
            raise TooMuch(
                _("You read {count} feeds already.").format(count=count), fix=_("Leave one with: unsubscribe <feed>")
            )
        chosen = _checked_name(name, what="name") if name else self._free_name(user_id, feed.title or feed.host)
        subscription = Subscription(
            user_id=user_id,
            feed=feed,
            name=chosen,
            name_key=fold(chosen),
            section=_checked_name(section, what="section") if section else "",
            since=self._since(feed),
            created_at=self._work.now,
        )
        self._refuse_taken(subscription)
        self._session.add(subscription)
        feed.next_check_at = min(feed.next_check_at, self._work.now)
        self._session.flush()
        self._work.emit(FeedSubscribed(user_id=user_id, feed_id=feed.id, url=feed.url, feed_name=chosen))
        return Subscribed(subscription, is_new=True)

    def unsubscribe(self, subscription: Subscription) -> None:
        """The feed itself goes when nobody reads it any more."""
        feed = subscription.feed
        self._session.delete(subscription)
        self._session.flush()
        self._work.emit(
            FeedUnsubscribed(user_id=subscription.user_id, feed_id=feed.id, url=feed.url, feed_name=subscription.name)
        )

    def rename(self, subscription: Subscription, name: str) -> None:
        """Raises `BadRequest`, `Conflict`."""
        self._rename(subscription, name)
        self._session.flush()

    def rename_freely(self, subscription: Subscription, stem: str) -> str:
        """To this name, or the next free one that begins with it; which it was."""
        self._rename(subscription, self._free_name(subscription.user_id, stem))
        self._session.flush()
        return subscription.name

    def move(self, subscription: Subscription, section: str) -> None:
        """Into a section; "" is none. Raises `BadRequest`."""
        subscription.section = _checked_name(section, what="section") if section else ""

    def pause(self, subscription: Subscription) -> None:
        """Its stories stay out of the papers until it is resumed; what comes meanwhile is not made up for."""
        subscription.paused_at = self._work.now

    def resume(self, subscription: Subscription) -> None:
        if subscription.paused_at is not None:
            subscription.paused_at = None
            subscription.since = self._work.now - timedelta(days=1)

    def list_page(self, user_id: int, page: int = 1) -> Page[Subscription]:
        """By section and name."""
        return fetch_page(self._session, Subscription.of_user(user_id), page=page)

    def all_of(self, user_id: int) -> Sequence[Subscription]:
        return self._session.scalars(Subscription.of_user(user_id)).all()

    def resolve(self, user_id: int, words: str, *, listing: Numbered | None) -> Subscription:
        """The subscription that a person means: its number in a list, its address, or words of its name.

        Raises `NotFound`, and `Conflict` with a numbered choice.
        """
        text = words.strip()
        mine = sa.select(Subscription).where(Subscription.user_id == user_id)
        if text.isascii() and text.isdigit() and listing is not None:
            wanted = listing.item_id(int(text[:9]))
            if (found := self._session.scalars(mine.where(Subscription.id == (wanted or 0))).one_or_none()) is not None:
                return found
        by_name = {one.name_key: one for one in self.all_of(user_id)}
        if (exact := by_name.get(fold(text))) is not None:
            return exact
        # A number beyond the list's end must not mean the one feed whose name has it: “Radio 4”.
        words_in = {} if text.isdigit() else by_name
        alike = [one for key, one in words_in.items() if fold(text) in key or text in (one.feed.url, one.feed.site_url)]
        if len(alike) == 1:
            return alike[0]
        if not alike:
            raise NotFound(
                _("You read no feed called “{text}”.").format(text=text),
                fix=_("Write “feeds” for a list."),
                code="feed.not-found",
            )
        raise Conflict(
            _("“{text}” may mean {count} of your feeds.").format(text=text, count=len(alike)),
            fix=_("Name it by its number."),
            code="feed.several",
            blocks=(_choice(alike[:CHOICES]),),
        )

    def found_feed(self, listing: Numbered | None, number: int) -> Feed | None:
        """The feed that stood at a number of a choice."""
        feed_id = listing.item_id(number) if listing is not None else None
        return self._session.get(Feed, feed_id) if feed_id is not None else None

    def known_feed(self, url: str) -> Feed | None:
        """A feed of this address that has been read and does well: it need not be looked at before subscribing."""
        feed = Feed.by_url(self._session, _without_fragment(url))
        is_well = feed is not None and feed.state is FeedState.ACTIVE and feed.last_success_at and not feed.failures
        return feed if is_well else None

    def add_feed(self, url: str, *, title: str = "") -> Feed:
        """The one row of a feed's address. Nobody reads it yet, so it is not fetched. Raises `BadRequest`."""
        url = _without_fragment(url)
        host = urlsplit(url).hostname or ""
        if not host or len(url) > LONGEST_URL:
            raise BadRequest(
                _("This is no address of a feed."), fix=_("Write it in full: subscribe https://example.org/")
            )
        if (feed := Feed.by_url(self._session, url)) is None:
            now = self._work.now
            feed = Feed(url=url, host=host[:255], title=title[:300], created_at=now, next_check_at=now)
            self._session.add(feed)
            self._session.flush()
        elif feed.state is FeedState.GONE:
            feed.state, feed.next_check_at, feed.failures = FeedState.ACTIVE, self._work.now, 0
        return feed

    def begin(self, feed: Feed) -> None:
        """After the first time that it was read: its readers begin with its newest stories, and get its name."""
        for subscription in Subscription.of_feed(self._session, feed.id):
            subscription.since = self._since(feed)
            if subscription.name == feed.host and feed.title:  # nothing better was known of it yet
                self._rename(subscription, self._free_name(subscription.user_id, feed.title or feed.host))

    # Inside ------------------------------------------------------------------------------------------------------

    def _since(self, feed: Feed) -> datetime:
        """From when on its stories are a new reader's: some days back, and at least a few stories."""
        newest = sa.select(Article.dated_at).where(Article.feed_id == feed.id).order_by(Article.dated_at.desc())
        dated = self._session.scalars(newest.limit(FIRST_STORIES)).all()
        start = self._work.now - FIRST_TASTE
        return min(start, dated[-1]) if dated else start

    def _rename(self, subscription: Subscription, name: str) -> None:
        subscription.name = _checked_name(name, what="name")
        subscription.name_key = fold(subscription.name)
        self._refuse_taken(subscription)

    def _refuse_taken(self, subscription: Subscription) -> None:
        with self._session.no_autoflush:
            other = self._session.scalars(
                sa.select(Subscription).where(
                    Subscription.user_id == subscription.user_id, Subscription.name_key == subscription.name_key
                )
            ).one_or_none()
        if other is not None and other is not subscription:
            raise Conflict(
                _("You have a feed called “{other}” already.").format(other=other.name), fix=_("Choose another name.")
            )

    def _free_name(self, user_id: int, stem: str) -> str:
        stem = " ".join(stem.split())[: LONGEST_NAME - 6] or "Feed"
        taken = set(self._session.scalars(sa.select(Subscription.name_key).where(Subscription.user_id == user_id)))
        names = (stem, *(f"{stem} {number}" for number in range(2, MAX_SUBSCRIPTIONS + 2)))
        return next(name for name in names if fold(name) not in taken)


def _without_fragment(url: str) -> str:
    """What a server is asked for (RFC 9110 7.1): with another fragment it is the same feed."""
    return urldefrag(url).url


def _checked_name(name: str, *, what: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME or name.isdigit():
        raise BadRequest(
            _("“{name}” cannot be the {what} of a feed.").format(name=name[:50], what=what),
            fix=_("Up to {LONGEST_NAME} characters, not only digits.").format(LONGEST_NAME=LONGEST_NAME),
        )
    return name


def _choice(subscriptions: Sequence[Subscription]) -> Items:
    return Items(
        tuple(
            Item(number, one.name, one.feed.url, steps=(Step(_("Leave"), f"unsubscribe {as_one_word(one.name)}"),))
            for number, one in enumerate(subscriptions, start=1)
        ),
        kind=FEEDS,
        item_ids=tuple(one.id for one in subscriptions),
        total=len(subscriptions),
    )
