"""A user's library: what is in it, what is said of it, and what is taken out of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import orm

from core.books.language import language_tag
from core.books.works import work_key
from core.errors import BadRequest, Conflict, NotFound, Unavailable
from core.events import BookAdded, BookEdited, BookRemoved, BookRestored
from core.i18n import _
from core.mail.answer import Item, Items, Step, Steps
from core.models import Book, Derived, DoomedBlob, OutboxMail, Shelf, Spelling, Tag, Thumbnail
from core.models.book import LONGEST_AUTHOR, LONGEST_GENRE, LONGEST_TITLE, SyncStatus
from core.models.outbox import OPEN_STATES
from core.models.spelling import folded_words
from core.pages import Page, fetch_page
from core.services.counted import NOTHING_COUNTED, POPULAR, Counted, Stats
from core.services.room import Room
from core.services.threads import Numbered
from core.sizes import size_in_words
from core.values import BookMetadata, StagedBook
from core.work import Work

UNDO_FOR = timedelta(hours=24)
CHOICES = 10
FOUND = 50  # books that a search shows; whoever wants more writes another word


@dataclass(frozen=True, slots=True)
class Added:
    """What came of adding a file."""

    book: Book
    is_new: bool
    """False: the user had this very file already."""
    same_work: Book | None = None
    """Another file of the same work, which the user has too."""
    is_back: bool = False
    """The user had removed it, and has it again."""

    @property
    def was_missing(self) -> bool:
        """It was not in the library before."""
        return self.is_new or self.is_back


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found, best first."""

    books: Sequence[Book]
    corrected_to: str | None = None
    """The words that were looked for, where the user's own were in no book."""


