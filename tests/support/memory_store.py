"""A `BlobStore` in memory, held to the contract of the real ones."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from bot.storage.keys import check_key
from core.ports import BlobCorrupt, BlobNotFound, BlobStat


class MemoryStore:
    """See `BlobStore`. `media_types` says what each blob was put as."""

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self.media_types: dict[str, str] = {}

    def put(self, key: str, source: BinaryIO, *, size_bytes: int, media_type: str) -> bool:
        check_key(key)
        content = source.read()
        if len(content) != size_bytes:
            raise BlobCorrupt(f"{key}: {len(content)} bytes came instead of {size_bytes}")
        with self._lock:
            if key in self._blobs:
                if len(self._blobs[key]) != size_bytes:
                    raise BlobCorrupt(f"{key}: other content is there")
                return False
            self._blobs[key] = content
            self.media_types[key] = media_type
            return True

    def put_file(self, key: str, path: Path, *, media_type: str) -> bool:
        with path.open("rb") as source:
            return self.put(key, source, size_bytes=path.stat().st_size, media_type=media_type)

    @contextmanager
    def open(self, key: str) -> Iterator[BinaryIO]:
        try:
            content = self._blobs[check_key(key)]
        except KeyError:
            raise BlobNotFound(key) from None
        yield io.BytesIO(content)

    def get_file(self, key: str, path: Path) -> None:
        with self.open(key) as source, path.open("xb") as file:
            file.write(source.read())

    def stat(self, key: str) -> BlobStat | None:
        content = self._blobs.get(check_key(key))
        return None if content is None else BlobStat(key, len(content))

    def delete(self, key: str) -> None:
        with self._lock:
            self._blobs.pop(check_key(key), None)

    def link(self, key: str, *, filename: str, seconds: float) -> None:
        check_key(key)

    def list(self, prefix: str = "") -> Iterator[BlobStat]:
        for key in sorted(self._blobs):
            if key.startswith(prefix):
                yield BlobStat(key, len(self._blobs[key]))
