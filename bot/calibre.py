"""calibre's `ebook-convert`, for formats of which we make no EPUBs ourselves; where an operator has installed it.

https://manual.calibre-ebook.com/generated/en/ebook-convert.html: `ebook-convert input output`, formats by the endings.
"""

from __future__ import annotations

import asyncio
import math
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog

import bot
from bot.confined import NO_PROGRAM
from bot.sandbox_worker import SandboxTimeout
from core.books.limits import DEFAULT_LIMITS, BookLimits
from core.books.refusals import damaged
from core.errors import Unavailable
from core.values import BookFormat

log = structlog.get_logger(__name__)

CONVERTED: Final = frozenset((BookFormat.MOBI, BookFormat.AZW3))
_HOUSE = str(Path(bot.__file__).resolve().parents[1])
_TOLD_BYTES = 64 * 1024  # of what it prints; all of it is read, so that it never waits for us
_REASON_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class CalibreSettings:
    """calibre's converter, which makes MOBI and AZW3 readable on a Kindle. It is not part of Inkpost."""

    program: str = ""
    """Path of `ebook-convert`, such as `/usr/bin/ebook-convert`. Where empty, readers of such books are told what their
    device takes."""
    timeout_seconds: float = 300.0
    """For one book, of a processor and on the wall; then it is killed."""
    memory_mib: int = 2048
    """Address space of each of its processes."""


@dataclass(frozen=True)
class Calibre:
    """Runs the converter on one book at a time, with no network, in a folder of its own, killed with all its children.

    Its processes may read what the service's user may read: a book that takes calibre over is in our house. Whoever
    fears that does not set it up.
    """

    settings: CalibreSettings
    limits: BookLimits = DEFAULT_LIMITS
    _turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))

    @property
    def formats(self) -> frozenset[BookFormat]:
        """Of which it makes EPUBs here: none where it is not set up."""
        return CONVERTED if self.settings.program else frozenset()

    async def convert(self, source: Path, *, book_format: BookFormat, folder: Path) -> Path:
        """The book as an EPUB, which nobody has checked yet, in the new folder `folder`; `source` goes there too.

        Raises `DamagedFile` where calibre makes none of it, `SandboxTimeout`, and `Unavailable` where there is no such
        program. Cancelling kills it.
        """
        book, target = await asyncio.to_thread(_lay_out, source, folder, book_format)
        async with self._turn:
            status, told = await self._run(book, target)
        if status == NO_PROGRAM:
            raise Unavailable(f"{self.settings.program} cannot be run: {told}")
        if status == -signal.SIGXCPU or status == 128 + signal.SIGXCPU:
            raise SandboxTimeout(f"calibre was not done after {self.settings.timeout_seconds} s of a processor")
        if status != 0 or not await asyncio.to_thread(target.is_file):
            log.warning("calibre made no EPUB", status=status, reason=told)
            name = book_format.value.upper()
            raise damaged(name, "no EPUB could be made of it", code="device.format", fix="Mail me the book as EPUB.")
        return target

    async def _run(self, book: Path, target: Path) -> tuple[int, str]:
        """(exit status, the end of what it printed)."""
        limits = (math.ceil(self.settings.timeout_seconds), self.settings.memory_mib << 20, self.limits.unpacked_bytes)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "bot.confined", *map(str, limits), self.settings.program, str(book), str(target)),
            cwd=book.parent,
            env=_environment(book.parent),
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
            start_new_session=True,
        )
        assert process.stdout is not None
        try:
            async with asyncio.timeout(self.settings.timeout_seconds):
                told = await _last_of(process.stdout)
                status = await process.wait()
        except TimeoutError as error:
            raise SandboxTimeout(f"calibre was not done after {self.settings.timeout_seconds} s") from error
        finally:
            _kill(process.pid)
            await process.wait()
        return status, told[-_REASON_CHARACTERS:]


def _lay_out(source: Path, folder: Path, book_format: BookFormat) -> tuple[Path, Path]:
    """(book, EPUB to be): calibre goes by the endings."""
    folder.mkdir()
    folder = folder.resolve()  # it runs in there, where a path from here would lead nowhere
    return source.rename(folder / f"book.{book_format.value}"), folder / "book.epub"


def _environment(folder: Path) -> dict[str, str]:
    """Nothing of ours, where secrets may be; its settings and its scratch files go with the folder."""
    place = str(folder)
    return {
        "PATH": os.defpath,
        "PYTHONPATH": _HOUSE,  # for `bot.confined`, which takes it away
        "HOME": place,
        "TMPDIR": place,
        "CALIBRE_CONFIG_DIRECTORY": place,
        "CALIBRE_TEMP_DIR": place,
        "LANG": "C.UTF-8",
        "QT_QPA_PLATFORM": "offscreen",
    }


async def _last_of(stream: asyncio.StreamReader) -> str:
    told = b""
    while more := await stream.read(_TOLD_BYTES):
        told = (told + more)[-_TOLD_BYTES:]
    return told.decode(errors="replace").strip()


def _kill(group: int) -> None:
    """The program and all that it started."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return  # all of them ended by themselves
