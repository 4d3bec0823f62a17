"""The journal of deliveries: how far each attempt had come, written before the database knows it.

It closes most of the gap between a relay's 250 and our commit (RFC 1047), in which a crash makes a mail go out twice.
A line is one write(2) of a few hundred bytes to a file opened for appending: once the call returns, the line survives
the death of the process, `kill -9` included, since it is in the kernel's hands. It does not survive a power cut; for
that it would need an fsync a mail, as much as the commit that follows within milliseconds costs itself. So the file is
synced only where that commit does not follow at once: `sync`, when the database is away.

A line is also written when an attempt begins, and another just before the last of its bytes go: without the second one
the relay cannot have the mail, and it is sent again; with it, and without a third, nobody knows.
"""

from __future__ import annotations

import enum
import json
import os
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)

SHRINK_AT_BYTES = 64 * 1024  # some 400 lines: read and recorded again in a second, should the process die


class Stage(enum.StrEnum):
    """How far an attempt has come."""

    BEGUN = "begun"
    WHOLE = "whole"
    """All of it is about to have gone: from here on the relay may have it."""
    TAKEN = "taken"
    """The relay said 250."""


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """Attempt `number` of a mail has come so far. The reference is random, so that it cannot mean another mail in a
    database that was restored from a backup, as the id could."""

    outbox_id: int
    reference: str
    number: int
    reply: str
    """What the relay said, if it took the mail."""
    stage: Stage = Stage.TAKEN


class Journal:
    """One process's file. All methods return at once but `sync`, and are safe from any thread."""

    def __init__(self, path: Path) -> None:
        """Opens or makes the file; what stands in it is `pending`. Raises `OSError`."""
        self._path = path
        self._lock = threading.Lock()
        self._file = _open(path)
        raw = path.read_bytes()
        if raw and not raw.endswith(b"\n"):
            os.write(self._file, b"\n")  # a power cut in the midst of a line: it must not spoil the next one
        self._pending = {entry.outbox_id: entry for line in raw.splitlines() if (entry := _read(line)) is not None}

    @property
    def pending(self) -> tuple[JournalEntry, ...]:
        """What the database may not know yet."""
        with self._lock:
            return tuple(self._pending.values())

    def find(self, outbox_id: int) -> JournalEntry | None:
        """How far this mail has come, if the database may not know yet."""
        return self._pending.get(outbox_id)

    def note(self, entry: JournalEntry) -> None:
        """Write down how far an attempt has come. A disk that is full is an ERROR in the log and no exception: the
        commit may still work, and a job that failed here would send its mail again."""
        with self._lock:
            self._pending[entry.outbox_id] = entry
            error = _append(self._file, [entry])
        if error:
            log.error("journal cannot be written", reference=entry.reference, reason=error)

    def settle(self, entry: JournalEntry) -> None:
        """The database knows of this attempt. The file is made anew now and then, with what is still pending."""
        with self._lock:
            pending = self._pending.get(entry.outbox_id)
            if pending is not None and pending.number <= entry.number:
                del self._pending[entry.outbox_id]
            if os.fstat(self._file).st_size > SHRINK_AT_BYTES:
                self._shrink()

    def _shrink(self) -> None:
        """By another file that takes its name: whatever instant the process dies at, one of the two is whole."""
        fresh = self._path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        file = _open(fresh)
        if error := _append(file, list(self._pending.values())):
            log.error("journal cannot be made smaller", reason=error)
            os.close(file)
            return
        fresh.replace(self._path)
        os.close(self._file)
        self._file = file

    def sync(self) -> None:
        """Have what was noted survive a power cut as well. Blocks."""
        os.fsync(self._file)

    def close(self) -> None:
        if not self._pending:
            os.ftruncate(self._file, 0)
        os.close(self._file)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _append(file: int, entries: list[JournalEntry]) -> str:
    """Write the lines at once; what went wrong, or ""."""
    lines = b"".join(json.dumps(asdict(entry)).encode() + b"\n" for entry in entries)
    try:
        written = os.write(file, lines)
    except OSError as error:
        return str(error)
    return "" if written == len(lines) else "the disk is full"


def _read(line: bytes) -> JournalEntry | None:
    try:
        fields = json.loads(line)
        return JournalEntry(**fields | {"stage": Stage(fields.get("stage", Stage.TAKEN))})
    except (ValueError, TypeError, AttributeError):
        log.warning("journal line cannot be read", size_bytes=len(line))
        return None
