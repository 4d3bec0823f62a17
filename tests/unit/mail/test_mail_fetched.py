"""The envelope of a mail that lay in a mailbox."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.mail.authenticity import OurAddresses
from core.mail.fetched import MAX_HEADER_BYTES, MAX_RECIPIENTS, fetched_envelope
from core.values import Envelope

OURS = OurAddresses(domains=frozenset({"books.example"}), local_parts=frozenset({"books"}))
FROM = b"From: Ann <ann@example.org>\r\n"


def envelope(header: bytes) -> Envelope:
    return fetched_envelope(header + b"\r\nTo: books+body@books.example\r\n", OURS, mailbox="books@books.example")


@pytest.mark.parametrize(
    ("header", "rcpt_tos"),
    [
        (b"To: books+s3cret@books.example\r\n", ("books+s3cret@books.example",)),
        (b"To: Me <me@example.org>,\r\n Inkpost <Books+S3cret@Books.Example>\r\n", ("Books+S3cret@Books.Example",)),
        (b"To: x@y.example\r\nDelivered-To: books+s3cret@books.example\r\n", ("books+s3cret@books.example",)),
        (
            b"Cc: books+b@books.example\r\nTo: books+a@books.example, books+a@books.example\r\n",
            ("books+a@books.example", "books+b@books.example"),
        ),
        (b"To: evil-books+s@books.example.org, books@elsewhere.example\r\n", ("books@books.example",)),
        (b"X-Other: books+s3cret@books.example\r\n", ("books@books.example",)),
        (b"", ("books@books.example",)),
    ],
)
def test_recipients_are_our_addresses_in_the_header(header: bytes, rcpt_tos: tuple[str, ...]) -> None:
    assert envelope(FROM + header).rcpt_tos == rcpt_tos


@pytest.mark.parametrize(
    ("header", "mail_from"),
    [
        (b"Return-Path: <bounce@example.org>\r\n" + FROM, "bounce@example.org"),
        (b"Return-Path: <>\r\n" + FROM, ""),
        (b"Return-Path: <last@example.org>\r\nReturn-Path: <first@example.org>\r\n" + FROM, "last@example.org"),
        (b"Return-Path: <" + b"x" * 5000 + b">\r\n" + FROM, "ann@example.org"),
        (FROM, "ann@example.org"),
        (FROM + FROM, ""),
    ],
)
def test_reverse_path_is_what_the_last_server_wrote_or_else_the_author(header: bytes, mail_from: str) -> None:
    assert envelope(header).mail_from == mail_from


def test_recipients_and_header_are_bounded() -> None:
    many = b"".join(b"To: books+%d@books.example\r\n" % number for number in range(500))
    assert len(envelope(many).rcpt_tos) == MAX_RECIPIENTS
    late = b"X: y\r\n" * (MAX_HEADER_BYTES // 6) + b"To: books+late@books.example\r\n"
    assert envelope(late).rcpt_tos == ("books@books.example",)


@given(st.binary(max_size=400))
def test_any_octets_have_an_envelope(content: bytes) -> None:
    found = fetched_envelope(content, OURS, mailbox="books@books.example")
    assert found.rcpt_tos
    assert len(found.mail_from) <= 320
