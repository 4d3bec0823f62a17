"""What an issue would hold: the stories of a reader's feeds, chosen, ordered and numbered. Only looks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import NAMESPACE_URL, uuid5

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from core.i18n import N_, SOURCE, _, speaking
from core.models import (
    Article,
    ArticleText,
    DeliveredStory,
    Digest,
    DigestIssue,
    Feedback,
    ReadLater,
    Subscription,
    User,
)
from core.models.read_later import ReadState
from core.news import quality
from core.news.canonical import fold
from core.news.duplicates import content_changed
from core.news.issue import FeedTrouble, Issue, Story
from core.news.quality import Score, Scored, StoryFacts, Taste, Wish, choose, score
from core.news.schedule import Target
from core.news.values import Reading

LATER = N_("Saved for later")
"""The section of the pages that the reader put aside."""
LOOK_BACK = timedelta(days=3)
"""A story that was kept out by an issue's limits may stand in one of these days' later ones."""
OVERLAP = timedelta(days=1)
MOST_FEEDBACK = 500  # the newest opinions, which make a reader's taste
TROUBLED_AFTER = 3  # failed checks in a row: before that it is a hiccup, and no news for a colophon


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A story of an issue, with what is written down of it."""

    story: Story
    article_id: int
    story_id: int
    feed_id: int | None
    score: int
    reasons: tuple[str, ...]
    read_later_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """An issue before it is made: its pictures are still to be fetched."""

    issue: Issue
    chosen: tuple[Chosen, ...]
    target: Target
    with_pictures: bool


@dataclass(slots=True)
class _Candidate:
    """A story that this reader might get: its best article, and the feeds of theirs that have it."""

    article: Article
    subscription: Subscription
    carriers: list[str]
    is_updated: bool


def taste_of(session: Session, user_id: int) -> Taste:
    """What a reader asked for more and less of, of late."""
    newest = sa.select(Feedback).where(Feedback.user_id == user_id).order_by(Feedback.at.desc()).limit(MOST_FEEDBACK)
    taste = Taste()
    for row in reversed(session.scalars(newest).all()):
        feed = str(row.feed_id) if row.feed_id is not None else ""
        taste = taste.after(
            quality.Feedback(wish=Wish(row.wish), feed=feed, authors=tuple(row.authors), title=row.title)
        )
    return taste


def gather(session: Session, digest: Digest, *, local_date: date, now: datetime, slot: str) -> Contents:
    """What the digest would hold at `now`: chosen, ordered, numbered. Only looks; `Digests.finish` remembers it."""
    user = session.get_one(User, digest.user_id)
    with speaking(user.language):  # the reasons are kept as they are said
        return _gather(session, digest, user=user, local_date=local_date, now=now, slot=slot)


def _gather(session: Session, digest: Digest, *, user: User, local_date: date, now: datetime, slot: str) -> Contents:
    subscriptions = {one.feed_id: one for one in _subscriptions(session, digest)}
    candidates = _candidates(session, digest, subscriptions, now=now)
    scored, scores = _scored(candidates, taste=taste_of(session, user.id), now=now)
    choice = choose(scored, min_quality=digest.min_quality, most=digest.max_articles, minutes=digest.minutes)
    chosen = [_as_chosen(candidates[one.id], scores[one.id]) for one in choice.kept]
    chosen += _read_later(session, digest)
    texts = _texts(session, [one.article_id for one in chosen])
    numbered = tuple(
        replace(one, story=replace(one.story, number=number, reading=_reading(one.story.reading, texts, one)))
        for number, one in enumerate(chosen, start=1)
    )
    issue = Issue(
        identifier=uuid5(NAMESPACE_URL, f"inkpost:digest:{digest.id}:{slot}").urn,
        title=digest.name,
        local_date=local_date,
        made_at=now,
        timezone=user.timezone,
        language=user.language or SOURCE,
        stories=tuple(one.story for one in numbered),
        troubles=_troubles(subscriptions.values()),
        left_out=len(choice.left_out),
    )
    return Contents(issue=issue, chosen=numbered, target=Target(digest.target), with_pictures=digest.with_pictures)


