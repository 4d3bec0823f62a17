"""`secret`: the address that is the user's alone."""

from __future__ import annotations

from core.models import User
from tests.support.reader import IDENTITY, Reader, facts, problem, steps, title


def test_new_secret_is_told_and_the_old_one_is_over(ada: Reader) -> None:
    ada.run("secret new")
    old = ada.user.secret_hash

    address = facts(ada.run("secret new"))["Write to"]

    secret = address.partition("+")[2].partition("@")[0]
    assert address == f"books+{secret}@inkpost.example"
    assert User.by_secret(ada.session, secret) is ada.user
    assert ada.user.secret_hash != old


def test_revoked_secret_is_nobodys(ada: Reader) -> None:
    address = facts(ada.run("secret new"))["Write to"]

    outcome = ada.run("secret revoke")

    assert title(outcome) == "Your secret address is gone"
    assert User.by_secret(ada.session, address.partition("+")[2].partition("@")[0]) is None
    assert steps(outcome) == ["secret new"]


def test_secret_itself_is_never_shown_again(ada: Reader) -> None:
    assert steps(ada.run("secret revoke")) == ["secret new"]
    secret = facts(ada.run("secret new"))["Write to"].partition("+")[2].partition("@")[0]

    assert secret not in str(ada.run("secret"))
    assert IDENTITY.address.partition("@")[2] not in str(ada.run("secret"))


def test_anything_else_is_refused(ada: Reader) -> None:
    assert problem(ada.run("secret tell")).code.startswith("request")
