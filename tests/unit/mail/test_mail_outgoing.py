"""The wire form of what we send, read back by the standard library as a stranger would."""

from __future__ import annotations

import base64
import email
import io
import re
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from typing import BinaryIO

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.mail.outgoing import (
    BOT_POLICY,
    CHUNK_BYTES,
    AttachedFile,
    Identity,
    OpenBlob,
    OutgoingMail,
    StreamedBody,
    attachment_name,
    compose_delivery,
    encoded_size,
    to_address,
    to_bytes,
)
from core.ports import BlobCorrupt

IDENTITY = Identity(address="books@inkpost.example", name="Inkpost")
DATE = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)
KEY = "books/ab/ab12cd34ef.epub"


def delivery(content: bytes, *, title: str = "Dune", authors: tuple[str, ...] = ("Frank Herbert",)) -> OutgoingMail:
    filename = attachment_name(title=title, authors=authors, storage_key=KEY, extension="epub")
    return compose_delivery(
        identity=IDENTITY,
        rcpt_to="reader_1@kindle.com",
        reference="K7Q29-FDM3X",
        date=DATE,
        title=title,
        authors=authors,
        file=AttachedFile(key=KEY, size_bytes=len(content), filename=filename, media_type="application/epub+zip"),
    )


def holding(content: bytes) -> OpenBlob:
    @contextmanager
    def open_blob(key: str) -> Iterator[BinaryIO]:
        yield io.BytesIO(content)

    return open_blob


def body_of(mail: OutgoingMail, content: bytes = b"") -> StreamedBody:
    return StreamedBody(
        head=mail.head,
        message_id=mail.message_id,
        attachment_key=mail.attachment.key if mail.attachment else None,
        size_bytes=mail.size_bytes,
        open_blob=holding(content),
    )


def read(raw: bytes) -> EmailMessage:
    return email.message_from_bytes(raw, policy=policy.default)


def test_delivery_has_the_shape_that_amazon_takes() -> None:
    message = read(b"".join(body_of(delivery(b"book"), b"book").chunks()))

    text, attachment = message.iter_parts()
    assert message.get_content_type() == "multipart/mixed"
    assert str(message["From"]) == "Inkpost <books@inkpost.example>"
    assert str(message["To"]) == "reader_1@kindle.com"
    assert message["Subject"] == "Book: Dune"
    assert message["Date"].datetime == DATE
    assert message["Message-ID"] == "<K7Q29-FDM3X@inkpost.example>"
    assert message["MIME-Version"] == "1.0"
    assert text.get_content_type() == "text/plain"
    assert "Dune\r\nby Frank Herbert" in text.as_bytes(policy=policy.SMTP).decode("ascii")
    assert attachment.get_content_type() == "application/epub+zip"
    assert attachment.get_content_disposition() == "attachment"
    assert attachment.get_filename() == "Dune - Frank Herbert.epub"
    assert attachment.get_payload(decode=True) == b"book"
    assert message.defects == []


@given(st.binary(min_size=1, max_size=300) | st.integers(47_870, 47_890).map(bytes))  # 47,880 bytes make one chunk
def test_size_is_known_without_reading_and_content_comes_back(content: bytes) -> None:
    mail = delivery(content)

    raw = b"".join(body_of(mail, content).chunks())

    assert len(raw) == mail.size_bytes
    assert next(iter(read(raw).iter_attachments())).get_payload(decode=True) == content


@pytest.mark.parametrize("size_bytes", [0, 1, 2, 3, 56, 57, 58, 114, 1000, 57 * 840, 57 * 840 + 1, 200_003])
def test_encoded_size_is_the_size_of_the_lines(size_bytes: int) -> None:
    lines = textwrap.wrap(base64.b64encode(bytes(size_bytes)).decode(), 76)

    assert encoded_size(size_bytes) == len("".join(f"{line}\r\n" for line in lines))


def test_lines_are_at_most_76_columns_and_end_in_crlf() -> None:
    content = bytes(range(256)) * 800
    mail = delivery(content)

    encoded = b"".join(body_of(mail, content).chunks())[len(mail.head) :]

    assert max(map(len, encoded.split(b"\r\n"))) == 76
    assert encoded.count(b"\n") == encoded.count(b"\r\n")


