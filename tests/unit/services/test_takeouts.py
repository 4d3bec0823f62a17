"""Takeouts: what goes into which mail."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.errors import TooMuch
from core.models import DoomedBlob, Takeout
from core.models.belongings import rows_about
from core.models.user import hash_secret
from core.services.takeouts import (
    KEPT_FOR,
    MOST_A_DAY,
    ZIP_ENTRY_BYTES,
    Contents,
    Entry,
    Takeouts,
    contents_of,
    plan_parts,
)
from tests.factories.everything import fill_every_table
from tests.factories.news import make_feed, make_subscription
from tests.factories.rows import NOW, make_book, make_inbound, make_user, make_work, open_database


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    with open_database(tmp_path / "library.db") as engine, Session(engine) as opened:
        yield opened


def entries(*sizes: int) -> tuple[Entry, ...]:
    return tuple(Entry(f"{number}", size - ZIP_ENTRY_BYTES) for number, size in enumerate(sizes))


def test_files_are_divided_in_order_and_none_is_cut() -> None:
    plan = plan_parts(Contents((), entries(6000, 4000, 5000, 10_001, 5000)), budget_bytes=10_000)

    assert [[one.name for one in part] for part in plan.parts] == [["0", "1"], ["2", "4"]]
    assert [one.name for one in plan.too_large] == ["3"]


def test_small_takeout_is_one_archive() -> None:
    assert len(plan_parts(Contents(entries(5000), entries(5000)), budget_bytes=10_000).parts) == 1


def test_rows_of_every_table_that_names_the_person_are_in_it(session: Session) -> None:
    ada, bob = make_user(session, address="ada@reader.example"), make_user(session, address="bob@reader.example")
    made = fill_every_table(session, ada.id, mark="ada's", number=1)
    fill_every_table(session, bob.id, mark="bob's", number=2)

    rows = rows_about(session, ada.id)

    theirs = {name for name, row in made.items() if row["?theirs"]}
    assert theirs <= set(rows)
    assert "bob's" not in json.dumps(rows)


def test_no_secret_is_in_it(session: Session) -> None:
    ada = make_user(session, secret_hash=hash_secret("xyz"))

    (row,) = rows_about(session, ada.id)["user"]

    assert hash_secret("xyz") not in json.dumps(row)
    assert row["address"] == ada.address


def test_contents_are_settings_feeds_rows_mails_and_books(session: Session) -> None:
    ada = make_user(session, timezone="Europe/Berlin")
    for title in ("Dune", "Dune"):
        make_book(session, ada, title=title)
    make_book(session, ada, title="Removed", removed_at=NOW)
    make_subscription(session, ada, make_feed(session, url="https://lwn.example/"))
    mail = make_inbound(session, user_id=ada.id)

    contents = contents_of(session, ada, now=NOW)

    files = {one.name: one for one in contents.files}
    assert json.loads(files["settings.json"].content or b"")["timezone"] == "Europe/Berlin"
    assert b"https://lwn.example/" in (files["feeds.opml"].content or b"")
    assert len(json.loads(files["rows/book-1.json"].content or b"")) == 3
    assert files[f"mails/{mail.reference}.eml"].inbound_id == mail.id
    assert len({one.name for one in contents.books}) == 2


def test_asking_again_and_again_has_an_end(session: Session) -> None:
    ada = make_user(session)
    takeouts = Takeouts(make_work(session))
    for number in range(MOST_A_DAY):
        takeouts.ask(ada.id, page=1, cause=f"{number}")

    with pytest.raises(TooMuch):
        takeouts.ask(ada.id, page=1, cause="one more")


def test_archives_go_when_they_have_surely_been_mailed(session: Session) -> None:
    ada = make_user(session)
    for number, created_at in enumerate((NOW, NOW - 2 * KEPT_FOR)):
        keys = [f"takeouts/aa/{number}.zip", "takeouts/aa/both.zip"]
        session.add(Takeout(user_id=ada.id, cause=f"{number}", page=1, keys=keys, created_at=created_at))
    session.flush()

    Takeouts(make_work(session)).forget_old()

    assert DoomedBlob.all_keys(session) == ["takeouts/aa/1.zip"]
    assert session.scalars(sa.select(Takeout.cause)).all() == ["0"]
