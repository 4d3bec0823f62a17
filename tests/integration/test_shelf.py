"""The count of a user's books is that of the rows, however these come and go, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from core import migrations
from core.db import Base, create_engine
from core.models import Book, Shelf, User
from core.pages import PER_PAGE
from core.services.book_manager import BookManager
from tests.factories.rows import NOW, make_book, make_user, make_work


@pytest.fixture(params=["sqlite", "postgresql"])
def session(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Session]:
    is_sqlite = request.param == "sqlite"
    engine = create_engine(f"sqlite:///{tmp_path}/a.db" if is_sqlite else request.getfixturevalue("postgres_url"))
    Base.metadata.create_all(engine)
    with Session(engine) as opened:
        yield opened
    engine.dispose()


def counted(session: Session, user_id: int) -> tuple[int, int]:
    """What the rows themselves say."""
    mine = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(Book.size_bytes), 0))
    books, size_bytes = session.execute(mine.where(Book.user_id == user_id, Book.removed_at.is_(None))).one()
    return books, size_bytes


def test_shelf_counts_what_is_there(session: Session) -> None:
    ada, bob = make_user(session), make_user(session)
    books = [make_book(session, ada, size_bytes=size) for size in (1, 20, 300)]
    make_book(session, bob, size_bytes=4000)
    make_book(session, bob, removed_at=NOW)
    assert Shelf.totals(session, ada.id) == counted(session, ada.id) == (3, 321)
    assert Shelf.totals(session, bob.id) == counted(session, bob.id) == (1, 4000)

    books[0].removed_at = NOW
    books[1].size_bytes = 50
    session.flush()
    session.delete(books[2])
    session.flush()
    assert Shelf.totals(session, ada.id) == counted(session, ada.id) == (1, 50)

    books[0].removed_at = None
    session.flush()
    assert Shelf.totals(session, ada.id) == counted(session, ada.id) == (2, 51)

    session.execute(sa.update(Book).values(removed_at=NOW))
    assert Shelf.totals(session, ada.id) == counted(session, ada.id) == (0, 0)


def test_shelf_goes_with_its_user(session: Session) -> None:
    ada = make_user(session)
    make_book(session, ada)

    session.execute(sa.delete(User).where(User.id == ada.id))

    assert Shelf.totals(session, ada.id) == (0, 0)
    assert session.scalar(sa.select(sa.func.count()).select_from(Shelf)) == 0


def test_list_says_how_many_pages_there_are_without_counting_rows(session: Session) -> None:
    ada = make_user(session)
    for _ in range(PER_PAGE + 1):
        make_book(session, ada)
    statements: list[str] = []
    sa.event.listen(session.get_bind(), "before_cursor_execute", lambda *event: statements.append(event[2]))

    page = BookManager(make_work(session)).list_page(ada.id, 9)

    assert (page.page, page.pages, page.total, len(page.rows)) == (2, 2, PER_PAGE + 1, 1)
    assert not [statement for statement in statements if "count(" in statement]


def test_migration_fills_the_shelf_from_the_books_that_are_there(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/a.db")
    with migrations.transaction(engine) as connection:
        migrations.upgrade(connection)
        with Session(connection) as session:
            ada = make_user(session)
            make_book(session, ada, size_bytes=7)
            make_book(session, ada, size_bytes=9, removed_at=NOW)
            migrations.downgrade(connection, "0003")
            make_book(session, ada, size_bytes=30)

            migrations.upgrade(connection)

            make_book(session, ada, size_bytes=100)
            assert Shelf.totals(session, ada.id) == counted(session, ada.id) == (3, 137)
    engine.dispose()
