"""Digests: a reader's orders, the issues that come of them, and what they have had for good."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core import jobs
from core.db import insert_for
from core.errors import BadRequest, Conflict, NotFound, TooMuch
from core.events import IssueSent
from core.i18n import N_, _, dated
from core.models import (
    Article,
    DeliveredStory,
    Digest,
    DigestIssue,
    Feedback,
    IssueStory,
    ReadLater,
    User,
)
from core.models.issue import IssueState
from core.models.read_later import ReadState
from core.models.subscription import LONGEST_NAME
from core.news.canonical import fold
from core.news.quality import Wish
from core.news.schedule import Schedule, last_due, next_due
from core.services.gathering import Contents
from core.work import Work

DEFAULT_NAME = N_("Morning paper")
MAX_DIGESTS = 20
MOST_ARTICLES = 200  # of an issue: a letter lists 60, and a book of more is a week's reading


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
        return mine[0] if mine else self.order(user_id, Schedule(), name=_(DEFAULT_NAME))

    def order(self, user_id: int, schedule: Schedule, *, name: str = "", section: str = "") -> Digest:
        """A new digest. Raises `BadRequest`, `Conflict`, `TooMuch`."""
        mine = self.of_user(user_id)
        if len(mine) >= MAX_DIGESTS:
            raise TooMuch(
                _("You have {count} digests already.").format(count=len(mine)),
                fix=_("Delete one with: digest remove <name>"),
            )
        name = _checked_name(name or section or _(DEFAULT_NAME))
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
                raise BadRequest(
                    _("{key} is a number from {least} to {most}, not {number}.").format(
                        key=key, least=least, most=most, number=number
                    ),
                    fix=_("Write {key}={most}.").format(key=key, most=least if number < least else most),
                )
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
            raise NotFound(
                _("You have no digest yet."), fix=_("Subscribe to a feed, and you have one: subscribe <address>")
            )
        names = ", ".join(one.name for one in mine)
        raise NotFound(
            _("You have no digest called “{name}”.").format(name=name),
            fix=_("You have: {names}.").format(names=names),
            code="digest.not-found",
        )

    def of_issue(self, reference: str, *, user_id: int | None = None) -> Digest | None:
        """The digest whose letter has this reference; with a `user_id` only if it is theirs."""
        digest = digest_of_letter(self._session, reference)
        return digest if digest is not None and user_id in (None, digest.user_id) else None

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
        insert = insert_for(self._session)
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
        insert = insert_for(self._session)
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
                _("There is no story {number} in “{issue}” of {day}.").format(
                    number=number, issue=issue.title, day=dated(issue.local_date, _("dd MMMM"))
                ),
                fix=_("The numbers stand before the titles."),
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


def _refuse_taken(name: str, others: Iterable[Digest]) -> None:
    if any(one.name_key == fold(name) for one in others):
        raise Conflict(
            _("You have a digest called “{name}” already.").format(name=name), fix=_("Choose another name: name=…")
        )


def digest_of_letter(session: Session, reference: str) -> Digest | None:
    """The digest whose letter has this reference, whoever's it is."""
    return session.scalars(sa.select(Digest).join(DigestIssue).where(DigestIssue.reference == reference)).first()


def _checked_name(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME or name.isdigit():
        raise BadRequest(
            _("“{name}” cannot be the name of a digest.").format(name=name[:50]),
            fix=_("Up to {LONGEST_NAME} characters, not only digits.").format(LONGEST_NAME=LONGEST_NAME),
        )
    return name
