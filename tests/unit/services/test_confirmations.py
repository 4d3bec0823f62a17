"""Tokens of confirmations: good once, for a day, for their user and their command, and not to be made by anybody."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.errors import Forbidden, TooMuch
from core.mail.grammar import Command
from core.models import Confirmation, User
from core.services.confirmations import MAX_OPEN, VALID_HOURS, Confirmations, forget_confirmations
from core.tokens import TokenSigner
from tests.factories.rows import NOW, make_user, make_work, open_database

SIGNER = TokenSigner(b"k" * 32)
COMMAND = Command(
    "remove",
    words=("2",),
    options={"title": "Dune"},
    phrases={"to": ("kobo",)},
    undivided=("2", "to", "kobo"),
    line="remove 2 to kobo",
)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    with open_database(tmp_path / "library.db") as engine, Session(engine) as opened:
        yield opened


@pytest.fixture
def user(session: Session) -> User:
    return make_user(session)


def desk(session: Session, *, hours: float = 0, signer: TokenSigner = SIGNER) -> Confirmations:
    return Confirmations(make_work(session, now=NOW + timedelta(hours=hours)), signer)


def refusal(session: Session, user_id: int, token: str, *, hours: float = 0, signer: TokenSigner = SIGNER) -> str:
    with pytest.raises(Forbidden) as caught:
        desk(session, hours=hours, signer=signer).take(user_id, token)
    return caught.value.code


def test_token_gives_back_the_command_as_it_was_read(session: Session, user: User) -> None:
    token = desk(session).ask(user.id, COMMAND, replied_to=("<1@x>", "<2@x>"))

    assert desk(session, hours=VALID_HOURS - 1).take(user.id, f" {token.upper()} ") == (COMMAND, ("<1@x>", "<2@x>"))


def test_token_is_good_once(session: Session, user: User) -> None:
    token = desk(session).ask(user.id, COMMAND, replied_to=())
    desk(session).take(user.id, token)

    assert refusal(session, user.id, token) == "confirm.used"


def test_token_is_good_for_a_day(session: Session, user: User) -> None:
    token = desk(session).ask(user.id, COMMAND, replied_to=())

    assert refusal(session, user.id, token, hours=VALID_HOURS) == "confirm.expired"


def test_token_is_its_users_alone(session: Session, user: User) -> None:
    other = make_user(session, address="eve@reader.example")
    token = desk(session).ask(user.id, COMMAND, replied_to=())

    assert refusal(session, other.id, token) == "confirm.unknown"
    desk(session).take(user.id, token)


@pytest.mark.parametrize("token", ["", "x", "a" * 32, "é" * 32, "'; drop table confirmation; --"])
def test_guess_is_unknown(session: Session, user: User, token: str) -> None:
    desk(session).ask(user.id, COMMAND, replied_to=())

    assert refusal(session, user.id, token) == "confirm.unknown"


def test_database_alone_makes_no_token_and_holds_none(session: Session, user: User) -> None:
    token = desk(session).ask(user.id, COMMAND, replied_to=())

    row = session.scalars(sa.select(Confirmation)).one()
    assert token not in str(vars(row))
    assert refusal(session, user.id, token, signer=TokenSigner(b"x" * 32)) == "confirm.unknown"


@pytest.mark.parametrize(
    ("column", "value"),
    [("command", {"name": "settings"}), ("replied_to", ["<3@x>"]), ("expires_at", NOW)],
)
def test_row_that_was_altered_has_no_token_that_fits(session: Session, user: User, column: str, value: object) -> None:
    token = desk(session).ask(user.id, COMMAND, replied_to=())
    setattr(session.scalars(sa.select(Confirmation)).one(), column, value)

    assert refusal(session, user.id, token) == "confirm.unknown"


def test_flood_of_questions_ends(session: Session, user: User) -> None:
    for _ in range(MAX_OPEN):
        desk(session).ask(user.id, COMMAND, replied_to=())

    with pytest.raises(TooMuch):
        desk(session).ask(user.id, COMMAND, replied_to=())
    desk(session, hours=VALID_HOURS).ask(user.id, COMMAND, replied_to=())


def test_what_expired_is_forgotten(session: Session, user: User) -> None:
    desk(session).ask(user.id, COMMAND, replied_to=())
    desk(session, hours=1).ask(user.id, COMMAND, replied_to=())

    forget_confirmations(make_work(session, now=NOW + timedelta(hours=VALID_HOURS)))

    assert session.scalar(sa.select(sa.func.count(Confirmation.id))) == 1


def test_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="32"):
        TokenSigner(b"short")
