"""Mails that are made to break a parser, and anything at all."""

from __future__ import annotations

import base64
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.mail.parse import ParseLimits, parse_message
from tests.unit.mail.conftest import Parse

HEADER = "From: Ann <ann@example.org>\nTo: books@inkpost.example\nSubject: list\nMIME-Version: 1.0\n"


# -- hostile ones: each of these took a parser seconds, or its life


def _nested(levels: int) -> str:
    parts = "".join(f'Content-Type: multipart/mixed; boundary="n{n}"\n\n--n{n}\n' for n in range(levels))
    return f"{HEADER}{parts}Content-Type: text/plain\n\ndeep\n"


_TINY = "--B\n\nx\n"
_BOMBS = {
    "40,000 parts": (f"{HEADER}Content-Type: multipart/mixed; boundary=B\n\n" + _TINY * 40_000, "too many parts"),
    "3,000 levels": (_nested(3000), "nested deeper than 50"),
    "forwarded 3,000 times": (HEADER + "Content-Type: message/rfc822\n\n" * 3000, "nested deeper than 50"),
    "8,000 addresses": (f"To: {'ann@example.org, ' * 8000}\n{HEADER}\nx", "more than 1000 addresses"),
    "2,000 parameters": (
        f"{HEADER}Content-Type: text/plain{''.join(f'; a{n}*{n % 9}*=x' for n in range(2000))}\n\nx",
        None,
    ),
    "brackets in To": (f"To: {'(' * 5000}\n{HEADER}\nx", None),
    "quotes in a parameter": (f'{HEADER}Content-Type: text/plain; a="{chr(92) * 99_999}\n\nx', None),
    "a huge header": (f"{HEADER}X: {'x' * 300_000}\n\nx", "a header of more than 256 KiB"),
    "100,000 fields": (f"{HEADER}{'a:' + chr(10)}" * 4000 + "\nx", None),
    "broken lines": (f"{HEADER}" + "a\n" * 100_000 + "To: x\n\nx", None),
    "dashes": (HEADER + "\n" + "--\n" * 300_000, "too many lines like boundaries"),
    "encoded words": (f"Subject: {'=?a?q?' * 40_000}\n{HEADER}\nx", None),
    "words of a kind": (f"Subject: {'=?utf-8?q?x?= ' * 15_000}\n{HEADER}\nx", None),
    "one character a line": (f"{HEADER}Content-Transfer-Encoding: base64\n\n" + "QQ\n" * 200_000, None),
    "padding": (f"{HEADER}Content-Transfer-Encoding: base64\n\n" + "=" * 600_000, None),
    "nested tags": (f"{HEADER}Content-Type: text/html\n\n" + "<div>" * 90_000, None),
    "hidden tags": (f"{HEADER}Content-Type: text/html\n\n" + "<p style='display:none'>" * 20_000, None),
    "html parts": (
        f"{HEADER}Content-Type: multipart/mixed; boundary=B\n\n" + "--B\nContent-Type: text/html\n\n<p>x\n" * 2000,
        None,
    ),
    "styles": (f"{HEADER}Content-Type: text/html\n\n" + "<style" * 80_000, None),
    "uuencode": (HEADER + "\n" + "begin 644 a\n#8V%T\n" * 5000, "too many files"),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", _BOMBS)
def test_bombs_are_cut_short(parse: Parse, name: str) -> None:
    mail, defect = _BOMBS[name]

    message = parse(mail)

    assert defect is None or defect in message.defects


def test_more_files_than_anybody_sends_are_left_out(parse: Parse) -> None:
    parts = "--B\nContent-Disposition: attachment\n\nx\n" * 5
    message = parse(f"{HEADER}Content-Type: multipart/mixed; boundary=B\n\n{parts}--B--\n", ParseLimits(files=3))

    assert (len(message.attachments), message.defects) == (3, ("too many files",))


@pytest.mark.timeout(60)
def test_messages_encoded_within_messages_come_to_an_end(parse: Parse) -> None:
    mail = HEADER + "\nx\n"
    for _ in range(20):
        encoded = base64.encodebytes(mail.encode()).decode()
        mail = f"{HEADER}Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n{encoded}"

    message = parse(mail, ParseLimits(depth=10))

    assert message.defects == ("nested deeper than 10",)


def test_a_second_author_behind_a_huge_header_is_no_secret(parse: Parse) -> None:
    message = parse(f"From: ann@example.org\nX: {'x' * 300_000}\nFrom: eve@evil.example\n\nlist\n")

    assert (message.author, message.text) == (None, "")


def test_parts_of_encoded_messages_count_as_parts_of_the_mail(parse: Parse) -> None:
    inner = f"Content-Type: multipart/mixed; boundary=B\n\n{_TINY * 40}--B--\n"
    encoded = base64.encodebytes(inner.encode()).decode()
    wrapped = f"--O\nContent-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n{encoded}"
    mail = f"{HEADER}Content-Type: multipart/mixed; boundary=O\n\n{wrapped * 5}--O--\n"

    message = parse(mail, ParseLimits(parts=100))

    assert "too many parts" in message.defects


# -- anything at all

_LINES = """From: a@b.org
From : x
 folded
Subject: =?utf-8?q?=FF?=
Content-Type: multipart/mixed; boundary=B
Content-Type: multipart/digest; boundary="C"
Content-Type: message/rfc822
Content-Type: text/html
Content-Type: application/ms-tnef
Content-Type: text/plain; charset=utf-16; format=flowed
Content-Transfer-Encoding: base64
Content-Transfer-Encoding: x-uuencode
Content-Disposition: attachment; filename*0*=utf-8''%ff
Message-ID: <[a@b]@c>
Date: 1 Jan 99999 0:0
begin 644 x
#8V%T
end
QUJD
=
<p>x
--B
--C
--B--

"""
_PIECES = st.sampled_from([f"{line}\r\n".encode() for line in _LINES.split("\n")]) | st.sampled_from(
    [b"\r", b"\n", b"\x00", b"\xff\xfe", b"\x78\x9f\x3e\x22", b'; name="=?\xff?q?x?="', b"--B"]
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_PIECES | st.binary(max_size=8), max_size=25))
def test_any_bytes_are_read_without_an_exception(tmp_path: Path, pieces: list[bytes]) -> None:
    path = tmp_path / "any.eml"
    path.write_bytes(b"".join(pieces))

    message = parse_message(path, work_dir=tmp_path / "any")

    assert all(attachment.path.stat().st_size == attachment.size_bytes for attachment in message.attachments)
    f"{message}".encode()  # no lone surrogate anywhere


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    subject=st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=40),
    text=st.text(st.characters(exclude_categories=["C"]), max_size=200),
    content=st.binary(max_size=5000),
)
def test_what_was_composed_is_what_is_read(tmp_path: Path, subject: str, text: str, content: bytes) -> None:
    composed = EmailMessage()
    composed["From"] = "Ann <ann@example.org>"
    composed["Subject"] = subject
    composed.set_content(text)
    composed.add_attachment(content, maintype="application", subtype="octet-stream", filename=f"{subject[:20]}.bin")
    path = tmp_path / "composed.eml"
    path.write_bytes(composed.as_bytes())

    message = parse_message(path, work_dir=tmp_path / "composed")

    assert message.attachments[0].path.read_bytes() == content
    assert message.text.rstrip("\n") == text.rstrip("\n")
