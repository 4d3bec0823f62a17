"""`share` and `unshare`: what one of a household lets another have."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.mail.answer import Answer, Items
from core.models import AuditEntry, Book, OutboxMail, User
from core.models.user import UserState
from core.services.book_manager import BookManager
from core.values import Trust
from handlers._registry import Handler, readers_grammar
from tests.factories.news import make_feed, make_subscription
from tests.factories.rows import make_book, make_user
from tests.support.reader import Reader, problem, steps, title, titles


@pytest.fixture
def bob(ada: Reader, session: Session, handlers: Mapping[str, Handler]) -> Reader:
    user = make_user(session, address="bob@reader.example", name="Bób Miller")
    return Reader(session, user, readers_grammar(handlers), handlers, ada.bus)


def notices(session: Session, user: User) -> list[str]:
    mine = sa.select(OutboxMail.subject).where(OutboxMail.user_id == user.id).order_by(OutboxMail.id)
    return list(session.scalars(mine))


@pytest.mark.parametrize("whom", ["bob", "Bob Miller", "bób miller", "BOB@reader.example"])
def test_shared_book_is_the_others_own_over_the_same_blob(
    ada: Reader, bob: Reader, session: Session, whom: str
) -> None:
    dune = make_book(session, ada.user, title="Dune", tags=["sf"])

    assert title(ada.run(f"share dune with {whom}")) == "Shared with Bób Miller: Dune"

    given = session.scalars(sa.select(Book).where(Book.user_id == bob.user.id)).one()
    assert (given.title, given.storage_key, given.tags) == ("Dune", dune.storage_key, ["sf"])
    assert notices(session, bob.user) == ["Ada shares a book with you: Dune"]
    assert titles(bob.run("find dune")) == ["Dune"]
    trail = session.scalars(sa.select(AuditEntry).where(AuditEntry.name == "BookShared")).one()
    assert (trail.user_id, trail.facts["reader_id"]) == (ada.user.id, bob.user.id)


def test_title_with_a_preposition_of_its_own_is_shared(ada: Reader, bob: Reader, session: Session) -> None:
    make_book(session, ada.user, title="Gone with the Wind")

    assert title(ada.run("share gone with the wind with bob")) == "Shared with Bób Miller: Gone with the Wind"


def test_what_is_taken_back_is_gone_and_not_undone(ada: Reader, bob: Reader, session: Session) -> None:
    make_book(session, ada.user, title="Dune")
    (back, _) = steps(ada.run("share dune with bob"))

    assert title(ada.run(back)) == "Taken back: Dune"

    assert titles(bob.run("list")) == []
    assert problem(bob.run("undo")).code == "undo.none"
    assert titles(ada.run("list")) == ["Dune"]
    assert notices(session, bob.user)[-1] == "Ada has taken back: Dune"


def test_what_is_taken_back_leaves_the_blob_to_its_owner(ada: Reader, bob: Reader, session: Session) -> None:
    dune = make_book(session, ada.user, title="Dune")
    ada.run("share dune with bob")
    ada.run("unshare dune")

    BookManager(ada.works[-1]).purge()

    assert session.scalars(sa.select(Book.user_id)).all() == [ada.user.id]
    assert Book.is_stored_for_somebody(session, dune.storage_key)


def test_own_copy_of_the_other_is_not_taken_back(ada: Reader, bob: Reader, session: Session) -> None:
    make_book(session, ada.user, title="Dune", content=b"dune")
    make_book(session, bob.user, title="Dune", content=b"dune")

    assert title(ada.run("share dune with bob")) == "Bób Miller has it already: Dune"
    assert problem(ada.run("unshare dune from bob")).code == "share.none"
    assert titles(bob.run("list")) == ["Dune"]


def test_book_that_was_removed_comes_back_as_a_shared_one(ada: Reader, bob: Reader, session: Session) -> None:
    make_book(session, ada.user, title="Dune", content=b"dune")
    make_book(session, bob.user, title="Dune", content=b"dune", removed_at=ada.now)

    assert title(ada.run("share dune with bob")) == "Shared with Bób Miller: Dune"
    ada.run("unshare dune from bob")
    assert titles(bob.run("list")) == []


def test_full_library_of_the_other_is_told(ada: Reader, bob: Reader, session: Session) -> None:
    bob.user.most_bytes = 10
    make_book(session, ada.user, title="Dune")

    assert problem(ada.run("share dune with bob")).code == "share.no-room"
    assert notices(session, bob.user) == []


def test_who_is_meant_has_to_be_clear(ada: Reader, bob: Reader, session: Session) -> None:
    make_book(session, ada.user, title="Dune")
    make_user(session, address="bob2@reader.example", name="Bob")
    make_user(session, address="gone@reader.example", name="Gone", state=UserState.SUSPENDED)

    codes = [
        problem(ada.run(f"share dune with {whom}")).code for whom in ("bob", "carol", "gone", "ada", "x@y.example")
    ]

    assert codes == ["person.several", "person.not-found", "person.not-found", "request.bad", "person.not-found"]
    assert problem(ada.run("share dune")).code == "request.bad"


def test_book_of_somebody_else_is_not_shared_on(ada: Reader, bob: Reader, session: Session) -> None:
    theirs = make_book(session, bob.user, title="Emma")
    carol = make_user(session, address="carol@reader.example")

    assert problem(ada.run(f"share #{theirs.id} with {carol.address}")).code == "book.not-found"


def test_all_that_is_shared_is_listed_with_page_two(ada: Reader, bob: Reader, session: Session) -> None:
    assert title(ada.run("share")) == "You share nothing yet"
    for number in range(21):
        book = make_book(session, ada.user, title=f"Book {number}")
        ada.run(f"share #{book.id} with bob")

    assert title(ada.run("share")) == "You share 21 books"
    assert titles(ada.run("share 2")) == ["Book 0"]
    assert title(bob.run("share")) == "You share nothing yet"


def test_book_without_a_person_is_asked_about(ada: Reader, bob: Reader, session: Session) -> None:
    book = make_book(session, ada.user, title="Dune")

    assert problem(ada.run(f"share #{book.id}")).text == "With whom?"


def test_one_of_two_books_of_a_title_is_taken_back_by_a_tap(ada: Reader, bob: Reader, session: Session) -> None:
    first, _second = make_book(session, ada.user, title="Emma"), make_book(session, ada.user, title="Emma")
    ada.run(f"share #{first.id} with bob")

    (tap,) = [
        step.command for block in ada.run("share").blocks if isinstance(block, Items) for step in block.items[0].steps
    ]

    assert title(ada.run(tap)) == "Taken back: Emma"


def test_sharing_waits_for_a_word_where_the_mail_may_be_forged(ada: Reader, bob: Reader, session: Session) -> None:
    make_book(session, ada.user, title="Dune")

    (result,) = ada.results("share dune with bob", trust=Trust.DELIVER)

    assert problem(result.outcome).code == "confirm.needed"
    assert titles(bob.run("list")) == []
    offer, _refusal = steps(result.outcome)
    assert title(ada.run(offer)) == "Shared with Bób Miller: Dune"


# Feeds


def test_shared_list_is_subscribed_to_at_once_and_again_when_it_has_grown(
    ada: Reader, bob: Reader, session: Session
) -> None:
    for number in range(2):
        make_subscription(
            session, ada.user, make_feed(session, url=f"https://f{number}.example/"), name=f"Feed {number}"
        )
    make_subscription(session, bob.user, make_feed(session, url="https://f0.example/x"), name="Mine")

    assert title(ada.run("share feeds with bob")) == "Your list of 2 feeds is shared with Bób Miller"
    assert notices(session, bob.user) == ["Ada shares their feeds with you"]
    assert title(bob.run(f"subscribe feeds of {ada.user.address}")) == "2 feeds subscribed"

    make_subscription(session, ada.user, make_feed(session, url="https://f2.example/"), name="Feed 2")
    assert title(bob.run("subscribe feeds of ada")) == "1 feed subscribed, 2 there already"
    assert titles(bob.run("feeds")) == ["Feed 0", "Feed 1", "Feed 2", "Mine"]


def test_list_that_is_not_shared_is_not_shown(ada: Reader, bob: Reader, session: Session) -> None:
    make_subscription(session, ada.user, name="Secret")

    told = problem(bob.run("subscribe feeds of ada"))
    assert told.code == "share.none"
    assert "Secret" not in str(told)

    ada.run("share feeds with bob")
    ada.run("unshare feeds from bob")
    assert problem(bob.run("subscribe feeds of ada")).code == "share.none"


def test_who_reads_nothing_has_no_list_to_share(ada: Reader, bob: Reader) -> None:
    assert problem(ada.run("share feeds with bob")).code == "feeds.none"
    assert problem(ada.run("unshare feeds from bob")).code == "share.none"
    assert isinstance(bob.run("feeds"), Answer)
