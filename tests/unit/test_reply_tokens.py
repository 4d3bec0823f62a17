"""Tokens of reply addresses: of one mail, for one user, until a day, and not to be made by anybody else."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from core.mail.outgoing import Identity
from core.tokens import ReplyToken, TokenSigner

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
SIGNER = TokenSigner(KEY)
DAY = date(2026, 12, 23)
TOKEN = SIGNER.make_reply(user_id=7, reference="K7Q29-FDM3X", last_day=DAY)


def test_a_token_says_which_mail_it_is_of_and_how_long_it_is_good() -> None:
    assert SIGNER.read_reply(TOKEN.upper(), user_id=7) == ReplyToken("K7Q29-FDM3X", DAY)


def test_a_token_is_nothing_to_another_user() -> None:
    assert SIGNER.read_reply(TOKEN, user_id=8) is None


@pytest.mark.parametrize("place", range(len(TOKEN)))
def test_no_letter_of_a_token_can_be_changed(place: int) -> None:
    other = "2" if TOKEN[place] != "2" else "3"

    assert SIGNER.read_reply(TOKEN[:place] + other + TOKEN[place + 1 :], user_id=7) is None


@pytest.mark.parametrize("broken", ["", "r-", TOKEN[:-1], TOKEN + "a", "ü" * 31, "0" * 31])
def test_what_is_no_token_is_read_as_none(broken: str) -> None:
    assert SIGNER.read_reply(broken, user_id=7) is None


def test_a_token_of_the_key_before_is_still_good_and_one_of_another_key_is_not() -> None:
    assert TokenSigner(OTHER_KEY, (KEY,)).read_reply(TOKEN, user_id=7) is not None
    assert TokenSigner(OTHER_KEY).read_reply(TOKEN, user_id=7) is None


def test_a_signature_of_a_confirmation_is_none_of_a_reply() -> None:
    confirmation = SIGNER.make(("7", "K7Q29-FDM3X"))

    assert SIGNER.read_reply(confirmation[1:], user_id=7) is None


def test_keys_do_not_stand_in_what_is_logged() -> None:
    assert "kkk" not in repr(TokenSigner(KEY, (KEY,)))


@pytest.mark.parametrize(
    ("local_part", "has_token"), [("books", True), ("b" * 30, True), ("b" * 31, False), ("b" * 64, False)]
)
def test_reply_address_is_one_that_smtp_takes(local_part: str, has_token: bool) -> None:
    identity = Identity(address=f"{local_part}@inkpost.example", signer=SIGNER)

    address = identity.reply_address(user_id=7, reference="K7Q29-FDM3X", now=datetime(2026, 11, 23, 6, tzinfo=UTC))

    assert len(address.partition("@")[0]) <= 64  # RFC 5321 4.5.3.1.1
    assert address == (f"{local_part}+r-{TOKEN}@inkpost.example" if has_token else f"{local_part}@inkpost.example")
