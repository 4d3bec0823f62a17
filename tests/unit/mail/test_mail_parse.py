"""Reading a mail: what mail programs really write, and what hostile ones might."""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from datetime import UTC, datetime

import pytest

from core.mail.message import ParsedMessage
from core.mail.parse import ParseLimits
from core.values import BookFormat
from tests.unit.mail.conftest import Parse

HEADER = "From: Ann <ann@example.org>\nTo: books@inkpost.example\nSubject: list\nMIME-Version: 1.0\n"
BOOK = b"It was the best of times, it was the worst of times.\n" * 20
BOOK_BASE64 = base64.encodebytes(BOOK).decode()


def _with_part(*fields: str, body: str = BOOK_BASE64, encoding: str = "base64") -> str:
    """A mail with a text and one more part."""
    head = "\n".join((*fields, f"Content-Transfer-Encoding: {encoding}"))
    return (
        f'{HEADER}Content-Type: multipart/mixed; boundary="B"\n\n'
        f"--B\nContent-Type: text/plain\n\nhello\n--B\n{head}\n\n{body}\n--B--\n"
    )


def _text_mail(body: str | bytes, content_type: str = "text/plain", encoding: str = "8bit") -> bytes:
    head = f"{HEADER}Content-Type: {content_type}\nContent-Transfer-Encoding: {encoding}\n\n".replace("\n", "\r\n")
    return head.encode() + (body if isinstance(body, bytes) else body.replace("\n", "\r\n").encode())


# -- header


def test_header_fields_are_decoded(parse: Parse) -> None:
    message = parse(
        "From: =?utf-8?Q?Ann_B=C3=BCcher?= <ann@example.org>\n"
        "Subject: =?utf-8?B?0JrQ?= =?utf-8?B?vdC40LPQsA==?=\n and\tmore\n"
        "Date: Sun, 22 Nov 2026 10:00:00 +0100\n"
        "Message-ID: <1.a@example.org>\n"
        "In-Reply-To: <r1@inkpost.example>\n"
        "References: <r0@inkpost.example>\n\t<r1@inkpost.example> junk\n"
        "X-Empty:\n\nhello\n"
    )

    assert message.author is not None
    assert (message.author.address, message.author.name) == ("ann@example.org", "Ann Bücher")
    assert message.subject == "Книга and more"
    assert message.date == datetime(2026, 11, 22, 9, tzinfo=UTC)
    assert message.message_id == "<1.a@example.org>"
    assert message.in_reply_to == ("<r1@inkpost.example>",)
    assert message.references == ("<r0@inkpost.example>", "<r1@inkpost.example>")
    assert message.header("x-empty") == ""
    assert message.text == "hello"
    assert message.defects == ()


@pytest.mark.parametrize(
    ("written", "subject"),
    [
        ("=?utf-8?Q?a=0D=0ABcc:_eve@evil.example?=", "a Bcc: eve@evil.example"),
        ("\u202edednerb\u202c list", "dednerb list"),
        ("=?x-unknown?B?Y2Fmw6k=?=", "café"),
        ("=?utf-8?B?Y2Fmw6k?= =?utf-8?Q?!?=", "café!"),
        ("=?utf-8?Q?what?_no?=", "what? no"),
        ("Re:=?utf-8?Q?_caf=C3=A9?=!", "Re: café!"),
        ("=?utf-8?B?!!!!?= =?", "=?utf-8?B?!!!!?= =?"),
        ("a =?us-ascii*en?Q?b?= c", "a b c"),
    ],
)
def test_subject_is_one_clean_line(parse: Parse, written: str, subject: str) -> None:
    assert parse(f"From: ann@example.org\nSubject: {written}\n\n").subject == subject


@pytest.mark.parametrize("raw", [b"caf\xe9 noir", "café noir".encode()])
def test_subject_in_bare_bytes_is_read(parse: Parse, raw: bytes) -> None:
    assert parse(b"From: ann@example.org\r\nSubject: " + raw + b"\r\n\r\n").subject == "café noir"


@pytest.mark.parametrize("date", ["yesterday", "Sun, 22 Nov 2026 10:00:00 +9999", "Sun, 99 Nov 2026", "", "1" * 5000])
def test_a_date_that_is_none_is_left_out(parse: Parse, date: str) -> None:
    assert parse(f"From: ann@example.org\nDate: {date}\n\n").date is None


