"""The inside of the sandbox: what a worker process gives up before it reads a stranger's file, and how it answers.

It holds against parsers that hang, crash, eat memory or are talked into fetching and running things. Against a parser
that is taken over by machine code it is a hindrance and no more: the answers are pickles, and the files are ours.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import multiprocessing
import os
import pickle
import platform
import resource
import signal
import socket
import struct
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from core import loading
from core.errors import BotError, InkpostError

NICENESS = 10  # a book may wait; the SMTP dialogue on the same cores may not


class SandboxError(InkpostError):
    """A function did not end as functions do. Translate it: the user knows only of a file that cannot be read."""


class SandboxTimeout(SandboxError):
    """It took longer than it may; the worker was killed."""


class SandboxKilled(SandboxError):
    """It took more memory than it may, or brought the worker down."""


def confine(memory_bytes: int) -> None:
    """Give up what no parser needs. `memory_bytes` is the address space beyond what the worker has already."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # pebble's own handler cannot run while a C function does not return
    loading.around = _clock_stopped
    _die_with_parent()
    os.nice(NICENESS)
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        limit = _address_space_bytes() + memory_bytes
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        _deny_system_calls()


def call(pickled: bytes, processor_seconds: float) -> bytes:
    """Run a pickled function without arguments; the answer is a pickled (value, None) or (None, error).

    The kernel ends the process (SIGPROF) after these seconds of a processor, without those in which the worker loads
    what it then keeps.

    All pickling is done here and not left to the pool, whose threads do not survive an exception that can be pickled
    and not unpickled.
    """
    try:
        function = pickle.loads(pickled)  # noqa: S301 - from our own parent, over a pipe
        signal.setitimer(signal.ITIMER_PROF, processor_seconds)  # not RLIMIT_CPU, which knows whole seconds alone
        return pickle.dumps((function(), None))
    except MemoryError:
        return pickle.dumps((None, SandboxKilled("out of memory")))
    except Exception as error:  # noqa: BLE001 - it is raised again where the function was called
        return _pickled_error(error)
    except BaseException as error:  # noqa: BLE001 - SystemExit and its like would end the service, not the call
        return _pickled_error(SandboxKilled(f"the function raised {error!r}"))
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


@contextmanager
def _clock_stopped() -> Iterator[None]:
    """For `core.loading`."""
    left, _ = signal.setitimer(signal.ITIMER_PROF, 0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, left)


def _pickled_error(error: Exception) -> bytes:
    if not isinstance(error, BotError):
        error.add_note(f"In the sandbox:\n{''.join(traceback.format_exception(error))}")
    try:
        pickled = pickle.dumps((None, error))
        pickle.loads(pickled)  # noqa: S301 - our own, from the line above
    except Exception:  # noqa: BLE001 - exceptions of libraries refuse in many ways: their text is what can be had
        substitute = SandboxError("".join(traceback.format_exception_only(error)))
        pickled = pickle.dumps((None, substitute))
    return pickled


def _die_with_parent() -> None:
    """Have the kernel kill this process when the service is gone, even in the midst of a C function.

    PR_SET_PDEATHSIG would not do: the parent here is the fork server, which lives as long as any worker does. So the
    pipe whose other end the service holds is made to send SIGIO (whose default is death) when it closes.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        pipe = parent.sentinel
        fcntl.fcntl(pipe, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(pipe, fcntl.F_SETFL, fcntl.fcntl(pipe, fcntl.F_GETFL) | os.O_ASYNC)


def _address_space_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[0]) * resource.getpagesize()


# seccomp(2): numbers of <linux/audit.h>, <linux/seccomp.h>, <linux/filter.h> and, for each machine, <asm/unistd.h>.
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_OFFSET_OF_NUMBER, _OFFSET_OF_MACHINE, _OFFSET_OF_FAMILY = 0, 4, 16  # the last one is the first argument
_ALLOW, _FAIL = 0x7FFF0000, 0x00050000 | errno.EACCES
_X32 = 0x40000000  # a second set of numbers on x86_64; no number of aarch64 is as large
_DENIED: dict[str, tuple[int, dict[str, int]]] = {
    "x86_64": (0xC000003E, {"socket": 41, "execve": 59, "ptrace": 101, "execveat": 322, "io_uring_setup": 425}),
    "aarch64": (0xC00000B7, {"socket": 198, "execve": 221, "ptrace": 117, "execveat": 281, "io_uring_setup": 425}),
}


def _deny_system_calls() -> None:
    """Make no network and no other programs a rule of the kernel, which needs no privilege and holds for C code too.

    A name space without a network would need privileges that containers withhold, and an audit hook sees Python only.
    On another machine, or a kernel without seccomp, the worker goes without.
    """
    if platform.machine() in _DENIED:
        machine, denied = _DENIED[platform.machine()]
        _filter_system_calls(machine, list(denied.values()))


def deny_network() -> None:
    """The same for a program that may start others, and talk to them: of sockets only those within the machine."""
    if platform.machine() in _DENIED:
        machine, denied = _DENIED[platform.machine()]
        _filter_system_calls(machine, [denied["ptrace"], denied["io_uring_setup"]], local_only=denied["socket"])


def _filter_system_calls(machine: int, denied: list[int], *, local_only: int | None = None) -> None:
    """Have the kernel refuse these, and of the call `local_only` all families but AF_UNIX; for good, and to children.

    A jump is told by how many lines it leaps over. The last two lines are the two answers.
    """
    tests = [(_IF_AT_LEAST, _X32), *((_IF_EQUAL, number) for number in denied)]
    family = []
    if local_only is not None:
        family = [
            (_IF_EQUAL, 0, 2, local_only),  # another call: allowed
            (_LOAD, 0, 0, _OFFSET_OF_FAMILY),
            (_IF_EQUAL, 0, 1, socket.AF_UNIX),  # another family: refused
        ]
    rest = len(tests) + len(family)
    program = [
        (_LOAD, 0, 0, _OFFSET_OF_MACHINE),
        (_IF_EQUAL, 0, rest + 2, machine),  # else refused
        (_LOAD, 0, 0, _OFFSET_OF_NUMBER),
        *((code, rest - place, 0, operand) for place, (code, operand) in enumerate(tests)),
        *family,
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _FAIL),
    ]
    instructions = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in program))
    header = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(instructions)))
    prctl: Any = ctypes.CDLL(None).prctl
    prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, header, 0, 0)
