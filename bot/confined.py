"""`python -m bot.confined <seconds> <memory> <file> <program> …` becomes that program, with limits and no network.

A process of its own, and no `preexec_fn`: what runs between fork and exec in a process with threads may hang for ever.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from typing import Any, Final

from bot.sandbox_worker import NICENESS, deny_network

NO_PROGRAM: Final = 127  # as a shell says it
_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>; it stays with the process when it becomes another program


def confine_and_become(seconds: int, memory_bytes: int, file_bytes: int, arguments: list[str]) -> None:
    """Returns only if there is no such program. Each process has the limits for itself, and so have its children."""
    os.nice(NICENESS)
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
        prctl: Any = ctypes.CDLL(None).prctl
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        deny_network()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    try:
        os.execve(arguments[0], arguments, environment)  # noqa: S606 - what the operator has named, with no shell
    except OSError as error:
        sys.stderr.write(f"{error.strerror}\n")


if __name__ == "__main__":
    seconds, memory_bytes, file_bytes = map(int, sys.argv[1:4])
    confine_and_become(seconds, memory_bytes, file_bytes, sys.argv[4:])
    sys.exit(NO_PROGRAM)
