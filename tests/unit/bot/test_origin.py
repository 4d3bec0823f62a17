"""Whether a mail's From field is true: SPF, DKIM, DMARC and ARC together, over a fake of the world's names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot.origin import OriginCheck
from bot.sandbox import Sandbox, SandboxSettings
from core.mail.verdict import Authenticity
from core.values import Envelope, Peer
from tests.support.names import FakeDns, Zone
from tests.support.signing import make_key

OWN, ESP, LIST = make_key("own"), make_key("esp"), make_key("list")
OWN_HOST, ESP_HOST, ANY_HOST = "192.0.2.9", "198.51.100.7", "203.0.113.5"
SPF_OWN, SPF_ESP = "v=spf1 ip4:192.0.2.0/24 -all", "v=spf1 ip4:198.51.100.0/24 -all"
ZONE: Zone = {
    "example.org": [("TXT", SPF_OWN)],
    "_dmarc.example.org": [("TXT", "v=DMARC1; p=reject; sp=quarantine")],
    "s1._domainkey.example.org": [("TXT", OWN.record)],
    "esp.example": [("TXT", SPF_ESP)],
    "bounce.esp.example": [("TXT", "v=spf1 include:esp.example -all")],
    "s1._domainkey.esp.example": [("TXT", ESP.record)],
    "_dmarc.strict.example": [("TXT", "v=DMARC1; p=reject; adkim=s; aspf=s")],
    "mail.strict.example": [("TXT", SPF_OWN)],
    "s1._domainkey.mail.strict.example": [("TXT", OWN.record)],
    "plain.example": [("TXT", SPF_OWN)],
    "s1._domainkey.plain.example": [("TXT", OWN.record)],
    "two.example": [("TXT", SPF_OWN)],
    "_dmarc.two.example": [("TXT", "v=DMARC1; p=reject"), ("TXT", "v=DMARC1; p=reject")],
    "junk.example": [("TXT", SPF_OWN)],
    "_dmarc.junk.example": [("TXT", "site-verification=abc"), ("TXT", "v=DMARC1; p=reject")],
    "_dmarc.np.example": [("TXT", "v=DMARC1; p=none; sp=quarantine; np=reject")],
    "here.np.example": [("A", "192.0.2.1")],
    "_dmarc.oddnp.example": [("TXT", "v=DMARC1; p=none; sp=quarantine; np=perhaps")],
    "_dmarc.slow.example": "TIMEOUT",
    "_dmarc.slowkey.example": [("TXT", "v=DMARC1; p=reject")],
    "s1._domainkey.slowkey.example": "TIMEOUT",
    "_dmarc.co.uk": [("TXT", "v=DMARC1; p=reject")],
    "s1._domainkey.evil.co.uk": [("TXT", ESP.record)],
    "_dmarc.group.example": [("TXT", "v=DMARC1; p=reject")],
    "_dmarc.apart.group.example": [("TXT", "v=DMARC1; p=reject; psd=n")],
    "s1._domainkey.group.example": [("TXT", OWN.record)],
    "s1._domainkey.lists.example": [("TXT", LIST.record)],
}


def make_mail(
    author: str = "alice@example.org", *, more: str = "", subject: str = "list", to: str = "books@inkpost.test"
) -> bytes:
    return (
        f"From: Alice <{author}>\r\nTo: {to}\r\nSubject: {subject}\r\nDate: Sun, 22 Nov 2026 10:00:00 +0100\r\n"
        f"Message-ID: <1@example.org>\r\n{more}\r\nplease\r\n"
    ).encode()


async def check(
    tmp_path: Path,
    mail: bytes,
    *,
    author: str = "example.org",
    host: str = ANY_HOST,
    mail_from: str = "x@elsewhere.example",
    helo: str = "mx.elsewhere.example",
    sealers: frozenset[str] = frozenset(),
) -> Authenticity:
    path = tmp_path / "mail.eml"
    path.write_bytes(mail)
    origin = OriginCheck(FakeDns(ZONE), Sandbox(SandboxSettings()), sealers)
    peer = Peer(host, helo=helo)
    return await origin.check(
        path, author_domain=author, envelope=Envelope(mail_from, ()), peer=peer, is_addressed_to_us=True
    )


def signed(mail: bytes, domain: str = "example.org", **options: Any) -> bytes:
    return (ESP if domain.endswith(("esp.example", "evil.co.uk")) else OWN).sign(mail, domain=domain, **options)


async def test_signature_of_the_author_holds_wherever_the_mail_went(tmp_path: Path) -> None:
    found = await check(tmp_path, signed(make_mail()))

    assert (found.result, found.aligned_by, found.is_ours_to_read) == ("pass", ("dkim:example.org",), True)


async def test_author_server_speaks_for_the_author(tmp_path: Path) -> None:
    found = await check(tmp_path, make_mail(), host=OWN_HOST, mail_from="bounce@example.org")

    assert (found.result, found.aligned_by, found.is_ours_to_read) == ("pass", ("spf:example.org",), False)


async def test_null_reverse_path_is_checked_by_the_greeting(tmp_path: Path) -> None:
    found = await check(tmp_path, make_mail(), host=OWN_HOST, mail_from="", helo="example.org")

    assert found.aligned_by == ("spf:example.org",)


@pytest.mark.parametrize(
    ("mail", "host", "mail_from"),
    [
        pytest.param(make_mail(), ANY_HOST, "alice@example.org", id="nothing passes"),
        pytest.param(make_mail(), ESP_HOST, "x@esp.example", id="SPF passes for somebody else"),
        pytest.param(signed(make_mail(), "esp.example"), ESP_HOST, "x@bounce.esp.example", id="somebody else signed"),
        pytest.param(signed(make_mail()).replace(b"please", b"PLEASE"), ANY_HOST, "x@y.example", id="body changed"),
        pytest.param(signed(make_mail()).replace(b": list", b": send 1"), ANY_HOST, "", id="subject changed"),
        pytest.param(b"Subject: remove 1\r\n" + signed(make_mail()), ANY_HOST, "", id="a second subject on top"),
        pytest.param(
            signed(make_mail(), include_headers=[b"from", b"to"]), ANY_HOST, "", id="a signature without the subject"
        ),
        pytest.param(signed(make_mail(), length=True) + b"remove 1\r\n", ANY_HOST, "", id="l= and more text"),
        pytest.param(signed(make_mail(), length=True), ANY_HOST, "", id="l= even if nothing was added"),
        pytest.param(signed(make_mail(), signature_algorithm=b"rsa-sha1"), ANY_HOST, "", id="SHA-1"),
        pytest.param(
            signed(make_mail()).replace(b"\r\n\r\nplease", b"\r\n--x: y\r\n remove 1\r\n\r\nplease"),
            ANY_HOST,
            "",
            id="a header field that we read as the beginning of the body",
        ),
        pytest.param(
            signed(make_mail()).replace(b"\r\nTo:", b"\r\nno colon\r\nTo:"), ANY_HOST, "", id="a broken header line"
        ),
    ],
)  # fmt: skip
async def test_what_does_not_come_from_the_author_is_not_believed(
    tmp_path: Path, mail: bytes, host: str, mail_from: str
) -> None:
    found = await check(tmp_path, mail, host=host, mail_from=mail_from)

    assert (found.result, found.policy, found.is_authentic) == ("fail", "reject", False)
    assert "nothing authenticates example.org" in found.why


async def test_every_signature_counts_not_the_first_alone(tmp_path: Path) -> None:
    found = await check(tmp_path, signed(signed(make_mail()), "esp.example"), host=ESP_HOST, mail_from="x@esp.example")

    assert found.aligned_by == ("dkim:example.org",)


async def test_copy_of_a_mail_to_somebody_else_is_authentic_and_not_for_us(tmp_path: Path) -> None:
    path = tmp_path / "mail.eml"
    path.write_bytes(signed(make_mail(to="carol@elsewhere.example")))
    origin = OriginCheck(FakeDns(ZONE), Sandbox(SandboxSettings()))

    found = await origin.check(
        path,
        author_domain="example.org",
        envelope=Envelope("x@evil.example", ()),
        peer=Peer(ANY_HOST),
        is_addressed_to_us=False,
    )

    assert (found.is_authentic, found.is_ours_to_read) == (True, False)


async def test_recipient_that_is_not_signed_proves_nothing_unless_the_author_server_brings_the_mail(
    tmp_path: Path,
) -> None:
    mail = signed(make_mail(), include_headers=[b"from", b"subject"])

    assert not (await check(tmp_path, mail)).is_ours_to_read
    assert (await check(tmp_path, mail, host=OWN_HOST, mail_from="a@example.org")).is_ours_to_read


async def test_subdomain_and_its_organisation_are_one(tmp_path: Path) -> None:
    up = await check(tmp_path, signed(make_mail("a@sub.example.org")), author="sub.example.org")
    fails = await check(tmp_path, make_mail("a@sub.example.org"), author="sub.example.org")

    assert (up.result, up.aligned_by) == ("pass", ("dkim:example.org",))
    assert (fails.result, fails.policy) == ("fail", "quarantine")


@pytest.mark.parametrize(
    ("author", "policy"),
    [
        ("np.example", "none"),
        ("here.np.example", "quarantine"),
        ("nowhere.np.example", "reject"),
        ("nowhere.oddnp.example", "quarantine"),
        ("nowhere.example.org", "quarantine"),
    ],
)
async def test_policy_of_a_subdomain_is_by_whether_it_exists(tmp_path: Path, author: str, policy: str) -> None:
    found = await check(tmp_path, make_mail(f"a@{author}"), author=author)

    assert (found.result, found.policy) == ("fail", policy)


async def test_strict_alignment_wants_the_very_domain(tmp_path: Path) -> None:
    mail = signed(make_mail("a@strict.example"), "mail.strict.example")

    found = await check(tmp_path, mail, author="strict.example", host=OWN_HOST, mail_from="b@mail.strict.example")

    assert (found.result, found.aligned_by) == ("fail", ())


async def test_neighbours_under_a_public_suffix_are_strangers_whatever_its_owner_publishes(tmp_path: Path) -> None:
    found = await check(tmp_path, signed(make_mail("a@good.co.uk"), "evil.co.uk"), author="good.co.uk")

    assert found.aligned_by == ()


async def test_part_of_an_organisation_that_says_so_stands_apart(tmp_path: Path) -> None:
    apart = await check(
        tmp_path, signed(make_mail("a@apart.group.example"), "group.example"), author="apart.group.example"
    )
    together = await check(tmp_path, signed(make_mail("a@x.group.example"), "group.example"), author="x.group.example")

    assert (apart.aligned_by, together.aligned_by) == ((), ("dkim:group.example",))


@pytest.mark.parametrize("domain", ["plain.example", "two.example"])
async def test_domain_without_one_policy_may_still_be_authentic(tmp_path: Path, domain: str) -> None:
    found = await check(tmp_path, make_mail(f"a@{domain}"), author=domain, host=OWN_HOST, mail_from=f"a@{domain}")

    assert (found.result, found.aligned_by) == ("none", (f"spf:{domain}",))


async def test_other_texts_beside_the_policy_do_not_hide_it(tmp_path: Path) -> None:
    assert (await check(tmp_path, make_mail("a@junk.example"), author="junk.example")).policy == "reject"


@pytest.mark.parametrize(
    ("mail", "author"),
    [
        pytest.param(make_mail("a@slow.example"), "slow.example", id="policy"),
        pytest.param(signed(make_mail("a@slowkey.example"), "slowkey.example"), "slowkey.example", id="key"),
    ],
)
async def test_name_servers_that_do_not_answer_decide_nothing(tmp_path: Path, mail: bytes, author: str) -> None:
    found = await check(tmp_path, mail, author=author)

    assert (found.result, found.is_authentic) == ("temperror", False)


async def test_silence_about_somebody_elses_key_holds_up_nothing(tmp_path: Path) -> None:
    found = await check(tmp_path, signed(make_mail(), "slowkey.example"))

    assert found.result == "fail"


class TestForwarders:
    """A list changes the subject, which ends the author's signature, and seals what it found before."""

    def forwarded(self, verdict: str) -> bytes:
        found = f"Authentication-Results: lists.example; dmarc={verdict} header.from=example.org\r\n".encode()
        return LIST.seal(found + make_mail(subject="[list] list"), domain="lists.example", authserv_id="lists.example")

    async def test_listed_one_is_believed(self, tmp_path: Path) -> None:
        found = await check(tmp_path, self.forwarded("pass"), sealers=frozenset({"lists.example"}))

        assert found.aligned_by == ("arc:lists.example",)

    @pytest.mark.parametrize("sealers", [frozenset(), frozenset({"other.example"})])
    async def test_any_other_is_not(self, tmp_path: Path, sealers: frozenset[str]) -> None:
        assert not (await check(tmp_path, self.forwarded("pass"), sealers=sealers)).is_authentic

    @pytest.mark.parametrize("verdict", ["fail", "none", "temperror"])
    async def test_what_did_not_pass_there_does_not_here(self, tmp_path: Path, verdict: str) -> None:
        found = await check(tmp_path, self.forwarded(verdict), sealers=frozenset({"lists.example"}))

        assert not found.is_authentic

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (b"please", b"PLEASE"),
            (b"Subject: [list] list", b"Subject: [list] help"),
            (b"header.from=", b"x header.from="),
        ],
    )
    async def test_what_was_changed_since_breaks_the_seal(self, tmp_path: Path, old: bytes, new: bytes) -> None:
        mail = self.forwarded("pass").replace(old, new)

        assert not (await check(tmp_path, mail, sealers=frozenset({"lists.example"}))).is_authentic
