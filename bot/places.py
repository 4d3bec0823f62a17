"""The folder that a process has to itself: all of the data folder on SQLite, one of several beside PostgreSQL.

Its spool, its work folder and its journal stand there. The folders have numbers and no names, so that a process that
starts takes the place of one that died, and finds its journal; what it does not take, `abandoned` finds.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bot.locks import DataDirBusy, DataDirLock

PROCESSES = "processes"


@contextmanager
def own_folder(data_dir: Path, *, is_alone: bool) -> Iterator[Path]:
    """A folder that no other process uses meanwhile. Raises `DataDirBusy` where only one process may be, and one is."""
    with ExitStack() as stack:
        if is_alone:
            stack.enter_context(DataDirLock(data_dir))
            yield data_dir
            return
        for number in itertools.count(1):
            folder = data_dir / PROCESSES / str(number)
            folder.mkdir(parents=True, exist_ok=True)
            try:
                stack.enter_context(DataDirLock(folder))
            except DataDirBusy:
                continue
            yield folder
            return


@contextmanager
def abandoned(data_dir: Path, *, mine: Path) -> Iterator[tuple[Path, ...]]:
    """The folders of processes that are no more, kept from others meanwhile.

    Not `mine`: whoever closes a file loses all of its process's record locks on it.
    """
    with ExitStack() as stack:
        found = []
        for folder in sorted((data_dir / PROCESSES).glob("*")):
            if folder == mine:
                continue
            try:
                stack.enter_context(DataDirLock(folder))
            except DataDirBusy:
                continue
            found.append(folder)
        yield tuple(found)
