"""A blob store that a test can open in two processes."""

from __future__ import annotations

from dataclasses import dataclass

from core.ports import BlobStore


@dataclass(frozen=True, slots=True)
class DurableStore:
    """`url` is for `open_store`, under `environment`."""

    store: BlobStore
    url: str
    environment: dict[str, str]
    reads_of_source: int
    """How often `put` reads its source: Cloud Storage wants the checksum before the content."""