def test_body_can_be_read_again_in_pieces_of_64_kib() -> None:
    content = bytes(300_000)
    body = body_of(delivery(content), content)

    first, second = list(body.chunks()), list(body.chunks())

    assert first == second
    assert max(map(len, first)) <= CHUNK_BYTES


@pytest.mark.parametrize("found", [b"", b"shorter", b"longer than it was said to be" * 10])
def test_blob_of_another_size_is_not_sent_as_a_whole_mail(found: bytes) -> None:
    mail = delivery(b"as it was announced")

    with pytest.raises(BlobCorrupt):
        list(body_of(mail, found).chunks())


def test_store_that_reads_in_small_pieces_gives_the_same_lines() -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(size or 0, 1000))

    @contextmanager
    def open_slowly(key: str) -> Iterator[BinaryIO]:
        yield Slow(content)

    content = bytes(range(256)) * 500
    mail = delivery(content)
    slow = StreamedBody(
        head=mail.head,
        message_id=mail.message_id,
        attachment_key=KEY,
        size_bytes=mail.size_bytes,
        open_blob=open_slowly,
    )

    assert b"".join(slow.chunks()) == b"".join(body_of(mail, content).chunks())


@pytest.mark.parametrize(
    "head", [b"A: b\n\r\n", b"A: b\r\r\n", b"A: b\r\n\r\ntext\r.\r\n", b"A: b", b"A: " + b"b" * 996 + b"\r\n"]
)
def test_message_that_could_be_read_as_two_is_refused(head: bytes) -> None:
    with pytest.raises(ValueError, match="a message has"):
        OutgoingMail(reference="R", message_id="<r@x>", mail_from="", rcpt_to="a@b", subject="s", head=head)


def test_empty_file_is_not_sent() -> None:
    with pytest.raises(ValueError, match="not a book"):
        delivery(b"")


# Every kind of line end that Python, a parser or a server knows, and what an attacker would put behind one.
hostile = st.text(
    alphabet=st.sampled_from('ab ü字\r\n\t\x00\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"\\:;<>@=?-,\u202e\ud800Bcc'),
    max_size=200,
)


@given(title=hostile, author=hostile)
def test_no_title_or_author_writes_a_header_or_a_part_of_its_own(title: str, author: str) -> None:
    mail = delivery(b"book", title=title, authors=(author,))

    message = read(b"".join(body_of(mail, b"book").chunks()))

    assert message.keys() == ["From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type"]
    _text, attachment = message.iter_parts()
    assert attachment.keys() == ["Content-Type", "Content-Disposition", "Content-Transfer-Encoding"]
    assert attachment.get_content_type() == "application/epub+zip"
    assert attachment.get_payload(decode=True) == b"book"
    assert str(message["Subject"]).isascii()
    assert len(str(message["Subject"])) > len("Book: ")
    assert mail.head.isascii()


@example(value="\r\n", field="Subject")
@given(value=hostile, field=st.sampled_from(["Subject", "In-Reply-To", "References", "From", "To", "List-Id", "X-Any"]))
def test_a_field_is_one_field_or_is_refused(value: str, field: str) -> None:
    message = EmailMessage(policy=BOT_POLICY)
    try:
        message[field] = value
        message.set_content("text")
        raw = to_bytes(message)
    except (ValueError, IndexError, UnicodeError, AttributeError):
        return  # the standard library refuses what it cannot write (some of it by accident, which is as good)

    head = raw.partition(b"\r\n\r\n")[0]
    starts = re.findall(rb"(?m)^([^\s:]+):", head.replace(b"\r\n", b"\n"))
    assert next(name.decode() for name in starts) == field
    assert len(starts) == len(message.keys())


@given(title=hostile | st.text(max_size=300), author=hostile | st.text(max_size=100))
def test_file_names_are_safe_everywhere(title: str, author: str) -> None:
    name = attachment_name(title=title, authors=(author,), storage_key=KEY, extension="epub")

    assert re.fullmatch(r"[ !#-\[\]-~]+\.epub", name)
    assert not re.search(r'[<>:"/\\|?*]', name)
    assert len(name) <= 105
    assert name[0] not in " ."


