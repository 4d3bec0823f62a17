"""Two locks: one process to a data directory, and one writer at a time within that process."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path
from types import TracebackType

from core.errors import InkpostError, Unavailable

LOCK_FILE = "inkpost.lock"


class DataDirBusy(InkpostError):
    """Another process uses the data directory; the text names it."""


class DataDirLock:
    """Keeps a data directory for this process, from `with` to its end or to the process's, however it ends.

    A POSIX record lock, not flock(2): a lock of flock is shared with forked children, so that a parser process that
    outlives a kill -9 of ours would keep us out of our own house. A record lock dies with the process that took it.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / LOCK_FILE
        self._file: int | None = None

    def __enter__(self) -> DataDirLock:
        """Raises `DataDirBusy` at once if another process has it."""
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(file, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(file)
            raise DataDirBusy(
                f"{self._path.parent} is in use by process {holder}; one process at a time may serve it."
            ) from error
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        self._file = file
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            os.close(self._file)  # The file stays: whoever unlinked it could lock another one than the next process.
            self._file = None


class WriterTurn:
    """Gives the writers of one SQLite file their turns. Not reentrant: a transaction in a transaction is a bug.

    SQLite would serialise them too, but by sleeping 1, 2, 5, 10, ... 100 ms between looks at the lock, which is where
    an answer's latency goes when intake and worker write at once: at 300 jobs a second a chain of three took 30 ms
    with turns and 200 to 800 ms without (`tests/bench/jobs.py`). Waiting here costs a thread switch.
    """

    def __init__(self, timeout_seconds: float) -> None:
        self._lock = threading.Lock()
        self._timeout_seconds = timeout_seconds

    def __enter__(self) -> None:
        if not self._lock.acquire(timeout=self._timeout_seconds):
            raise Unavailable(f"another transaction has been open for more than {self._timeout_seconds:g} s")

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._lock.release()