def test_fields_behind_a_broken_line_are_read_but_no_author(parse: Parse) -> None:
    message = parse("Subject: list\nthis is no field\nFrom: ann@example.org\nContent-Type: text/plain\n\nhello\n")

    assert (message.author, message.text.strip()) == (None, "hello")
    assert "lines in the header that are no fields" in message.defects


def test_lines_of_old_macs_are_lines(parse: Parse) -> None:
    message = parse(b"From: ann@example.org\rSubject: list\r\rhello\rworld\r")

    assert (message.subject, message.text.strip()) == ("list", "hello\nworld")


@pytest.mark.parametrize("mail", [b"", b"\r\n", b"\n\n\n", b"just text", b"\x00\x00", b":", b"--", b"From: a@b\r\n"])
def test_what_is_hardly_a_mail_is_read(parse: Parse, mail: bytes) -> None:
    assert isinstance(parse(mail), ParsedMessage)


# -- text


@pytest.mark.parametrize(
    ("raw", "content_type", "text"),
    [
        ("café".encode(), "text/plain; charset=utf-8", "café"),
        (b"caf\xe9 au lait, s'il vous pla\xeet", "text/plain; charset=utf-8", "café au lait, s'il vous plaît"),
        ("café".encode(), "text/plain; charset=x-nothing", "café"),
        ("café".encode(), "text/plain", "café"),
        (b"\x93quoted\x94 \x80", "text/plain; charset=iso-8859-1", "“quoted” €"),
        ("鎭中文".encode("gbk"), "text/plain; charset=gb2312", "鎭中文"),
        ("日本".encode("iso2022_jp"), "text/plain; charset=iso-2022-jp", "日本"),
        ("Привет, пришлите мне книгу".encode("koi8-r"), "text/plain; charset=koi8-r", "Привет, пришлите мне книгу"),
        ("Привет, пришлите мне книгу".encode("cp1251"), "text/plain", "Привет, пришлите мне книгу"),
        (b"+2AA-x", "text/plain; charset=utf-7", "\ufffdx"),
        (b"list-kva", "text/plain; charset=punycode", "list-kva"),
        (b"plain", "text/plain; charset=base64", "plain"),
        (b"plain", "text/plain; charset=\"\x00'", "plain"),
        (b"\xef\xbb\xbfplain\x00\x1b", "text/plain; charset=utf-8", "plain"),
        (b"plain", "text", "plain"),
        (b"plain", "; charset=utf-8", "plain"),
    ],
)
def test_text_is_decoded_whatever_its_charset_says(parse: Parse, raw: bytes, content_type: str, text: str) -> None:
    assert parse(_text_mail(raw, content_type)).text == text


def test_quoted_printable_is_decoded(parse: Parse) -> None:
    message = parse(_text_mail("caf=C3=A9 a=\nb =XX end=", "text/plain; charset=utf-8", "quoted-printable"))

    assert message.text == "café ab =XX end"


def test_text_that_is_called_base64_and_is_none_is_read_as_it_is(parse: Parse) -> None:
    assert parse(_text_mail("list the books", encoding="base64")).text == "list the books"


def test_plain_text_is_preferred_to_html(parse: Parse) -> None:
    message = parse(
        f"{HEADER}Content-Type: multipart/alternative; boundary=B\n\n--B\nContent-Type: text/plain\n\nplain\n"
        "--B\nContent-Type: text/html\n\n<p>rich</p>\n--B\nContent-Type: text/calendar\n\nBEGIN:VCALENDAR\n--B--\n"
    )

    assert (message.text, message.html.strip(), message.attachments) == ("plain", "<p>rich</p>", ())


def test_html_is_read_where_there_is_no_plain_text(parse: Parse) -> None:
    message = parse(_text_mail("<p>list <b>2</b></p><blockquote>remove 1</blockquote>", "text/html"))

    assert message.text == "list 2"


def test_texts_on_both_sides_of_an_attachment_are_read(parse: Parse) -> None:
    message = parse(
        f"{HEADER}Content-Type: multipart/mixed; boundary=B\n\n--B\n\none\n--B\nContent-Type: image/png; name=a.png\n"
        "Content-Disposition: inline; filename=a.png\n\nx\n--B\n\ntwo\n--B--\n"
    )

    assert message.text == "one\ntwo"


def test_flowed_text_is_put_together(parse: Parse) -> None:
    assert parse(_text_mail("edit 3 title=A \nLong One\nlist", "text/plain; format=flowed")).text == (
        "edit 3 title=A Long One\nlist"
    )


