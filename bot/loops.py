"""The event loop that the service and its processes run in."""

from __future__ import annotations

import asyncio
import ctypes
import importlib
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")

M_ARENA_MAX = -8  # glibc's <malloc.h>
ARENAS = 2


def run_loop(main: Coroutine[Any, Any, T]) -> T:
    """What `main` returns, run in a loop of its own: uvloop's where the extra `fast` is installed, else asyncio's."""
    _share_heaps()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(main)


def _share_heaps() -> None:
    """Give all threads two heaps together, before there are any.

    Of glibc they get one each, up to eight a core, and every heap keeps the room that its busiest moment took. That
    they need not wait for each other is of no use to threads that wait for the interpreter's lock.
    """
    with suppress(AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, ARENAS)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        factory: Callable[[], asyncio.AbstractEventLoop] = importlib.import_module("uvloop").new_event_loop
    except ImportError:
        return None
    return factory
