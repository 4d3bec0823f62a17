"""One process to a data directory, one writer at a time in it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bot.locks import DataDirBusy, DataDirLock, WriterTurn
from core.errors import Unavailable

HOLD = """
import sys
from pathlib import Path
from bot.locks import DataDirLock
with DataDirLock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""

HOLD_AND_FORK = """
import os, sys, time
from pathlib import Path
from bot.locks import DataDirLock
with DataDirLock(Path(sys.argv[1])):
    if child := os.fork():
        print(child, flush=True)
    time.sleep(60)
"""


def hold(program: str, folder: Path) -> subprocess.Popen[str]:
    """A process that has the lock, once its first line is read."""
    return subprocess.Popen(
        [sys.executable, "-c", program, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_second_process_is_told_who_has_the_directory(tmp_path: Path) -> None:
    with hold(HOLD, tmp_path) as holder:
        assert first_line(holder) == "held"

        with pytest.raises(DataDirBusy, match=rf"in use by process {holder.pid}\b"), DataDirLock(tmp_path):
            pass
        holder.kill()


def test_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    with hold(HOLD, tmp_path) as holder:
        first_line(holder)
        holder.kill()

    with DataDirLock(tmp_path):
        assert (tmp_path / "inkpost.lock").read_text() == f"{os.getpid()}\n"


def test_child_that_outlives_its_killed_parent_does_not_keep_the_lock(tmp_path: Path) -> None:
    with hold(HOLD_AND_FORK, tmp_path) as parent:
        child = int(first_line(parent))
        parent.kill()
        parent.wait()
        try:
            with DataDirLock(tmp_path):
                os.kill(child, 0)
        finally:
            os.kill(child, 9)


def test_lock_may_be_taken_again_after_its_end(tmp_path: Path) -> None:
    with DataDirLock(tmp_path):
        pass
    with DataDirLock(tmp_path):
        pass


def test_writers_wait_for_their_turn() -> None:
    turn, order = WriterTurn(timeout_seconds=5), []

    def second() -> None:
        with turn:
            order.append("second")

    with turn:
        thread = threading.Thread(target=second)
        thread.start()
        order.append("first")
    thread.join()

    assert order == ["first", "second"]


def test_turn_that_never_comes_is_an_outage() -> None:
    turn = WriterTurn(timeout_seconds=0.01)

    with turn, pytest.raises(Unavailable), turn:
        pass