def _subscriptions(session: Session, digest: Digest) -> list[Subscription]:
    """Those of the digest's section; for one without a section, those that no other digest of the reader claims."""
    mine = session.scalars(
        Subscription.of_user(digest.user_id)
        .where(Subscription.paused_at.is_(None))
        .options(joinedload(Subscription.feed))
    ).all()
    if digest.section:
        return [one for one in mine if fold(one.section) == fold(digest.section)]
    claimed = {
        fold(other.section)
        for other in Digest.of_user(session, digest.user_id)
        if other.section and other.next_due_at is not None
    }
    return [one for one in mine if not one.section or fold(one.section) not in claimed]


def _candidates(
    session: Session, digest: Digest, subscriptions: Mapping[int, Subscription], *, now: datetime
) -> dict[int, _Candidate]:
    """By story: what these feeds had lately that the reader has not had, or that has changed since."""
    last = session.scalar(sa.select(sa.func.max(DigestIssue.made_at)).where(DigestIssue.digest_id == digest.id))
    horizon = min(now - LOOK_BACK, last - OVERLAP) if last is not None else now - timedelta(days=400)
    had = sa.and_(DeliveredStory.user_id == digest.user_id, DeliveredStory.story_id == Article.story_id)
    lately = sa.or_(Article.first_seen_at > horizon, Article.changed_at > horizon)
    rows = session.execute(
        sa.select(Article, DeliveredStory.delivered_at)
        .outerjoin(DeliveredStory, had)
        .where(Article.feed_id.in_(subscriptions), lately, Article.first_seen_at <= now)
        .order_by(Article.id)
    )
    articles: dict[int, list[tuple[Article, bool]]] = defaultdict(list)
    for article, delivered_at in rows:
        assert article.feed_id is not None
        assert article.story_id is not None
        is_updated = delivered_at is not None
        if is_updated and not (article.changed_at is not None and article.changed_at > delivered_at):
            continue
        if is_updated or article.dated_at >= subscriptions[article.feed_id].since:
            articles[article.story_id].append((article, is_updated))
    _drop_known_updates(session, articles, user_id=digest.user_id, feed_ids=subscriptions)
    return {story_id: _best(found, subscriptions) for story_id, found in articles.items() if found}


def _drop_known_updates(
    session: Session, articles: dict[int, list[tuple[Article, bool]]], *, user_id: int, feed_ids: Iterable[int]
) -> None:
    """Leave out updates that say what another feed of the reader's said before: they have had that version."""
    updated = [story_id for story_id, found in articles.items() if any(is_updated for _, is_updated in found)]
    if not updated:
        return
    last_told = sa.func.coalesce(Article.changed_at, Article.first_seen_at)
    rows = session.execute(
        sa.select(Article.story_id, ArticleText)
        .join(ArticleText, ArticleText.article_id == Article.id)
        .join(DeliveredStory, DeliveredStory.story_id == Article.story_id)
        .where(DeliveredStory.user_id == user_id, Article.story_id.in_(updated), Article.feed_id.in_(feed_ids))
        .where(last_told <= DeliveredStory.delivered_at)
    )
    had: dict[int, list[str]] = defaultdict(list)
    for story_id, kept in rows:
        had[story_id or 0].append(kept.text)
    for story_id in updated:
        texts = _texts(session, [article.id for article, _ in articles[story_id]])
        articles[story_id] = [
            (article, is_updated)
            for article, is_updated in articles[story_id]
            if article.id not in texts or all(content_changed(text, texts[article.id].text) for text in had[story_id])
        ]


def _best(found: Sequence[tuple[Article, bool]], subscriptions: Mapping[int, Subscription]) -> _Candidate:
    """The fullest of a story's articles stands for it, the first one where they are about equal."""
    longest = max(article.words for article, _ in found if not article.is_stub or len(found) == 1) if found else 0
    article = next(
        (one for one, _ in found if not one.is_stub and one.words >= 0.8 * longest), max(found, key=_fullness)[0]
    )
    assert article.feed_id is not None
    carriers = dict.fromkeys(subscriptions[one.feed_id].name for one, _ in found if one.feed_id is not None)
    return _Candidate(article, subscriptions[article.feed_id], list(carriers), any(updated for _, updated in found))