class BookManager:
    """Libraries in one transaction. Every question names its user; a book of somebody else is not found."""

    def __init__(self, work: Work, *, counted: Counted = NOTHING_COUNTED) -> None:
        """`counted` is what was counted before the transaction, and is told only if it still holds."""
        self._work = work
        self._session = work.session
        self._counted = counted

    def add(self, user_id: int, staged: StagedBook, *, changes: Mapping[str, str] | None = None) -> Added:
        """Put a stored file into the user's library. Raises `BadRequest` for `changes` as `edit` does, and `TooMuch`.

        The same file is recognised by its SHA-256, whatever it is called; one that was removed comes back. Raises
        `Unavailable` where its blob is being deleted: store it again.
        """
        book = _book_of(user_id, staged, added_at=self._work.now)
        _change(book, changes or {})
        known = self._known(book)
        if known.same_file is not None:
            return self._again(self._session.get_one(Book, known.same_file), changes or {})
        Room.of(self._work, user_id).check(staged.size_bytes)
        if known.is_doomed:
            raise Unavailable("the same file is just being deleted; it has to be stored anew")
        twin = self._session.get_one(Book, known.same_work) if known.same_work is not None else None
        if staged.cover_key is not None and staged.thumbnail is not None:
            Thumbnail.keep(self._session, staged.cover_key, staged.thumbnail)
        self._insert(book)
        Tag.add(self._session, user_id=user_id, book_id=book.id, tags=book.tags)
        self._learn(book)
        self._work.emit(BookAdded(user_id=user_id, book_id=book.id, title=book.title, sha256=book.sha256))
        return Added(book, is_new=True, same_work=twin)

    def get(self, user_id: int, book_id: int) -> Book:
        """Raises `NotFound`, for a book of somebody else too."""
        book = self._session.get(Book, book_id)
        if book is None or book.user_id != user_id or book.removed_at is not None:
            raise NotFound(
                _("You have no book #{book_id}.").format(book_id=book_id),
                fix=_("Write “list” for your books."),
                code="book.not-found",
            )
        return book

    def list_page(self, user_id: int, page: int = 1) -> Page[Book]:
        """Newest first."""
        total, _ = Shelf.totals(self._session, user_id)
        return fetch_page(self._session, Book.of_user(user_id).order_by(Book.id.desc()), page=page, total=total)

    def find(self, user_id: int, words: str) -> Found:
        """Full text, best first; where nothing matches, words spelt nearly so that are in the user's books."""
        if books := Book.search(self._session, words, user_id=user_id, limit=FOUND):
            return Found(books)
        nearly = Book.respell(self._session, words, user_id=user_id)
        if nearly is None:
            return Found(())
        return Found(Book.search(self._session, nearly, user_id=user_id, limit=FOUND), corrected_to=nearly)

    def resolve(
        self, user_id: int, words: tuple[str, ...], *, listing: Numbered | None, may_guess: bool = True
    ) -> Book:
        """The book that a person means: its number in a list, its id, or words of its title and other names.

        Words that are nothing but digits are a title ("1984") before they are an id without its `#`, which is a guess.
        Raises `NotFound`, and `Conflict` with a numbered choice where several match, or one only nearly.
        """
        text = " ".join(words).strip()
        if text.startswith("#") and text[1:].isascii() and text[1:].isdigit():
            return self.get(user_id, int(text[1:19]))  # 18 digits: what no row id is longer than
        if text.isascii() and text.isdigit():
            book_id = listing.item_id(int(text[:9])) if listing is not None else None
            if book_id is not None:
                return self.get(user_id, book_id)
            # Whole words only: a number beyond the list's end must not mean the one book whose title begins so.
            if not any(text in folded_words(book.title) for book in self._called(user_id, text)):
                book = self.get(user_id, int(text[:18]))
                if may_guess:
                    return book
                raise Conflict(
                    _("Nothing stands at {number} in your last list.").format(number=text),
                    fix=_("Did you mean this one?"),
                    code="book.ambiguous",
                    blocks=(_choice([book]),),
                )
        return self._named(user_id, text)

    def edit(self, user_id: int, book_id: int, changes: Mapping[str, str]) -> Book:
        """Change what is said of a book. Raises `NotFound`, `BadRequest`."""
        book = self.get(user_id, book_id)
        _change(book, changes)
        self._session.flush()
        if not changes.keys().isdisjoint({"title", "author", "language"}):
            Derived.outdate(self._session, book.id)
        Tag.keep(self._session, user_id=user_id, book_id=book.id, tags=book.tags)
        self._learn(book)
        self._work.emit(BookEdited(user_id=user_id, book_id=book.id, changed=sorted(changes)))
        return book

    def remove(self, user_id: int, book_id: int) -> Book:
        """Out of the library; `undo` brings it back for a day. Raises `NotFound`."""
        book = self.get(user_id, book_id)
        book.removed_at = self._work.now
        self._session.flush()
        self._work.emit(BookRemoved(user_id=user_id, book_id=book.id, title=book.title))
        return book

    def copy(self, book: Book, user_id: int) -> Added:
        """The same file in somebody else's library, with what its owner says of it. Raises as `add` does."""
        added = self.add(user_id, _staged(book))
        return Added(added.book, is_new=added.was_missing, same_work=added.same_work)

    def withdraw(self, book: Book) -> None:
        """Out of a library for good: removed as long ago as `undo` reaches, so that nobody brings it back."""
        book.removed_at = self._work.now - UNDO_FOR
        self._session.flush()

    def undo(self, user_id: int, *, book_id: int | None = None) -> Book:
        """Bring back this book, or what was removed last. Raises `NotFound`, `TooMuch`."""
        removed = sa.select(Book).where(Book.user_id == user_id, Book.removed_at > self._work.now - UNDO_FOR)
        if book_id is not None:
            removed = removed.where(Book.id == book_id)
        book = self._session.scalars(removed.order_by(Book.removed_at.desc(), Book.id.desc()).limit(1)).one_or_none()
        if book is None:
            raise NotFound(
                _("There is nothing to bring back."),
                fix=_("A removed book can be brought back for 24 hours."),
                code="undo.none",
            )
        return self._restore(book)

    def popular(self, user_id: int) -> Sequence[Book]:
        """The user's own books that were sent most often; others' are nobody's business."""
        ids = self._counted.popular_ids
        if ids is not None and self._counted.holds(self._session, user_id):
            return Book.in_order(self._session, ids, user_id=user_id)
        return Book.get_popular(self._session, user_id=user_id, limit=POPULAR)

    def stats(self, user_id: int) -> Stats:
        stats = self._counted.stats
        if stats is not None and self._counted.holds(self._session, user_id):
            return stats
        return Stats.count(self._session, user_id, now=self._work.now)

    def purge(self) -> None:
        """Delete the rows of books that can no longer be brought back; blobs that no row needs now are doomed.

        A book that is still on its way to a device stays until it is there, or has failed: a mail waits for days.
        """
        on_its_way = sa.exists().where(OutboxMail.book_id == Book.id, OutboxMail.state.in_(OPEN_STATES))
        due = sa.select(Book).where(Book.removed_at <= self._work.now - UNDO_FOR, ~on_its_way)
        gone = self._session.scalars(due).all()
        keys = {key for book in gone for key in (book.storage_key, book.cover_key) if key is not None}
        keys |= Derived.forget(self._session, (book.id for book in gone))
        for book in gone:
            self._session.delete(book)
        self._session.flush()
        DoomedBlob.doom(self._session, (key for key in sorted(keys) if not _is_needed(self._session, key)))

    def _again(self, book: Book, changes: Mapping[str, str]) -> Added:
        was_removed = book.removed_at is not None
        if was_removed:
            self._restore(book)
        if changes:
            self.edit(book.user_id, book.id, changes)
        return Added(book, is_new=False, is_back=was_removed)

    def _learn(self, book: Book) -> None:
        """How the words of its names may be misspelt."""
        Spelling.learn(self._session, (book.title, *book.authors, book.series or ""))

    def _restore(self, book: Book) -> Book:
        Room.of(self._work, book.user_id).check(book.size_bytes)
        book.removed_at = None
        self._session.flush()
        self._work.emit(BookRestored(user_id=book.user_id, book_id=book.id, title=book.title))
        return book

    def _insert(self, book: Book) -> None:
        """Without the ORM, which takes four times as long to write one row, and with it in the session."""
        columns = {column.name: getattr(book, column.name) for column in _BOOKS if not column.primary_key}
        book.id = self._session.execute(_INSERT, columns).scalar_one()
        orm.make_transient_to_detached(book)
        self._session.add(book)

    def _known(self, book: Book) -> sa.Row[tuple[int | None, int | None, bool]]:
        """Whether its user has this very file or another one of the same work, and whether its blobs are being deleted:
        asked together, since a statement takes ten times as long to ask as SQLite does to answer it."""
        names = ("user_id", "sha256", "work_key", "storage_key", "cover_key")
        return self._session.execute(_KNOWN, {name: getattr(book, name) for name in names}).one()

    def _called(self, user_id: int, text: str) -> Sequence[Book]:
        """Not by their descriptions: a word there says what a book is about, not which book is meant."""
        return Book.called(self._session, text, user_id=user_id, limit=FOUND)

    def _named(self, user_id: int, text: str) -> Book:
        books = self._called(user_id, text)
        if not books and (nearly := Book.respell(self._session, text, user_id=user_id)) is not None:
            books, is_certain = self._called(user_id, nearly), False
        else:
            wanted, is_certain = folded_words(text), True
            books = [book for book in books if folded_words(book.title) == wanted] or books
        if len(books) == 1 and is_certain:
            return books[0]
        if not books:
            raise NotFound(
                _("You have no book “{text}”.").format(text=text),
                fix=_("Write “list” for your books, or “find” with a word of the title."),
                code="book.not-found",
                blocks=(Steps((Step(_("My books"), "list"),)),),
            )
        raise Conflict(
            _("“{text}” could be {count} of your books.").format(text=text, count=len(books))
            if len(books) > 1
            else _("You have no book “{text}”.").format(text=text),
            fix=_("Which one do you mean?") if len(books) > 1 else _("Did you mean this one?"),
            code="book.ambiguous",
            blocks=(_choice(books[:CHOICES]),),
        )


