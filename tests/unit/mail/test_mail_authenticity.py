"""Which addresses are ours, and whose network a peer is in."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from core.mail.authenticity import OurAddresses, is_listed

OURS = OurAddresses(domains=frozenset({"books.example"}), local_parts=frozenset({"books", "library"}))


@pytest.mark.parametrize(
    ("address", "taken"),
    [
        ("books@books.example", True),
        ("BOOKS+abc@Books.Example", True),
        ("library@books.example", True),
        ("someone@books.example", False),
        ("books@elsewhere.example", False),
        ("books", False),
        ("books@evil.example@books.example", False),
    ],
)
def test_command_addresses(address: str, taken: bool) -> None:
    assert OURS.takes_commands(address) is taken


def test_secrets_are_the_subaddresses_of_our_own_recipients() -> None:
    rcpt_tos = ["books+K3Y@books.example", "books@books.example", "books+other@elsewhere.example"]
    assert OURS.secrets_in(rcpt_tos) == ["k3y"]


def test_answers_come_from_the_address_that_was_written_to() -> None:
    rcpt_tos = ["friend@elsewhere.example", "books+k3y@books.example"]
    assert OURS.reply_address(rcpt_tos, default="books@books.example") == "books+k3y@books.example"
    assert OURS.reply_address([], default="books@books.example") == "books@books.example"


@pytest.mark.parametrize(
    ("ip", "listed"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("fe80::1%eth0", True),
        ("11.1.2.3", False),
        ("not an address", False),
        (None, False),
    ],
)
def test_listed_networks(ip: str | None, listed: bool) -> None:
    networks = (ip_network("10.0.0.0/8"), ip_network("fe80::/10"))
    assert is_listed(ip, networks) is listed


def test_readers_own_sender_is_ours_only_where_readers_have_one() -> None:
    own = OurAddresses(domains=OURS.domains, local_parts=OURS.local_parts, has_readers_own=True)

    assert own.takes_commands("books-17@books.example")
    assert not OURS.takes_commands("books-17@books.example")
    assert not own.takes_commands("books-0@books.example")
    assert not own.takes_commands("books-x@books.example")
    assert not own.takes_commands("books-17@elsewhere.example")
