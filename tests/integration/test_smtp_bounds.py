"""What one client may cost us: time, connections, commands, errors; and how the service stops."""

from __future__ import annotations

import asyncio
import dataclasses
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from bot.intake.accept import Acceptor
from bot.intake.received import Receipt, ReceivedMail
from bot.intake.smtp_settings import SmtpSettings
from tests.support.intake import Intake, talking_to, until
from tests.support.smtp_client import RawClient, connected

MAIL = b"From: a@example.org\r\nMessage-ID: <1@example.org>\r\n\r\nhi\r\n"


def talking(folder: Path, **bounds: Any) -> AbstractAsyncContextManager[tuple[Intake, RawClient]]:
    return talking_to(folder, settings=dataclasses.replace(SmtpSettings(port=0), **bounds))


async def send_for_ever(client: RawClient, octets: bytes) -> None:
    async with asyncio.timeout(60):
        while True:
            await client.send(octets)


async def test_silent_client_is_told_and_left(tmp_path: Path) -> None:
    async with talking(tmp_path, idle_timeout_seconds=0.1) as (_, client):
        assert (await client.rest()).startswith("421 4.4.2")


async def test_command_cannot_be_dripped(tmp_path: Path) -> None:
    async with talking(tmp_path, idle_timeout_seconds=0.3) as (_, client):
        heard = asyncio.create_task(client.rest())
        while not heard.done():
            await client.send(b"E")
            await asyncio.wait([heard], timeout=0.05)
        assert heard.result().startswith("421 4.4.2")


async def test_mail_that_comes_slowly_is_not_silence(tmp_path: Path) -> None:
    async with talking(tmp_path, idle_timeout_seconds=0.4) as (_, client):
        await client.greet()
        await client.start_mail()
        for octet in MAIL[:20]:
            await client.send(bytes([octet]))
            await asyncio.sleep(0.05)
        await client.send(MAIL[20:] + b".\r\n")
        assert (await client.reply()).startswith("250")


async def test_mail_that_comes_too_slowly_meets_the_overall_deadline(tmp_path: Path) -> None:
    async with talking(tmp_path, idle_timeout_seconds=0.3, mail_timeout_seconds=0.6) as (intake, client):
        await client.greet()
        await client.start_mail()
        heard = asyncio.create_task(client.rest())
        while not heard.done():
            await client.send(b"x")
            await asyncio.wait([heard], timeout=0.05)
        assert heard.result().startswith("421 4.4.2")
        assert intake.mails() == []


@pytest.mark.parametrize("meanwhile", [b"", b"NOOP\r\n"])
async def test_time_that_we_take_is_not_the_peers(tmp_path: Path, meanwhile: bytes) -> None:
    async def slow(acceptor: Acceptor, mail: ReceivedMail) -> Receipt:
        await client.send(meanwhile)
        await asyncio.sleep(0.5)
        return await acceptor.accept(mail)

    settings = SmtpSettings(port=0, idle_timeout_seconds=0.1)
    async with talking_to(tmp_path, settings=settings, accept=slow) as (_, client):
        await client.greet()
        assert (await client.bring(MAIL)).startswith("250 2.0.0 queued")


async def test_client_that_does_not_read_its_replies_is_left(tmp_path: Path) -> None:
    async with talking(tmp_path, idle_timeout_seconds=0.3, max_commands=10_000_000) as (_, client):
        client.reader._transport.pause_reading()  # type: ignore[attr-defined] # how a client stops to read
        with pytest.raises(ConnectionError):
            await send_for_ever(client, b"EHLO x\r\n" * 1000)


async def test_connection_over_the_limit_of_its_client_is_told_to_come_later(tmp_path: Path) -> None:
    async with talking(tmp_path, max_connections_per_client=1) as (intake, first):
        async with connected(intake.port) as second:
            assert second.banner.startswith("421 4.7.0")
        await first.say("QUIT")
        await until(lambda: not intake.listener.connections.members)
        async with connected(intake.port) as third:
            assert third.banner.startswith("220")


async def test_connection_over_the_limit_of_all_is_told_to_come_later(tmp_path: Path) -> None:
    async with talking(tmp_path, max_connections=1) as (intake, _), connected(intake.port) as second:
        assert second.banner.startswith("421 4.7.0")


async def test_commands_without_a_mail_are_counted(tmp_path: Path) -> None:
    async with talking(tmp_path, max_commands=3) as (_, client):
        replies = [await client.say("NOOP") for _ in range(4)]
    assert [reply[:9] for reply in replies] == ["250 2.0.0"] * 3 + ["421 4.7.0"]


async def test_mail_gives_the_whole_patience_again(tmp_path: Path) -> None:
    async with talking(tmp_path, max_commands=4) as (_, client):
        await client.greet()
        for number in range(3):
            assert (await client.bring(b"X: %d\r\n\r\n" % number)).startswith("250")


async def test_errors_are_counted(tmp_path: Path) -> None:
    async with talking(tmp_path, max_errors=2) as (_, client):
        await client.send(b"FOO\r\nBAR\r\nBAZ\r\nNOOP\r\n")
        replies = (await client.rest()).splitlines()
    assert [reply[:9] for reply in replies] == ["500 5.5.1"] * 3 + ["421 4.7.0"]


async def test_line_without_end_costs_the_connection(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, client):
        with pytest.raises(ConnectionError):
            await send_for_ever(client, b"x" * 100_000)


async def test_who_is_not_bringing_a_mail_is_told_421_at_shutdown(tmp_path: Path) -> None:
    async with talking(tmp_path) as (intake, client):
        port = intake.port
        await client.greet()
        await intake.listener.close()
        assert (await client.rest()).startswith("421 4.3.2")
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)


async def test_mail_on_its_way_is_taken_at_shutdown(tmp_path: Path) -> None:
    async with talking(tmp_path) as (intake, client):
        await client.greet()
        await client.start_mail()
        await client.send(MAIL)
        closing = asyncio.create_task(intake.listener.close())
        await asyncio.sleep(0.05)
        await client.send(b".\r\n")
        assert (await client.reply()).startswith("250 2.0.0")
        assert (await client.rest()).startswith("421 4.3.2")
        await closing
        assert len(intake.mails()) == 1


async def test_mail_that_outlasts_the_grace_is_cut_off(tmp_path: Path) -> None:
    async with talking(tmp_path, shutdown_grace_seconds=0.1) as (intake, client):
        await client.greet()
        await client.start_mail()
        await client.send(b"x" * 1_000_000)
        await intake.listener.close()
        assert await client.rest() == ""
        await until(lambda: not list(intake.spool.folder.iterdir()))
        assert intake.mails() == []


async def test_peer_that_hangs_up_does_not_undo_its_mail(tmp_path: Path) -> None:
    async with talking(tmp_path) as (intake, client):
        with intake.engine.db.connect() as writer, writer.begin():  # SQLite has one writer: the commit has to wait
            await client.greet()
            await client.start_mail()
            await client.send(MAIL + b".\r\n")
            await until(lambda: intake.acceptor.is_busy)
            client.reset()
            await until(lambda: not intake.listener.connections.members)
        await until(intake.mails)
        assert len(intake.jobs()) == 1
