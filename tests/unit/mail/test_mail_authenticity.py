"""Which addresses are ours, and whose network a peer is in."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from core.mail.authenticity import OurAddresses, is_listed
from core.mail.results import mailbox_results

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


def test_tokens_of_reply_addresses_are_no_secrets() -> None:
    rcpt_tos = ["books+R-AbC@books.example", "books+k3y@books.example", "books+r-x@elsewhere.example"]
    assert OURS.reply_tokens_in(rcpt_tos) == ["abc"]
    assert OURS.secrets_in(rcpt_tos) == ["k3y"]


def test_the_secret_address_that_was_written_to_is_known_as_it_was_written() -> None:
    rcpt_tos = ["friend@elsewhere.example", "books+r-abc@books.example", "Books+k3y@books.example"]
    assert OURS.secret_address(rcpt_tos) == "Books+k3y@books.example"
    assert OURS.secret_address(["books@books.example"]) == ""


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


GMAIL = "mx.google.com"
PASS = f"{GMAIL}; dkim=pass header.i=@reader.example; dmarc=pass (p=REJECT dis=NONE) header.from=reader.example"
TRACE = [
    ("Delivered-To", "books@gmail.test"),
    ("Received", "by 2002:a05:6a10:1 with SMTP id x"),
    ("X-Received", "by y"),
]
HOP = ("Received", "from mail.reader.example by mx.google.com with ESMTPS id z")


def vouched(*fields: tuple[str, str], domain: str = "reader.example") -> bool:
    """Whether the provider's word stands in a header of these fields, below its trace."""
    found = mailbox_results([*TRACE, *fields], GMAIL)
    return found is not None and found.passes_dmarc(domain)


def result(value: str) -> tuple[str, str]:
    return ("Authentication-Results", value)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param([HOP, result(PASS)], id="below its own hop, as Gmail writes it"),
        pytest.param([result(PASS), HOP], id="on top, as others do"),
        pytest.param([HOP, result(PASS.replace("; ", ";\r\n       "))], id="folded"),
        pytest.param([HOP, result(PASS.replace(GMAIL, f"(a comment) {GMAIL} 1"))], id="with a comment and a version"),
        pytest.param(
            [HOP, result(PASS), result("mx.evil.test; dmarc=fail header.from=x.test")], id="a stranger's below"
        ),
    ],
)
def test_house_of_a_mailbox_is_believed_for_what_it_wrote(fields: list[tuple[str, str]]) -> None:
    assert vouched(*fields)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param([HOP], id="it wrote nothing"),
        pytest.param([HOP, result(PASS.replace("dmarc=pass", "dmarc=fail"))], id="it fails"),
        pytest.param([HOP, result(PASS.replace("from=reader", "from=evil"))], id="for another domain"),
        pytest.param([HOP, result(f"{GMAIL}; dkim=pass header.i=@reader.example")], id="says nothing of DMARC"),
        pytest.param([HOP, result(f"{GMAIL}; dmarc=fail header.from=reader.example"), result(PASS)], id="forged below"),
        pytest.param([result(PASS), HOP, result(f"{GMAIL}; dmarc=none")], id="forged above: two of its name"),
        pytest.param([HOP, result(PASS), result(f"({GMAIL}) broken")], id="its name in one below that cannot be read"),
        pytest.param([HOP, result("mx.evil.test; dmarc=pass header.from=reader.example")], id="another name"),
        pytest.param([HOP, result("mx.other.test; spf=pass"), result(PASS)], id="not the topmost"),
        pytest.param([HOP, result(PASS.replace(GMAIL, "mx.google.com.evil.test"))], id="a name that begins like it"),
        pytest.param([HOP, result(f"evil.test ({GMAIL}); dmarc=pass header.from=reader.example")], id="in a comment"),
        pytest.param([HOP, result(f"evil.test (x\r\n {PASS})")], id="in a folded comment"),
        pytest.param([HOP, ("X-Authentication-Results", PASS)], id="a field of another name"),
        pytest.param([HOP, result(f"{PASS}; dmarc=fail header.from=reader.example")], id="two verdicts"),
    ],
)
def test_what_a_sender_can_write_into_a_mail_to_a_mailbox_is_not_believed(fields: list[tuple[str, str]]) -> None:
    assert not vouched(*fields)
