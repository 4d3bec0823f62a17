"""Checks of feeds: which are due, what a fetch brought, and when the next one is due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core import jobs
from core.db import wait_for_turn
from core.events import FeedFailing, FeedGone, FeedMoved
from core.models import Article, ArticleText, Feed, FeedHost, Subscription
from core.models.article import LONGEST_ARTICLE_TITLE
from core.models.due_feed import DueFeed
from core.models.feed import LONGEST_DATE, LONGEST_ETAG, LONGEST_URL, FeedState
from core.news.circuit import HostCircuit
from core.news.duplicates import content_changed
from core.news.pace import Pace, cache_seconds, next_check
from core.news.reading import ReadEntry, ReadFeed
from core.news.values import Fetched, FetchFailed, NotModified, Validators
from core.services.news_aggregator import FIRST_TASTE, NewsAggregator
from core.services.stories import Stories
from core.work import Work

LONG_AGO = timedelta(days=365)
UNDATED_STORIES = 10  # of a feed without dates that is new to us: the rest is taken for old
FAILING_AFTER = 8  # failed checks in a row; with the pauses growing that is one to three days
KNOWN_ENTRIES = 1000  # of one feed, the newest: those that it may list again
FETCHES_A_ROUND = 20  # teasers of one feed that are fetched in full after one check
CLAIM_TURN = 0x696E6B66  # "inkf": see `core.db.wait_for_turn`
LEASE = timedelta(minutes=10)  # of a check: longer than any fetch, its parsing and its commit


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedToFetch:
    """What a check needs to know of a feed."""

    id: int
    url: str
    validators: Validators
    body_sha256: str
    pace: Pace
    has_failed_host: bool
    """Its host has a row, which an answer deletes."""


class FeedChecks:
    """Checks in one transaction: claimed, recorded one by one, and settled together."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._session = work.session
        self._feeds: dict[int, Feed] = {}
        self._hosts: dict[str, FeedHost | None] = {}
        self._read: list[tuple[Feed, Sequence[ReadEntry], bool]] = []
        """Feeds that were read, with what was new, and whether it was the first time."""
        self._unchanged: list[dict[str, object]] = []

    def claim(self, *, limit: int) -> Sequence[FeedToFetch]:
        """Feeds to be checked now, one of a host at most, leased to the caller for `LEASE`.

        However many ask at once, here and on other machines: a feed is leased to one, and a host is asked by one.
        """
        wait_for_turn(self._session, CLAIM_TURN)
        later: list[dict[str, object]] = []
        claimed = []
        for feed in DueFeed.first(self._session, now=self._work.now, limit=limit):
            if not feed.has_readers:  # it rests until somebody subscribes; its articles stay known
                later.append({"id": feed.id, "next_check_at": self._work.now + LONG_AGO})
            elif (rests_until := self._rests_until(feed)) is not None:
                later.append({"id": feed.id, "next_check_at": rests_until})
            else:
                claimed.append(feed)
        if later:
            self._session.execute(sa.update(Feed), later)
        if claimed:
            leased = sa.update(Feed).where(Feed.id.in_([feed.id for feed in claimed]))
            self._session.connection().execute(leased.values(leased_until=self._work.now + LEASE))
        return [_to_fetch(feed, has_failed_host=feed.host_failures is not None) for feed in claimed]

    def claim_one(self, feed_id: int) -> FeedToFetch | None:
        """One feed, due or not; None if it is gone, or if its host is being asked: then it waits until it is due."""
        wait_for_turn(self._session, CLAIM_TURN)
        feed = self._session.get(Feed, feed_id)
        if feed is None or feed.state is not FeedState.ACTIVE:
            return None
        if Feed.is_host_asked(self._session, feed.host, now=self._work.now):
            return None
        feed.leased_until = self._work.now + LEASE
        return _to_fetch(feed, has_failed_host=self._session.get(FeedHost, feed.host) is not None)

    def release_all(self) -> None:
        """End every lease: for who knows that nobody checks a feed, because only this process could."""
        leased = sa.update(Feed).where(Feed.leased_until > self._work.now)
        self._session.connection().execute(leased.values(leased_until=None))

    def _rests_until(self, feed: DueFeed) -> datetime | None:
        """None if its host's circuit lets a check through, else when it may."""
        if feed.host_failures is None:
            return None
        circuit, now = HostCircuit(failures=feed.host_failures, open_until=feed.host_open_until), self._work.now
        if circuit.is_open(now):
            assert circuit.open_until is not None
            return circuit.open_until + timedelta(seconds=feed.id % 60)  # not all of them at once
        if circuit.is_half_open(now):
            probed = sa.update(FeedHost).where(FeedHost.host == feed.host)
            self._session.execute(probed.values(open_until=circuit.while_probed(now).open_until))
        return None

    @staticmethod
    def known_entries(session: Session, feed_id: int) -> frozenset[str]:
        """The raw hashes of the feed's newest articles."""
        return frozenset(session.scalars(_NEWEST_HASHES, {"feed_id": feed_id}))

    def prepare(self, feed_ids: Sequence[int]) -> None:
        """Load what the records of these checks will ask for, in two statements instead of two for each."""
        if not feed_ids:
            return
        for feed in self._session.scalars(sa.select(Feed).where(Feed.id.in_(feed_ids))):
            self._feeds[feed.id] = feed
            self._hosts[feed.host] = None
        for row in self._session.scalars(sa.select(FeedHost).where(FeedHost.host.in_(self._hosts))):
            self._hosts[row.host] = row

    def record_unchanged(self, feed: FeedToFetch, answer: NotModified | Fetched) -> None:
        """A 304, or the same bytes again, which `settle` writes down without loading a row: most checks are this."""
        if feed.has_failed_host or answer.moved_to not in (None, feed.url):
            if (row := self._checked(feed.id, answer)) is not None:
                self._plan(row, ttl_seconds=None, headers_seconds=cache_seconds(answer.headers))
            return
        validators = answer.validators if isinstance(answer, Fetched) else feed.validators
        self._unchanged.append(
            {
                "feed_id": feed.id,
                "now": self._work.now,
                "etag": validators.etag[:LONGEST_ETAG],
                "last_modified": validators.last_modified[:LONGEST_DATE],
                "next_check_at": next_check(
                    now=self._work.now, pace=feed.pace, ttl_seconds=None, cache_seconds=cache_seconds(answer.headers),
                    retry_after_seconds=None, failures=0, seed=feed.id,
                ),
            }
        )  # fmt: skip

    def record_read(self, feed_id: int, answer: Fetched, read: ReadFeed, *, body_sha256: str) -> None:
        """A feed that may have something new, which `settle` keeps."""
        before = self._feed(feed_id)
        is_first = before is not None and before.last_success_at is None
        feed = self._checked(feed_id, answer)
        if feed is None:
            return
        feed.body_sha256 = body_sha256
        feed.title, feed.site_url = read.title[:300] or feed.title, read.site_url[:LONGEST_URL]
        feed.language = read.language
        pace = Pace.of(read.published, now=self._work.now)
        feed.gap_seconds, feed.newest_at = pace.gap_seconds, pace.newest
        self._plan(feed, ttl_seconds=read.ttl_seconds, headers_seconds=cache_seconds(answer.headers))
        self._read.append((feed, read.entries, is_first))

    def settle(self) -> None:
        """Keep what is new in the feeds that were recorded as read; full texts of teasers come by jobs of their own.

        All feeds at once, since it is the number of statements that costs, not that of rows.
        """
        if self._unchanged:
            self._session.connection().execute(_UNCHANGED, self._unchanged)
            self._unchanged.clear()
        if not self._read:
            return
        news = self._take_all()
        new: dict[int, list[Article]] = {}
        for article, _entry in news:
            assert article.feed_id is not None
            new.setdefault(article.feed_id, []).append(article)
        for feed, _entries, is_first in self._read:
            taken = new.get(feed.id, ())
            if taken:
                feed.last_article_at = max(article.dated_at for article in taken)
            if is_first:
                NewsAggregator(self._work).begin(feed)
            stubs = [one for one in taken if one.is_stub and one.dated_at > self._work.now - FIRST_TASTE]
            for article in stubs[:FETCHES_A_ROUND]:
                self._work.defer(jobs.fetch_article(article.id, host=urlsplit(article.url).hostname or ""))
        self._read.clear()

    def record_failure(self, feed_id: int, failure: FetchFailed) -> None:
        """Count a failed check; its readers are told when it has failed for long, or is gone."""
        feed = self._feed(feed_id)
        if feed is None:
            return
        now = self._work.now
        self._note_host(feed.host, is_down=failure.is_host_down)
        feed.last_checked_at, feed.leased_until = now, None
        feed.last_error = failure.text[:500]
        if failure.status == 410:
            feed.state = FeedState.GONE
            self._work.emit(FeedGone(user_id=None, feed_id=feed.id, url=feed.url))
            return
        feed.failures += 1
        feed.failing_since = feed.failing_since or now
        feed.next_check_at = next_check(
            now=now, pace=_pace(feed), ttl_seconds=None, cache_seconds=None,
            retry_after_seconds=failure.retry_after_seconds, failures=feed.failures, seed=feed.id,
        )  # fmt: skip
        if feed.failures >= FAILING_AFTER and feed.told_at is None:
            feed.told_at = now
            self._work.emit(FeedFailing(user_id=None, feed_id=feed.id, url=feed.url, reason=feed.last_error))

    def take_letter(self, feed: Feed, entry: ReadEntry) -> None:
        """A newsletter's issue that came by mail; the very same one again changes nothing."""
        now = self._work.now
        feed.last_checked_at = feed.last_success_at = now
        feed.newest_at = min(entry.published_at or now, now)
        feed.language = entry.reading.language or feed.language
        self._read.append((feed, (entry,), False))
        self.settle()

    def replace_text(self, article_id: int, entry: ReadEntry) -> None:
        """The full text of an article whose feed had a teaser only."""
        article = self._session.get(Article, article_id)
        if article is None or entry.reading.words <= article.words:
            return
        as_in_feed = article.title, article.authors, article.raw_hash
        describe(article, entry)
        title, authors, article.raw_hash = as_in_feed  # a feed knows these better than the head of a page
        article.title, article.authors = title or article.title, authors or article.authors
        article.is_stub = False
        self._keep_text(article, entry)
        Stories(self._session, now=self._work.now).file_again(article, entry)

    # Inside ------------------------------------------------------------------------------------------------------

    def _checked(self, feed_id: int, answer: NotModified | Fetched) -> Feed | None:
        """The feed after a successful check, at the address to which it has moved for good."""
        feed = self._feed(feed_id)
        if feed is None:
            return None
        now = self._work.now
        self._note_host(feed.host, is_down=False)
        feed.last_checked_at = feed.last_success_at = now
        feed.leased_until = None
        feed.failures, feed.last_error, feed.failing_since, feed.told_at = 0, "", None, None
        if isinstance(answer, Fetched):
            feed.etag = answer.validators.etag[:LONGEST_ETAG]
            feed.last_modified = answer.validators.last_modified[:LONGEST_DATE]
        if answer.moved_to is not None and answer.moved_to != feed.url and len(answer.moved_to) <= LONGEST_URL:
            return self._moved(feed, answer.moved_to)
        return feed

    def _moved(self, feed: Feed, url: str) -> Feed:
        """The row at its new address: this one, or the one that stands there already and takes over its readers."""
        self._session.flush()  # another feed of the same batch may have moved there
        other = Feed.by_url(self._session, url)
        if other is None:
            self._work.emit(FeedMoved(user_id=None, feed_id=feed.id, url=feed.url, moved_to=url))
            feed.url, feed.host = url, (urlsplit(url).hostname or feed.host)[:255]
            return feed
        there = set(self._session.scalars(sa.select(Subscription.user_id).where(Subscription.feed_id == other.id)))
        for subscription in Subscription.of_feed(self._session, feed.id):
            if subscription.user_id in there:
                self._session.delete(subscription)
            else:
                subscription.feed = other
        self._work.emit(FeedMoved(user_id=None, feed_id=feed.id, url=feed.url, moved_to=url))
        feed.state = FeedState.GONE
        self._session.flush()
        return other

    def _plan(self, feed: Feed, *, ttl_seconds: int | None, headers_seconds: float | None) -> None:
        feed.next_check_at = next_check(
            now=self._work.now, pace=_pace(feed), ttl_seconds=ttl_seconds, cache_seconds=headers_seconds,
            retry_after_seconds=None, failures=0, seed=feed.id,
        )  # fmt: skip

    def _feed(self, feed_id: int) -> Feed | None:
        return self._feeds.get(feed_id) or self._session.get(Feed, feed_id)

    def _note_host(self, host: str, *, is_down: bool) -> None:
        row = self._hosts[host] if host in self._hosts else self._session.get(FeedHost, host)
        if not is_down:
            if row is not None:
                self._session.delete(row)
                self._hosts[host] = None
            return
        if row is None:
            row = FeedHost(host=host, failures=0)
            self._session.add(row)
        self._hosts[host] = row
        after = HostCircuit(failures=row.failures, open_until=row.open_until).after_failure(self._work.now)
        row.failures, row.open_until = after.failures, after.open_until

    def _take_all(self) -> list[tuple[Article, ReadEntry]]:
        """Articles for the entries that are new or have changed; the new ones are returned, with their stories."""
        keys = {(feed.id, entry.entry_key) for feed, entries, _ in self._read for entry in entries}
        known = Article.by_entry_keys(self._session, keys)
        new: dict[tuple[int, str], tuple[Article, ReadEntry]] = {}
        for feed, entries, is_first in self._read:
            for place, entry in enumerate(entries):
                key = (feed.id, entry.entry_key)
                if (article := known.get(key)) is not None:
                    self._change(article, entry)
                elif key not in new:
                    new[key] = self._article(feed, entry, is_old=is_first and place >= UNDATED_STORIES), entry
        self._session.add_all(article for article, _ in new.values())
        self._session.flush()
        Stories(self._session, now=self._work.now).file_new(list(new.values()))
        return list(new.values())

    def _article(self, feed: Feed, entry: ReadEntry, *, is_old: bool) -> Article:
        article = Article(
            feed_id=feed.id,
            entry_key=entry.entry_key,
            published_at=entry.published_at,
            dated_at=self._dated(entry, is_old=is_old),
            first_seen_at=self._work.now,
        )
        describe(article, entry)
        return article

    def _dated(self, entry: ReadEntry, *, is_old: bool) -> datetime:
        now = self._work.now
        if entry.published_at is not None:
            return min(entry.published_at, now)
        return now - LONG_AGO if is_old else now

    def _change(self, article: Article, entry: ReadEntry) -> None:
        """An entry that came again, and not as it was."""
        kept = self._session.get(ArticleText, article.id)
        if not article.is_stub and entry.is_stub:  # its full text was fetched; the feed's teaser says less
            article.raw_hash, article.title = entry.raw_hash, entry.title[:LONGEST_ARTICLE_TITLE]
            return
        if kept is not None and content_changed(kept.text, entry.reading.text):
            article.changed_at = self._work.now
        describe(article, entry)
        self._keep_text(article, entry)

    def _keep_text(self, article: Article, entry: ReadEntry) -> None:
        kept = self._session.get(ArticleText, article.id)
        if kept is None:
            self._session.add(ArticleText.of(article.id, html=entry.reading.html, text=entry.reading.text))
        else:
            kept.replace(html=entry.reading.html, text=entry.reading.text)


