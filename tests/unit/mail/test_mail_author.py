"""Who wrote a mail: exactly one From field with exactly one address, or nobody."""

from __future__ import annotations

import pytest

from core.mail.author import NoAuthor, decide_author


def _from(value: str) -> bytes:
    return f"To: books@inkpost.example\r\nFrom: {value}\r\nSubject: list\r\n".encode()


@pytest.mark.parametrize(
    ("value", "address", "name"),
    [
        ("ann@example.org", "ann@example.org", ""),
        ("<ann@example.org>", "ann@example.org", ""),
        ("Ann <Ann.B@Example.ORG>", "Ann.B@example.org", "Ann"),
        ('"B, Ann" <ann@example.org>', "ann@example.org", "B, Ann"),
        ('"Ann \\"The\\" B" <ann@example.org>', "ann@example.org", 'Ann "The" B'),
        ('Ann "M." B<ann@example.org>', "ann@example.org", "Ann M. B"),
        ("J. R. B <ann@example.org>", "ann@example.org", "J. R. B"),
        ("ann@example.org (Ann (the first) B)", "ann@example.org", "Ann (the first) B"),
        ("Ann\r\n B <ann@example.org>", "ann@example.org", "Ann B"),
        ("=?utf-8?Q?B=2C_J=C3=BCrgen?= <j@example.org>", "j@example.org", "B, Jürgen"),
        ("Jürgen <jürgen@bücher.example>", "jürgen@xn--bcher-kva.example", "Jürgen"),
        ('"ann b"@example.org', '"ann b"@example.org', ""),
        ("ann+kindle=x@example.org", "ann+kindle=x@example.org", ""),
        ("ann@example.org <Ann@example.org>", "Ann@example.org", ""),
        ("ann@localhost", "ann@localhost", ""),
        ("(" * 900 + ")" * 900 + " ann@example.org", "ann@example.org", "(" * 200),
    ],
)
def test_an_unambiguous_author_is_read(value: str, address: str, name: str) -> None:
    author = decide_author(_from(value))

    assert (author.address, author.name) == (address, name)


def test_a_name_in_an_old_charset_is_read() -> None:
    author = decide_author(b"From: Jos\xe9 <jose@example.org>\r\n")

    assert (author.address, author.name) == ("jose@example.org", "José")


@pytest.mark.parametrize(
    "value", ['"boss@good.example" <eve@evil.example>', "=?utf-8?Q?boss=40good.example?= <eve@evil.example>"]
)
def test_a_name_that_poses_as_an_address_is_not_shown(value: str) -> None:
    author = decide_author(_from(value))

    assert (author.address, author.name) == ("eve@evil.example", "")


@pytest.mark.parametrize(
    "value",
    [
        "",
        "<>",
        "Ann",
        "MAILER-DAEMON <>",
        "undisclosed-recipients:;",
        "Team: ann@example.org;",
        "Team: Ann <ann@example.org>",
        "ann@example.org, bob@example.org",
        "<ann@example.org>, <bob@example.org>",
        "ann@example.org,<bob@example.org>",
        "ann@example.org <bob@example.org>",
        "B, Ann <ann@example.org>",
        "<ann@example.org> bob@example.org",
        "<ann@example.org>bob@example.org",
        "<ann@example.org> Ann",
        "<ann@example.org> <bob@example.org>",
        "<ann@example.org>\\,<bob@example.org>",
        "<@a.example,@b.example:ann@example.org>",
        "<a.example!ann@example.org@b.example>",
        "=?utf-8?B?PGFubkBleGFtcGxlLm9yZz4=?=,<bob@example.org>",
        "=?utf-8?B?<ann@example.org>?=,<bob@example.org>",
        "=?utf-8?Q?ann?=@example.org",
        "(ann@example.org) bob@example.org",
        "ann@example.org (bob@example.org)",
        "ann@example.org (open",
        "ann b@example.org",
        "Ann ann@example.org",
        "ann@example.org'",
        "ann@example.org'@b.example",
        "ann@exam_ple.org",
        "ann@-example.org",
        "ann@example..org",
        "ann@example.org.",
        "ann@[192.0.2.1]",
        "ann@192.0.2.1",
        "ann\u200b@example.org",
        "ann\u00a0b@example.org",
        "ann@ex\u2044ample.org",
        "ann@example.org\x00",
        "ann\x0b@example.org",
        "a" * 65 + "@example.org",
        "ann@" + "a." * 130 + "org",
        "n" * 3000 + " <ann@example.org>",
    ],
)
def test_what_can_be_read_in_two_ways_has_no_author(value: str) -> None:
    with pytest.raises(NoAuthor):
        decide_author(_from(value))


@pytest.mark.parametrize(
    "block",
    [
        b"Subject: no author\r\n",
        b"From: ann@example.org\r\nFrom: bob@example.org\r\n",
        b"From: ann@example.org\r\nfrom: bob@example.org\r\n",
        b" From: ann@example.org\r\nFrom: bob@example.org\r\n",
        b" From: Ann\r\nFrom: bob@example.org\r\n",
        b"Subject: x\r\n From: <ann@example.org>\r\nFrom: bob@example.org\r\n",
        b"From : ann@example.org\r\nFrom: bob@example.org\r\n",
        b"From : ann@example.org\r\n",
        b"From\r\n : ann@example.org\r\nFrom: bob@example.org\r\n",
        b"From\r\n : ann@example.org\r\nSender: bob@example.org\r\n",
        b"From\t: ann@example.org\r\nResent-From: bob@example.org\r\n",
        b"Subject: x\rFrom: ann@example.org\r\nFrom: bob@example.org\r\n",
        b"Subject: x\r\nthis is no field\r\nFrom: ann@example.org\r\n",
        b"Subject: \x00\r\nFrom: ann@example.org\r\n",
    ],
)
def test_a_field_that_some_would_read_and_others_not_is_no_author(block: bytes) -> None:
    with pytest.raises(NoAuthor):
        decide_author(block)


@pytest.mark.parametrize(
    "before",
    [
        b"DKIM-Signature: v=1; d=example.org; h=\r\n From:To:Subject; i=@example.org; bh=x\r\n",
        b"Received: from mx.example.org\r\n\tfrom: nobody by us\r\n",
        b"From ann@example.org Sun Nov 22 10:00:00 2026\r\n",
        b"Resent-From: bob@example.org\r\nX-From: carl@example.org\r\n",
    ],
)
def test_the_word_from_in_other_fields_does_no_harm(before: bytes) -> None:
    author = decide_author(before + b"From: Ann <ann@example.org>\r\n")

    assert author.address == "ann@example.org"
