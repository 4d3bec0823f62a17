"""Mails for the fuzz: files of the corpus that were changed, and mails that are built of parts which do not fit."""

from __future__ import annotations

import base64
import binascii

from hypothesis import strategies as st

from tests.bench._fuzz_bytes import MUTATIONS, corpus_seeds, mutated

PLAIN = b"From: Ada <ada@reader.test>\r\nSubject: list\r\nMessage-ID: <1@reader.test>\r\n\r\nsend 2\r\n"

_TYPES = (
    b"text/plain", b"text/html", b"TEXT/PLAIN", b"text", b"", b"multipart/mixed", b"message/rfc822", b"text/x; y",
    b"application/epub+zip", b"application/octet-stream", b"application/ms-tnef", b"message/partial",
    b"text/calendar",
    b"message/delivery-status", b"message/external-body", b"multipart/report", b"multipart/alternative", b"image/png",
)  # fmt: skip
_CHARSETS = (
    b"utf-8",
    b"utf-7",
    b"iso-8859-1",
    b"utf-16",
    b"x-unknown",
    b"",
    b"\xff",
    b"idna",
    b"hex",
    b"gb18030",
    b"'x",
)
_ENCODINGS = (b"7bit", b"8bit", b"base64", b"quoted-printable", b"uuencode", b"x-uue", b"binary", b"", b"base64 (x)")
_NAMES = (
    b"From", b"To", b"Cc", b"Subject", b"Date", b"Message-ID", b"In-Reply-To", b"References", b"Received",
    b"Reply-To",
    b"Auto-Submitted", b"List-Id", b"Content-Type", b"Content-Disposition", b"MIME-Version", b"X-Loop",
    b"Return-Path",
    b"Content-Transfer-Encoding", b"DKIM-Signature", b"Authentication-Results", b"from", b"Sender", b"X", b"", b"A b",
)  # fmt: skip
_VALUES = (
    b"Ada <ada@reader.test>", b"=?utf-8?b?U2VuZA==?= <a@b.test>", b"=?utf-8?q?=ff=fe?=", b"=?x?b?!?=", b"<a@b>, c@d",
    b"a@b@c", b"<>", b"\"a\\", b"(((((", b"@a,@b:c@d", b"Re: Re: send 2", b"<1@x> <2@x>",
    b"Mon, 99 Foo 2026 25:61 +9999",
    b"attachment; filename*0*=utf-8''a%; filename*1=b", b"attachment; filename=\"../../x.epub\"", b"auto-replied",
    b"from a by b; now", b"\xff\xfe\xfd", b"a" * 2000, b"\t\r\n \r\n x", b"xn--zzz@xn--.test", b"undisclosed:;",
    b"\0",
)  # fmt: skip
_BODIES = (
    b"send 2\r\n", b"", b"> quoted\r\n-- \r\nAda\r\n", b"\0\0", b"begin 644 a.epub\r\n#0V%T\r\n`\r\nend\r\n",
    b"\xff" * 40,
    b"<html><body><p>list</p><style>x{}</style><img src=cid:1></body>", b"<p>" * 500, b"&#xD800;&bogus;<!--",
    b"-----Original Message-----\r\nFrom: x\r\n\r\nlist\r\n", b"On Monday Inkpost wrote:\r\n> list\r\n",
    b"PK\x03\x04",
)  # fmt: skip

_fields = st.tuples(
    st.sampled_from(_NAMES) | st.binary(max_size=6),
    st.lists(st.sampled_from(_VALUES) | st.binary(max_size=30), min_size=1, max_size=3),
    st.sampled_from((b": ", b":", b" :", b":\r\n ", b" ")),
).map(lambda field: field[0] + field[2] + b" ".join(field[1]))
_ends = st.sampled_from((b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r"))


@st.composite
def _leaves(draw: st.DrawFn) -> bytes:
    """A part whose encoding may or may not be what it says."""
    kind, charset = draw(st.sampled_from(_TYPES)), draw(st.sampled_from(_CHARSETS))
    says, is_encoded = draw(st.sampled_from(_ENCODINGS)), draw(st.booleans())
    body = draw(st.sampled_from(_BODIES) | st.binary(max_size=200))
    if is_encoded and says == b"base64":
        body = base64.encodebytes(body)
    elif is_encoded and says == b"quoted-printable":
        body = binascii.b2a_qp(body)
    more = draw(st.lists(_fields, max_size=2))
    head = [b"Content-Type: " + kind + b"; charset=" + charset, b"Content-Transfer-Encoding: " + says, *more]
    return draw(_ends).join(head) + b"\r\n\r\n" + body


@st.composite
def _multiparts(draw: st.DrawFn, parts: st.SearchStrategy[bytes]) -> bytes:
    """Parts between boundaries that may be missing, or one another's beginning."""
    says = draw(st.sampled_from((b"b", b"b b", b"", b"bb", b'"b"', b"=_b", b"b" * 80, b"b ")))
    is_so = draw(st.sampled_from((says.strip(b'"'), b"b", b"other")))
    inner = draw(st.lists(parts, max_size=4))
    end = draw(st.sampled_from((b"--" + is_so + b"--\r\n", b"", b"--" + is_so, b"--" + is_so + b"-- x\r\nlist\r\n")))
    glue = b"\r\n--" + is_so + b"\r\n"
    kind = draw(st.sampled_from((b"mixed", b"alternative", b"related", b"report; report-type=delivery-status", b"x")))
    field = b"Content-Type: multipart/" + kind + b"; boundary=" + says
    return field + b"\r\n\r\n" + draw(st.sampled_from((b"", b"preamble"))) + b"".join(glue + one for one in inner) + end


_trees = st.recursive(
    _leaves(),
    lambda parts: _multiparts(parts) | parts.map(lambda part: b"Content-Type: message/rfc822\r\n\r\n" + part),
    max_leaves=12,
)


@st.composite
def _built(draw: st.DrawFn) -> bytes:
    fields = draw(st.lists(_fields, max_size=8))
    head = draw(_ends).join([b"From: ada@reader.test", *fields])
    return mutated(head + b"\r\n" + draw(_trees), PLAIN, draw(MUTATIONS)[:2])


def mails() -> st.SearchStrategy[bytes]:
    """Raw messages."""
    seeds = st.sampled_from((PLAIN, *corpus_seeds("mime", (".eml", ".msg", ".txt", ".mbox"), 100_000)))
    return st.builds(mutated, seeds, seeds, MUTATIONS) | _built()
