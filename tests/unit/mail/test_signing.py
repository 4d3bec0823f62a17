"""Our own signatures, checked by dkimpy as a stranger would, and by ourselves."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from pydantic import SecretStr

from bot.signing import DkimSettings, make_sign, open_key, record_problem
from core.mail.outgoing import AttachedFile, Identity, StreamedBody, attachment_name, compose_delivery
from core.mail.signing import DkimKey, sign_body
from core.ports import MailBody
from tests.support.names import FakeDns

NOW = 1_800_000_000
RSA = DkimKey("inkpost.example", "s1", rsa.generate_private_key(public_exponent=65_537, key_size=2048))
ED25519 = DkimKey("inkpost.example", "s1", ed25519.Ed25519PrivateKey.generate())


@dataclass(frozen=True)
class Plain:
    """A mail that is all there."""

    mail: bytes
    piece_bytes: int = 65_536

    @property
    def size_bytes(self) -> int:
        return len(self.mail)

    def chunks(self) -> Iterator[bytes]:
        for start in range(0, len(self.mail), self.piece_bytes):
            yield self.mail[start : start + self.piece_bytes]


LETTER = (
    b"From: Inkpost <books@inkpost.example>\r\nTo: ada@reader.example\r\nSubject: Your paper, 23 Nov\r\n"
    b"Date: Mon, 23 Nov 2026 06:30:00 +0000\r\nMessage-ID: <K7Q29-FDM3X@inkpost.example>\r\n"
    b"List-Unsubscribe: <https://books.example/stop/abc>,\r\n <mailto:books@inkpost.example?subject=stop>\r\n"
    b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n"
    b"Good  morning \t\r\n\r\n.\r\nThe end\r\n\r\n\r\n"
)


def whole(body: MailBody) -> bytes:
    mail = b"".join(body.chunks())
    assert len(mail) == body.size_bytes
    return mail


def is_valid(mail: bytes, key: DkimKey) -> bool:
    return dkim.verify(mail, dnsfunc=lambda name, timeout=5: key.record.encode(), minkey=2048)


@pytest.mark.parametrize("key", [RSA, ED25519], ids=lambda key: key.algorithm)
@pytest.mark.parametrize("piece_bytes", [1, 7, 65_536])
def test_signature_is_good_to_a_stranger(key: DkimKey, piece_bytes: int) -> None:
    signed = whole(sign_body(Plain(LETTER, piece_bytes), key, signed_at=NOW // 2))

    assert signed.endswith(LETTER)
    assert is_valid(signed, key)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"The end", b"The End"),
        (b"23 Nov\r\n", b"24 Nov\r\n"),
        (b"stop/abc", b"stop/xyz"),
        (b"One-Click", b"No-Click"),
        (b"From: Ink", b"From: Eve <eve@evil.example>\r\nFrom: Ink"),
        (b"Subject: Your", b"Subject: Other\r\nSubject: Your"),
        (b"To: ada", b"Cc: eve@evil.example\r\nTo: ada"),
    ],
)
def test_whatever_is_changed_or_added_breaks_it(old: bytes, new: bytes) -> None:
    signed = whole(sign_body(Plain(LETTER), RSA, signed_at=NOW // 2))

    assert not is_valid(signed.replace(old, new, 1), RSA)


def test_one_click_fields_are_signed() -> None:
    field = sign_body(Plain(LETTER), RSA, signed_at=NOW).field.decode()

    names = field.partition("h=")[2].partition(";")[0].replace("\r\n", "").replace(" ", "").split(":")
    assert {"list-unsubscribe", "list-unsubscribe-post"} <= set(names)
    assert names.count("from") == 2


def test_field_fits_into_lines() -> None:
    field = sign_body(Plain(LETTER), RSA, signed_at=NOW).field.decode("ascii")

    assert max(map(len, field.split("\r\n"))) <= 78
    assert all(line.startswith(" ") for line in field.removesuffix("\r\n").split("\r\n")[1:])


def delivery(content: bytes) -> StreamedBody:
    @contextmanager
    def open_blob(key: str) -> Iterator[BinaryIO]:
        yield io.BytesIO(content)

    filename = attachment_name(title="Dune", authors=(), storage_key="books/x.epub", extension="epub")
    mail = compose_delivery(
        identity=Identity(address="books@inkpost.example", name="Inkpost"),
        rcpt_to="reader_1@kindle.com",
        reference="K7Q29-FDM3X",
        date=datetime(2026, 11, 23, tzinfo=UTC),
        title="Dune",
        authors=(),
        file=AttachedFile(
            key="books/x.epub", size_bytes=len(content), filename=filename, media_type="application/epub+zip"
        ),
    )
    return StreamedBody(
        head=mail.head,
        message_id=mail.message_id,
        attachment_key="books/x.epub",
        size_bytes=mail.size_bytes,
        open_blob=open_blob,
    )


@pytest.mark.parametrize("size_bytes", [1, 57, 100_003])
def test_streamed_book_is_signed(size_bytes: int) -> None:
    assert is_valid(whole(sign_body(delivery(b"\x07" * size_bytes), RSA, signed_at=NOW // 2)), RSA)


def test_large_book_is_signed_without_being_held() -> None:
    body = delivery(b"\x07" * 8_000_000)
    tracemalloc.start()
    try:
        sign_body(body, RSA, signed_at=NOW)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak_bytes < 2_000_000


def pem(private: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@pytest.mark.parametrize(
    "text",
    [
        b"not a key",
        pem(rsa.generate_private_key(public_exponent=65_537, key_size=1024)),
        pem(ec.generate_private_key(ec.SECP256R1())),
    ],
    ids=["no PEM", "short", "of another kind"],
)
def test_key_that_no_receiver_takes_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - in words of two libraries
        DkimKey.from_pem(text, domain="inkpost.example", selector="s1")


async def test_missing_or_other_record_is_told_with_the_right_one() -> None:
    settings = DkimSettings(private_key=SecretStr(pem(ED25519.private).decode()))
    key = DkimKey.from_pem(pem(ED25519.private), domain="inkpost.example", selector="inkpost")
    assert settings.selector == key.selector

    assert await record_problem(FakeDns({}), key) == (
        f"inkpost._domainkey.inkpost.example has no such key; publish there, as TXT: {key.record}"
    )
    assert await record_problem(FakeDns({key.name: [("TXT", RSA.record)]}), key) is not None
    assert await record_problem(FakeDns({key.name: [("TXT", key.record.replace("p=", "p= "))]}), key) is None


def test_no_key_signs_nothing() -> None:
    assert open_key(DkimSettings(), service_domain="inkpost.example") is None


def test_clock_says_when() -> None:
    signed = make_sign(RSA, clock=lambda: NOW + 0.7)(Plain(LETTER))

    assert f"t={NOW};".encode() in whole(signed)
