"""One fork server for all sandboxes of a test process: to import what workers read files with takes it a second."""

from __future__ import annotations

import functools
import multiprocessing
from multiprocessing import forkserver

from bot.app import PRELOAD
from bot.sandbox import Sandbox

NEWS = ("core.news.feed", "core.news.extract", "core.news.paper")


@functools.cache
def keep_fork_server() -> None:
    """Start it, and hold it as one more sandbox with a pool would, until the process ends."""
    with Sandbox._fork_server:
        multiprocessing.get_context("forkserver").set_forkserver_preload(
            ["bot.sandbox_worker", "pebble", *PRELOAD, *NEWS]
        )
        forkserver.ensure_running()
        Sandbox._pools += 1


def release_fork_server() -> None:
    """For tests of when there is one. The next that wants it kept starts another."""
    with Sandbox._fork_server:
        if keep_fork_server.cache_info().currsize:
            keep_fork_server.cache_clear()
            Sandbox._pools -= 1
        if Sandbox._pools == 0:
            forkserver._forkserver._stop()  # type: ignore[attr-defined] # as Sandbox does it
