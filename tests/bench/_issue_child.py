"""The worker's half of `tests.bench.issue`: imports what a worker does, and no more."""

from __future__ import annotations

import pickle
import re
import time
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

from core.news.paper import make_paper


def build(pipe: Connection, folder: Path, *, cap_bytes: int) -> None:
    """One issue; a paper of one story before it, since a worker has imports and fonts from its last book."""
    issue = pickle.loads((folder / "issue.pickle").read_bytes())
    make_paper(replace(issue, stories=issue.stories[:1], pictures={}), folder=folder)
    cpu, started = time.process_time(), time.perf_counter()
    parts = make_paper(issue, folder=folder, cap_bytes=cap_bytes)
    ended = time.perf_counter()
    pipe.send(
        {
            "book": ended - started,
            "cpu": time.process_time() - cpu,
            "peak": _peak_mb(),
            "size": sum(part.size_bytes for part in parts) / 1e6,
            "parts": float(len(parts)),
        }
    )


def _peak_mb() -> float:
    """Of this process since it began; `ru_maxrss` would be that of the one which started it."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    return int(found[1]) / 1024 if found else float("nan")
