"""A household: the people of an installation, and what they let each other have.

Everybody here may be named by everybody: who runs an installation for people who should not know of each other runs
several. What is shared is the reader's own from then on, by a row over the same blob.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from core.errors import BadRequest, Conflict, NotFound, TooMuch
from core.events import BookShared, BookUnshared, FeedsShared, FeedsUnshared
from core.i18n import _
from core.models import Book, FeedShare, Share, Subscription, User
from core.models.user import UserState
from core.news.canonical import fold
from core.news.opml import OpmlFeed
from core.pages import Page, fetch_page
from core.services.book_manager import BookManager
from core.work import Work


@dataclass(frozen=True, slots=True)
class Given:
    """What came of sharing a book."""

    book: Book
    """The reader's."""
    is_new: bool
    """False: they had the file already."""


class Household:
    """What people share, in one transaction. Every question names whose doing it is."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._session = work.session

    def person(self, user_id: int, words: str) -> User:
        """Somebody else of the installation, by address or by name. Raises `BadRequest`, `NotFound`, `Conflict`."""
        text = " ".join(words.split())
        if not text:
            raise BadRequest(_("With whom?"), fix=_("Name a person by their name or address."))
        active = sa.select(User).where(User.state == UserState.ACTIVE)
        if "@" in text:
            found = self._session.scalars(active.where(User.address == text.strip("<>").lower())).all()
        else:
            # Names have no index, and what they are compared by no database has; an installation has thousands at most.
            found = [one for one in self._session.scalars(active.where(User.name != "")) if _is_called(one, text)]
        others = [one for one in found if one.id != user_id]
        if len(others) == 1:
            return others[0]
        if others:
            raise Conflict(
                _("Several people here are called “{name}”.").format(name=text),
                fix=_("Name the one that you mean by their address."),
                code="person.several",
            )
        if found:
            raise BadRequest(_("That is you."), fix=_("Name somebody else."))
        raise NotFound(
            _("Nobody here is called “{name}”.").format(name=text),
            fix=_("Name a person by their address. Only people of this service can be shared with."),
            code="person.not-found",
        )

    def share(self, book: Book, reader: User) -> Given:
        """Let somebody have a book: the same file, as a book of their own. Raises `TooMuch` where they have no room."""
        try:
            added = BookManager(self._work).copy(book, reader.id)
        except TooMuch as error:
            raise TooMuch(_("{name} has no room for it.").format(name=called(reader)), code="share.no-room") from error
        if added.is_new:
            self._session.add(Share(book_id=added.book.id, owner_id=book.user_id, created_at=self._work.now))
            self._session.flush()
            self._work.emit(
                BookShared(user_id=book.user_id, book_id=book.id, given_id=added.book.id, reader_id=reader.id)
            )
        return Given(added.book, added.is_new)

    def unshare(self, book: Book, reader: User | None) -> Sequence[User]:
        """Take a book back from somebody, or from everybody who has it by this owner's doing. Raises `NotFound`."""
        given = [
            one
            for one in Share.of_file(self._session, book.user_id, book.sha256)
            if reader is None or one.user_id == reader.id
        ]
        if not given:
            raise NotFound(
                _("Nobody has “{title}” from you.").format(title=book.title)
                if reader is None
                else _("{name} does not have “{title}” from you.").format(name=called(reader), title=book.title),
                fix=_("What you share: share"),
                code="share.none",
            )
        for one in given:
            BookManager(self._work).withdraw(one)
            self._work.emit(BookUnshared(user_id=book.user_id, given_id=one.id, reader_id=one.user_id))
        return [self._session.get_one(User, one.user_id) for one in given]

    def given_page(self, user_id: int, page: int = 1) -> Page[Book]:
        """The books of others that they have from this user, newest first."""
        return fetch_page(self._session, Share.given(user_id), page=page)

    def own_copy(self, owner_id: int, given: Book) -> Book | None:
        """The owner's own book of a file that they have given, None where they have removed it."""
        return self._session.scalars(Book.of_user(owner_id).where(Book.sha256 == given.sha256)).one_or_none()

    def share_feeds(self, owner_id: int, reader: User) -> int:
        """Let somebody have the list of one's feeds, as it is whenever they ask; how many it has now."""
        feeds = self._count_feeds(owner_id)
        if not feeds:
            raise NotFound(
                _("You read no feeds yet."), fix=_("Subscribe to one: subscribe https://example.org"), code="feeds.none"
            )
        if self._session.get(FeedShare, (owner_id, reader.id)) is None:
            self._session.add(FeedShare(owner_id=owner_id, reader_id=reader.id, created_at=self._work.now))
            self._session.flush()
            self._work.emit(FeedsShared(user_id=owner_id, reader_id=reader.id))
        return feeds

    def unshare_feeds(self, owner_id: int, reader: User) -> None:
        """What the reader subscribed to stays. Raises `NotFound`."""
        share = self._session.get(FeedShare, (owner_id, reader.id))
        if share is None:
            raise NotFound(
                _("{name} does not have the list of your feeds.").format(name=called(reader)), code="share.none"
            )
        self._session.delete(share)
        self._session.flush()
        self._work.emit(FeedsUnshared(user_id=owner_id, reader_id=reader.id))

    def feed_readers(self, owner_id: int) -> Sequence[User]:
        """Who has the list of one's feeds."""
        mine = sa.select(User).join(FeedShare, FeedShare.reader_id == User.id).where(FeedShare.owner_id == owner_id)
        return self._session.scalars(mine.order_by(User.address)).all()

    def feeds_of(self, owner: User, *, reader_id: int) -> Sequence[OpmlFeed]:
        """The feeds of somebody who shares them with this reader. Raises `NotFound`."""
        if self._session.get(FeedShare, (owner.id, reader_id)) is None:
            raise NotFound(
                _("{name} does not share their feeds with you.").format(name=called(owner)),
                fix=_("They may write: share feeds with {name}").format(name=_("your address")),
                code="share.none",
            )
        mine = self._session.scalars(Subscription.of_user(owner.id))
        return [
            OpmlFeed(url=one.feed.url, title=one.name, section=one.section) for one in mine if is_public(one.feed.url)
        ]

    def _count_feeds(self, user_id: int) -> int:
        return sum(is_public(one.feed.url) for one in self._session.scalars(Subscription.of_user(user_id)))


def is_public(url: str) -> bool:
    """Whether others can read a feed by its address; what comes as letters is its reader's alone."""
    return url.startswith(("https://", "http://"))


def called(user: User) -> str:
    """What others call somebody."""
    return user.name or user.address


def _is_called(user: User, text: str) -> bool:
    """By their whole name, or by their first one."""
    wanted, name = fold(text), fold(user.name)
    return wanted in (name, name.partition(" ")[0])