# Asked for each book: a statement that is made once, and loads no row that it need not, costs a sixth.
_TABLE = Book.metadata.tables[Book.__tablename__]
_BOOKS = _TABLE.c
_INSERT = sa.insert(_TABLE).returning(_BOOKS.id)
_DOOMED = DoomedBlob.metadata.tables[DoomedBlob.__tablename__].c.key
_MINE = _BOOKS.user_id == sa.bindparam("user_id")
_KNOWN = sa.select(
    sa.select(_BOOKS.id).where(_MINE, _BOOKS.sha256 == sa.bindparam("sha256")).scalar_subquery().label("same_file"),
    sa.select(_BOOKS.id)
    .where(
        _MINE,
        _BOOKS.work_key == sa.bindparam("work_key"),
        _BOOKS.sha256 != sa.bindparam("sha256"),
        _BOOKS.removed_at.is_(None),
    )
    .limit(1)
    .scalar_subquery()
    .label("same_work"),
    sa.exists()
    .where(sa.or_(sa.bindparam("storage_key") == _DOOMED, sa.bindparam("cover_key") == _DOOMED))
    .label("is_doomed"),
)


def _book_of(user_id: int, staged: StagedBook, *, added_at: datetime) -> Book:
    metadata = staged.metadata
    return Book(
        user_id=user_id,
        title=metadata.title,
        authors=list(metadata.authors),
        language=metadata.language,
        identifiers=[f"{scheme}:{value}" for scheme, value in metadata.identifiers],
        series=metadata.series,
        series_index=metadata.series_index,
        genre=metadata.genre,
        tags=list(metadata.tags),
        description=metadata.description,
        format=staged.format,
        filename=staged.filename[:200],
        size_bytes=staged.size_bytes,
        sha256=staged.sha256,
        work_key="",
        storage_key=staged.storage_key,
        cover_key=staged.cover_key,
        added_at=added_at,
        download_count=0,
        sync_status=SyncStatus.NEVER,
        last_synced_at=None,
        removed_at=None,
    )


