"""How much room there is in somebody's library: by everybody's limits, or by the quota that an administrator set."""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import TooMuch
from core.i18n import _, decimal, ngettext
from core.models import Shelf, User
from core.sizes import size_in_words
from core.work import Work


@dataclass(frozen=True, slots=True)
class Room:
    """What a library holds, and what it may hold; 0 is no limit."""

    books: int
    size_bytes: int
    most_books: int
    most_bytes: int

    @classmethod
    def of(cls, work: Work, user_id: int) -> Room:
        user = work.session.get_one(User, user_id)
        books, size_bytes = Shelf.totals(work.session, user_id)
        most_books, most_bytes = work.limits.library_books, work.limits.library_bytes
        return cls(
            books=books,
            size_bytes=size_bytes,
            most_books=most_books if user.most_books is None else user.most_books,
            most_bytes=most_bytes if user.most_bytes is None else user.most_bytes,
        )

    def check(self, size_bytes: int) -> None:
        """Raises `TooMuch` where one more book of this size finds no room."""
        if 0 < self.most_books <= self.books:
            raise TooMuch(
                _("Your library is full: it holds {used} of {most} books.").format(
                    used=self.books, most=self.most_books
                ),
                fix=_("Make room with: remove <book>"),
                code="library.full",
            )
        if 0 < self.most_bytes < self.size_bytes + size_bytes:
            raise TooMuch(
                _("Your library has no room for {size}: it holds {used} of {most}.").format(
                    size=size_in_words(size_bytes),
                    used=size_in_words(self.size_bytes),
                    most=size_in_words(self.most_bytes),
                ),
                fix=_("Make room with: remove <book>"),
                code="library.full",
            )

    @property
    def books_in_words(self) -> str:
        """`12 of 500`, or `12` where there is no limit."""
        return (
            decimal(self.books)
            if not self.most_books
            else _("{used} of {most}").format(used=decimal(self.books), most=decimal(self.most_books))
        )

    @property
    def size_in_words(self) -> str:
        """`3.4 MB of 100.0 GB`."""
        used = size_in_words(self.size_bytes)
        return (
            used
            if not self.most_bytes
            else _("{used} of {most}").format(used=used, most=size_in_words(self.most_bytes))
        )

    @property
    def most_in_words(self) -> str:
        """`500 books, 100.0 GB`."""
        parts = (
            ngettext("{count} book", "{count} books", self.most_books).format(count=decimal(self.most_books))
            if self.most_books
            else "",
            size_in_words(self.most_bytes) if self.most_bytes else "",
        )
        return ", ".join(part for part in parts if part) or _("as much as you like")