def test_text_is_cut_at_its_limit(parse: Parse) -> None:
    message = parse(_text_mail("ä" * 2000), ParseLimits(text_chars=1000))

    assert (len(message.text), message.defects) == (1000, ("text cut at 1000 characters",))


def test_texts_are_cut_at_one_limit_for_all_of_them(parse: Parse) -> None:
    parts = f"--B\n\n{'x' * 400}\n" * 5
    mail = f"{HEADER}Content-Type: multipart/mixed; boundary=B\n\n{parts}--B--\n"

    message = parse(mail, ParseLimits(text_chars=1000))

    assert (len(message.text), message.defects) == (1000, ("text cut at 1000 characters",))


# -- attachments


@pytest.mark.parametrize(
    ("field", "filename"),
    [
        ('Content-Disposition: attachment; filename="Dune.txt"', "Dune.txt"),
        ("Content-Disposition: attachment; filename=My Dune.txt", "My Dune.txt"),
        ("Content-Disposition: attachment; filename*=utf-8''%D0%9A%D0%BD%D0%B8%D0%B3%D0%B0.txt", "Книга.txt"),
        ("Content-Disposition: attachment; filename*=iso-8859-1'fr'na%EFve.txt", "naïve.txt"),
        ("Content-Disposition: attachment; filename*=utf-99''na%C3%AFve.txt", "naïve.txt"),
        (
            "Content-Disposition: attachment;\n filename*1*=%BD.tx; filename*0*=utf-8''%D0%9A%D0;\n filename*2=t",
            "Кн.txt",
        ),
        ("Content-Disposition: attachment; filename=\"x.txt\"; filename*=UTF-8''%E2%82%AC.txt", "€.txt"),
        ('Content-Disposition: attachment; filename="=?utf-8?B?0JrQvdC4?=\n =?utf-8?B?0LPQsC50eHQ=?="', "Книга.txt"),
        ("Content-Disposition: attachment; filename==?utf-8?Q?=D0=9A=D0=BD.txt?=", "Кн.txt"),
        ('Content-Disposition: attachment; filename="Книга.txt"', "Книга.txt"),
        ('Content-Disposition: attachment; filename="a;b \\"c\\".txt"', "a;b _c_.txt"),
        ('Content-Disposition: attachment; filename="../../etc/passwd"', "passwd"),
        ('Content-Disposition: attachment; filename="C:\\Users\\ann\\Dune.txt"', "Dune.txt"),
        ("Content-Disposition: attachment; filename*=utf-8''a%00b%0D%0Ac.txt", "ab c.txt"),
        ('Content-Disposition: attachment; filename="\u202etxt.exe\u202c.txt"', "txt.exe.txt"),
        ('Content-Disposition: attachment; filename="CON.txt"', "CON_.txt"),
        (f'Content-Disposition: attachment; filename="{"ä" * 300}.epub"', "ä" * 125 + ".epub"),
        ('Content-Disposition: attachment; filename="Dune.txt', "Dune.txt"),
        ("Content-Disposition: attachment; filename=..", None),
        ("Content-Disposition: attachment", None),
        ("Content-Type: text/plain; name*0=Du; name*1=ne.txt", "Dune.txt"),
        ("Content-Type: text/plain; name*0*=''Du; name*1*=n'e'.txt", "Dun'e'.txt"),
        ('Content-Type: application/octet-stream; name="Dune.txt"', "Dune.txt"),
    ],
)
def test_name_of_an_attachment_is_read_and_cleaned(parse: Parse, field: str, filename: str | None) -> None:
    attachments = parse(_with_part(field)).attachments

    assert [attachment.filename for attachment in attachments] == [filename]


def test_a_name_in_an_old_charset_is_read(parse: Parse) -> None:
    mail = _with_part('Content-Disposition: attachment; filename="@.txt"').replace("\n", "\r\n").encode()

    attachments = parse(mail.replace(b"@.txt", b"caf\xe9.txt")).attachments

    assert attachments[0].filename == "café.txt"


def test_attachment_is_decoded_into_a_file(parse: Parse) -> None:
    (attachment,) = parse(_with_part("Content-Type: application/epub+zip; name=a.epub")).attachments

    assert attachment.path.read_bytes() == BOOK
    assert attachment.size_bytes == len(BOOK)
    assert attachment.sha256 == hashlib.sha256(BOOK).hexdigest()
    assert attachment.declared_type == "application/epub+zip"
    assert attachment.format is BookFormat.TXT


