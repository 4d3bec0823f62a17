"""Forgetting a person: what is left of them, in every table that there is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.db import Base
from core.models import Article, AuditEntry, Book, DoomedBlob, Feed, Newsletter, OutboxMail, User
from core.models.belongings import USER, columns_naming_users
from core.models.outbox import OutboxKind, OutboxState
from core.models.user import UserRole, UserState
from core.services import build_bus
from core.services.accounts import Accounts
from core.services.forgetting import Forgetting
from tests.factories.everything import everything_kept, fill_every_table
from tests.factories.news import make_article, make_feed, make_subscription
from tests.factories.rows import (
    NOW,
    make_book,
    make_device,
    make_inbound,
    make_outbox_mail,
    make_user,
    make_work,
    open_database,
)
from tests.support.reader import IDENTITY

ADA = "ada.lovelace@reader.example"


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    with open_database(tmp_path / "library.db") as engine, Session(engine) as opened:
        yield opened


@pytest.fixture
def ada(session: Session) -> User:
    return make_user(session, address=ADA, name="Ada", role=UserRole.ADMINISTRATOR)


def forget(session: Session, user: User) -> None:
    work = make_work(session, bus=build_bus(IDENTITY))
    Forgetting(work).begin(user.id)
    Forgetting(work).finish(user.id)


def test_nothing_is_left_in_any_table(session: Session, ada: User) -> None:
    made = fill_every_table(session, ada.id, mark=ADA, number=1)
    assert ADA in everything_kept(session)
    assert sum(row["?theirs"] for row in made.values()) > 20

    forget(session, ada)

    assert ADA not in everything_kept(session)
    for column in columns_naming_users():
        naming = session.scalar(sa.select(sa.func.count()).select_from(column.table).where(column == ada.id))
        assert naming == 0, column
    for name, row in made.items():
        if row["?theirs"]:
            left = session.scalar(sa.select(sa.func.count()).select_from(Base.metadata.tables[name]))
            assert left == (1 if name == "audit" else 0), name


def test_letters_of_a_burnt_newsletter_go_as_well(session: Session, ada: User) -> None:
    letters = make_feed(session, title="The Daily")
    make_article(session, letters, title="For Ada alone")
    burnt = Newsletter(user_id=ada.id, feed=letters, name="The Daily", nonce="0a1b", created_at=NOW, burnt_at=NOW)
    burnt.secret_hash = "0" * 64
    session.add(burnt)
    session.flush()

    forget(session, ada)

    assert session.scalars(sa.select(Article)).all() == []
    assert session.scalars(sa.select(Feed)).all() == []


def test_others_keep_all_of_theirs(session: Session, ada: User) -> None:
    bob = make_user(session, address="bob@reader.example")
    fill_every_table(session, bob.id, mark="bob@reader.example", number=2)
    before = _rows(session, bob.id)
    fill_every_table(session, ada.id, mark=ADA, number=1)

    forget(session, ada)

    assert _rows(session, bob.id) == before
    assert bob.address == "bob@reader.example"


def test_trail_says_that_somebody_was_forgotten_and_not_who(session: Session, ada: User) -> None:
    forget(session, ada)

    (entry,) = session.scalars(sa.select(AuditEntry))
    assert (entry.name, entry.user_id, entry.facts) == ("UserForgotten", None, {})


def test_number_stays_and_is_never_somebody_elses(session: Session, ada: User) -> None:
    forget(session, ada)

    (row,) = session.execute(sa.select(USER)).mappings()
    assert (row["id"], row["address"], row["name"], row["role"]) == (
        ada.id, f"forgotten-{ada.id}", "", UserRole.READER,
    )  # fmt: skip
    again, _ = Accounts(make_work(session)).add_user(ADA)
    assert again.id != ada.id


def test_blob_that_somebody_else_has_is_kept(session: Session, ada: User) -> None:
    bob = make_user(session)
    shared = make_book(session, ada, content=b"dune").storage_key
    make_book(session, bob, content=b"dune")
    own = make_book(session, ada, title="Diary", cover_key="covers/aa/aa.jpg")
    large = make_inbound(session, user_id=ada.id, raw=None, raw_key="mails/bb/bb.eml")
    keys = {own.storage_key, "covers/aa/aa.jpg", large.raw_key}

    forget(session, ada)

    assert set(DoomedBlob.all_keys(session)) == keys
    assert shared not in keys
    assert session.scalars(sa.select(Book.user_id)).all() == [bob.id]


def test_what_was_to_be_sent_is_dropped_but_for_the_last_answer(session: Session, ada: User) -> None:
    make_device(session, ada, address="Ada_K@kindle.com")
    waiting = make_outbox_mail(session, user=ada, rcpt_to="Ada_K@kindle.com")
    work = make_work(session, bus=build_bus(IDENTITY))
    Forgetting(work).begin(ada.id)
    assert waiting.state is OutboxState.DROPPED
    answer = make_outbox_mail(session, user=ada, kind=OutboxKind.ANSWER, rcpt_to=ADA)

    Forgetting(work).finish(ada.id)

    assert session.scalars(sa.select(OutboxMail.id)).all() == [answer.id]
    assert answer.user_id is None
    assert [job.task for job in work.jobs] == ["forget_user", "forget_mail"]
    assert not Forgetting(work).forget_mail(answer.id)
    answer.state = OutboxState.ACCEPTED
    assert Forgetting(work).forget_mail(answer.id)
    assert ADA not in everything_kept(session)


def test_mail_that_nobody_believed_and_what_was_noted_of_the_address_go_too(session: Session, ada: User) -> None:
    make_inbound(session, author=ADA, mail_from="x@elsewhere.example")
    make_inbound(session, mail_from=ADA.upper())
    make_inbound(session, mail_from="bob@reader.example")
    session.add(AuditEntry(at=NOW, name="MailBounced", user_id=None, facts={"rcpt_to": ADA, "outbox_id": 1}))

    forget(session, ada)

    assert "ada.lovelace" not in everything_kept(session).lower()
    assert "bob@reader.example" in everything_kept(session)


def test_feed_that_only_they_read_goes_with_its_articles(session: Session, ada: User) -> None:
    bob = make_user(session)
    private, common = (make_feed(session, url=f"https://{name}.example/token") for name in ("private", "common"))
    for feed in (private, common):
        make_subscription(session, ada, feed, name=feed.url)
        session.add(
            Article(feed_id=feed.id, entry_key=feed.url, authors=[], pictures=[], dated_at=NOW, first_seen_at=NOW)
        )
    make_subscription(session, bob, common)

    forget(session, ada)

    assert session.scalars(sa.select(Feed.url)).all() == ["https://common.example/token"]
    assert session.scalars(sa.select(Article.entry_key)).all() == ["https://common.example/token"]


def test_who_has_not_asked_for_it_is_not_forgotten(session: Session, ada: User) -> None:
    assert Forgetting(make_work(session)).finish(ada.id) is None
    assert ada.state is UserState.ACTIVE


def _rows(session: Session, user_id: int) -> dict[str, int]:
    """How many rows name somebody, by table and column."""
    return {
        f"{column}": session.scalar(sa.select(sa.func.count()).select_from(column.table).where(column == user_id)) or 0
        for column in columns_naming_users()
    }