@pytest.mark.parametrize(
    ("title", "authors", "name"),
    [
        ("Dune", ("Frank Herbert",), "Dune - Frank Herbert.epub"),
        ("Война и мир", ("Лев Толстой",), "Voyna i mir - Lev Tolstoy.epub"),
        ("Les Misérables: tome 1/5", (), "Les Miserables - tome 1-5.epub"),
        ("Straße der Äpfel", ("Łukasz Ødegård",), "Strasse der Apfel - Lukasz Odegard.epub"),
        ("三体", ("刘慈欣",), "Book ab12cd34.epub"),
        ("CON", (), "CON_.epub"),
        ("...", (), "Book ab12cd34.epub"),
        ("word " * 60, (), ("word " * 20).strip() + ".epub"),
    ],
)
def test_file_name_says_the_title(title: str, authors: tuple[str, ...], name: str) -> None:
    assert attachment_name(title=title, authors=authors, storage_key=KEY, extension="epub") == name


@given(st.lists(st.from_regex(r"<[a-z0-9.=+_-]{1,150}@[a-z0-9.-]{1,60}>", fullmatch=True), min_size=1, max_size=8))
def test_references_are_folded_at_blanks_only(ids: list[str]) -> None:
    message = EmailMessage(policy=BOT_POLICY)
    message["References"] = " ".join(ids)
    message.set_content("text")

    raw = to_bytes(message)

    assert str(read(raw)["References"]).split() == ids
    assert b"=?" not in raw


@pytest.mark.parametrize("field", ["In-Reply-To", "References", "List-Unsubscribe"])
def test_long_id_stays_whole_and_short_ones_share_lines(field: str) -> None:
    outlook = "<PAXPR04MB9999" + "A1B2C3D4" * 12 + "@PAXPR04MB9999.eurprd04.prod.outlook.example>"
    ids = [outlook, *(f"<short-{number}@example.org>" for number in range(6))]
    message = EmailMessage(policy=BOT_POLICY)
    message[field] = " ".join(ids)
    message.set_content("text")

    head = to_bytes(message).partition(b"\r\n\r\n")[0].decode("ascii")

    lines = head[: head.index("\r\nContent-Type")].split("\r\n")
    assert lines[0] == f"{field}: {outlook}"
    assert all(len(line) <= 78 for line in lines[1:])
    assert " ".join(lines).removeprefix(f"{field}:").split() == ids
    assert len(lines) == 3


mixed_words = st.lists(
    st.text(alphabet="abcdefghijk.,()?=_", min_size=1, max_size=12) | st.text(alphabet="äöüéяжш字書", max_size=6),
    min_size=1,
    max_size=20,
).map(" ".join)


@given(st.text(alphabet=st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=80) | mixed_words)
def test_subjects_and_names_come_back_as_they_were_written(text: str) -> None:
    written = " ".join(text.split()) or "x"
    message = EmailMessage(policy=BOT_POLICY)
    message["Subject"] = written
    message["From"] = Address(written, addr_spec="books@inkpost.example")
    message.set_content("text")

    back = read(to_bytes(message))

    assert back["Subject"] == written
    assert back["From"].addresses[0].display_name == written
    assert back["From"].addresses[0].addr_spec == "books@inkpost.example"


def test_internationalised_address_is_written_in_utf8() -> None:
    message = EmailMessage(policy=BOT_POLICY)
    message["To"] = to_address("юлия@пример.example", name="Юлия")
    message.set_content("text")

    assert "юлия@пример.example".encode() in to_bytes(message)


def test_text_with_any_line_ends_has_crlf_on_the_wire() -> None:
    message = EmailMessage(policy=BOT_POLICY)
    message["Subject"] = "x"
    message.set_content("one\ntwo\r\nthree\n.\nÜ" + "long " * 300)

    raw = to_bytes(message)

    assert raw.count(b"\n") == raw.count(b"\r\n") == raw.count(b"\r")
    assert max(map(len, raw.split(b"\r\n"))) <= 78


@given(text=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60).map(str.strip).filter(bool))
def test_short_field_is_what_the_library_makes_of_it(text: str) -> None:
    value = policy.SMTP.header_factory("Subject", text)

    assert BOT_POLICY.fold_binary("Subject", value) == policy.SMTP.fold_binary("Subject", value)


@pytest.mark.parametrize("length", range(60, 90))
def test_subject_begins_on_its_own_line(length: int) -> None:
    subject = "There is no feed at the address of " + "a" * (length - 45) + " and so on"

    field = BOT_POLICY.fold_binary("Subject", subject)

    assert field.startswith(b"Subject: There")
    assert field.replace(b"\r\n", b"") == f"Subject: {subject}".encode()
