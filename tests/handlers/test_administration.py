"""`invite`, `users`, `suspend`, `unsuspend`, `quota`, `totals`: by mail, for administrators alone."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.errors import Forbidden
from core.mail.answer import Answer, Items
from core.models import AuditEntry, OutboxMail, User
from core.models.user import UserRole, UserState
from core.services.administration import Administration
from core.values import Trust
from handlers._registry import Handler, readers_grammar
from tests.factories.news import make_subscription
from tests.factories.rows import make_book, make_inbound, make_staged_book, make_user
from tests.support.reader import Reader, facts, problem, steps, title, titles

COMMANDS = (
    "invite bob@reader.example Bob", "users", "suspend bob@reader.example", "unsuspend bob@reader.example",
    "quota bob@reader.example 5 GB", "totals",
)  # fmt: skip


@pytest.fixture
def root(ada: Reader) -> Reader:
    ada.user.role = UserRole.ADMINISTRATOR
    return ada


@pytest.fixture
def bob(session: Session) -> User:
    return make_user(session, address="bob@reader.example", name="Bob")


@pytest.fixture
def eve(ada: Reader, session: Session, handlers: Mapping[str, Handler]) -> Reader:
    """Who is no administrator, with the grammar that such a one has."""
    eve = make_user(session, address="eve@reader.example")
    return Reader(session, eve, readers_grammar(handlers), handlers, ada.bus)


def acts(session: Session) -> list[tuple[int | None, str, int | None]]:
    rows = session.scalars(sa.select(AuditEntry).where(AuditEntry.name == "AdministratorActed").order_by(AuditEntry.id))
    return [(row.user_id, row.facts["act"], row.facts["about_id"]) for row in rows]


def mails_to(session: Session, address: str) -> list[OutboxMail]:
    return list(session.scalars(sa.select(OutboxMail).where(OutboxMail.rcpt_to == address).order_by(OutboxMail.id)))


def test_invited_person_is_a_user_and_gets_one_mail_with_their_secret(root: Reader, session: Session) -> None:
    answer = root.run("invite Bob@Reader.Example Bob Miller")

    assert title(answer) == "Invited: bob@reader.example"
    invited = User.by_address(session, "bob@reader.example")
    assert invited is not None
    assert invited.name == "Bob Miller"
    assert invited.role is UserRole.READER
    (mail,) = mails_to(session, "bob@reader.example")
    assert mail.subject == "Ada invites you to Inkpost"
    (secret,) = set(re.findall(rb"books\+([a-z0-9]{16})@inkpost", mail.head))
    assert User.by_secret(session, secret.decode()) is invited
    assert acts(session) == [(root.user.id, "invite", invited.id)]


def test_who_never_wrote_is_invited_again_with_another_secret(root: Reader, session: Session) -> None:
    root.run("invite bob@reader.example")
    before = session.scalars(sa.select(User.secret_hash).where(User.address == "bob@reader.example")).one()

    assert title(root.run("invite bob@reader.example")) == "Invited again: bob@reader.example"

    assert session.scalars(sa.select(User.secret_hash).where(User.address == "bob@reader.example")).one() != before
    assert len(mails_to(session, "bob@reader.example")) == 2


def test_who_has_written_is_not_invited(root: Reader, session: Session, bob: User) -> None:
    make_inbound(session, user_id=bob.id)

    assert problem(root.run("invite bob@reader.example")).code == "user.known"
    assert mails_to(session, "bob@reader.example") == []


def test_what_is_no_address_is_refused(root: Reader) -> None:
    assert problem(root.run("invite Bob")).code.startswith("request")


def test_everybody_is_listed_with_page_two(root: Reader, session: Session) -> None:
    for number in range(20):
        make_user(session, address=f"z{number:02}@reader.example")
    make_book(session, root.user, size_bytes=2_000_000)

    first = root.run("users")

    assert title(first) == "21 users"
    assert titles(first)[:2] == ["ada@reader.example", "z00@reader.example"]
    assert all(words in str(first) for words in ("administrator", "2.0 MB"))
    assert titles(root.run("users 2")) == ["z19@reader.example"]


def test_suspended_person_is_obeyed_again_only_after_unsuspend(root: Reader, bob: User, session: Session) -> None:
    assert steps(root.run(f"suspend {bob.address}")) == [f"unsuspend {bob.address}"]
    assert steps(root.run("users 1")) == ["totals", "help invite"]
    assert "suspended" in str(root.run("users"))

    assert title(root.run(f"unsuspend {bob.address}")) == "Active again: bob@reader.example"
    assert bob.state is UserState.ACTIVE
    assert [act for act in acts(session) if act[1] != "users"] == [
        (root.user.id, "suspend", bob.id),
        (root.user.id, "unsuspend", bob.id),
    ]


def test_nobody_locks_themselves_out(root: Reader) -> None:
    assert problem(root.run(f"suspend {root.user.address}")).code == "user.self"
    assert root.user.state is UserState.ACTIVE


def test_who_is_not_found_is_looked_up_by_mail(root: Reader, bob: User) -> None:
    refused = problem(root.run("quota bob"))

    assert refused.code == "user.not-found"
    assert "“users”" in refused.fix


def test_quota_of_one_is_not_that_of_others(root: Reader, bob: User, session: Session, eve: Reader) -> None:
    root.run("quota bob@reader.example 1 books")
    make_book(session, bob)
    guest = Reader(session, bob, eve.grammar, eve.handlers, eve.bus)

    full = problem(guest.run("add", attachments=[make_staged_book(title="Emma")]))

    assert "holds 1 of 1 books" in full.text
    assert isinstance(eve.run("add", attachments=[make_staged_book(title="Emma")]), Answer)
    assert facts(guest.run("stats"))["May hold"] == "1 book, 100.0 GB"


def test_size_is_limited_and_told_and_taken_back(root: Reader, bob: User, session: Session, eve: Reader) -> None:
    make_book(session, bob, size_bytes=3_000_000)
    assert facts(root.run("quota bob@reader.example 3.5 MB"))["Size"] == "3.0 MB of 3.5 MB"
    guest = Reader(session, bob, eve.grammar, eve.handlers, eve.bus)

    full = problem(guest.run("add", attachments=[make_staged_book(size_bytes=600_000)]))
    assert "no room for 600 kB: it holds 3.0 MB of 3.5 MB" in full.text

    assert facts(root.run("quota bob@reader.example default"))["Size"] == "3.0 MB of 100.0 GB"
    assert isinstance(guest.run("add", attachments=[make_staged_book(size_bytes=600_000)]), Answer)


@pytest.mark.parametrize("wanted", ["lots", "5 parsecs", "-3 GB", "books"])
def test_quota_that_is_none_is_refused(root: Reader, bob: User, wanted: str) -> None:
    assert problem(root.run(f"quota {bob.address} {wanted}")).code.startswith("request")
    assert (bob.most_books, bob.most_bytes) == (None, None)


@pytest.mark.parametrize("written", ["totals", "stats all"])
def test_installation_is_counted(root: Reader, bob: User, session: Session, written: str) -> None:
    make_book(session, root.user, size_bytes=1_000_000)
    make_book(session, bob, size_bytes=1_000_000)
    bob.state = UserState.SUSPENDED

    counted = facts(root.run(written))

    assert counted["Users"] == "2 (1 suspended)"
    assert counted["Books"] == "2, 2.0 MB"


@pytest.mark.parametrize("line", [*COMMANDS, "stats all", "help invite"])
def test_to_others_it_is_a_word_like_any_other(eve: Reader, line: str) -> None:
    told = problem(eve.run(line))

    # As “frobnicate bob” is; and “quota” is not far from a word of another command, as a slip would be.
    assert told.code in ("request.unknown", "request.unsure", "request.wrong-shape", "command.not-found")
    assert "dministrator" not in str(told)
    assert not any(name in str(eve.run("help")) for name in ("invite", "suspend", "totals", "quota"))


@pytest.mark.parametrize("line", COMMANDS)
def test_mail_that_may_be_forged_waits_for_the_administrators_word(root: Reader, bob: User, line: str) -> None:
    for trust in (Trust.READ, Trust.DELIVER):
        (result,) = root.results(line, trust=trust)
        assert problem(result.outcome).code == "confirm.needed"
    assert bob.state is UserState.ACTIVE


def test_word_of_who_is_no_administrator_any_more_does_nothing(root: Reader, bob: User) -> None:
    (result,) = root.results(f"suspend {bob.address}", trust=Trust.DELIVER)
    offer, _refusal = steps(result.outcome)
    root.user.role = UserRole.READER

    assert problem(root.run(offer)).code == "forbidden.administrator"
    assert bob.state is UserState.ACTIVE


@pytest.mark.parametrize(
    ("role", "state"), [(UserRole.READER, UserState.ACTIVE), (UserRole.ADMINISTRATOR, UserState.SUSPENDED)]
)
def test_service_itself_asks_who_it_is(ada: Reader, role: UserRole, state: UserState) -> None:
    ada.user.role, ada.user.state = role, state
    ada.run("list")

    with pytest.raises(Forbidden):
        Administration(ada.works[-1], ada.user)


def test_nobody_is_offered_to_suspend_themselves(root: Reader, bob: User) -> None:
    answer = root.run("users")

    offered = [
        step.command
        for block in answer.blocks
        if isinstance(block, Items)
        for item in block.items
        for step in item.steps
    ]
    assert f"suspend {bob.address}" in offered
    assert f"suspend {root.user.address}" not in offered


def test_one_subscription_is_one(root: Reader, session: Session) -> None:
    make_subscription(session, root.user)

    assert facts(root.run("totals"))["Feeds"] == "1, with 1 subscription"


def test_page_behind_the_last_is_told_from_it(root: Reader) -> None:
    assert "There is only one page." in str(root.run("users 9"))
