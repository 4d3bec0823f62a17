"""`kindle`: what a reader gets for it."""

from __future__ import annotations

from core.mail.answer import Result
from core.mail.meanings import meanings_of
from tests.support.reader import IDENTITY, Reader, problem, titles


def test_first_device_is_the_default_and_the_sender_to_approve_is_named(ada: Reader) -> None:
    answer = ada.run("kindle add ada_1815@kindle.com")

    assert IDENTITY.address in str(answer.blocks)
    assert titles(ada.run("kindle list")) == ["kindle (default)"]


def test_default_can_be_changed(ada: Reader) -> None:
    ada.run("kindle add ada_1815@kindle.com")
    ada.run("kindle add ada@pbsync.com name=pocket")

    ada.run("kindle default pocket")

    assert titles(ada.run("kindle list"))[0] == "pocket (default)"


def test_a_number_in_reply_to_the_devices_makes_that_one_the_default(ada: Reader) -> None:
    ada.run("kindle add ada_1815@kindle.com")
    ada.run("kindle add ada@pbsync.com name=pocket")

    assert meanings_of([Result("", ada.run("kindle list"))])["2"] == ["kindle default pocket"]


def test_removed_default_gives_way_to_another(ada: Reader) -> None:
    ada.run("kindle add ada_1815@kindle.com")
    ada.run("kindle add ada@pbsync.com name=pocket")

    ada.run("kindle remove kindle")

    assert titles(ada.run("kindle list")) == ["pocket (default)"]


def test_same_address_twice_is_refused(ada: Reader) -> None:
    ada.run("kindle add ada_1815@kindle.com")

    assert problem(ada.run("kindle add ADA_1815@kindle.com")).code == "conflict"


def test_what_is_no_address_is_refused(ada: Reader) -> None:
    assert problem(ada.run("kindle add nonsense")).code.startswith("request")
