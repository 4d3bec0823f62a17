"""TLS and AUTH over real sockets."""

from __future__ import annotations

import ssl
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.guards import EdgeGuard, EdgeSettings
from bot.intake.session import SmtpHouse
from bot.intake.smtp import SmtpListener
from bot.intake.smtp_settings import SmtpSettings
from bot.intake.spool import SpoolFolder
from core.errors import Unavailable
from tests.support.certificates import make_certificate
from tests.support.intake import OURS, Intake, running_intake
from tests.support.smtp_client import RawClient, connected

MAIL = b"From: ann@example.org\r\nMessage-ID: <1@example.org>\r\n\r\nhi\r\n"


@dataclass
class Users:
    """Ann's password is right, and the logins that were tried are kept."""

    tried: list[tuple[str, str]] = field(default_factory=list)

    async def verify(self, login: str, password: str) -> bool:
        self.tried.append((login, password))
        if login == "broken":
            raise Unavailable("the database is away")
        return (login, password) == ("ann@example.org", "right")


@dataclass(frozen=True)
class Server:
    intake: Intake
    trust: ssl.SSLContext
    users: Users

    @property
    def tls_port(self) -> int:
        return self.intake.listener.addresses[1][1]


@asynccontextmanager
async def serving(folder: Path, *, edge: EdgeSettings | None = None, **changes: Any) -> AsyncIterator[Server]:
    certificate, trust = make_certificate(folder, "mx.books.example")
    users = Users()
    settings = SmtpSettings(port=0, tls_port=0, certificate_file=str(certificate), **changes)
    async with running_intake(folder, settings=settings, edge=edge or EdgeSettings(), verify=users.verify) as intake:
        yield Server(intake, trust, users)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with serving(tmp_path) as running:
        yield running


@pytest.fixture
async def secure(server: Server) -> AsyncIterator[RawClient]:
    async with connected(server.tls_port, tls=server.trust) as client:
        await client.greet()
        yield client


def plain(login: str, password: str) -> str:
    return f"AUTH PLAIN {b64encode(f'{chr(0)}{login}{chr(0)}{password}'.encode()).decode()}"


async def test_starttls_is_offered_until_it_is_used(server: Server) -> None:
    async with connected(server.intake.port) as client:
        assert "STARTTLS" in await client.greet()
        assert (await client.start_tls(server.trust)).startswith("220 2.0.0")
        offers = await client.greet()
        assert "STARTTLS" not in offers
        assert "AUTH PLAIN LOGIN" in offers
        assert (await client.say("STARTTLS")).startswith("503 5.5.1")


async def test_mail_inside_of_starttls_is_stored_as_such(server: Server) -> None:
    async with connected(server.intake.port) as client:
        await client.greet()
        await client.start_tls(server.trust)
        await client.greet()
        assert (await client.bring(MAIL)).startswith("250")
    assert [mail.tls for mail in server.intake.mails()] == [True]


async def test_large_mail_comes_through_tls_as_it_is(server: Server, secure: RawClient) -> None:
    content = MAIL + (b"x" * 76 + b"\r\n") * 20_000
    assert (await secure.bring(content)).startswith("250")
    (mail,) = server.intake.mails()
    assert server.intake.content(mail) == content
    assert mail.tls


async def test_what_was_said_in_the_clear_is_forgotten(server: Server) -> None:
    async with connected(server.intake.port) as client:
        await client.greet()
        await client.say("MAIL FROM:<a@example.org>")
        await client.start_tls(server.trust, behind=b"RCPT TO:<bot@books.example>\r\nNOOP\r\n")
        assert (await client.say("RCPT TO:<bot@books.example>")).startswith("503 5.5.1")
        assert (await client.say("MAIL FROM:<a@example.org>")).startswith("503 5.5.1")


async def test_handshake_that_is_none_ends_the_connection(server: Server) -> None:
    async with connected(server.intake.port) as client:
        await client.greet()
        await client.say("STARTTLS")
        await client.send(b"this is no handshake\r\n" * 10)
        await client.rest()
    async with connected(server.intake.port) as client:
        assert (await client.greet()).startswith("250")


