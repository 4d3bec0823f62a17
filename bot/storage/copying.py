"""Blobs from one store to another: only what lacks, each compared after it was copied, so that it may be broken off."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from core.ports import BlobCorrupt, BlobStat, BlobStore

PIECE_BYTES = 1 << 20
_MEDIA_TYPES = {
    ".epub": "application/epub+zip",
    ".pdf": "application/pdf",
    ".jpg": "image/jpeg",
    ".eml": "message/rfc822",
}


@dataclass
class Copied:
    """What came of it."""

    copied: int = 0
    copied_bytes: int = 0
    there_already: int = 0
    wrong: list[str] = field(default_factory=list)
    """Keys under which the target has other bytes than the source."""


def copy_blobs(source: BlobStore, target: BlobStore, *, progress: Callable[[BlobStat], None]) -> Copied:
    """Copy every blob that the target has not. `progress` hears of each blob of the source when it is done.

    Blobs are written whole or not at all, so one that is there with the same size was copied before: a copy that was
    broken off goes on where it was. Neither store is changed otherwise. Blocks; raises `Unavailable`.
    """
    done = Copied()
    with tempfile.TemporaryDirectory(prefix="inkpost-copy-") as folder:
        for blob in source.list():
            there = target.stat(blob.key)
            if there is None:
                _copy(blob, source, target, Path(folder) / "blob", done)
            elif there.size_bytes == blob.size_bytes:
                done.there_already += 1
            else:
                done.wrong.append(blob.key)
            progress(blob)
    return done


def _copy(blob: BlobStat, source: BlobStore, target: BlobStore, path: Path, done: Copied) -> None:
    source.get_file(blob.key, path)
    try:
        media_type = _MEDIA_TYPES.get(Path(blob.key).suffix, "application/octet-stream")
        # A stream and not the file itself: between two folders of one disk it would be one file under two names.
        with path.open("rb") as content:
            target.put(blob.key, content, size_bytes=blob.size_bytes, media_type=media_type)
            content.seek(0)
            wanted = _sha256(content)
    except BlobCorrupt:
        done.wrong.append(blob.key)
        return
    finally:
        path.unlink()
    with target.open(blob.key) as copy:
        if _sha256(copy) != wanted:
            done.wrong.append(blob.key)
            return
    done.copied += 1
    done.copied_bytes += blob.size_bytes


def _sha256(content: BinaryIO) -> str:
    digest = hashlib.sha256()
    while piece := content.read(PIECE_BYTES):
        digest.update(piece)
    return digest.hexdigest()
