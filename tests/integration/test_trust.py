"""Who is obeyed: mails of a registered address with and without proof, over SMTP, with a name server of the test's."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from ipaddress import ip_network
from pathlib import Path

import dkim
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from bot.authenticate import TrustSettings
from bot.signing import DkimSettings
from core.models import Book, Inbound
from core.models.inbound import InboundState
from core.services.accounts import Accounts
from core.work import Work
from tests.factories.books import make_epub
from tests.support.names import Zone
from tests.support.service import BOT, House, Person, open_house
from tests.support.signing import make_key
from tests.support.smtp_client import connected

KEY = make_key("reader")
RECORDS: Zone = {
    "_dmarc.reader.test": [("TXT", "v=DMARC1; p=reject")],
    "reader.test": [("TXT", "v=spf1 ip4:127.0.0.1 -all")],
    "s1._domainkey.reader.test": [("TXT", KEY.record)],
}


@pytest.fixture
def zone() -> dict[str, list[tuple[str, str]] | str]:
    """A test may change it while the service runs."""
    return dict(RECORDS)  # type: ignore[arg-type] # of the values, none is changed


@pytest.fixture
async def house(tmp_path: Path, zone: Zone) -> AsyncIterator[House]:
    async with open_house(tmp_path, zone=zone) as opened:
        yield opened


@pytest.fixture
async def ada(house: House) -> Person:
    return await house.person()


def make_mail(subject: str, *, to: str = BOT, body: str = "", number: int = 1) -> bytes:
    return (
        f"From: ada@reader.test\r\nTo: {to}\r\nSubject: {subject}\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\n"
        f"Message-ID: <{number}@reader.test>\r\n\r\n{body}\r\n"
    ).encode()


def signed(mail: bytes) -> bytes:
    return KEY.sign(mail, domain="reader.test")


async def bring(house: House, mail: bytes, *, sender: str = "list@elsewhere.test", rcpt: str = BOT) -> None:
    """From a host that SPF does not allow to send for the author, unless `sender` is of the author's domain."""
    async with connected(house.app.smtp_port) as client:
        await client.greet()
        await client.start_mail(sender=sender, rcpt=rcpt)
        await client.send(mail + b".\r\n")
        assert (await client.reply()).startswith("250")


async def fate(house: House) -> tuple[str, str]:
    """Outcome and reason of the newest mail, when all is done."""
    await house.settle()
    newest = sa.select(Inbound).order_by(Inbound.id.desc()).limit(1)
    row = await house.app.engine.in_read(lambda session: session.scalars(newest).one())
    return row.outcome, row.reason


async def titles(house: House) -> list[str]:
    here = sa.select(Book.title).where(Book.removed_at.is_(None))
    return await house.app.engine.in_read(lambda session: list(session.scalars(here)))


async def test_signed_mail_to_the_plain_address_is_obeyed(house: House, ada: Person) -> None:
    await bring(house, signed(make_mail("list")))

    assert (await ada.answer()).subject
    assert await fate(house) == ("answered", "dkim:reader.test authenticates the From field; DMARC pass")


async def test_dmarc_fail_gets_nothing_and_the_row_says_why(house: House, ada: Person) -> None:
    for mail in (
        make_mail("list"),
        signed(make_mail("list", number=2)).replace(b"Subject: list", b"Subject: help"),
        make_key("other").sign(make_mail("list", number=3), domain="reader.test"),
    ):
        await bring(house, mail)

        outcome, reason = await fate(house)
        assert outcome == "unbelieved"
        assert reason.startswith("nothing authenticates reader.test: SPF none for elsewhere.test, ")
        assert reason.endswith("DMARC fail, p=reject")
    assert house.world.mails == []


async def test_removing_asks_back_and_a_tap_does_it(house: House, ada: Person) -> None:
    await ada.asks("add", attach=[("m.epub", make_epub(title="Moby Dick"))])

    await bring(house, signed(make_mail("remove moby")))
    question = await ada.answer()
    assert await titles(house) == ["Moby Dick"]
    (tap,) = set(re.findall(r"confirm [a-z2-7]{32}", question.text))

    await bring(house, signed(make_mail(tap, number=2)))
    assert (await ada.answer()).subject == f"Re: {tap}"
    assert await titles(house) == []


async def test_host_of_the_author_alone_may_read_and_not_send(house: House, ada: Person) -> None:
    await bring(house, make_mail("list"), sender="ada@reader.test")
    assert "waits for your word" not in (await ada.answer()).text

    await bring(house, make_mail("send moby", number=2), sender="ada@reader.test")
    assert "waits for your word" in (await ada.answer()).text


async def test_copy_of_a_mail_to_somebody_else_may_not_send(house: House, ada: Person) -> None:
    await bring(house, signed(make_mail("send moby", to="carol@elsewhere.test")))

    assert "waits for your word" in (await ada.answer()).text


async def test_mail_waits_for_name_servers_and_is_not_believed_meanwhile(
    house: House, ada: Person, zone: dict[str, list[tuple[str, str]] | str]
) -> None:
    zone["s1._domainkey.reader.test"] = "SERVFAIL"
    await bring(house, signed(make_mail("list")))
    newest = sa.select(Inbound)
    await asyncio.sleep(0.5)
    row = await house.app.engine.in_read(lambda session: session.scalars(newest).one())
    assert (row.state, house.world.mails) == (InboundState.ACCEPTED, [])

    zone["s1._domainkey.reader.test"] = [("TXT", KEY.record)]

    assert (await ada.answer()).subject


