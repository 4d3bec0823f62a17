"""DKIM's canonical bodies in pieces, and signatures of hostile mails."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import pytest
from dkim.canonicalization import CanonicalizationPolicy
from hypothesis import given, settings
from hypothesis import strategies as st

from core.mail.canonical import hash_body, lines_of
from core.mail.signatures import check_signatures, read_claims
from tests.support.signing import SigningKey, make_key

KEY = make_key("own")
MAIL = b"From: a@example.org\r\nSubject: list\r\n\r\nplease\r\n"
NAME = "s1._domainkey.example.org"
SHORT_KEY = SigningKey(  # of 512 bits, which no library makes any more
    b"""-----BEGIN RSA PRIVATE KEY-----
MIIBPAIBAAJBAN6Ac7vYkxRgLqIYQJvkkz9qWkoL46pIlUmwSGxFCRdXx7MhTXUR
3szYc2NG35Ns19svhibY9yZWYNOOeQY7U1MCAwEAAQJAS7P0rKMBV9tpwmjyApiA
qQDse2kUKunLMWkzGvNaJoBqyu8bLojxdFmHd1xpExCVeWBdhbeDTQSvvuC514N9
QQIhAPZV+IUkeVtx/1CD4UaM3Akeml9WC6MBBKUawuhYcH6jAiEA5zsbt0gHlDeF
lKkd6AUZm3DPlC5nsEMT6V/tkCvEk5ECIQCuUY4pYfNDI/uh1YGQdFOtXGuvtWtM
sYbA85wj4ZnR8wIhALYReaJYKfePvDOw8eZmVaJqMlhYLbbBKmWA7hquC8uxAiEA
8Lb3OJUNQIANTOkD+5Un7TPmbFSbJKUnfOWasiTedCE=
-----END RSA PRIVATE KEY-----
""",
    "v=DKIM1; k=rsa; p=MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAN6Ac7vYkxRgLqIYQJvkkz9qWkoL46pIlUmwSGxFCRdXx7Mh"
    "TXUR3szYc2NG35Ns19svhibY9yZWYNOOeQY7U1MCAwEAAQ==",
)


def by_us(body: bytes, algorithm: str) -> bytes:
    digest = hashlib.sha256()
    hash_body(lines_of(io.BytesIO(body)), digest, algorithm=algorithm)
    return digest.digest()


def by_dkimpy(body: bytes, algorithm: str) -> bytes:
    policy = CanonicalizationPolicy.from_c_value(f"simple/{algorithm}".encode())
    whole = body if body.endswith(b"\n") or not body else body + b"\r\n"  # RFC 6376 3.4.3 adds it before all else
    lines = whole.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return hashlib.sha256(policy.canonicalize_body(lines)).digest()


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from([b"a", b" ", b"\t", b"\r\n", b"\n", b"\r", b"text here ", b".", b"\r\n\r\n"]), max_size=12
    ),
    st.sampled_from(["simple", "relaxed"]),
)
def test_body_in_pieces_has_the_hash_of_the_whole(parts: list[bytes], algorithm: str) -> None:
    body = b"".join(parts)

    assert by_us(body, algorithm) == by_dkimpy(body, algorithm)


@pytest.mark.parametrize("algorithm", ["simple", "relaxed"])
@pytest.mark.parametrize(
    "body",
    [b"", b"\r\n" * 300_000, b"x \t y\r\n" * 90_000 + b"\r\n" * 200_000 + b"end", b"a" * 700_000, b"\r" * 5],
    ids=["empty", "lines only", "gap between blocks", "one line", "stray CRs"],
)
def test_large_bodies_have_the_hash_of_the_whole(body: bytes, algorithm: str) -> None:
    assert by_us(body, algorithm) == by_dkimpy(body, algorithm)


def results(tmp_path: Path, mail: bytes, record: str | None = KEY.record) -> list[str]:
    path = tmp_path / "mail.eml"
    path.write_bytes(mail)
    return [one.result for one in check_signatures(path, {NAME: record}).signatures]


def test_signature_holds_until_something_is_changed(tmp_path: Path) -> None:
    mail = KEY.sign(MAIL, domain="example.org", include_headers=[b"from", b"subject"])

    assert results(tmp_path, mail) == ["pass"]
    assert results(tmp_path, mail.replace(b"please", b"pleasE")) == ["fail"]
    assert results(tmp_path, mail.replace(b"a@example", b"b@example")) == ["fail"]


@pytest.mark.parametrize(
    ("change", "result"),
    [
        (lambda record: "", "permerror"),
        (lambda record: record.partition("p=")[0] + "p=", "permerror"),
        (lambda record: f"{record}; h=sha1", "permerror"),
        (lambda record: f"{record}; s=tlsrpt", "permerror"),
        (lambda record: record.replace("v=DKIM1", "v=DKIM2"), "fail"),
        (lambda record: record.replace("k=rsa", "k=dsa"), "fail"),
        (lambda record: record[:-20], "fail"),
        (lambda record: "p=AAAA", "fail"),
        (lambda record: "p=é\x00;;;=", "permerror"),
        (lambda record: make_key("other").record, "fail"),
        (lambda record: None, "temperror"),
    ],
)
def test_key_that_does_not_fit_verifies_nothing(tmp_path: Path, change: object, result: str) -> None:
    mail = KEY.sign(MAIL, domain="example.org", include_headers=[b"from", b"subject"])

    assert callable(change)
    assert results(tmp_path, mail, change(KEY.record)) == [result]


@pytest.mark.parametrize("how", [{"length": True}, {"signature_algorithm": b"rsa-sha1"}], ids=["l=", "SHA-1"])
def test_weak_signature_is_not_even_looked_up(tmp_path: Path, how: dict[str, Any]) -> None:
    mail = KEY.sign(MAIL, domain="example.org", include_headers=[b"from", b"subject"], **how)

    assert results(tmp_path, mail) == ["policy"]
    assert read_claims(tmp_path / "mail.eml").key_names == frozenset()


def test_short_key_verifies_nothing(tmp_path: Path) -> None:
    mail = SHORT_KEY.sign(MAIL, domain="example.org", include_headers=[b"from", b"subject"])

    assert results(tmp_path, mail, SHORT_KEY.record) == ["fail"]


@pytest.mark.parametrize(
    ("domain", "selector"),
    [
        ("example.org'a.evil.example", "s1"),
        ("example.org(.evil.example", "s1"),
        ("example.org", "s1._domainkey.evil.example.\x00.any"),
        ("org", "s1"),
        ("example.org", "s1/../x"),
        ("exämple.org", "s1"),
    ],
)
def test_names_that_no_reader_agrees_on_are_not_looked_up(tmp_path: Path, domain: str, selector: str) -> None:
    path = tmp_path / "mail.eml"
    path.write_bytes(KEY.sign(MAIL, domain=domain, selector=selector, include_headers=[b"from", b"subject"]))

    assert read_claims(path).key_names == frozenset()
    assert {one.result for one in check_signatures(path, {}).signatures} <= {"policy"}


def test_no_more_than_ten_signatures_are_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "mail.eml"
    path.write_bytes(b"DKIM-Signature: v=1; d=example.org; s=s1; h=from; b=x; bh=x; a=rsa-sha256\r\n" * 500 + MAIL)

    assert len(read_claims(path).signatures) == len(check_signatures(path, {NAME: KEY.record}).signatures) == 10


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["DKIM-Signature", "ARC-Seal", "ARC-Message-Signature"]))
def test_nothing_in_a_field_breaks_the_check(tmp_path_factory: pytest.TempPathFactory, value: bytes, name: str) -> None:
    path = tmp_path_factory.getbasetemp() / "hostile.eml"
    claim = b"v=1; i=1; cv=none; a=rsa-sha256; d=example.org; s=s1; h=from; bh=" + value + b"; b=" + value
    path.write_bytes(name.encode() + b": " + claim + b"\r\n" + MAIL)

    found = check_signatures(path, dict.fromkeys(read_claims(path).key_names, KEY.record))

    assert all(one.result != "pass" for one in found.signatures)
    assert found.arc.result != "pass"