def _staged(book: Book) -> StagedBook:
    """What is in a library, as it was when it came, but for what its owner has corrected since."""
    identifiers = (identifier.partition(":") for identifier in book.identifiers)
    return StagedBook(
        filename=book.filename,
        format=book.format,
        size_bytes=book.size_bytes,
        sha256=book.sha256,
        storage_key=book.storage_key,
        cover_key=book.cover_key,
        metadata=BookMetadata(
            title=book.title,
            authors=tuple(book.authors),
            language=book.language,
            identifiers=tuple((scheme, value) for scheme, _, value in identifiers),
            series=book.series,
            series_index=book.series_index,
            genre=book.genre,
            tags=tuple(book.tags),
            description=book.description,
        ),
    )


def _told_apart(book: Book) -> str:
    """What a book is known by beside its title; two files of one work differ in nothing else."""
    parts = (", ".join(book.authors), book.format.value.upper(), size_in_words(book.size_bytes), f"#{book.id}")
    return " · ".join(part for part in parts if part)


def _choice(books: Sequence[Book]) -> Items:
    items = tuple(
        Item(number, book.title, _told_apart(book), (Step(_("This one"), f"show #{book.id}"),))
        for number, book in enumerate(books, start=1)
    )
    return Items(items, kind="books", item_ids=tuple(book.id for book in books), total=len(books))


def _change(book: Book, changes: Mapping[str, str]) -> None:
    """Validate and set what a person wrote. Raises `BadRequest`."""
    for key, text in changes.items():
        value = " ".join(text.split())
        match key:
            case "title":
                book.title = _checked("title", value, longest=LONGEST_TITLE, may_be_empty=False)
            case "author":
                # Divided by semicolons: the comma belongs to “Herbert, Frank”.
                named = _checked("author", value.strip("; "), longest=LONGEST_AUTHOR, may_be_empty=False)
                book.authors = _divided(named, ";")
            case "genre":
                book.genre = _checked("genre", value, longest=LONGEST_GENRE) or None
            case "tags":
                book.tags = _divided(_checked("tags", value, longest=1000), ",")
            case "series":
                book.series = _checked("series", value, longest=300) or None
            case "language":
                book.language = _language(value) if value else None
            case _:
                raise BadRequest(
                    _("A book has no “{key}”.").format(key=key),
                    fix=_("It has title, author, genre, tags, series, language."),
                )
    book.work_key = work_key(BookMetadata(title=book.title, authors=tuple(book.authors)))


def _checked(key: str, value: str, *, longest: int, may_be_empty: bool = True) -> str:
    if not value and not may_be_empty:
        raise BadRequest(_("A book needs a {key}.").format(key=key), fix=_("Write it behind {key}=").format(key=key))
    if len(value) > longest:
        raise BadRequest(
            _("The {key} is too long: {count} characters.").format(key=key, count=len(value)),
            fix=_("At most {longest}.").format(longest=longest),
        )
    return value


def _language(value: str) -> str:
    tag = language_tag(value)
    if tag is None:
        raise BadRequest(
            _("I know no language “{language}”.").format(language=value[:100]),
            fix=_("Write its code: en for English, de for German, es for Spanish."),
        )
    return tag


def _divided(value: str, divider: str) -> list[str]:
    parts = (part.strip() for part in value.split(divider))
    return list(dict.fromkeys(part for part in parts if part))


def _is_needed(session: orm.Session, key: str) -> bool:
    return Book.is_stored_for_somebody(session, key) or Derived.is_kept(session, key)
