"""What we use of google-cloud-storage 3.17, which ships no types."""

from collections.abc import Iterator
from datetime import timedelta
from typing import IO

from google.api_core.retry import Retry
from google.auth.credentials import Credentials

class Blob:
    name: str
    size: int
    crc32c: str
    content_type: str
    def generate_signed_url(
        self,
        *,
        version: str,
        expiration: timedelta,
        method: str,
        response_disposition: str,
        api_access_endpoint: str,
    ) -> str: ...
    def upload_from_file(
        self,
        file_obj: IO[bytes],
        *,
        size: int,
        content_type: str,
        if_generation_match: int,
        checksum: str,
        crc32c_checksum_value: str,
        timeout: float,
        retry: Retry,
    ) -> None: ...
    def download_to_file(self, file_obj: IO[bytes], *, checksum: str, timeout: float, retry: Retry) -> None: ...
    def delete(self, *, timeout: float, retry: Retry) -> None: ...

class Bucket:
    def blob(self, blob_name: str, chunk_size: int | None = None) -> Blob: ...
    def get_blob(self, blob_name: str, *, timeout: float = ..., retry: Retry = ...) -> Blob | None: ...

class Client:
    def __init__(
        self,
        project: str | None = None,
        credentials: Credentials | None = None,
        client_options: dict[str, str] | None = None,
    ) -> None: ...
    def bucket(self, bucket_name: str) -> Bucket: ...
    def create_bucket(self, bucket_or_name: str) -> Bucket: ...
    def list_blobs(
        self, bucket_or_name: Bucket, *, prefix: str, fields: str, timeout: float, retry: Retry
    ) -> Iterator[Blob]: ...
    def close(self) -> None: ...
