"""Shelves: a shelf is a tag of books, so that what a file says of its subjects stands on shelves by itself."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from core.errors import BadRequest, NotFound
from core.events import BookEdited
from core.i18n import _
from core.models import Book, Tag
from core.models.tag import LONGEST_TAG, key_of
from core.pages import Page, fetch_page
from core.work import Work


@dataclass(frozen=True, slots=True)
class ShelfSummary:
    """One shelf, and how many books stand on it."""

    name: str
    books: int


class Shelves:
    """The shelves of libraries in one transaction."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._session = work.session

    def list_page(self, user_id: int, page: int = 1) -> Page[ShelfSummary]:
        """By how many books stand on them, then by name."""
        count = sa.func.count().label("books")
        mine = sa.select(Tag.key, sa.func.min(Tag.name).label("name"), count).join(Book, Book.id == Tag.book_id)
        shelves = mine.where(Tag.user_id == user_id, Book.removed_at.is_(None)).group_by(Tag.key).subquery()
        total = self._session.scalar(sa.select(sa.func.count()).select_from(shelves)) or 0
        keys = fetch_page(
            self._session,
            sa.select(shelves.c.key).order_by(shelves.c.books.desc(), shelves.c.key),
            page=page,
            total=total,
        )
        found = self._session.execute(sa.select(shelves).where(shelves.c.key.in_(keys.rows)))
        by_key = {row.key: ShelfSummary(row.name, row.books) for row in found}
        return Page([by_key[key] for key in keys.rows], keys.page, keys.pages, keys.total, keys.per_page)

    def called(self, user_id: int, name: str) -> str | None:
        """The name of this shelf as it was written first, None where there is no such shelf."""
        return self._session.scalar(
            self._books(user_id, name).with_only_columns(Tag.name).order_by(Tag.book_id).limit(1)
        )

    def books(self, user_id: int, name: str, page: int = 1) -> Page[Book]:
        """What stands on a shelf, newest first. Raises `NotFound`."""
        found = fetch_page(self._session, self._books(user_id, name).order_by(Book.id.desc()), page=page)
        if not found.rows:
            raise NotFound(
                _("You have no shelf “{name}”.").format(name=name),
                fix=_("Put a book on it: shelf <book> on <shelf>"),
                code="shelf.not-found",
            )
        return found

    def put(self, book: Book, name: str) -> str:
        """Put a book on a shelf, which is there from then on; the shelf's name. Raises `BadRequest`."""
        name = self._checked(name)
        same = self._session.scalar(
            sa.select(Tag.name).where(Tag.user_id == book.user_id, Tag.key == key_of(name)).limit(1)
        )
        name = same or name  # as it was written first
        if key_of(name) not in {key_of(tag) for tag in book.tags}:
            self._set(book, [*book.tags, name])
        return name

    def take(self, book: Book, name: str) -> None:
        """Off a shelf. Raises `NotFound` where it does not stand on it."""
        kept = [tag for tag in book.tags if key_of(tag) != key_of(name)]
        if len(kept) == len(book.tags):
            raise NotFound(
                _("“{title}” does not stand on “{name}”.").format(title=book.title, name=name), code="shelf.not-found"
            )
        self._set(book, kept)

    def _set(self, book: Book, tags: list[str]) -> None:
        book.tags = tags
        self._session.flush()
        Tag.keep(self._session, user_id=book.user_id, book_id=book.id, tags=tags)
        self._work.emit(BookEdited(user_id=book.user_id, book_id=book.id, changed=["tags"]))

    def _books(self, user_id: int, name: str) -> sa.Select[Book]:
        on_it = Book.of_user(user_id).join(Tag, Tag.book_id == Book.id)
        return on_it.where(Tag.user_id == user_id, Tag.key == key_of(name))

    def _checked(self, name: str) -> str:
        name = " ".join(name.replace(",", " ").split())  # a comma divides tags
        if not name or len(name) > LONGEST_TAG:
            raise BadRequest(
                _("A shelf's name has 1 to {most} characters.").format(most=LONGEST_TAG),
                fix=_("Write: shelf <book> on <shelf>"),
            )
        return name
