"""Forgetting a person: all rows about them, and the blobs that nobody else has.

What stays is their row's number, which is never given to somebody else: addresses and tokens have it in them. It holds
no address, no name and no secret. The trail says that somebody was forgotten, and not who.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from core import jobs
from core.events import UserForgotten
from core.models import (
    Article,
    AuditEntry,
    Device,
    Feed,
    Feedback,
    Inbound,
    IssueStory,
    Newsletter,
    OutboxMail,
    ReadLater,
    SendingStop,
    Subscription,
    User,
)
from core.models.belongings import blobs_of, columns_naming_users
from core.models.outbox import OPEN_STATES, OutboxKind, OutboxState
from core.models.sending_stop import scope_of_address
from core.models.user import UserRole, UserState
from core.services.needs import doom_unneeded
from core.work import Work


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What jobs of a forgotten person may still name."""

    addresses: frozenset[str]


class Forgetting:
    """One person's end, in two transactions: what they asked for is closed at once, and deleted by a job."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._session = work.session

    def begin(self, user_id: int) -> None:
        """Obey this user no more, send nothing more to them but the answer to this, and have all the rest deleted."""
        user = self._session.get_one(User, user_id)
        user.state, user.secret_hash = UserState.FORGOTTEN, None
        self._session.execute(
            sa.update(OutboxMail)
            .where(OutboxMail.user_id == user_id, OutboxMail.state.in_(OPEN_STATES))
            .values(state=OutboxState.DROPPED, next_try_at=None, finished_at=self._work.now)
        )
        self._work.defer(jobs.forget_user(user_id))

    def finish(self, user_id: int) -> Forgotten | None:
        """Delete all that is about a user whose end has begun; None if there is no such user, or no more.

        The answer that tells them of it stays until it is sent, with no word of whose it is but its address.
        """
        user = self._session.get(User, user_id)
        if user is None or user.state is not UserState.FORGOTTEN or "@" not in user.address:
            return None
        addresses = self._addresses(user)
        keys, feed_ids, article_ids = blobs_of(self._session, user_id), self._feeds(user_id), self._pages(user_id)
        for outbox_id in self._let_last_mails_go(user_id):
            self._work.defer(jobs.forget_mail(outbox_id))
        for column in columns_naming_users():
            self._session.execute(sa.delete(column.table).where(column == user_id))
        self._forget_addresses(addresses)
        self._forget_articles(feed_ids, article_ids)
        self._blank(user)
        self._session.flush()
        self._session.expire_all()
        doom_unneeded(self._work, keys)
        self._work.emit(UserForgotten(user_id=None))
        return Forgotten(addresses)

    def forget_mail(self, outbox_id: int) -> bool:
        """Delete the last mail to somebody, once it is sent or given up; False while it is not."""
        mail = self._session.get(OutboxMail, outbox_id)
        if mail is None:
            return True
        if mail.state in OPEN_STATES:
            return False
        written = sa.cast(AuditEntry.facts, sa.Text).icontains(json.dumps(mail.rcpt_to)[1:-1], autoescape=True)
        self._session.execute(sa.delete(AuditEntry).where(AuditEntry.user_id.is_(None), written))
        self._session.delete(mail)
        return True

    def _addresses(self, user: User) -> frozenset[str]:
        devices = self._session.scalars(sa.select(Device.address).where(Device.user_id == user.id))
        return frozenset((user.address, *(address.lower() for address in devices)))

    def _feeds(self, user_id: int) -> Sequence[int]:
        """Those that they read, and those of newsletters that they have burnt."""
        read = sa.select(Subscription.feed_id).where(Subscription.user_id == user_id)
        letters = sa.select(Newsletter.feed_id).where(Newsletter.user_id == user_id)
        return self._session.scalars(sa.union(read, letters)).all()

    def _pages(self, user_id: int) -> list[int]:
        pages = sa.select(ReadLater.article_id).where(ReadLater.user_id == user_id)
        return [article_id for article_id in self._session.scalars(pages) if article_id is not None]

    def _let_last_mails_go(self, user_id: int) -> list[int]:
        """The answers that are still to be sent, which are nobody's from now on."""
        last = sa.select(OutboxMail).where(OutboxMail.user_id == user_id, OutboxMail.state.in_(OPEN_STATES))
        mails = self._session.scalars(last.where(OutboxMail.kind == OutboxKind.ANSWER)).all()
        for mail in mails:
            mail.user_id = mail.inbound_id = None
        self._session.flush()
        return [mail.id for mail in mails]

    def _forget_addresses(self, addresses: frozenset[str]) -> None:
        """Rows that name nobody by number: mails that were not believed, stops, and the trail."""
        for address in addresses:
            kept = sa.and_(OutboxMail.state.in_(OPEN_STATES), OutboxMail.kind == OutboxKind.ANSWER)
            self._session.execute(
                sa.delete(OutboxMail).where(sa.func.lower(OutboxMail.rcpt_to) == address, sa.not_(kept))
            )
            self._session.execute(
                sa.delete(Inbound).where(
                    sa.or_(sa.func.lower(Inbound.author) == address, sa.func.lower(Inbound.mail_from) == address)
                )
            )
            self._session.execute(sa.delete(SendingStop).where(SendingStop.scope == scope_of_address(address)))
            written = json.dumps(address)[1:-1]
            facts = sa.cast(AuditEntry.facts, sa.Text)
            self._session.execute(sa.delete(AuditEntry).where(facts.icontains(written, autoescape=True)))

    def _forget_articles(self, feed_ids: Sequence[int], article_ids: Sequence[int]) -> None:
        """Pages that only they had fetched, and feeds that only they read: their addresses may be secrets."""
        read = sa.select(Subscription.feed_id)
        lonely = sa.select(Feed.id).where(Feed.id.in_(feed_ids), Feed.id.not_in(read))
        mine = sa.or_(Article.id.in_(article_ids) & Article.feed_id.is_(None), Article.feed_id.in_(lonely))
        others = [sa.select(table.article_id).where(table.article_id.is_not(None)) for table in _NAMING_ARTICLES]
        unknown = [Article.id.not_in(query) for query in others]
        self._session.execute(sa.delete(Article).where(mine, *unknown))
        rest = sa.select(Article.feed_id).where(Article.feed_id.is_not(None))
        self._session.execute(sa.delete(Feed).where(Feed.id.in_(lonely), Feed.id.not_in(rest)))

    def _blank(self, user: User) -> None:
        """A row like that of any other who is gone."""
        for column in User.__table__.columns:
            if not column.primary_key and column.nullable:
                setattr(user, column.key, None)
        user.address, user.name, user.language = f"forgotten-{user.id}", "", ""
        user.timezone, user.autosend, user.role = "UTC", False, UserRole.READER
        user.created_at = self._work.now


_NAMING_ARTICLES = (IssueStory, Feedback, ReadLater)
"""Tables whose rows would go with an article, or lose it."""
