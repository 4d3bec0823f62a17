"""Keys that the service makes for itself, each a file in the data folder that nobody else may read."""

from __future__ import annotations

import contextlib
import os
import secrets
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
    unfinished = path.with_suffix(f".{os.getpid()}")
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(secrets.token_bytes(MIN_KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileExistsError):
        os.link(unfinished, path)
    unfinished.unlink()
