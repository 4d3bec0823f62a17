"""What is taken at MAIL and RCPT."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.intake.policy import (
    BAD_PARAMETER,
    BAD_RECIPIENT,
    BAD_SENDER,
    NEEDS_UTF8,
    NO_MAILBOX,
    NO_RELAY,
    TOO_LARGE,
    UNKNOWN_PARAMETER,
    ForwardPath,
    Refusal,
    ReversePath,
    is_mailbox,
    judge_recipient,
    judge_sender,
    masked,
)
from core.mail.authenticity import OurAddresses

OURS = OurAddresses(domains=frozenset({"books.example"}), local_parts=frozenset({"books"}))


def sender(argument: str, *, is_extended: bool = True) -> ReversePath | Refusal:
    return judge_sender(argument, is_extended=is_extended, max_message_bytes=1000)


def recipient(path: str, *, is_utf8: bool = False) -> ForwardPath | Refusal:
    return judge_recipient(f"TO:<{path}>", OURS, is_utf8=is_utf8)


@pytest.mark.parametrize(
    "address",
    [
        "alice@example.org",
        "o'brien@example.org",
        "bounces+123=user=example.com@mail.example.org",
        '"a b"@example.org',
        '"a@b"@example.org',
        '"a\\"b>"@example.org',
        "alice@[192.0.2.1]",
        "alice@[IPv6:2001:db8::1]",
        "root@localhost",
        f"{'v' * 120}@example.org",
    ],
)
def test_mailbox_of_the_standard_is_a_sender(address: str) -> None:
    assert sender(f"FROM:<{address}>") == ReversePath(address, is_utf8=False)


def test_null_reverse_path_is_empty() -> None:
    assert sender("FROM:<>") == ReversePath("", is_utf8=False)


@pytest.mark.parametrize(
    "argument",
    [
        "FROM:<(any@legitimate.com>",
        "FROM:<any@legitimate.com(a.attack.com>",
        "FROM:<any@legitimate.com'@any.attack.com>",
        "FROM:<@legitimate.com,@any.com:'any@attack.com>",
        "FROM:<@a.example,@b.example:alice@example.org>",
        "FROM:<any@legitimate.com\0.attack.com>",
        "FROM:<any@-legitimate.com>",
        "FROM:<any@legitimate..com>",
        "FROM:<any@legitimate.com.>",
        "FROM:<any@legit_imate.com>",
        "FROM:< alice@example.org >",
        "FROM:<alice@example.org",
        "FROM:alice@example.org",
        "FROM:<alice>",
        "FROM:<.alice@example.org>",
        "FROM:<alice@[300.0.0.1]>",
        "FROM:<alice@[::1]>",
        "FROM:<<alice@example.org>>",
        "FROM: Alice <alice@example.org>",
        "TO:<alice@example.org>",
        f"FROM:<alice@{'x' * 64}.example>",
        f"FROM:<{'x' * 310}@example.org>",
        "",
    ],
)
def test_what_two_readers_may_read_differently_is_no_sender(argument: str) -> None:
    assert sender(argument) == BAD_SENDER


@pytest.mark.parametrize(
    ("parameters", "verdict"),
    [
        ("SIZE=1000", ReversePath("a@b.example", is_utf8=False)),
        ("size=1000 body=8bitmime", ReversePath("a@b.example", is_utf8=False)),
        ("AUTH=<>", ReversePath("a@b.example", is_utf8=False)),
        ("SMTPUTF8", ReversePath("a@b.example", is_utf8=True)),
        ("SIZE=1001", TOO_LARGE),
        ("SIZE=99999999999999999999", TOO_LARGE),
        ("SIZE=999999999999999999999", BAD_PARAMETER),
        ("SIZE=", BAD_PARAMETER),
        ("SIZE", BAD_PARAMETER),
        ("SIZE=ten", BAD_PARAMETER),
        ("SIZE=1 SIZE=2", BAD_PARAMETER),
        ("BODY=BINARYMIME", BAD_PARAMETER),
        ("SMTPUTF8=YES", BAD_PARAMETER),
        ("RET=HDRS", UNKNOWN_PARAMETER),
        ("X==", BAD_PARAMETER),
    ],
)
def test_parameters_of_mail_are_those_that_were_offered(parameters: str, verdict: ReversePath | Refusal) -> None:
    assert sender(f"FROM:<a@b.example> {parameters}") == verdict


def test_who_said_helo_was_offered_no_parameters() -> None:
    assert sender("FROM:<a@b.example> SIZE=10", is_extended=False) == BAD_PARAMETER


def test_address_beyond_ascii_needs_smtputf8() -> None:
    assert sender("FROM:<jürgen@bücher.example>") == NEEDS_UTF8
    assert sender("FROM:<jürgen@bücher.example> SMTPUTF8") == ReversePath("jürgen@bücher.example", is_utf8=True)


@pytest.mark.parametrize("domain", ["bü cher.example", "b\u00a0cher.example", "b\u202echer.example", "\u0085.example"])
def test_domain_beyond_ascii_is_a_name_that_may_exist(domain: str) -> None:
    assert not is_mailbox(f"a@{domain}")


@pytest.mark.parametrize("path", ["books@books.example", "BOOKS@Books.Example", "books+s3cret@books.example"])
def test_command_address_is_taken_as_it_stands(path: str) -> None:
    assert recipient(path) == ForwardPath(path)


@pytest.mark.parametrize("path", ["postmaster", "Postmaster", "postmaster@books.example", "PostMaster@BOOKS.example"])
def test_postmaster_is_taken_and_takes_no_commands(path: str) -> None:
    taken = recipient(path)
    assert isinstance(taken, ForwardPath)
    assert taken.address.lower() == "postmaster@books.example"
    assert not OURS.takes_commands(taken.address)


@pytest.mark.parametrize(
    ("path", "refusal"),
    [
        ("victim@elsewhere.example", NO_RELAY),
        ("books@sub.books.example", NO_RELAY),
        ("books@books.example.attack.example", NO_RELAY),
        ("postmaster@elsewhere.example", NO_RELAY),
        ("books@[127.0.0.1]", NO_RELAY),
        ("nobody@books.example", NO_MAILBOX),
        ("victim%elsewhere.example@books.example", NO_MAILBOX),
        ("elsewhere.example!victim@books.example", NO_MAILBOX),
        ("+books@books.example", NO_MAILBOX),
        ('"books@elsewhere.example"@books.example', NO_MAILBOX),
        ("@elsewhere.example:books@books.example", BAD_RECIPIENT),
        ("books", BAD_RECIPIENT),
        ("", BAD_RECIPIENT),
        ("bücher@books.example", NEEDS_UTF8),
    ],
)
def test_what_is_not_ours_is_refused(path: str, refusal: Refusal) -> None:
    assert recipient(path) == refusal


def test_recipient_has_no_parameters() -> None:
    assert judge_recipient("TO:<books@books.example> NOTIFY=NEVER", OURS, is_utf8=False) == UNKNOWN_PARAMETER


def test_subaddress_is_not_told_to_the_log() -> None:
    assert masked("books+s3cret@books.example") == "books+…@books.example"
    assert masked("TO:<books+s3cret+more@books.example>") == "TO:<books+…@books.example>"
    assert masked("books@books.example") == "books@books.example"


@given(st.text(max_size=60))
def test_any_text_gets_a_verdict(text: str) -> None:
    assert isinstance(sender(f"FROM:<{text}>"), ReversePath | Refusal)
    assert isinstance(recipient(text, is_utf8=True), ForwardPath | Refusal)


@given(st.from_regex(r'\A[a-z0-9.@"\\<>()\'%! -]{0,30}\Z'))
def test_sender_that_is_taken_has_one_domain(text: str) -> None:
    match sender(f"FROM:<{text}>"):
        case ReversePath(address) if address and not address.startswith('"'):
            assert address.count("@") == 1
