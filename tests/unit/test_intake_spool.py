"""The spool, and the key by which the same mail is known."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.intake.spool import MAX_HEADER_BYTES, MailDigest, SpoolFolder
from core.values import Envelope

ENVELOPE = Envelope("a@example.org", ("books@books.example",))
MAIL = (
    b"Received: from one\r\nFrom: a@example.org\r\nTo: books@books.example\r\nSubject: add\r\n folded\r\n"
    b"Date: Sun, 22 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@example.org>\r\n\r\nbody\r\n"
)


def key(content: bytes, envelope: Envelope = ENVELOPE, *, pieces: int = 1) -> str:
    digest = MailDigest()
    step = -(-len(content) // pieces) or 1
    for at in range(0, len(content), step):
        digest.update(content[at : at + step])
    return digest.mail_key(envelope)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[SpoolFolder]:
    folder = SpoolFolder(tmp_path / "spool", inline_limit_bytes=100)
    folder.prepare()
    yield folder
    folder.close()


def content_hash(content: bytes) -> str:
    digest = MailDigest()
    digest.update(content)
    return digest.content_hash


def test_content_hash_is_made_of_the_hashes_of_header_and_body() -> None:
    header, body = MAIL.split(b"\r\n\r\n")
    halves = hashlib.sha256(header + b"\r\n").digest() + hashlib.sha256(b"\r\n" + body).digest()

    assert content_hash(MAIL) == hashlib.sha256(halves).hexdigest()


@pytest.mark.parametrize("place", [0, 70, len(MAIL) - 1], ids=["trace", "field", "body"])
def test_content_hash_tells_every_octet(place: int) -> None:
    assert content_hash(MAIL[:place] + b"#" + MAIL[place + 1 :]) != content_hash(MAIL)


@pytest.mark.parametrize("pieces", [2, 3, 7, 200])
def test_key_does_not_depend_on_how_the_mail_was_cut(pieces: int) -> None:
    assert key(MAIL, pieces=pieces) == key(MAIL)


@pytest.mark.parametrize(
    "trace",
    [
        b"Received: from two\r\n",
        b"Return-Path: <a@example.org>\r\n",
        b"Delivered-To: books@books.example\r\nX-Spam-Score: 0\r\n",
    ],
)
def test_mail_that_comes_by_another_way_is_the_same(trace: bytes) -> None:
    assert key(trace + MAIL) == key(MAIL)


def test_mail_that_is_sent_again_from_another_envelope_address_is_the_same() -> None:
    assert key(MAIL, Envelope("srs=a@forwarder.example", ENVELOPE.rcpt_tos)) == key(MAIL)


@pytest.mark.parametrize(
    ("part", "other"),
    [
        (b"<1@example.org>", b"<2@example.org>"),
        (b"Subject: add", b"Subject: list"),
        (b" folded", b" unfolded"),
        (b"10:00:00", b"10:00:01"),
        (b"From: a@", b"From: b@"),
        (b"body", b"bodies"),
    ],
)
def test_what_the_author_changed_makes_another_mail(part: bytes, other: bytes) -> None:
    assert key(MAIL.replace(part, other)) != key(MAIL)


def test_mail_to_others_is_the_same_mail() -> None:
    assert key(MAIL, Envelope("a@example.org", ("books+secret@books.example",))) == key(MAIL)


def test_mail_that_names_itself_nowhere_is_known_by_every_octet_and_its_sender() -> None:
    plain = b"From: a@example.org\r\nSubject: list\r\n\r\n"
    assert key(b"Received: from two\r\n" + plain) != key(plain)
    assert key(plain, Envelope("b@example.org", ENVELOPE.rcpt_tos)) != key(plain)
    assert key(plain) == key(plain)


def test_blank_first_line_means_that_there_is_no_header() -> None:
    assert key(b"\r\nDate: x\r\n\r\none\r\n") != key(b"\r\nDate: x\r\n\r\ntwo\r\n")
    assert key(b"\r\nDate: x\r\nX: 1\r\n\r\n") != key(b"\r\nDate: x\r\nX: 2\r\n\r\n")


def test_header_without_an_end_is_a_header_all_the_same() -> None:
    assert key(b"Received: x\r\nMessage-ID: <1@x>\r\n") == key(b"Received: y\r\nMessage-ID: <1@x>\r\n")


@pytest.mark.parametrize("pieces", [1, 2, 50])
def test_endless_header_is_a_body(pieces: int) -> None:
    endless = b"Message-ID: <1@x>\r\n" + b"X: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n" * (
        MAX_HEADER_BYTES // 50
    )
    assert key(b"X: 1\r\n" + endless + b"\r\nbody", pieces=pieces) != key(b"X: 2\r\n" + endless + b"\r\nbody")


@given(st.binary(max_size=300), st.integers(1, 20))
def test_any_octets_have_a_key(content: bytes, pieces: int) -> None:
    assert key(content, pieces=pieces) == key(content)


async def test_small_mail_stays_in_memory(spool: SpoolFolder) -> None:
    mail = spool.new()
    await mail.write(b"x" * 60)
    await mail.write(b"y" * 40)
    spooled = await mail.finish(ENVELOPE)
    assert spooled.content == b"x" * 60 + b"y" * 40
    assert list(spool.folder.iterdir()) == []


async def test_large_mail_is_a_file_of_the_same_octets(spool: SpoolFolder) -> None:
    mail = spool.new()
    for _ in range(5):
        await mail.write(MAIL)
    spooled = await mail.finish(ENVELOPE)
    assert isinstance(spooled.content, Path)
    assert spooled.content.read_bytes() == MAIL * 5
    assert spooled.size_bytes == 5 * len(MAIL)
    assert spooled.content_hash == content_hash(MAIL * 5)
    assert spooled.mail_key == key(MAIL * 5)


async def test_file_that_was_given_away_survives_the_spool(spool: SpoolFolder) -> None:
    mail = spool.new()
    await mail.write(b"x" * 200)
    spooled = await mail.finish(ENVELOPE)
    mail.discard()
    spool.close()
    assert isinstance(spooled.content, Path)
    assert spooled.content.exists()


async def test_discarded_mail_leaves_no_file(spool: SpoolFolder) -> None:
    mail = spool.new()
    await mail.write(b"x" * 200)
    mail.discard()
    mail.discard()
    spool.close()
    assert list(spool.folder.iterdir()) == []


def test_what_a_crash_left_is_deleted_at_the_start(spool: SpoolFolder) -> None:
    (spool.folder / "mail-left.eml").write_bytes(b"half a mail")
    assert spool.prepare() == 1
    assert list(spool.folder.iterdir()) == []
