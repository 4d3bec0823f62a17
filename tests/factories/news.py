"""Rows of the news: feeds that were read, their stories, and issues that were sent. See `tests.factories.rows`."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from core.models import Article, ArticleText, Digest, DigestIssue, Feed, IssueStory, Subscription, User
from core.models.issue import IssueState
from core.news.canonical import fold
from core.references import new_reference
from tests.factories.rows import NOW

_numbers = itertools.count(1)


def make_feed(session: Session, *, url: str | None = None, title: str = "Quanta", **columns: Any) -> Feed:
    """A feed that was read an hour ago and does well."""
    url = url or f"https://feed{next(_numbers)}.example/rss"
    read_at = NOW - timedelta(hours=1)
    columns = {"last_success_at": read_at, "last_checked_at": read_at, "next_check_at": NOW} | columns
    feed = Feed(url=url, host=url.split("/")[2], title=title, created_at=NOW, **columns)
    session.add(feed)
    session.flush()
    return feed


def make_subscription(
    session: Session, user: User, feed: Feed | None = None, *, name: str = "Quanta", section: str = "", **columns: Any
) -> Subscription:
    """A reader's feed, with all that it ever had in it."""
    columns = {"since": NOW - timedelta(days=30)} | columns
    row = Subscription(
        user_id=user.id,
        feed=feed or make_feed(session, title=name),
        name=name,
        name_key=fold(name),
        section=section,
        created_at=NOW,
        **columns,
    )
    session.add(row)
    session.flush()
    return row


def make_article(
    session: Session,
    feed: Feed | None,
    *,
    title: str = "A new bridge",
    text: str = "It was opened this morning.",
    seen_at: datetime = NOW - timedelta(hours=2),
    **columns: Any,
) -> Article:
    """A story of its own, in full."""
    key = f"{next(_numbers):064d}"
    columns = {"words": 500, "authors": ["Anna Berg"], "pictures": [], "url": f"https://news.example/{key}"} | columns
    article = Article(
        feed_id=feed.id if feed is not None else None,
        entry_key=key,
        title=title,
        dated_at=seen_at,
        first_seen_at=seen_at,
        **columns,
    )
    session.add(article)
    session.flush()
    article.story_id = article.id
    session.add(ArticleText.of(article.id, html=f"<p>{text}</p>", text=text))
    session.flush()
    return article


def make_digest(session: Session, user: User, *, name: str = "Morning paper", **columns: Any) -> Digest:
    row = Digest(user_id=user.id, name=name, name_key=fold(name), created_at=NOW, **columns)
    session.add(row)
    session.flush()
    return row


def make_issue(
    session: Session, user: User, articles: Sequence[Article] = (), *, digest: Digest | None = None, **columns: Any
) -> DigestIssue:
    """An issue that was sent, with these articles as its stories 1, 2, 3 …"""
    digest = digest or make_digest(session, user, name=f"Paper {next(_numbers)}")
    reference = new_reference()
    row = DigestIssue(
        digest_id=digest.id,
        user_id=user.id,
        slot=f"slot {next(_numbers)}",
        local_date=NOW.date(),
        due_at=NOW,
        made_at=NOW,
        state=IssueState.SENT,
        title=digest.name,
        reference=reference,
        message_id=f"<{reference}@inkpost.example>",
        **columns,
    )
    session.add(row)
    session.flush()
    session.add_all(
        IssueStory(
            issue_id=row.id,
            number=number,
            article_id=article.id,
            feed_id=article.feed_id,
            title=article.title,
            url=article.url,
            score=61,
            reasons=["Every story starts here: +35", "Full text, 500 words: +14", "Less than an hour old: +12"],
        )
        for number, article in enumerate(articles, start=1)
    )
    session.flush()
    return row
