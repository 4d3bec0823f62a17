"""The parts of a mail, held beside what the standard library's parser finds in the same bytes."""

from __future__ import annotations

import base64
import email
import io
import quopri
from email.message import Message

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.mail.mailfile import MailFile
from core.mail.skeleton import MESSAGE_TYPES, Bounds, read_skeleton
from core.mail.transfer import decoded_body

Leaf = tuple[str, bytes]


def own_leaves(raw: bytes) -> list[Leaf]:
    """(content type, decoded body) of all leaves; messages that are encoded as a whole and reports are not opened."""
    skeleton = read_skeleton(MailFile(io.BytesIO(raw)), Bounds())
    return [
        (part.content_type, b"")
        if part.content_type.startswith("message/")
        else (part.content_type, b"".join(decoded_body(part.file, part.start, part.end, encoding=part.encoding)))
        for part in skeleton.parts
    ]


def library_leaves(message: Message) -> list[Leaf]:
    """The same by the standard library."""
    content_type = message.get_content_type()
    if content_type.startswith("message/") and content_type not in MESSAGE_TYPES:
        return [(content_type, b"")]
    if message.is_multipart():
        return [leaf for part in message.get_payload() for leaf in library_leaves(part)]  # type: ignore[arg-type] # parts
    payload = message.get_payload(decode=True)
    return [(content_type, payload if isinstance(payload, bytes) else b"")]


def comparable(leaves: list[Leaf]) -> list[Leaf]:
    """Without the line ends behind a multipart whose boundary never comes: the two cut them differently."""
    return [(kind, body.rstrip(b"\r\n") if kind.startswith("multipart/") else body) for kind, body in leaves]


_LINE = st.sampled_from(
    ["", "hello", "--", "--B-", "-- ", "--ABC", " --A", "From me", ">From", "\t", "A: b", "x" * 90, "é", "--A--x", "="]
)
_BODY = st.lists(_LINE, max_size=6)
_BOUNDARIES = ["A", "B", "AB", "=_(C)?", "long" * 17]


@st.composite
def _entities(draw: st.DrawFn, boundaries: tuple[str, ...] = tuple(_BOUNDARIES)) -> list[str]:
    """The lines of a well-formed entity: a text in some encoding, a multipart, or a message."""
    kind = draw(
        st.sampled_from(["text", "text", "base64", "qp", "multipart", "message"] if boundaries else ["text", "qp"])
    )
    match kind:
        case "text":
            return ["Content-Type: text/plain", "", *draw(_BODY)]
        case "base64":
            lines = base64.encodebytes(draw(st.binary(max_size=400))).decode().splitlines()
            return ["Content-Type: application/pdf", "Content-Transfer-Encoding: base64", "", *lines]
        case "qp":
            lines = quopri.encodestring("\n".join(draw(_BODY)).encode()).decode().split("\n")
            return [
                "Content-Type: text/html",
                "Content-Transfer-Encoding: Quoted-Printable",
                "X: folded",
                " once",
                "",
                *lines,
            ]
        case "message":
            return ["Content-Type: message/rfc822", "", *draw(_entities(boundaries[1:]))]
    boundary, rest = boundaries[0], boundaries[1:]
    lines = [f'Content-Type: multipart/{draw(st.sampled_from(["mixed", "digest"]))}; boundary="{boundary}"', ""]
    if draw(st.booleans()):
        lines += ["preamble", ""]
    for part in draw(st.lists(_entities(rest), min_size=1, max_size=3)):
        lines += [f"--{boundary}{draw(st.sampled_from(['', ' ', chr(9)]))}", *part]
    return [*lines, f"--{boundary}--", *draw(st.sampled_from([[], [""], ["epilogue"]]))]