async def test_patience_with_name_servers_ends(tmp_path: Path) -> None:
    zone: Zone = {**RECORDS, "s1._domainkey.reader.test": "SERVFAIL"}
    async with open_house(tmp_path, zone=zone, trust=TrustSettings(patience_hours=0)) as house:
        await house.person()
        await bring(house, signed(make_mail("list")))

        outcome, reason = await fate(house)

        assert (outcome, house.world.mails) == ("unbelieved", [])
        assert "name servers did not answer for the key of reader.test" in reason


async def test_large_mail_is_checked_in_a_worker_process(house: House, ada: Person) -> None:
    line = "It was the best of times, it was the worst of times.\r\n"
    await bring(house, signed(make_mail("list", body=line * 12_000)))

    await ada.answer()
    assert (await fate(house))[0] == "answered"


async def test_stranger_costs_the_name_servers_nothing(house: House, ada: Person) -> None:
    await bring(house, make_mail("list").replace(b"ada@", b"eve@"))

    assert await fate(house) == ("unbelieved", "not a registered address, and not to a secret subaddress")


class TestUpstream:
    """A mail server in front of us that checks the origin."""

    @pytest.fixture
    async def house(self, tmp_path: Path) -> AsyncIterator[House]:
        trust = TrustSettings(upstream_networks=(ip_network("127.0.0.0/8"),), upstream_authserv_id="mx.inkpost.test")
        async with open_house(tmp_path, zone={}, trust=trust) as opened:
            yield opened

    async def test_its_word_is_taken(self, house: House, ada: Person) -> None:
        word = b"Authentication-Results: MX.inkpost.test; dmarc=pass header.from=reader.test\r\nReceived: by x\r\n"
        await bring(house, word + make_mail("list"))

        await ada.answer()
        assert await fate(house) == ("answered", "mx.inkpost.test says dmarc=pass for reader.test")

    async def test_it_is_not_made_to_write_to_a_forged_sender(self, house: House, ada: Person) -> None:
        await bring(house, b"From: eve@evil.test\r\n" + make_mail("list"))

        assert await fate(house) == ("silent", "no author: several From fields")

    async def test_anything_else_is_not(self, house: House, ada: Person) -> None:
        name = b"Authentication-Results: "
        for number, fields in enumerate(
            (
                b"",
                name + b"mx.inkpost.test; dmarc=fail header.from=reader.test\r\n",
                name + b"mx.inkpost.test; dmarc=pass header.from=evil.test\r\n",
                name + b"mx.inkpost.test; dmarc=pass\r\n",
                name + b"evil.test; dmarc=pass header.from=reader.test\r\n",
                b"Received: by x\r\n" + name + b"mx.inkpost.test; dmarc=pass header.from=reader.test\r\n",
                (name + b"mx.inkpost.test; dmarc=fail header.from=reader.test\r\n")
                + (name + b"mx.inkpost.test; dmarc=pass header.from=reader.test\r\n"),
                name + b"mx.inkpost.test; dmarc=pass header.from=reader.test; (\r\n",
                name + b"mx.inkpost.test; dmarc=pass header.from=reader.test header.from=evil.test\r\n",
            )
        ):
            await bring(house, fields + make_mail("list", number=number))

            assert ((await fate(house))[0], fields) == ("unbelieved", fields)
        assert house.world.mails == []


async def test_new_secret_goes_to_the_registered_address_and_ends_the_old_one(house: House, ada: Person) -> None:
    answer = await ada.asks("secret new")
    (address,) = {word for word in answer.text.split() if word.startswith("books+")}

    assert "ada@reader.test" in str(answer.message["To"])
    assert address not in str(answer.message["Reply-To"])
    assert ada.bot_address not in answer.mail.raw.decode()
    await bring(house, make_mail("list"), rcpt=ada.bot_address)
    assert (await fate(house))[0] == "unbelieved"
    ada.secret = address.partition("+")[2].partition("@")[0]
    assert (await ada.asks("list")).subject


async def test_help_says_where_to_report_a_weakness(house: House) -> None:
    async with connected(house.app.smtp_port) as client:
        reply = await client.say("HELP")

    assert reply.splitlines()[0] == "214-2.0.0 to report a weakness: postmaster@inkpost.test"
    assert reply.splitlines()[-1].startswith("214 2.0.0 ")


async def test_suspended_user_is_nobody_whatever_the_proof(house: House, ada: Person) -> None:
    def suspend(work: Work) -> None:
        accounts = Accounts(work)
        accounts.suspend(accounts.find(ada.address).id)

    await house.app.engine.in_work(suspend)
    await bring(house, signed(make_mail("list")))

    assert await fate(house) == ("unbelieved", "the user is suspended")


async def test_answer_is_signed_where_a_key_is_configured(tmp_path: Path) -> None:
    key = make_key("service", bits=2048)
    async with open_house(tmp_path, dkim=DkimSettings(private_key=SecretStr(key.pem.decode()))) as house:
        ada = await house.person()

        answer = await ada.asks("list")

    assert dkim.verify(answer.mail.raw, dnsfunc=lambda name, timeout=5: key.record.encode())
