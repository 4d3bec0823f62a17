"""What the sandbox is given to run in its tests: functions that worker processes can import."""

from __future__ import annotations

import ctypes
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

from core.errors import DamagedFile
from core.loading import loading


def double(number: int, *, plus: int = 0) -> int:
    return 2 * number + plus


def whoami() -> int:
    return os.getpid()


def loop_for_ever_in_c(note: Path | None = None) -> None:
    """Never comes back to the interpreter, so that no Python signal handler runs. Leaves its process id in `note`."""
    if note is not None:
        note.with_suffix(".new").write_text(str(os.getpid()))
        note.with_suffix(".new").rename(note)
    re.match(r"(a+)+$", "a" * 60 + "b")


def work_for(seconds: float) -> float:
    """Seconds of a processor that were used up, at least these."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
    return time.process_time() - end + seconds


def load_for(seconds: float) -> float:
    """As `work_for`, to load what is kept."""
    with loading():
        return work_for(seconds)


def note_and_work_for(seconds: float, note: Path) -> float:
    """As `work_for`; `note` has a letter for each time that it was begun."""
    with note.open("a") as file:
        file.write("x")
    return work_for(seconds)


def sleep_for(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def wait_for(path: Path) -> int:
    """The process id, once `path` is there; says that it waits by a file beside it."""
    path.with_suffix(".waiting").touch()
    while not path.exists():
        os.sched_yield()
    return os.getpid()


def leave(status: int) -> NoReturn:
    os._exit(status)


def die_with_books(path: Path, **_options: object) -> NoReturn:
    """In place of `core.books.mailed.read_mailed`."""
    os._exit(3)


def break_over_books(path: Path, **_options: object) -> NoReturn:
    """In place of `core.books.mailed.read_mailed`."""
    raise LookupError("a bug of ours")


def segfault() -> None:
    ctypes.string_at(0)


def take_memory(size_bytes: int) -> int:
    return len(bytearray(size_bytes))


def be_stopped_by(number: int) -> None:
    os.kill(os.getpid(), number)


def system_exit() -> NoReturn:
    raise SystemExit(3)


def refuse_file() -> NoReturn:
    raise DamagedFile("The file ends too early.", fix="Send it again.", code="file.truncated")


class OneWayError(Exception):
    """Can be pickled and not unpickled, as many a library's exception."""

    def __init__(self, line: int, column: int) -> None:
        super().__init__(f"syntax error in line {line}, column {column}")


def raise_one_way_error() -> NoReturn:
    raise OneWayError(3, 4)


def raise_value_error() -> NoReturn:
    raise ValueError("no such thing")


def return_what_cannot_be_pickled() -> object:
    return lambda: None


def open_socket() -> None:
    socket.socket().close()


def open_socket_in_c() -> None:
    descriptor = ctypes.CDLL(None, use_errno=True).socket(socket.AF_INET, socket.SOCK_STREAM, 0)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), "no socket")
    os.close(descriptor)


def run_program() -> None:
    subprocess.run([sys.executable, "--version"], check=True, stdout=subprocess.DEVNULL)


def surroundings() -> dict[str, object]:
    """What a worker process has and may."""
    links = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if int(fd) > 2 and _is_open(fd)]
    umask = os.umask(0)
    os.umask(umask)
    return {
        "sockets": sum(link.startswith("socket:") for link in links),
        "files": [link for link in links if link.startswith("/") and not link.startswith(("/dev", "/proc"))],
        "umask": umask,
        "niceness": os.nice(0),
        "core_bytes": resource.getrlimit(resource.RLIMIT_CORE)[0],
        "interrupt": signal.getsignal(signal.SIGINT),
    }


def _is_open(descriptor: str) -> bool:
    return os.path.lexists(f"/proc/self/fd/{descriptor}")
