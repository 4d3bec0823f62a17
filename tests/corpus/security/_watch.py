"""Who is called while hostile input is read: every socket that the Python code of this process connects."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

_watchers: list[list[tuple[str, int]]] = []
"""An audit hook can never be taken out again, so there is one that writes to whoever watches."""


def _hear(event: str, arguments: tuple[object, ...]) -> None:
    if _watchers and event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):
        _watchers[-1].append((str(arguments[1][0]), int(arguments[1][1])))


sys.addaudithook(_hear)


@contextmanager
def watched_connections() -> Iterator[list[tuple[str, int]]]:
    """The addresses that Python code of this process begins to connect to."""
    _watchers.append([])
    try:
        yield _watchers[-1]
    finally:
        _watchers.pop()
