"""Digests: when one is due, what stands in it, and what a reader has had for good."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import NAMESPACE_URL, uuid5
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, joinedload

from core import jobs
from core.errors import BadRequest, Conflict, NotFound, TooMuch
from core.events import IssueSent
from core.models import (
    Article,
    ArticleText,
    DeliveredStory,
    Digest,
    DigestIssue,
    Feedback,
    IssueStory,
    ReadLater,
    Subscription,
    User,
)
from core.models.issue import IssueState
from core.models.read_later import ReadState
from core.models.subscription import LONGEST_NAME
from core.news import quality
from core.news.canonical import fold
from core.news.duplicates import content_changed
from core.news.issue import FeedTrouble, Issue, Story
from core.news.quality import Score, Scored, StoryFacts, Taste, Wish, choose, score
from core.news.schedule import Schedule, Target, last_due, next_due
from core.news.values import Reading
from core.work import Work

DEFAULT_NAME = "Morning paper"
LATER = "Saved for later"
"""The section of the pages that the reader put aside."""
MAX_DIGESTS = 20
MOST_ARTICLES = 200  # of an issue: a letter lists 60, and a book of more is a week's reading
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


class Digests:
    """A reader's digests in one transaction. Those of somebody else are not found."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._session = work.session

    # Orders ------------------------------------------------------------------------------------------------------

    def of_user(self, user_id: int) -> Sequence[Digest]:
        """In the order in which they were made."""
        return Digest.of_user(self._session, user_id)

    def ensure(self, user_id: int) -> Digest:
        """The reader's first digest; who reads a feed has one: every day at 06:30, to all that they have."""
        mine = self.of_user(user_id)
        return mine[0] if mine else self.order(user_id, Schedule(), name=DEFAULT_NAME)

    def order(self, user_id: int, schedule: Schedule, *, name: str = "", section: str = "") -> Digest:
        """A new digest. Raises `BadRequest`, `Conflict`, `TooMuch`."""
        mine = self.of_user(user_id)
        if len(mine) >= MAX_DIGESTS:
            raise TooMuch(f"You have {len(mine)} digests already.", fix="Delete one with: digest remove <name>")
        name = _checked_name(name or section or DEFAULT_NAME)
        _refuse_taken(name, mine)
        digest = Digest(
            user_id=user_id,
            name=name,
            name_key=fold(name),
            section=section[:LONGEST_NAME],
            created_at=self._work.now,
        )
        self._session.add(digest)
        self.change(digest, schedule)
        self._session.flush()
        return digest

    def change(self, digest: Digest, schedule: Schedule) -> None:
        """New times, and it is on from now on."""
        digest.days, digest.minute_of_day = schedule.days, schedule.minute_of_day
        digest.target, digest.minutes = schedule.target.value, schedule.minutes
        digest.paused_until = None
        self._plan(digest)

    def pause(self, digest: Digest, until: date) -> None:
        """No issue before that day of the reader's calendar; the first one then has what came meanwhile."""
        digest.paused_until = until
        self._plan(digest)

    def turn_off(self, digest: Digest) -> None:
        digest.next_due_at = digest.paused_until = None

    def resume(self, digest: Digest) -> None:
        """On again, off or paused; the first issue has what came meanwhile."""
        digest.paused_until = None
        self._plan(digest)

    def rename(self, digest: Digest, name: str) -> None:
        """Raises `BadRequest`, `Conflict`."""
        name = _checked_name(name)
        _refuse_taken(name, [one for one in self.of_user(digest.user_id) if one is not digest])
        digest.name, digest.name_key = name, fold(name)

    def limit(
        self,
        digest: Digest,
        *,
        min_quality: int | None = None,
        max_articles: int | None = None,
        with_pictures: bool | None = None,
        send_empty: bool | None = None,
    ) -> None:
        """What its issues hold; None leaves a limit as it is. Raises `BadRequest`."""
        for key, number, most in (("min_quality", min_quality, 100), ("max_articles", max_articles, MOST_ARTICLES)):
            if number is not None and not (key == "max_articles") <= number <= most:
                least = int(key == "max_articles")
                raise BadRequest(f"{key} is a number from {least} to {most}, not {number}.", fix=f"Write {key}={most}.")
        digest.min_quality = digest.min_quality if min_quality is None else min_quality
        digest.max_articles = digest.max_articles if max_articles is None else max_articles
        digest.with_pictures = digest.with_pictures if with_pictures is None else with_pictures
        digest.send_empty = digest.send_empty if send_empty is None else send_empty

    def remove(self, digest: Digest) -> None:
        """What was delivered stays remembered."""
        self._session.delete(digest)
        self._session.flush()

    def plan_again(self, user_id: int) -> None:
        """The reader's zone has changed: what is on comes at the same hour of their new day."""
        for digest in self.of_user(user_id):
            if digest.next_due_at is not None:
                self._plan(digest)

    def resolve(self, user_id: int, name: str = "") -> Digest:
        """The digest of this name, section or number in `of_user`, the first one where none is named. Raises
        `NotFound`."""
        mine = self.of_user(user_id)
        wanted = fold(name.strip())
        found = [one for one in mine if not wanted or wanted in (one.name_key, fold(one.section))]
        if found:
            return found[0]
        if wanted.isascii() and wanted.isdigit() and 1 <= int(wanted[:9]) <= len(mine):
            return mine[int(wanted) - 1]
        if not mine:
            raise NotFound("You have no digest yet.", fix="Subscribe to a feed, and you have one: subscribe <address>")
        names = ", ".join(one.name for one in mine)
        raise NotFound(f"You have no digest called “{name}”.", fix=f"You have: {names}.", code="digest.not-found")

    def of_issue(self, reference: str, *, user_id: int | None = None) -> Digest | None:
        """The digest whose letter has this reference; with a `user_id` only if it is theirs."""
        which = sa.select(Digest).join(DigestIssue).where(DigestIssue.reference == reference)
        return self._session.scalars(which if user_id is None else which.where(Digest.user_id == user_id)).first()

    # Issues ------------------------------------------------------------------------------------------------------

    def open_due(self, *, limit: int) -> int:
        """Open an issue for each digest whose time has come; how many digests were looked at.

        After an outage it is one issue, that of the last date missed. Whoever else does the same at the same time
        opens none: the date is unique in the digest.
        """
        digests = Digest.due(self._session, now=self._work.now, limit=limit)
        for digest in digests:
            schedule, timezone = schedule_of(digest), self._timezone(digest.user_id)
            due = last_due(schedule, now=self._work.now, timezone=timezone)
            if due is not None and (digest.paused_until is None or due.local_date >= digest.paused_until):
                digest.paused_until = None
                self._open(digest, slot=due.local_date.isoformat(), local_date=due.local_date, due_at=due.at)
            self._plan(digest)
        return len(digests)

    def open_now(self, digest: Digest, *, cause: str) -> None:
        """An issue besides those of the schedule, once for each `cause`."""
        today = self._work.now.astimezone(ZoneInfo(self._timezone(digest.user_id))).date()
        self._open(digest, slot=f"now:{cause}"[:80], local_date=today, due_at=self._work.now)

    def _open(self, digest: Digest, *, slot: str, local_date: date, due_at: datetime) -> None:
        insert = sqlite.insert if self._session.get_bind().dialect.name == "sqlite" else postgresql.insert
        opened = self._session.execute(
            insert(DigestIssue)
            .values(
                digest_id=digest.id, user_id=digest.user_id, slot=slot, local_date=local_date, due_at=due_at,
                state=IssueState.DUE, title=digest.name,
            )
            .on_conflict_do_nothing(index_elements=["digest_id", "slot"])
            .returning(DigestIssue.id)
        ).scalar_one_or_none()  # fmt: skip
        if opened is not None:
            self._work.defer(jobs.build_issue(opened, user_id=digest.user_id))

    def _plan(self, digest: Digest) -> None:
        after = self._work.now
        timezone = self._timezone(digest.user_id)
        if digest.paused_until is not None:
            midnight = datetime.combine(digest.paused_until, datetime.min.time(), tzinfo=ZoneInfo(timezone))
            after = max(after, midnight - timedelta(minutes=1))
        digest.next_due_at = next_due(schedule_of(digest), after=after, timezone=timezone).at

    def _timezone(self, user_id: int) -> str:
        return self._session.get_one(User, user_id).timezone

    def finish(self, issue_id: int, contents: Contents, *, reference: str, message_id: str) -> bool:
        """Write down that an issue's mails stand in the outbox. False if it was done before."""
        row = self._session.get(DigestIssue, issue_id, with_for_update=True)
        if row is None or row.state is not IssueState.DUE:
            return False
        now = self._work.now
        row.state, row.made_at, row.reference, row.message_id = IssueState.SENT, now, reference, message_id
        for one in contents.chosen:
            story = one.story
            self._session.add(
                IssueStory(
                    issue_id=row.id, number=story.number, article_id=one.article_id, feed_id=one.feed_id,
                    title=story.title[:500], url=story.url, score=one.score, reasons=list(one.reasons),
                )
            )  # fmt: skip
        self._remember(row.user_id, {one.story_id for one in contents.chosen})
        done = [one.read_later_id for one in contents.chosen if one.read_later_id is not None]
        self._session.execute(sa.update(ReadLater).where(ReadLater.id.in_(done)).values(state=ReadState.DONE))
        self._session.flush()
        self._work.emit(
            IssueSent(user_id=row.user_id, issue_id=row.id, digest_id=row.digest_id, stories=len(contents.chosen))
        )
        return True

    def finish_empty(self, issue_id: int) -> bool:
        """There was nothing new. False if the issue was done before."""
        row = self._session.get(DigestIssue, issue_id, with_for_update=True)
        if row is None or row.state is not IssueState.DUE:
            return False
        row.state, row.made_at = IssueState.EMPTY, self._work.now
        return True

    def _remember(self, user_id: int, story_ids: Iterable[int]) -> None:
        insert = sqlite.insert if self._session.get_bind().dialect.name == "sqlite" else postgresql.insert
        rows = [
            {"user_id": user_id, "story_id": story_id, "delivered_at": self._work.now} for story_id in sorted(story_ids)
        ]
        if rows:
            statement = insert(DeliveredStory)
            again = {"delivered_at": statement.excluded.delivered_at}
            self._session.execute(
                statement.on_conflict_do_update(index_elements=["user_id", "story_id"], set_=again), rows
            )

    # What a reader says of it ------------------------------------------------------------------------------------

    def story(self, issue: DigestIssue, number: int) -> IssueStory:
        """Raises `NotFound`."""
        found = self._session.get(IssueStory, (issue.id, number))
        if found is None:
            raise NotFound(
                f"There is no story {number} in “{issue.title}” of {issue.local_date:%d %B}.",
                fix="The numbers stand before the titles.",
                code="story.not-found",
            )
        return found

    def give_feedback(self, user_id: int, story: IssueStory, wish: Wish) -> None:
        """More or less like this. The last word on a story counts."""
        mine = sa.select(Feedback).where(Feedback.user_id == user_id, Feedback.article_id == story.article_id)
        article = self._session.get_one(Article, story.article_id)
        row = self._session.scalars(mine).one_or_none()
        if row is None:
            row = Feedback(user_id=user_id, article_id=story.article_id, feed_id=story.feed_id)
        row.wish, row.authors, row.title, row.at = wish.value, article.authors, story.title, self._work.now
        self._session.add(row)


def schedule_of(digest: Digest) -> Schedule:
    return Schedule.from_parts(
        days=digest.days, minute_of_day=digest.minute_of_day, target=digest.target, minutes=digest.minutes
    )


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
        language=user.language,
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
            story=replace(_story(article, feed=_host(article.url), section=LATER), is_wish=True),
            article_id=article.id,
            story_id=article.story_id or article.id,
            feed_id=None,
            score=100,
            reasons=("You asked for it: +100",),
            read_later_id=wish.id,
        )
        for wish, article in rows
    ]


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
        FeedTrouble(feed=one.name, reason=one.feed.last_error)
        for one in subscriptions
        if one.feed.failures >= TROUBLED_AFTER and one.feed.last_error
    )


def _refuse_taken(name: str, others: Iterable[Digest]) -> None:
    if any(one.name_key == fold(name) for one in others):
        raise Conflict(f"You have a digest called “{name}” already.", fix="Choose another name: name=…")


def _checked_name(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME or name.isdigit():
        raise BadRequest(f"“{name[:50]}” cannot be the name of a digest.", fix=f"Up to {LONGEST_NAME} characters.")
    return name