@pytest.mark.parametrize(
    ("encoding", "body", "content"),
    [
        ("base64", BOOK_BASE64, BOOK),
        ("BASE64", BOOK_BASE64 + "\n\n-- \nThe mailing list says hello\n", BOOK),
        ("base64 (mine)", "RVBVQg==\n", b"EPUB"),
        ("base64", "RVB!VQ\n*g=\n", b"EPUB"),
        ("base64", "\n\nRVBVQkRBVE", b"EPUBDAT"),
        ("base64", "RVBVQ", b"EPU"),
        ("quoted-printable", "EP=55B=\n!", b"EPUB!"),
        ("x-uuencode", "begin 644 a.txt\n" + binascii.b2a_uu(b"EPUB").decode() + "`\nend", b"EPUB"),
        ("7bit", "EPUB", b"EPUB"),
        ("8-bits", "EPUB", b"EPUB"),
        ("", "EPUB", b"EPUB"),
    ],
)
def test_every_encoding_is_undone(parse: Parse, encoding: str, body: str, content: bytes) -> None:
    mail = _with_part("Content-Disposition: attachment; filename=a.txt", body=body, encoding=encoding)

    assert parse(mail).attachments[0].path.read_bytes() == content


def test_large_attachments_are_decoded_in_blocks(parse: Parse) -> None:
    content = bytes(range(256)) * 4000
    mail = _with_part("Content-Type: application/octet-stream; name=a.bin", body=base64.encodebytes(content).decode())

    (attachment,) = parse(mail).attachments

    assert attachment.sha256 == hashlib.sha256(content).hexdigest()


def test_a_picture_in_the_text_is_told_from_a_file(parse: Parse) -> None:
    message = parse(
        f"{HEADER}Content-Type: multipart/related; boundary=B\n\n--B\nContent-Type: text/html\n\n<img src=cid:1>\n"
        "--B\nContent-Type: image/gif; name=a.gif\nContent-ID: <1>\n"
        "Content-Transfer-Encoding: base64\n\nR0lGODlhAQABAAAAACwAAAAAAQABAAACADs=\n"
        f"--B\nContent-Type: text/plain; name=b.txt\nContent-Disposition: inline\n\n{BOOK.decode()}\n--B--\n"
    )

    assert [(file.filename, file.is_inline) for file in message.attachments] == [("a.gif", True), ("b.txt", False)]


@pytest.mark.parametrize(
    ("content_type", "content"),
    [
        ("application/pgp-signature; name=signature.asc", "-----BEGIN PGP SIGNATURE-----"),
        ("application/pgp-encrypted", "Version: 1"),
        ("application/pgp-keys; name=OpenPGP_0x1.asc", "-----BEGIN PGP PUBLIC KEY BLOCK-----"),
        ("application/pkcs7-signature; name=smime.p7s", "0\x82"),
        ("application/x-pkcs7-signature; name=smime.p7s", "0\x82"),
    ],
)
def test_what_a_mail_is_sealed_with_is_no_file_that_somebody_sent(
    parse: Parse, content_type: str, content: str
) -> None:
    message = parse(
        f"{HEADER}Content-Type: multipart/mixed; boundary=B\n\n--B\nContent-Type: text/plain\n\nlist\n"
        f"--B\nContent-Type: {content_type}\nContent-Disposition: attachment\n\n{content}\n--B--\n"
    )

    assert [file.is_inline for file in message.attachments] == [True]


def test_uuencoded_files_are_taken_out_of_the_text(parse: Parse) -> None:
    encoded = "".join(binascii.b2a_uu(BOOK[at : at + 45]).decode() for at in range(0, len(BOOK), 45))
    message = parse(_text_mail(f"begin 123 of the end\nsee\nbegin 644 Dune.txt\n{encoded}`\nend\nbye\n"))

    assert message.text == "begin 123 of the end\nsee\nbye"
    assert [(file.filename, file.size_bytes) for file in message.attachments] == [("Dune.txt", len(BOOK))]


def _tnef(*attributes: bytes) -> bytes:
    return struct.pack("<IH", 0x223E9F78, 1) + b"".join(attributes)


def _attribute(level: int, number: int, content: bytes) -> bytes:
    return struct.pack("<BII", level, number, len(content)) + content + struct.pack("<H", sum(content) & 0xFFFF)


def _property(kind: int, number: int, value: bytes) -> bytes:
    return struct.pack("<HHII", kind, number, 1, len(value)) + value + b"\x00" * (-len(value) % 4)