async def test_password_in_the_clear_is_neither_asked_for_nor_looked_at(server: Server) -> None:
    async with connected(server.intake.port) as client:
        assert "AUTH" not in await client.greet()
        assert (await client.say(plain("ann@example.org", "right"))).startswith("538 5.7.11")
    assert server.users.tried == []


async def test_password_in_the_clear_is_taken_from_listed_networks(tmp_path: Path) -> None:
    loopback = (ip_network("127.0.0.0/8"),)
    async with serving(tmp_path, plaintext_login_networks=loopback) as server, connected(server.intake.port) as client:
        assert "AUTH PLAIN LOGIN" in await client.greet()
        assert (await client.say(plain("ann@example.org", "right"))).startswith("235 2.7.0")


async def test_who_logged_in_stands_on_the_mail(server: Server, secure: RawClient) -> None:
    assert (await secure.say(plain("ann@example.org", "right"))).startswith("235 2.7.0")
    await secure.bring(MAIL)
    assert [mail.auth_user for mail in server.intake.mails()] == ["ann@example.org"]


async def test_login_in_steps(secure: RawClient) -> None:
    assert (await secure.say("AUTH LOGIN")).startswith("334 ")
    assert (await secure.say(b64encode(b"ann@example.org").decode())).startswith("334 ")
    assert (await secure.say(b64encode(b"right").decode())).startswith("235 2.7.0")


async def test_login_does_not_make_a_relay(secure: RawClient) -> None:
    await secure.say(plain("ann@example.org", "right"))
    await secure.say("MAIL FROM:<ann@example.org>")
    assert (await secure.say("RCPT TO:<victim@elsewhere.example>")).startswith("550 5.7.1")


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("AUTH CRAM-MD5", "504 5.5.4"),
        ("AUTH", "504 5.5.4"),
        ("AUTH PLAIN not-base64", "501 5.5.2"),
        (plain("ann@example.org", "wrong"), "535 5.7.8"),
        (plain("x" * 400, "right"), "535 5.7.8"),
    ],
)
async def test_login_that_fails_is_told_why(secure: RawClient, line: str, reply: str) -> None:
    assert (await secure.say(line)).startswith(reply)


async def test_login_that_is_broken_off_costs_nothing(server: Server, secure: RawClient) -> None:
    await secure.say("AUTH PLAIN")
    assert (await secure.say("*")).startswith("501 5.5.2")
    assert server.users.tried == []


async def test_login_twice_or_within_a_mail_is_out_of_order(secure: RawClient) -> None:
    await secure.say("MAIL FROM:<a@example.org>")
    assert (await secure.say(plain("ann@example.org", "right"))).startswith("503 5.5.1")
    await secure.say("RSET")
    await secure.say(plain("ann@example.org", "right"))
    assert (await secure.say(plain("ann@example.org", "right"))).startswith("503 5.5.1")


async def test_third_wrong_password_ends_the_connection(secure: RawClient) -> None:
    replies = [await secure.say(plain("ann@example.org", "wrong")) for _ in range(3)]
    assert [reply[:9] for reply in replies] == ["535 5.7.8", "535 5.7.8", "421 4.7.0"]


async def test_wrong_passwords_make_the_whole_client_wait(tmp_path: Path) -> None:
    edge = EdgeSettings(failed_logins="1 per hour", trusted_networks=())
    async with serving(tmp_path, edge=edge) as server:
        async with connected(server.tls_port, tls=server.trust) as client:
            await client.greet()
            await client.say(plain("ann@example.org", "wrong"))
        async with connected(server.tls_port, tls=server.trust) as client:
            await client.greet()
            assert (await client.say(plain("ann@example.org", "right"))).startswith("454 4.7.0")


async def test_users_that_cannot_be_looked_up_are_our_fault(secure: RawClient) -> None:
    with capture_logs():
        assert (await secure.say(plain("broken", "right"))).startswith("451 4.3.0")
    assert (await secure.say(plain("ann@example.org", "right"))).startswith("235 2.7.0")


async def test_certificate_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"the certificate \S+none\.pem: .*No such file"):
        SmtpListener(
            SmtpHouse(
                SmtpSettings(certificate_file=str(tmp_path / "none.pem")),
                hostname="mx.books.example",
                ours=OURS,
                guard=EdgeGuard(EdgeSettings()),
            ),
            accept=lambda mail: NotImplemented,
            spool=SpoolFolder(tmp_path),
        )
