"""Mailboxes at bad houses: servers that drip, lie, babble and refuse. The thread lives, and nothing waits for ever."""

from __future__ import annotations

import asyncio
import itertools
import ssl
import threading
import time
from pathlib import Path

import pytest
import trustme
from pydantic import SecretStr
from structlog.testing import capture_logs

from bot.check import check_everything
from bot.config import Config
from bot.intake import imap_connection
from bot.intake.imap import ImapSettings
from bot.intake.imap_connection import ImapAccount, ImapConnection, ImapDown
from bot.transport import Security
from tests.corpus.manifest import corpus_folder
from tests.corpus.smtp_imap import responses, visit
from tests.support.hostile_imap import MAIL, hostile_imap, sane
from tests.support.intake import fetching, until


async def test_refused_login_is_reported_and_not_hammered(tmp_path: Path) -> None:
    def refuse(tag: str, command: str) -> bytes:
        is_login = command.upper().startswith("LOGIN")
        return f"{tag} NO [AUTHENTICATIONFAILED] no\r\n".encode() if is_login else sane(tag, command)

    with hostile_imap(refuse) as server, capture_logs() as logs:
        async with fetching(tmp_path, server.account()) as house:
            await until(lambda: "refused" in str(house.problems[0]))
            await asyncio.sleep(0.5)
            assert server.logins == 1
    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["imap_login_refused"]


async def test_server_that_is_busy_says_nothing_of_the_password(tmp_path: Path) -> None:
    def busy(tag: str, command: str) -> bytes:
        is_login = command.upper().startswith("LOGIN")
        return f"{tag} NO [UNAVAILABLE] later\r\n".encode() if is_login else sane(tag, command)

    with hostile_imap(busy) as server:
        async with fetching(tmp_path, server.account()):
            await until(lambda: server.logins >= 3)


async def test_check_tells_of_a_mailbox_that_cannot_be_read(tmp_path: Path) -> None:
    with hostile_imap(lambda tag, command: f"{tag} NO no\r\n".encode()) as server:
        config = Config(data_dir=tmp_path, imap=ImapSettings(accounts=(server.account(),)))
        findings = {one.name: one.problem for one in await check_everything(config)}
    (problem,) = [problem for name, problem in findings.items() if name.startswith("mailbox")]
    assert problem


