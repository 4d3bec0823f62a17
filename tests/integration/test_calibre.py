"""A program of somebody else's that converts books: what it may, and what becomes of it. A stand-in: calibre itself is
not installed here."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
import structlog

from bot.calibre import Calibre, CalibreSettings
from bot.sandbox_worker import SandboxTimeout
from core.books.limits import BookLimits
from core.errors import DamagedFile, Unavailable
from core.values import BookFormat
from tests.factories.books import make_epub
from tests.support.ebook_convert import make_ebook_convert

DEADLINE_SECONDS = 30.0


class Desk:
    """Where a book is laid for conversion."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.program = str(make_ebook_convert(folder))

    async def convert(self, content: bytes, *, limits: BookLimits | None = None, **settings: float) -> Path:
        said = CalibreSettings(**{"program": self.program, **settings})  # type: ignore[arg-type] # a text and numbers
        calibre = Calibre(said, limits or BookLimits())
        source = self.folder / "original"
        source.write_bytes(content)
        return await calibre.convert(source, book_format=BookFormat.MOBI, folder=self.folder / "calibre")

    async def processes(self) -> list[int]:
        """Of a program that hangs, and of its child."""
        note = self.folder / "processes"
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not (note.exists() and len(note.read_text().split()) == 2):
                await asyncio.sleep(0.01)
        return [int(word) for word in note.read_text().split()]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


async def all_ended(processes: list[int]) -> bool:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while any(is_running(one) for one in processes):
            await asyncio.sleep(0.01)
    return True


def is_running(process: int) -> bool:
    """A zombie has ended: somebody has only not looked yet."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_book_becomes_an_epub(desk: Desk) -> None:
    made = await desk.convert(b"a novel")

    assert made.read_bytes() == make_epub(title="My Novel")


async def test_book_of_which_none_can_be_made_is_told_and_the_reason_is_logged(desk: Desk) -> None:
    with structlog.testing.capture_logs() as logs, pytest.raises(DamagedFile, match="no EPUB could be made"):
        await desk.convert(b"FAILS")

    (line,) = logs
    assert line["status"] == 1
    assert line["reason"].endswith("ValueError: the index of the book is cut short")


async def test_program_that_hangs_is_killed_with_its_children(desk: Desk) -> None:
    with pytest.raises(SandboxTimeout):
        await desk.convert(b"HANGS", timeout_seconds=3)

    assert await all_ended(await desk.processes())


async def test_cancelled_conversion_is_killed_with_its_children(desk: Desk) -> None:
    converting = asyncio.create_task(desk.convert(b"HANGS"))
    processes = await desk.processes()
    assert all(is_running(one) for one in processes)

    converting.cancel()

    assert await all_ended(processes)
    with pytest.raises(asyncio.CancelledError):
        await converting


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"CALLS", "PermissionError: [Errno 13] Permission denied"),
        (b"EATS", "MemoryError"),
        (b"FILLS", "OSError: [Errno 27] File too large"),
    ],
    ids=["network", "memory", "disk"],
)
async def test_program_has_no_network_and_limits(desk: Desk, content: bytes, reason: str) -> None:
    with structlog.testing.capture_logs() as logs, pytest.raises(DamagedFile):
        await desk.convert(content, limits=BookLimits(unpacked_bytes=2 << 20), memory_mib=1024)

    assert logs[0]["reason"].endswith(reason)


async def test_time_of_the_processor_is_limited_too(desk: Desk) -> None:
    with pytest.raises(SandboxTimeout):
        await desk.convert(b"SPINS", timeout_seconds=1)


async def test_program_sees_none_of_our_environment(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INKPOST_RELAY__PASSWORD", "secret")
    with structlog.testing.capture_logs() as logs, pytest.raises(DamagedFile):
        await desk.convert(b"TELLS FAILS")

    told = logs[0]["reason"]
    assert "'CALIBRE_CONFIG_DIRECTORY'" in told
    assert "INKPOST" not in told
    assert "PYTHONPATH" not in told


async def test_program_that_is_not_there_is_no_fault_of_the_books(desk: Desk) -> None:
    os.unlink(desk.program)

    with pytest.raises(Unavailable, match="No such file"):
        await desk.convert(b"a novel")


def test_where_it_is_not_set_up_nothing_is_promised() -> None:
    assert Calibre(CalibreSettings()).formats == frozenset()
    assert Calibre(CalibreSettings(program="/usr/bin/ebook-convert")).formats == {BookFormat.MOBI, BookFormat.AZW3}
