"""`kindle`: what a reader gets for it."""

from __future__ import annotations

import pytest

from core.mail.answer import Result
from core.mail.meanings import meanings_of
from tests.support.reader import IDENTITY, Reader, problem, steps, title, titles


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


@pytest.mark.parametrize(
    "written", ['"Ada L" <Ada_1815@kindle.com>', "Ada <ada_1815@kindle.com.>", "mailto:ada_1815@kindle.com"]
)
def test_address_may_be_copied_with_what_stands_around_it(ada: Reader, written: str) -> None:
    assert "Books go to ada_1815@kindle.com from now on." in str(ada.run(f"kindle add {written}").blocks)


def test_second_word_behind_an_address_is_not_left_out(ada: Reader) -> None:
    assert problem(ada.run("kindle add ada_1815@kindle.com bob@kindle.com")).code == "request.bad"


@pytest.mark.parametrize("address", ["ada_1815@kindle", "ada_1815@kindel.com", "ada_1815@kindle.de"])
def test_address_that_is_no_kindles_is_said_to_be_none(ada: Reader, address: str) -> None:
    assert "A Kindle's ends in @kindle.com" in str(ada.run(f"kindle add {address}").blocks)


def test_device_is_found_by_its_name_as_it_was_given(ada: Reader) -> None:
    ada.run("kindle add ada_1815@kindle.com")
    ada.run('kindle add ada@pbsync.com name="My Pocket Book"')

    for name in ("my Pocket Book", "pocket book", "my-pocket-book"):
        ada.run("kindle default kindle")
        ada.run(f"kindle default {name}")
        assert titles(ada.run("kindle list"))[0] == "pocket-book (default)", name


def test_added_device_can_be_taken_back(ada: Reader) -> None:
    added = ada.run("kindle add ada_1815@kindle.com")

    assert title(ada.run(steps(added)[0])) == "Removed: kindle"