@pytest.mark.parametrize(
    "said",
    [
        b"* 1 FETCH (UID 1 BODY[]<0> {99999999999}\r\n",
        b"* 1 FETCH (UID 1 BODY[]<0> {8999999}\r\nx",
        b"* 1 FETCH (UID 1 BODY[]<0> (1 2))\r\n",
        b"* 1 FETCH (UID 1 BODY[]<0> {3}\r\nabc\r\n",
        b"x" * 2_000_000,
        b"* 1 EXISTS\r\n" * 1_000_000,
        b"",
    ],
    ids=["endless literal", "large literal", "list", "open bracket", "long line", "babble", "silence"],
)
def test_nonsense_about_a_mail_is_an_answer_in_time(said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(tag: str, command: str) -> bytes | None:
        return said if "BODY" in command else sane(tag, command)

    began = time.monotonic()
    with hostile_imap(answer) as server, ImapConnection(server.account()) as connection:
        connection.select()
        monkeypatch.setattr(imap_connection, "COMMAND_SECONDS", 0.5)
        with pytest.raises(ImapDown):
            list(connection.content(1))
    assert time.monotonic() - began < 20


def test_server_that_drips_is_cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    with hostile_imap(sane, drip_seconds=0.05) as server, ImapConnection(server.account()) as connection:
        connection.select()
        monkeypatch.setattr(imap_connection, "COMMAND_SECONDS", 0.4)
        with pytest.raises(ImapDown, match="no answer within"):
            connection.unread()


async def test_server_that_hangs_up_while_we_wait_does_not_make_us_spin(tmp_path: Path) -> None:
    def hang_up(tag: str, command: str) -> bytes | None:
        return None if command == "IDLE" else sane(tag, command)

    with hostile_imap(hang_up) as server:
        async with fetching(tmp_path, server.account(), retry_seconds=0.2) as house:
            await until(house.mails)
            await asyncio.sleep(1)
    assert server.logins <= 6


async def test_server_that_always_has_news_is_looked_at_now_and_then(tmp_path: Path) -> None:
    searches = 0

    def excited(tag: str, command: str) -> bytes:
        nonlocal searches
        searches += "SEARCH" in command
        return sane(tag, command)

    with hostile_imap(excited) as server:
        async with fetching(tmp_path, server.account()) as house:
            await until(house.mails)
            await asyncio.sleep(1)
    assert searches <= 8


async def test_server_without_idle_is_looked_at_at_intervals(tmp_path: Path) -> None:
    searches: list[float] = []
    idled = False

    def plain(tag: str, command: str) -> bytes:
        nonlocal idled
        idled |= command == "IDLE"
        if "SEARCH" in command:
            searches.append(time.monotonic())
        return sane(tag, command).replace(b" IDLE", b"")

    with hostile_imap(plain) as server:
        async with fetching(tmp_path, server.account(), poll_seconds=0.3) as house:
            await until(house.mails)
            await until(lambda: len(searches) >= 4)
    assert not idled
    assert all(later - earlier >= 0.25 for earlier, later in itertools.pairwise(searches[1:]))


async def test_mail_that_is_told_of_in_another_answer_is_looked_for_at_once(tmp_path: Path) -> None:
    searches = 0

    def answer(tag: str, command: str) -> bytes:
        nonlocal searches
        if command == "IDLE":
            return b"+ idling\r\n"
        if "SEARCH" not in command:
            return sane(tag, command)
        searches += 1
        return (b"* 2 EXISTS\r\n" if searches == 1 else b"") + sane(tag, command)

    with hostile_imap(answer) as server:
        async with fetching(tmp_path, server.account(), poll_seconds=600):
            await until(lambda: searches == 2)
            await asyncio.sleep(0.5)
    assert searches == 2


async def test_mail_that_cannot_be_fetched_does_not_keep_the_others_back(tmp_path: Path) -> None:
    def answer(tag: str, command: str) -> bytes:
        if "SEARCH" in command:
            return f"* SEARCH 1 2\r\n{tag} OK done\r\n".encode()
        if "FETCH 1 " in command:
            return f"{tag} NO cannot\r\n".encode()
        if "RFC822.SIZE" in command:
            return f"* 2 FETCH (UID 2 RFC822.SIZE {len(MAIL)})\r\n{tag} OK done\r\n".encode()
        if "BODY" in command:
            return b"* 2 FETCH (UID 2 BODY[]<0> {%d}\r\n%s)\r\n%s OK done\r\n" % (len(MAIL), MAIL, tag.encode())
        return sane(tag, command)

    with hostile_imap(answer) as server, capture_logs() as logs:
        async with fetching(tmp_path, server.account(), retry_seconds=0.001) as house:
            await until(house.mails)
    assert "imap_mail_passed_over" in {line["event"] for line in logs}


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def offering_starttls(tag: str, command: str) -> bytes:
    offer = b"* CAPABILITY IMAP4rev1 STARTTLS IDLE\r\n" if command == "CAPABILITY" else b""
    return offer + (f"{tag} OK done\r\n".encode() if offer else sane(tag, command))


@pytest.mark.parametrize("security", [Security.TLS, Security.STARTTLS])
@pytest.mark.parametrize("is_ours", [True, False], ids=["known", "stranger"])
def test_password_goes_to_the_server_that_we_know(authority: trustme.CA, security: Security, is_ours: bool) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    (authority if is_ours else trustme.CA()).issue_cert("127.0.0.1").configure_cert(context)
    is_implicit = security is Security.TLS
    with (
        authority.cert_pem.tempfile() as ca_file,
        hostile_imap(offering_starttls, tls=context, is_implicit=is_implicit) as server,
    ):
        connection = ImapConnection(server.account(security, ca_file=ca_file))
        if is_ours:
            with connection:
                assert connection.select().uid_validity == 7
        else:
            with pytest.raises(ImapDown, match="certificate"):
                connection.__enter__()
        assert server.logins == is_ours


def test_server_that_does_not_offer_tls_does_not_get_the_password() -> None:
    with hostile_imap() as server:
        with pytest.raises(ImapDown, match="STARTTLS"):
            ImapConnection(server.account(Security.STARTTLS)).__enter__()
        assert server.logins == 0


@pytest.mark.parametrize("security", [Security.PLAIN, Security.TLS])
@pytest.mark.parametrize("drip_seconds", [0, 0.02], ids=["with the answer to IDLE", "in pieces"])
def test_news_is_heard_however_it_comes(authority: trustme.CA, security: Security, drip_seconds: float) -> None:
    """What was read with the answer no look at the socket shows, and of a piece nothing can be made."""
    context = None if security is Security.PLAIN else ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    if context is not None:
        authority.issue_cert("127.0.0.1").configure_cert(context)
    with (
        authority.cert_pem.tempfile() as ca_file,
        hostile_imap(tls=context, is_implicit=True, drip_seconds=drip_seconds, dripped="IDLE") as server,
        ImapConnection(server.account(security, ca_file=ca_file)) as connection,
    ):
        connection.select()
        began = time.monotonic()
        connection.wait(20, stop=threading.Event())
    assert time.monotonic() - began < 10


def test_what_was_said_in_the_clear_is_not_heard_inside_of_tls(authority: trustme.CA) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    def injecting(tag: str, command: str) -> bytes:
        said = offering_starttls(tag, command)
        return said + b"* PREAUTH\r\n* 99 EXISTS\r\nX1 OK in\r\n" if command == "STARTTLS" else said

    with authority.cert_pem.tempfile() as ca_file, hostile_imap(injecting, tls=context) as server:
        try:
            with ImapConnection(server.account(Security.STARTTLS, ca_file=ca_file)) as connection:
                assert connection.select().uid_validity == 7
                assert server.logins == 1
        except ImapDown:
            assert server.logins == 0


def test_login_in_the_clear_is_for_this_machine_only() -> None:
    with pytest.raises(ValueError, match="security"):
        ImapAccount("mail.example", "user", SecretStr("secret"), security=Security.PLAIN)


async def test_service_stops_while_a_server_is_silent(tmp_path: Path) -> None:
    def silent(tag: str, command: str) -> bytes:
        return b"" if "SEARCH" in command else sane(tag, command)

    with hostile_imap(silent) as server:
        async with fetching(tmp_path, server.account()):
            await until(lambda: server.logins == 1)
            await asyncio.sleep(0.1)
            began = time.monotonic()
    assert time.monotonic() - began < 20  # a command may take a minute


LINES = responses(corpus_folder())


@pytest.mark.skipif(not LINES, reason="no corpus: set INKPOST_CORPUS to its folder")
def test_responses_of_the_corpus_are_sense_or_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imap_connection, "COMMAND_SECONDS", 0.3)
    assert [problem for line in LINES[::12] if (problem := visit(line))] == []