def _fullness(found: tuple[Article, bool]) -> tuple[bool, int]:
    return (not found[0].is_stub, found[0].words)


def _scored(
    candidates: Mapping[int, _Candidate], *, taste: Taste, now: datetime
) -> tuple[list[Scored], dict[int, Score]]:
    scores = {story_id: score(_facts(one, now=now), taste=taste) for story_id, one in candidates.items()}
    scored = [
        Scored(
            id=story_id,
            score=scores[story_id],
            words=one.article.words,
            feed=one.subscription.name,
            section=one.subscription.section,
        )
        for story_id, one in candidates.items()
    ]
    return scored, scores


def _facts(one: _Candidate, *, now: datetime) -> StoryFacts:
    article = one.article
    return StoryFacts(
        words=article.words,
        is_stub=article.is_stub,
        link_share=article.link_share,
        is_original=article.story_id == article.id and len(one.carriers) > 1,
        carried_by=len(one.carriers),
        age=now - article.dated_at,
        has_picture=bool(article.pictures),
        feed=str(article.feed_id),
        authors=tuple(article.authors),
        title=article.title,
    )


def _as_chosen(one: _Candidate, found: Score) -> Chosen:
    article = one.article
    assert article.story_id is not None
    return Chosen(
        story=_story(
            article,
            feed=one.subscription.name,
            section=one.subscription.section,
            also_in=tuple(name for name in one.carriers if name != one.subscription.name),
            is_updated=one.is_updated,
        ),
        article_id=article.id,
        story_id=article.story_id,
        feed_id=article.feed_id,
        score=found.value,
        reasons=tuple(reason.text for reason in found.reasons),
    )


def _story(
    article: Article, *, feed: str, section: str, also_in: tuple[str, ...] = (), is_updated: bool = False
) -> Story:
    """Without its text, and without its number."""
    return Story(
        number=0,
        title=article.title or feed,
        url=article.url,
        feed=feed,
        section=section,
        authors=tuple(article.authors),
        published_at=article.published_at,
        also_in=also_in,
        is_updated=is_updated,
        is_stub=article.is_stub,
        reading=Reading(
            html="",
            text="",
            words=article.words,
            pictures=tuple(article.pictures),
            link_share=article.link_share,
            language=article.language,
        ),
    )


def _read_later(session: Session, digest: Digest) -> list[Chosen]:
    """What the reader put aside, in their first digest; no limit keeps out what they asked for."""
    if Digest.of_user(session, digest.user_id)[0].id != digest.id:
        return []
    rows = session.execute(
        sa.select(ReadLater, Article)
        .join(Article, Article.id == ReadLater.article_id)
        .where(ReadLater.user_id == digest.user_id, ReadLater.state == ReadState.READY)
        .order_by(ReadLater.id)
    )
    return [
        Chosen(
            story=replace(_story(article, feed=_origin(article), section=_(LATER)), is_wish=True),
            article_id=article.id,
            story_id=article.story_id or article.id,
            feed_id=None,
            score=100,
            reasons=(_("You asked for it: +100"),),
            read_later_id=wish.id,
        )
        for wish, article in rows
    ]


def _origin(article: Article) -> str:
    """The site of a page; a mail that was passed on has none, and is its author's."""
    return _host(article.url) or ", ".join(article.authors[:1])


def _host(url: str) -> str:
    return url.split("/")[2].removeprefix("www.") if "://" in url else url


def _texts(session: Session, article_ids: Sequence[int]) -> dict[int, ArticleText]:
    texts = session.scalars(sa.select(ArticleText).where(ArticleText.article_id.in_(article_ids)))
    return {text.article_id: text for text in texts}


def _reading(reading: Reading, texts: Mapping[int, ArticleText], one: Chosen) -> Reading:
    kept = texts.get(one.article_id)
    return reading if kept is None else replace(reading, html=kept.html, text=kept.text)


def _troubles(subscriptions: Iterable[Subscription]) -> tuple[FeedTrouble, ...]:
    return tuple(
        FeedTrouble(feed=one.name, reason=_(one.feed.last_error))
        for one in subscriptions
        if one.feed.failures >= TROUBLED_AFTER and one.feed.last_error
    )