def _winmail(stream: bytes) -> str:
    return _with_part("Content-Type: application/ms-tnef; name=winmail.dat", body=base64.encodebytes(stream).decode())


def test_files_in_winmail_dat_are_taken_out(parse: Parse) -> None:
    name = "Война.txt".encode("utf-16-le") + b"\x00\x00"
    properties = struct.pack("<I", 2) + struct.pack("<HHI", 3, 0x3705, 1) + _property(0x1F, 0x3707, name)
    stream = _tnef(
        _attribute(1, 0x00069003, struct.pack("<I", 0xFFFFFFFF)),
        _attribute(2, 0x00069002, b"\x00" * 14),
        _attribute(2, 0x00018010, b"WAR.TXT\x00"),
        _attribute(2, 0x0006800F, BOOK),
        _attribute(2, 0x00069005, properties),
        _attribute(2, 0x00069002, b"\x00" * 14),
        _attribute(2, 0x0006800F, b"second"),
        _attribute(2, 0x00069005, struct.pack("<I", 0xFFFFFFFF)),
    )

    files = parse(_winmail(stream)).attachments

    assert [(file.filename, file.size_bytes) for file in files] == [("Война.txt", len(BOOK)), (None, 6)]


def test_files_of_a_message_in_winmail_dat_are_forwarded(parse: Parse) -> None:
    inner = _tnef(_attribute(2, 0x00069002, b""), _attribute(2, 0x00018010, b"a.txt"), _attribute(2, 0x0006800F, BOOK))
    message = bytes.fromhex("0703020000000000c000000000000046") + inner
    stream = _tnef(
        _attribute(2, 0x00069002, b""),
        _attribute(2, 0x00069005, struct.pack("<I", 1) + _property(0x0D, 0x3701, message)),
    )

    files = parse(_winmail(stream)).attachments

    assert [(file.filename, file.is_forwarded) for file in files] == [("a.txt", True)]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("stream", [b"", b"\x78\x9f\x3e", _tnef(), _tnef(b"\x02" * 30), b"PK\x03\x04 renamed"])
def test_a_broken_winmail_dat_is_read(parse: Parse, stream: bytes) -> None:
    assert len(parse(_winmail(stream)).attachments) <= 1


# -- mails in mails


def _forwarded() -> str:
    return _with_part("Content-Disposition: attachment; filename=inner.txt").replace('"B"', '"I"').replace("--B", "--I")


@pytest.mark.parametrize("encoding", ["7bit", "base64", "quoted-printable"])
def test_a_forwarded_mail_gives_its_files_and_never_its_text(parse: Parse, encoding: str) -> None:
    inner = _forwarded().replace("\n", "\r\n")
    match encoding:
        case "base64":
            inner = base64.encodebytes(inner.encode()).decode()
        case "quoted-printable":
            inner = binascii.b2a_qp(inner.encode()).decode()
    mail = _with_part("Content-Type: message/rfc822", body=inner.replace("\r\n", "\n"), encoding=encoding)

    message = parse(mail)

    assert message.text == "hello"
    assert [(file.filename, file.is_forwarded) for file in message.attachments] == [("inner.txt", True)]


def test_a_mail_that_is_a_forwarded_mail_has_no_text(parse: Parse) -> None:
    message = parse(f"{HEADER}Content-Type: message/rfc822\n\n{_forwarded()}")

    assert (message.text, message.subject) == ("", "list")
    assert [file.filename for file in message.attachments] == ["inner.txt"]


def test_a_digest_holds_forwarded_mails(parse: Parse) -> None:
    message = parse(
        f"{HEADER}Content-Type: multipart/digest; boundary=D\n\n--D\n\n{_forwarded()}\n--D\n\n{_forwarded()}\n--D--\n"
    )

    assert (message.text, len(message.attachments)) == ("", 2)


def test_the_header_that_a_bounce_gives_back_is_no_text(parse: Parse) -> None:
    mail = _with_part("Content-Type: text/rfc822-headers", body="Subject: remove 1\n", encoding="7bit")

    message = parse(mail)

    assert (message.text, message.attachments) == ("hello", ())


@pytest.mark.parametrize("content_type", ["message/partial; id=1; number=1", "message/external-body; access-type=URL"])
def test_what_lies_elsewhere_is_not_fetched(parse: Parse, content_type: str) -> None:
    message = parse(f"{HEADER}Content-Type: {content_type}\n\nContent-Type: text/plain\n\nlist\n")

    assert (message.text, message.attachments, len(message.defects)) == ("", (), 1)
