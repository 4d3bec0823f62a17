"""Blobs in a bucket of Google Cloud Storage.

Preconditions and checksums: https://cloud.google.com/storage/docs/request-preconditions and .../docs/data-validation.
"""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import quote

import google_crc32c
import requests.exceptions
from google.api_core.exceptions import GoogleAPIError, NotFound, PreconditionFailed
from google.auth.exceptions import GoogleAuthError
from google.cloud import storage
from google.cloud.storage.exceptions import DataCorruption, InvalidResponse
from google.cloud.storage.retry import DEFAULT_RETRY

from bot.storage.keys import check_key
from core.errors import Unavailable
from core.ports import BlobCorrupt, BlobNotFound, BlobStat

CHUNK_BYTES = 8 << 20  # a multiple of 256 KiB, as a resumable upload demands; larger blobs go up in such pieces
REQUEST_TIMEOUT_SECONDS = 30.0
RETRY_SECONDS = 60.0  # after that the job engine's own, longer patience takes over
PUBLIC_ENDPOINT = "https://storage.googleapis.com"  # for links, whichever way the client itself goes
_LISTED_FIELDS = "items(name,size),nextPageToken"


class GcsStore:
    """See `BlobStore`. That the same content is there already is judged by its size and CRC32C.

    A blob is written on the condition that there is none, and the server compares its checksum with ours before it
    keeps it. A transient failure is tried again for `retry_seconds`.
    """

    def __init__(
        self,
        bucket: str,
        *,
        prefix: str = "",
        client: storage.Client | None = None,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        """Without a client, the machine's own credentials are looked for, which may ask its metadata server."""
        with _unavailable_on_google_error(bucket):
            self._client = client or storage.Client()
        self._bucket = self._client.bucket(bucket)
        self._prefix = f"{prefix}/" if prefix else ""
        self._retry = DEFAULT_RETRY.with_timeout(retry_seconds)

    def put(self, key: str, source: BinaryIO, *, size_bytes: int, media_type: str) -> bool:
        name = self._name(key)
        with _rewindable(source) as content:
            start = content.tell()
            crc32c = _checksum(key, content, size_bytes=size_bytes)
            with _unavailable_on_google_error(key):
                if self._holds(name, size_bytes=size_bytes, crc32c=crc32c):  # saves the upload
                    return False
                content.seek(start)
                try:
                    self._bucket.blob(name, chunk_size=CHUNK_BYTES).upload_from_file(
                        content,
                        size=size_bytes,
                        content_type=media_type,
                        if_generation_match=0,  # "there is no such object": the loser of a race gets a 412
                        checksum="crc32c",
                        crc32c_checksum_value=crc32c,
                        timeout=REQUEST_TIMEOUT_SECONDS,
                        retry=self._retry,
                    )
                except PreconditionFailed:
                    # Another writer was first; or we were, our try's answer was lost, and this is the second try.
                    if not self._holds(name, size_bytes=size_bytes, crc32c=crc32c):
                        raise
                    return False
        return True

    def put_file(self, key: str, path: Path, *, media_type: str) -> bool:
        try:
            source = path.open("rb")
        except OSError as error:
            raise Unavailable(f"{path}: {error.strerror}") from error
        with source:
            return self.put(key, source, size_bytes=path.stat().st_size, media_type=media_type)

    @contextmanager
    def open(self, key: str) -> Iterator[BinaryIO]:
        # To a file first: only a whole download has its checksum compared, and a reader must not see a damaged byte.
        with tempfile.SpooledTemporaryFile(max_size=CHUNK_BYTES) as file:
            self._download(key, cast(BinaryIO, file))
            file.seek(0)
            yield cast(BinaryIO, file)

    def get_file(self, key: str, path: Path) -> None:
        try:
            with path.open("xb") as file:
                self._download(key, file)
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    def _download(self, key: str, file: BinaryIO) -> None:
        with _unavailable_on_google_error(key):
            try:
                self._bucket.blob(self._name(key)).download_to_file(
                    file, checksum="crc32c", timeout=REQUEST_TIMEOUT_SECONDS, retry=self._retry
                )
            except NotFound:
                raise BlobNotFound(key) from None

    def stat(self, key: str) -> BlobStat | None:
        with _unavailable_on_google_error(key):
            blob = self._bucket.get_blob(self._name(key), timeout=REQUEST_TIMEOUT_SECONDS, retry=self._retry)
        return None if blob is None else BlobStat(key, blob.size)

    def delete(self, key: str) -> None:
        with _unavailable_on_google_error(key):
            try:
                self._bucket.blob(self._name(key)).delete(timeout=REQUEST_TIMEOUT_SECONDS, retry=self._retry)
            except NotFound:
                return

    def link(self, key: str, *, filename: str, seconds: float) -> str:
        # https://cloud.google.com/storage/docs/access-control/signed-urls: V4, seven days at most; a service account's
        # key signs here. Credentials without one (a machine's own) have to be given the right to sign by IAM.
        name = filename.encode("ascii", "replace").decode().replace('"', "'").replace("\\", "_")
        disposition = f"attachment; filename=\"{name}\"; filename*=UTF-8''{quote(filename, safe='')}"
        try:
            url: str = self._bucket.blob(self._name(key)).generate_signed_url(
                version="v4",
                expiration=timedelta(seconds=seconds),
                method="GET",
                response_disposition=disposition,
                api_access_endpoint=PUBLIC_ENDPOINT,
            )
        except (AttributeError, GoogleAuthError) as error:  # AttributeError is what it raises without a key
            raise Unavailable(f"no key to sign a link with: {error}") from error
        return url

    def list(self, prefix: str = "") -> Iterator[BlobStat]:
        with _unavailable_on_google_error(prefix):
            for blob in self._client.list_blobs(
                self._bucket,
                prefix=self._prefix + prefix,
                fields=_LISTED_FIELDS,
                timeout=REQUEST_TIMEOUT_SECONDS,
                retry=self._retry,
            ):
                yield BlobStat(blob.name.removeprefix(self._prefix), blob.size)

    def _name(self, key: str) -> str:
        return self._prefix + check_key(key)

    def _holds(self, name: str, *, size_bytes: int, crc32c: str) -> bool:
        blob = self._bucket.get_blob(name, timeout=REQUEST_TIMEOUT_SECONDS, retry=self._retry)
        if blob is not None and (blob.size, blob.crc32c) != (size_bytes, crc32c):
            raise BlobCorrupt(f"{name}: {blob.size} bytes with another checksum are there")
        return blob is not None


def _checksum(key: str, content: BinaryIO, *, size_bytes: int) -> str:
    """CRC32C in base64 of what `content` yields from here on, as Cloud Storage writes it."""
    checksum, found = google_crc32c.Checksum(), 0
    while piece := content.read(CHUNK_BYTES // 8):
        checksum.update(piece)
        found += len(piece)
    if found != size_bytes:
        raise BlobCorrupt(f"{key}: {found} bytes came instead of {size_bytes}")
    return base64.b64encode(checksum.digest()).decode()


@contextmanager
def _rewindable(source: BinaryIO) -> Iterator[BinaryIO]:
    """The source itself, or a copy of one that can be read only once: it is read for its checksum, then sent."""
    if source.seekable():
        yield source
        return
    with tempfile.SpooledTemporaryFile(max_size=CHUNK_BYTES) as file:
        while piece := source.read(CHUNK_BYTES // 8):
            file.write(piece)
        file.seek(0)
        yield cast(BinaryIO, file)


@contextmanager
def _unavailable_on_google_error(what: str) -> Iterator[None]:
    """Translates what the client raises. A denied permission is our fault too: it stays a matter of trying again."""
    try:
        yield
    except DataCorruption as error:
        raise BlobCorrupt(f"{what}: checksum of a transfer does not match") from error
    except (GoogleAPIError, GoogleAuthError, InvalidResponse, requests.exceptions.RequestException) as error:
        raise Unavailable(f"{what}: {error}") from error
