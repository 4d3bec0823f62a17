"""Keys that the service makes for itself, each a file in the data folder that nobody else may read."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from pathlib import Path

from core.tokens import MIN_KEY_BYTES


def token_key(path: Path) -> bytes:
    """The key in this file, made with the first call. Blocks; raises `OSError`.

    Of two processes that make it at once one wins, and both read what it wrote.
    """
    if not path.exists():
        _make(path)
    return path.read_bytes()


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own: two threads of one process may be here at once, too.
    descriptor, unfinished = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)  # mode 0600
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(MIN_KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileExistsError):
        os.link(unfinished, path)
    Path(unfinished).unlink()
