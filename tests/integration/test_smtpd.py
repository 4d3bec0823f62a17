"""The process that speaks SMTP while many clients are connected: it starts, serves, dies, ends, and no mail is lost."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.guards import EdgeSettings
from bot.intake import smtp, smtpd_keeper
from bot.intake.accept import Acceptor
from bot.intake.received import Receipt, ReceivedMail
from bot.intake.smtp import SmtpListener
from bot.intake.smtp_settings import SmtpSettings
from bot.mailbox import LoopbackMailbox
from core.errors import Unavailable
from tests.support.certificates import make_certificate
from tests.support.fleet import Fleet, sailing
from tests.support.intake import Intake, running_intake, until
from tests.support.processes import is_running, smtpds
from tests.support.smtp_client import RawClient, connected

LETTERS = "bot+n-known23456789abcd@books.example"


def mail(number: int, *, body_bytes: int = 10) -> bytes:
    lines = b"x" * 70 + b"\r\n"
    return b"From: a@example.org\r\nMessage-ID: <%d@example.org>\r\n\r\n" % number + lines * (body_bytes // 72 + 1)


@asynccontextmanager
async def busy(folder: Path, **options: Any) -> AsyncIterator[Intake]:
    """An intake whose process has just begun to listen."""
    settings = options.pop("settings", SmtpSettings(port=0, busy_connections=1))
    async with running_intake(folder, settings=settings, **options) as intake:
        await start(intake)
        yield intake


async def start(intake: Intake) -> None:
    """Have a client come now and then until the service itself listens no longer."""
    async with asyncio.timeout(60):
        while intake.listener.is_listening:
            async with connected(intake.port):
                await asyncio.sleep(0.02)


@asynccontextmanager
async def greeted(intake: Intake) -> AsyncIterator[RawClient]:
    async with connected(intake.port) as client:
        await client.greet()
        yield client


async def test_few_clients_need_no_process(tmp_path: Path) -> None:
    async with running_intake(tmp_path) as intake, AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(greeted(intake)) for _ in range(3)]
        for number, client in enumerate(clients):
            assert (await client.bring(mail(number))).startswith("250")
        assert smtpds(os.getpid()) == []


async def test_many_clients_are_served_by_a_process_and_their_mails_stand_here(tmp_path: Path) -> None:
    async with running_intake(tmp_path) as intake, AsyncExitStack() as stack:
        first = [await stack.enter_async_context(greeted(intake)) for _ in range(4)]
        await until(lambda: not intake.listener.is_listening)
        later = [await stack.enter_async_context(greeted(intake)) for _ in range(4)]
        replies = await asyncio.gather(*(client.bring(mail(n)) for n, client in enumerate([*first, *later])))
        assert len(smtpds(os.getpid())) == 1
        assert len(intake.listener.connections.members) == 4
        mails = intake.mails()
        assert sorted(reply.split()[-1] for reply in replies) == sorted(row.reference for row in mails)
        assert sorted(map(intake.content, mails)) == sorted(mail(number) for number in range(8))
        assert len(intake.jobs()) == 8


async def test_no_copy_of_a_socket_has_the_other_process_wait_in_its_accept(tmp_path: Path) -> None:
    """The mark is one for all copies: were one copy to wait for a moment, an `accept` of the other would for ever."""
    async with running_intake(tmp_path) as intake:
        assert isinstance(intake.listener, SmtpListener)
        [port] = intake.listener.ports
        with port.socket.dup() as copy:
            assert not os.get_blocking(copy.fileno())
            assert not os.get_blocking(port.socket.fileno())


async def test_a_large_mail_comes_through_whole_and_leaves_no_file(tmp_path: Path) -> None:
    large = mail(1, body_bytes=1_000_000)
    async with busy(tmp_path) as intake, greeted(intake) as client:
        assert (await client.bring(large)).startswith("250")
        assert [intake.content(row) for row in intake.mails()] == [large]
        assert [path for path in intake.spool.folder.rglob("*") if path.is_file()] == []


async def test_a_mail_that_comes_again_by_the_process_has_its_first_reference(tmp_path: Path) -> None:
    async with running_intake(tmp_path, settings=SmtpSettings(port=0, busy_connections=2)) as intake:
        async with greeted(intake) as client:
            reply = await client.bring(mail(1))
            await start(intake)
        async with greeted(intake) as client:
            assert await client.bring(mail(1)) == reply
        assert len(intake.mails()) == 1


async def test_what_only_the_service_knows_is_asked_of_it(tmp_path: Path) -> None:
    async def verify(login: str, password: str) -> bool:
        if login == "broken":
            raise Unavailable("the database is away")
        return (login, password) == ("a@example.org", "right")

    async def knows_alias(alias: str) -> bool:
        return alias == "known23456789abcd"

    certificate, trust = make_certificate(tmp_path, "mx.books.example")
    settings = SmtpSettings(port=0, tls_port=0, certificate_file=str(certificate), busy_connections=1)
    edge = EdgeSettings(letters_of_address="1 per hour")
    async with busy(tmp_path, settings=settings, edge=edge, verify=verify, knows_alias=knows_alias) as intake:
        async with connected(intake.listener.addresses[1][1], tls=trust) as client:
            await client.greet()
            with capture_logs():
                assert (await client.say(_plain("broken", "right"))).startswith("451 4.3.0")
            assert (await client.say(_plain("a@example.org", "wrong"))).startswith("535")
            assert (await client.say(_plain("a@example.org", "right"))).startswith("235")
            assert (await client.bring(mail(1))).startswith("250")
        async with greeted(intake) as client:
            await client.say("MAIL FROM:<news@example.com>")
            assert (await client.say(f"RCPT TO:<{LETTERS}>")).startswith("250")
            assert (await client.say(f"RCPT TO:<{LETTERS}>")).startswith("451 4.7.1")
            assert (await client.say("RCPT TO:<bot+n-other23456789abcd@books.example>")).startswith("550 5.1.1")
        [row] = intake.mails()
        assert (row.auth_user, row.tls, row.intake) == ("a@example.org", True, "smtp")


async def test_a_mail_that_cannot_be_committed_is_put_off(tmp_path: Path) -> None:
    async def away(_acceptor: Acceptor, _mail: ReceivedMail) -> Receipt:
        raise Unavailable("the database is away")

    async with busy(tmp_path, accept=away) as intake, greeted(intake) as client:
        assert (await client.bring(mail(1))).startswith("451 4.3.0")
        assert (await client.bring(mail(2, body_bytes=500_000))).startswith("451 4.3.0")


async def test_when_the_process_is_killed_the_service_listens(tmp_path: Path) -> None:
    async with busy(tmp_path) as intake:
        async with greeted(intake) as client, greeted(intake) as other:
            assert (await client.bring(mail(1))).startswith("250")
            await other.start_mail()
            with capture_logs() as events:
                os.kill(smtpds(os.getpid())[0], signal.SIGKILL)
                assert await other.rest() == ""
                await until(lambda: intake.listener.is_listening and smtpds(os.getpid()) == [])
                await until(lambda: [event for event in events if event["event"] == "smtpd_lost"])
        async with greeted(intake) as client:
            assert (await client.bring(mail(2))).startswith("250")
        await asyncio.sleep(0)
        assert smtpds(os.getpid()) == []  # not again at once: what kills it may kill the next
        assert len(intake.mails()) == 2


async def test_a_process_that_does_not_start_takes_nothing_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with capture_logs() as events:
        async with running_intake(tmp_path, settings=SmtpSettings(port=0, busy_connections=1)) as intake:
            async with greeted(intake) as client:
                await until(lambda: [event for event in events if event["event"] == "smtpd_lost"])
                assert (await client.bring(mail(1))).startswith("250")
            async with greeted(intake) as client:
                assert (await client.bring(mail(2))).startswith("250")
    assert len([event for event in events if event["event"] == "smtpd_lost"]) == 1


async def test_an_idle_process_ends_and_another_one_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtpd_keeper, "IDLE_SECONDS", 0.2)
    async with busy(tmp_path) as intake:
        async with greeted(intake) as client:
            first = smtpds(os.getpid())
            await asyncio.sleep(0.3)
            assert (await client.bring(mail(1))).startswith("250")  # not while somebody is connected
        await until(lambda: intake.listener.is_listening and smtpds(os.getpid()) == [])
        await start(intake)
        assert smtpds(os.getpid()) != first


async def test_a_service_that_stops_lets_a_mail_come_in_and_sends_others_away(tmp_path: Path) -> None:
    async with busy(tmp_path) as intake, greeted(intake) as client, greeted(intake) as idle:
        await client.start_mail()
        stopping = asyncio.create_task(intake.listener.close())
        assert (await idle.rest()).startswith("421 4.3.2")
        await client.send(mail(1) + b".\r\n")
        assert (await client.reply()).startswith("250")
        await stopping
        assert smtpds(os.getpid()) == []
        assert len(intake.mails()) == 1


async def test_a_port_that_a_process_of_the_last_service_still_holds_is_waited_for(tmp_path: Path) -> None:
    held = socket.create_server(("127.0.0.1", 0))
    asyncio.get_running_loop().call_later(0.3, held.close)
    settings = SmtpSettings(host="127.0.0.1", port=held.getsockname()[1])
    async with running_intake(tmp_path, settings=settings) as intake, greeted(intake) as client:
        assert (await client.bring(mail(1))).startswith("250")


async def test_a_port_that_stays_taken_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "PORT_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as held, pytest.raises(OSError, match="in use"):
        async with running_intake(tmp_path, settings=SmtpSettings(host="127.0.0.1", port=held.getsockname()[1])):
            pytest.fail("it listens")


async def test_a_service_that_is_killed_takes_its_process_along(tmp_path: Path) -> None:
    world = LoopbackMailbox(tmp_path / "world")
    fleet = Fleet(tmp_path, "", relay_port=await world.open(), settings={"smtp__busy_connections": 1})
    async with sailing(fleet):
        ship = await fleet.start("intake,worker,scheduler")
        await ship.is_up()
        async with connected(fleet.smtp_port):
            await until(lambda: smtpds(ship.process.pid))
            [smtpd] = smtpds(ship.process.pid)
            await ship.kill()
            await until(lambda: not is_running(smtpd))
        socket.create_server(("127.0.0.1", fleet.smtp_port)).close()  # free for the service's next start
    await world.close()


def _plain(login: str, password: str) -> str:
    credentials = b64encode(f"\x00{login}\x00{password}".encode()).decode()
    return f"AUTH PLAIN {credentials}"