_NEWEST_HASHES = (
    sa.select(Article.raw_hash)
    .where(Article.feed_id == sa.bindparam("feed_id"))
    .order_by(Article.first_seen_at.desc())
    .limit(KNOWN_ENTRIES)
)

_UNCHANGED = (  # what is the same for all is a part of the statement: each value is bound once for each row
    sa.update(Feed)
    .where(Feed.id == sa.bindparam("feed_id"))
    .values(
        etag=sa.bindparam("etag"),
        last_modified=sa.bindparam("last_modified"),
        next_check_at=sa.bindparam("next_check_at"),
        last_checked_at=sa.bindparam("now"),
        last_success_at=sa.bindparam("now"),
        leased_until=sa.null(),
        failures=sa.literal_column("0"),
        last_error=sa.literal_column("''"),
        failing_since=sa.null(),
        told_at=sa.null(),
    )
)


def _to_fetch(feed: Feed | DueFeed, *, has_failed_host: bool) -> FeedToFetch:
    return FeedToFetch(
        id=feed.id,
        url=feed.url,
        validators=Validators(etag=feed.etag, last_modified=feed.last_modified),
        body_sha256=feed.body_sha256,
        pace=_pace(feed),
        has_failed_host=has_failed_host,
    )


def _pace(feed: Feed | DueFeed) -> Pace:
    return Pace(feed.gap_seconds, feed.newest_at)


def describe(article: Article, entry: ReadEntry) -> None:
    """What an entry says of itself, into its article's row."""
    reading = entry.reading
    article.raw_hash = entry.raw_hash
    article.url, article.url_key = entry.url[:LONGEST_URL], entry.url_key
    article.title = entry.title[:LONGEST_ARTICLE_TITLE]
    article.authors = [author[:200] for author in entry.authors[:10]]
    article.language, article.words, article.link_share = reading.language, reading.words, reading.link_share
    article.is_stub = entry.is_stub
    article.pictures = list(reading.pictures)
    article.signature = entry.fingerprint.signature
