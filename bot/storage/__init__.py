"""Where blobs are kept: a directory or Google Cloud Storage, chosen by a URL."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from core.errors import InkpostError
from core.ports import BlobStore


class NoStore(InkpostError):
    """The URL names no store that there is."""


def open_store(url: str) -> BlobStore:
    """The store that a URL names: `local:<directory>` or `gs://<bucket>[/<prefix>]`.

    Makes the directory; opens no connection. Raises `NoStore` for any other URL, `Unavailable` if the directory
    cannot be made.
    """
    # The adapters are imported here, so that the default does not pay 30 MB of memory for Google's client.
    if url.startswith("local:") and (directory := url.removeprefix("local:")):
        from bot.storage.local import LocalStore

        return LocalStore(Path(directory).expanduser())
    parts = urlsplit(url)
    if parts.scheme == "gs" and parts.netloc and not (parts.query or parts.fragment):
        from bot.storage.gcs import GcsStore

        return GcsStore(parts.netloc, prefix=parts.path.strip("/"))
    raise NoStore(f"{url!r} is no store: write local:<directory> or gs://<bucket>/<prefix>")