@settings(max_examples=120, deadline=None)
@given(_entities(), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_the_same_leaves_are_found_as_by_the_standard_library(lines: list[str], line_end: str, is_cut: bool) -> None:
    raw = line_end.join(["From: ann@example.org", *lines, ""]).encode()
    if is_cut:
        raw = raw[: len(raw) * 3 // 4]
        raw = raw[: raw.rfind(b"\n") + 1]

    assert comparable(own_leaves(raw)) == comparable(library_leaves(email.message_from_bytes(raw)))


@settings(max_examples=60, deadline=None)
@given(
    content=st.binary(max_size=3000),
    width=st.integers(1, 100),
    line_end=st.sampled_from([b"\n", b"\r\n", b" \r\n", b"\r\n\r\n"]),
    footer=st.sampled_from([b"", b"\r\n", b"\r\n-- \r\nfooter of a list\r\n"]),
)
def test_base64_is_decoded_as_by_the_standard_library(
    content: bytes, width: int, line_end: bytes, footer: bytes
) -> None:
    letters = base64.b64encode(content + b"!" * (-(len(content) + 1) % 3))  # padded, so that a footer is one
    body = b"".join(letters[at : at + width] + line_end for at in range(0, len(letters), width)) + footer
    raw = b"Content-Type: application/pdf\nContent-Transfer-Encoding: base64\n\n" + body

    assert own_leaves(raw) == library_leaves(email.message_from_bytes(raw))


def test_base64_is_the_same_whatever_its_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    content = bytes(range(256)) * 3
    for width in (5, 8, 76):
        monkeypatch.setattr("core.mail.transfer._LINE_BLOCK_BYTES", 100)
        letters = base64.b64encode(content)
        body = b"\r\n".join(letters[at : at + width] for at in range(0, len(letters), width))
        raw = b"Content-Transfer-Encoding: base64\r\n\r\n" + body

        assert own_leaves(raw) == [("text/plain", content)]


def test_base64_with_lines_of_all_lengths_and_a_footer_is_decoded_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.mail.transfer._LINE_BLOCK_BYTES", 6)
    raw = b"Content-Transfer-Encoding: base64\n\nQUJDR\nEVG\n\nR0hJ\nSktM\n=\n\nMTIz\nMTIz\nMTIz\n"

    assert own_leaves(raw) == [("text/plain", b"ABCDEFGHIJKL")]


def test_boundaries_are_found_where_blocks_of_the_file_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    for size in range(60, 110):
        monkeypatch.setattr("core.mail.marks.BLOCK_BYTES", size)
        raw = (
            b"Content-Type: multipart/mixed; boundary=B\r\n\r\n"
            + b"--B\r\n\r\n"
            + b"x" * 40
            + b"\r\n--B\r\n\r\ny\r\n--B--"
        )

        assert own_leaves(raw) == [("text/plain", b"x" * 40), ("text/plain", b"y")]


@pytest.mark.parametrize(
    ("declared", "written"),
    [("multipart/mixed", "B"), ("multipart/mixed; boundary=X", "B"), ('multipart/*; boundary=""', "B")],
)
def test_a_boundary_that_is_not_declared_is_guessed(declared: str, written: str) -> None:
    raw = f"Content-Type: {declared}\n\n--{written}\nContent-Type: text/plain\n\nhello\n--{written}--\n".encode()

    assert own_leaves(raw) == [("text/plain", b"hello")]


def test_a_multipart_without_any_boundary_is_one_leaf() -> None:
    assert own_leaves(b"Content-Type: multipart/mixed; boundary=X\n\nhello\n") == [("multipart/mixed", b"hello\n")]


def test_a_boundary_that_is_used_again_inside_belongs_to_the_outer_multipart() -> None:
    raw = (
        b"Content-Type: multipart/mixed; boundary=B\n\n--B\nContent-Type: multipart/mixed; boundary=B\n\n"
        b"--B\nContent-Type: text/html\n\n<p>\n--B--\n--B\n\nlate\n"
    )

    assert own_leaves(raw) == [("multipart/mixed", b""), ("text/html", b"<p>")]


def test_lines_that_only_begin_like_a_boundary_are_text() -> None:
    raw = b"Content-Type: multipart/mixed; boundary=B\n\n--B\n\n--Bx\n--\n--B-\n ---B\n--B--\n"

    assert own_leaves(raw) == [("text/plain", b"--Bx\n--\n--B-\n ---B")]


def test_a_boundary_written_twice_divides_nothing() -> None:
    raw = b"Content-Type: multipart/mixed; boundary=B\n\n--B\n--B\n\nhello\n--B--\n"

    assert own_leaves(raw) == [("text/plain", b"hello")]


def test_a_part_without_header_and_blank_line_is_text() -> None:
    raw = b"Content-Type: multipart/mixed; boundary=B\n\n--B\nhello\n--B\nX: y\n--B\n\nworld\n--B--\n"

    assert own_leaves(raw) == [("text/plain", b"hello"), ("text/plain", b""), ("text/plain", b"world")]


def test_a_boundary_that_looks_like_a_field_is_a_boundary() -> None:
    raw = b'Content-Type: multipart/mixed; boundary="a:b"\n\n--a:b\nX: y\n--a:b\n\nhello\n--a:b--\n'

    assert own_leaves(raw) == [("text/plain", b""), ("text/plain", b"hello")]


def test_a_boundary_ends_a_header_without_blank_line() -> None:
    raw = b"Content-Type: multipart/mixed; boundary=B\n \n--B\nContent-Type: text/html\n\n<p>\n--B--\n"

    assert own_leaves(raw) == [("text/html", b"<p>")]


def test_fields_behind_a_line_without_a_colon_are_read() -> None:
    raw = b"Subject: x\nbroken\nContent-Type: text/html\n\n<p>\n"

    assert own_leaves(raw) == [("text/html", b"<p>\n")]
