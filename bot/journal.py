"""The journal of deliveries: which mails the relay has taken, written before the database knows it.

It closes most of the gap between a relay's 250 and our commit (RFC 1047), in which a crash makes a mail go out twice.
A line is one write(2) of a few hundred bytes to a file opened for appending: once the call returns, the line survives
the death of the process, `kill -9` included, since it is in the kernel's hands. It does not survive a power cut; for
that it would need an fsync a mail, as much as the commit that follows within milliseconds costs itself. So the file is
synced only where that commit does not follow at once: `sync`, when the database is away.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)

SHRINK_AT_BYTES = 64 * 1024  # some 400 lines: read and recorded again in a second, should the process die


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """The relay took attempt `number` of a mail. The reference is random, so that it cannot mean another mail in a
    database that was restored from a backup, as the id could."""

    outbox_id: int
    reference: str
    number: int
    reply: str


class Journal:
    """One process's file. All methods return at once but `sync`; none may be called from two threads at a time."""

    def __init__(self, path: Path) -> None:
        """Opens or makes the file; what stands in it is `pending`. Raises `OSError`."""
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        raw = path.read_bytes()
        if raw and not raw.endswith(b"\n"):
            os.write(self._file, b"\n")  # a power cut in the midst of a line: it must not spoil the next one
        self._pending = {entry.outbox_id: entry for line in raw.splitlines() if (entry := _read(line)) is not None}

    @property
    def pending(self) -> tuple[JournalEntry, ...]:
        """What the database may not know yet."""
        return tuple(self._pending.values())

    def find(self, outbox_id: int) -> JournalEntry | None:
        """Whether the relay has taken this mail, and the database may not know yet."""
        return self._pending.get(outbox_id)

    def note(self, entry: JournalEntry) -> None:
        """Write down that the relay has taken a mail. A disk that is full is an ERROR in the log and no exception:
        the commit may still work, and a job that failed here would send its mail again."""
        self._pending[entry.outbox_id] = entry
        line = json.dumps(asdict(entry)).encode() + b"\n"
        try:
            written = os.write(self._file, line)
        except OSError as error:
            log.error("journal cannot be written", reference=entry.reference, reason=str(error))
            return
        if written < len(line):
            log.error("journal cannot be written", reference=entry.reference, reason="the disk is full")

    def settle(self, entry: JournalEntry) -> None:
        """The database knows. The file is emptied now and then, when there is nothing in it that it does not know."""
        self._pending.pop(entry.outbox_id, None)
        if not self._pending and os.fstat(self._file).st_size > SHRINK_AT_BYTES:
            os.ftruncate(self._file, 0)

    def sync(self) -> None:
        """Have what was noted survive a power cut as well. Blocks."""
        os.fsync(self._file)

    def close(self) -> None:
        if not self._pending:
            os.ftruncate(self._file, 0)
        os.close(self._file)


def _read(line: bytes) -> JournalEntry | None:
    try:
        return JournalEntry(**json.loads(line))
    except (ValueError, TypeError):
        log.warning("journal line cannot be read", size_bytes=len(line))
        return None
