"""Large mails, many at once, cut anywhere: what arrives is what was sent, and nobody waits long for it."""

from __future__ import annotations

import asyncio
import random
import tracemalloc
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bot.intake.smtp_settings import SmtpSettings
from bot.intake.spool import MailDigest
from tests.support.intake import Intake, running_intake, until
from tests.support.smtp_client import connected

HEADER = b"From: a@example.org\r\nMessage-ID: <%s@example.org>\r\n\r\n"
MIB = 1024 * 1024


async def sent(intake: Intake, content: bytes, *, step: int = 200_000) -> str:
    async with connected(intake.port) as client:
        await client.greet()
        await client.start_mail()
        for at in range(0, len(content), step):
            await client.send(content[at : at + step])
        await client.send(b".\r\n")
        return await client.reply()


def stored(intake: Intake) -> list[bytes]:
    return [intake.content(mail) for mail in intake.mails()]


@pytest.mark.parametrize("size_bytes", [1, 256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, 3 * MIB])
async def test_mail_of_any_size_is_stored_byte_for_byte(tmp_path: Path, size_bytes: int) -> None:
    noise = random.Random(size_bytes).randbytes(size_bytes).replace(b"\r\n", b"\r\r").replace(b".", b",")
    content = HEADER % b"1" + noise + b"\r\n"
    async with running_intake(tmp_path) as intake:
        assert (await sent(intake, content)).startswith("250")
        assert stored(intake) == [content]
        (mail,) = intake.mails()
        assert (mail.raw is None) == (len(content) > 256 * 1024)
        assert list(intake.spool.folder.iterdir()) == []


async def test_line_of_a_mebibyte_is_taken(tmp_path: Path) -> None:
    content = HEADER % b"1" + b"x" * MIB + b"\r\nend\r\n"
    async with running_intake(tmp_path) as intake:
        assert (await sent(intake, content)).startswith("250")
        assert stored(intake) == [content]


async def test_large_blob_stands_under_its_hash(tmp_path: Path) -> None:
    content = HEADER % b"1" + b"x" * 76 * 10 + (b"y" * 76 + b"\r\n") * 5000
    async with running_intake(tmp_path) as intake:
        await sent(intake, content)
        (mail,) = intake.mails()
        whole = MailDigest()
        whole.update(content)
        digest = whole.content_hash
        assert mail.raw_key == f"mails/{digest[:2]}/{digest}.eml"


async def test_many_large_mails_hold_little_memory_and_keep_no_small_one_waiting(tmp_path: Path) -> None:
    line = b"x" * 76 + b"\r\n"
    block = line * 1000
    blocks, mails = 150, 8  # 12 MB each, 94 MB in all

    async def large(number: int) -> str:
        async with connected(intake.port) as client:
            await client.greet()
            await client.start_mail()
            await client.send(HEADER % str(number).encode())
            for _ in range(blocks):
                await client.send(block)
            await client.send(b".\r\n")
            async with asyncio.timeout(200):
                return await client.reply()

    async with running_intake(tmp_path) as intake:
        tracemalloc.start()
        try:
            uploads = [asyncio.create_task(large(number)) for number in range(mails)]
            assert (await sent(intake, HEADER % b"small" + b"hi\r\n")).startswith("250")
            assert not any(upload.done() for upload in uploads)
            replies = await asyncio.gather(*uploads)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert all(reply.startswith("250") for reply in replies)
    assert peak < 40 * MIB


async def test_client_that_goes_away_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    async with running_intake(tmp_path) as intake:
        async with connected(intake.port) as client:
            await client.greet()
            await client.start_mail()
            await client.send(b"x" * MIB)
            await until(lambda: list(intake.spool.folder.iterdir()))
        await until(lambda: not list(intake.spool.folder.iterdir()))
        assert intake.mails() == []


async def test_full_disk_is_our_fault_and_the_next_mail_is_taken(tmp_path: Path) -> None:
    large = HEADER % b"1" + b"x" * MIB + b"\r\n"
    with capture_logs() as logs:
        async with running_intake(tmp_path) as intake:
            intake.spool.folder.rename(tmp_path / "gone")
            assert (await sent(intake, large)).startswith("451 4.3.0")
            (tmp_path / "gone").rename(intake.spool.folder)
            assert (await sent(intake, large)).startswith("250")
    assert [line["log_level"] for line in logs if line["event"] == "mail_postponed"] == ["warning"]


async def test_blob_store_that_is_away_is_our_fault(tmp_path: Path) -> None:
    with capture_logs():
        async with running_intake(tmp_path) as intake:
            (tmp_path / "blobs").rename(tmp_path / "gone")
            assert (await sent(intake, HEADER % b"1" + b"x" * MIB + b"\r\n")).startswith("451 4.3.0")
            assert list(intake.spool.folder.iterdir()) == []
            assert intake.mails() == []


async def test_size_is_refused_before_the_mail_is_sent(tmp_path: Path) -> None:
    async with running_intake(tmp_path, settings=SmtpSettings(port=0)) as intake, connected(intake.port) as client:
        await client.greet()
        assert (await client.say("MAIL FROM:<a@example.org> SIZE=68500001")).startswith("552 5.3.4")
        assert (await client.say("MAIL FROM:<a@example.org> SIZE=68500000")).startswith("250")
