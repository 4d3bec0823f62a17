"""Pages that somebody wants to read: at once on their e-reader, or in their next issue."""

from __future__ import annotations

from urllib.parse import urlsplit

import sqlalchemy as sa

from core import jobs
from core.errors import BadRequest, TooMuch
from core.i18n import _
from core.models import Article, ArticleText, ReadLater
from core.models.feed import LONGEST_URL
from core.models.read_later import ReadState
from core.news.reading import ReadEntry
from core.services.feed_checks import describe
from core.work import Work

MOST_WAITING = 200


class ReadingList:
    """Wishes to read in one transaction."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._session = work.session

    def add(self, user_id: int, url: str, *, is_now: bool, cause: str) -> ReadLater:
        """Have a page fetched, once for each `cause`. Raises `BadRequest`, `TooMuch`."""
        host = urlsplit(url).hostname
        if not host or len(url) > LONGEST_URL:
            raise BadRequest(
                _("“{url}” is no address of a page.").format(url=url[:100]), fix=_("Write it in full: read https://…")
            )
        mine = sa.select(ReadLater).where(ReadLater.user_id == user_id)
        earlier = self._session.scalars(sa.select(ReadLater).where(ReadLater.cause == cause)).one_or_none()
        if earlier is not None:
            return earlier
        waiting = mine.where(ReadLater.state.in_((ReadState.FETCHING, ReadState.READY)))
        if (self._session.scalar(sa.select(sa.func.count()).select_from(waiting.subquery())) or 0) >= MOST_WAITING:
            raise TooMuch(
                _("{MOST_WAITING} pages wait for you already.").format(MOST_WAITING=MOST_WAITING),
                fix=_("They come with your next issue."),
            )
        wish = ReadLater(user_id=user_id, cause=cause, url=url, is_now=is_now, created_at=self._work.now)
        self._session.add(wish)
        self._session.flush()
        self._work.defer(jobs.read_page(wish.id, host=host))
        return wish

    def keep(self, wish: ReadLater, entry: ReadEntry) -> Article:
        """Keep what was read for it."""
        now = self._work.now
        dated_at = min(entry.published_at, now) if entry.published_at is not None else now
        article = Article(
            feed_id=None, entry_key=entry.entry_key, published_at=entry.published_at, dated_at=dated_at,
            first_seen_at=now,
        )  # fmt: skip
        describe(article, entry)
        self._session.add(article)
        self._session.flush()
        article.story_id = article.id
        self._session.add(ArticleText.of(article.id, html=entry.reading.html, text=entry.reading.text))
        wish.article_id, wish.state = article.id, ReadState.DONE if wish.is_now else ReadState.READY
        return article

    def fail(self, wish: ReadLater, reason: str) -> None:
        wish.state, wish.note = ReadState.FAILED, reason[:500]
