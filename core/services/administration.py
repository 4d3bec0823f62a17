"""What administrators may do to an installation by mail. Nobody else gets past the constructor."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from core.errors import Conflict, Forbidden
from core.events import AdministratorActed
from core.i18n import _
from core.models import Feed, Inbound, Shelf, Subscription, User
from core.models.inbound import InboundState
from core.models.outbox import OutboxState
from core.models.user import UserState
from core.pages import Page
from core.services.accounts import Accounts, checked_address
from core.services.outbox import Outbox
from core.services.room import Room
from core.work import Work

A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Invited:
    """Somebody new, with the secret that is told this once."""

    user: User
    secret: str
    is_again: bool
    """They were invited before, and have never written."""


@dataclass(frozen=True, slots=True)
class Totals:
    """An installation in numbers."""

    users: int
    suspended: int
    books: int
    size_bytes: int
    """A file that two users have counts twice."""
    feeds: int
    subscriptions: int
    mails_a_day: int
    """That were dealt with in the last 24 hours."""
    waiting: int
    """In the outbox."""
    set_aside: int


class Administration:
    """An installation in one transaction, for one administrator; each act is written to the trail."""

    def __init__(self, work: Work, actor: User) -> None:
        """Raises `Forbidden` for who is none, or is none any more."""
        if not actor.is_administrator or actor.state is not UserState.ACTIVE:
            raise Forbidden(_("Only an administrator may do this."), code="forbidden.administrator")
        self._work = work
        self._session = work.session
        self._actor = actor
        self._accounts = Accounts(work)

    def invite(self, address: str, *, name: str = "") -> Invited:
        """A new user. Who was invited before and has never written gets a new secret. Raises `BadRequest`, `Conflict`.

        The invitation itself is the caller's to send.
        """
        known = User.by_address(self._session, checked_address(address))
        if known is None:
            user, secret = self._accounts.add_user(address, name=name)
        elif self._has_written(known):
            raise Conflict(_("{address} is a user already.").format(address=known.address), code="user.known")
        else:
            user, secret = known, self._accounts.rotate_secret(known.id)
        self._note("invite", user)
        return Invited(user, secret, is_again=known is not None)

    def list_page(self, page: int = 1) -> Page[tuple[User, Room]]:
        """Everybody, by address."""
        self._note("users")
        found = self._accounts.list_page(page)
        rows = [(user, Room.of(self._work, user.id)) for user in found.rows]
        return Page(rows, found.page, found.pages, found.total, found.per_page)

    def suspend(self, address: str) -> User:
        """Raises `NotFound`, and `Conflict` for who would lock themselves out."""
        user = self._accounts.find(address)
        if user is self._actor:
            raise Conflict(_("That is you: nobody would be left to take it back."), code="user.self")
        self._accounts.suspend(user.id)
        self._note("suspend", user)
        return user

    def unsuspend(self, address: str) -> User:
        """Raises `NotFound`, and `Conflict` for who was not suspended."""
        user = self._accounts.find(address)
        if user.state is not UserState.SUSPENDED:
            raise Conflict(_("{address} is not suspended.").format(address=user.address), code="user.active")
        self._accounts.resume(user.id)
        self._note("unsuspend", user)
        return user

    def room(self, address: str) -> tuple[User, Room]:
        """What somebody has and may have. Raises `NotFound`."""
        user = self._accounts.find(address)
        self._note("quota", user)
        return user, Room.of(self._work, user.id)

    def set_books(self, address: str, most: int | None) -> User:
        """How many books somebody may have, 0 for no limit, None for everybody's. Raises `NotFound`."""
        user = self._accounts.find(address)
        user.most_books = most
        self._note("quota", user)
        return user

    def set_bytes(self, address: str, most: int | None) -> User:
        """How large somebody's library may be; likewise."""
        user = self._accounts.find(address)
        user.most_bytes = most
        self._note("quota", user)
        return user

    def totals(self) -> Totals:
        self._note("totals")
        states = {row.state: row.number for row in self._session.execute(_STATES)}
        books, size_bytes = self._session.execute(
            sa.select(sa.func.sum(Shelf.books), sa.func.sum(Shelf.size_bytes))
        ).one()
        since = self._work.now - A_DAY
        of_today = sa.select(sa.func.count()).where(Inbound.is_in(InboundState.DONE), Inbound.received_at > since)
        waiting = Outbox(self._work).get_pending()
        return Totals(
            users=sum(states.values()),
            suspended=states.get(UserState.SUSPENDED, 0),
            books=int(books or 0),  # PostgreSQL sums to a Decimal
            size_bytes=int(size_bytes or 0),
            feeds=self._count(sa.select(sa.func.count(Feed.id))),
            subscriptions=self._count(sa.select(sa.func.count(Subscription.id))),
            mails_a_day=self._count(of_today),
            waiting=sum(waiting[state].count for state in (OutboxState.QUEUED, OutboxState.SENDING)),
            set_aside=self._count(sa.select(sa.func.count()).where(Inbound.is_in(InboundState.SET_ASIDE))),
        )

    def _has_written(self, user: User) -> bool:
        return self._session.scalar(sa.select(Inbound.id).where(Inbound.user_id == user.id).limit(1)) is not None

    def _note(self, act: str, about: User | None = None) -> None:
        about_id = about.id if about is not None else None
        self._work.emit(AdministratorActed(user_id=self._actor.id, act=act, about_id=about_id))

    def _count(self, query: sa.Select[int]) -> int:
        return self._session.scalar(query) or 0


_STATES = sa.select(User.state, sa.func.count().label("number")).group_by(User.state)
