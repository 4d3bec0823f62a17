"""What stands in /proc of a process and of all below it."""

from __future__ import annotations

from pathlib import Path

SMTPD = b"bot.intake.smtpd"


def process_tree(pid: int) -> list[int]:
    """A process and all below it."""
    # A child belongs to the thread that started it, and the workers are started in a thread of their own.
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    try:
        children = [child for path in lists for child in path.read_text("ascii").split()]
    except OSError:  # it ended while we looked
        return []
    return [pid, *(below for child in children for below in process_tree(int(child)))]


def pss_bytes(pid: int, kind: str = "Pss") -> int:
    """The proportional set size; `Pss_Anon` is what the process made itself.

    The rest is of files, libraries mostly, and each page of them is split among all processes of the machine that have
    it: it grows when somebody else's Python ends.
    """
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii")
    except OSError:  # it ended while we looked
        return 0
    return next(int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith(f"{kind}:"))


def smtpds(pid: int) -> list[int]:
    """The processes that speak SMTP for a service."""
    return [below for below in process_tree(pid) if SMTPD in _command(below)]


def is_running(pid: int) -> bool:
    """Whether it still does anything: a dead one may have nobody to bury it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it ended while we looked
        return b""
