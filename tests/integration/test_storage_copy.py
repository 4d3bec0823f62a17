"""Blobs from one store to another, broken off and begun again; and links to blobs."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import parse_qs, urlsplit

import pytest

from bot.storage.copying import copy_blobs
from bot.storage.gcs import GcsStore
from bot.storage.local import LocalStore
from core.errors import Unavailable
from core.ports import BlobStat, BlobStore
from tests.support.gcs_server import find_gcs_server, gcs_client, running_gcs_server
from tests.support.memory_store import MemoryStore

KEYS = [f"books/{number:02}/{number:02}.epub" for number in range(6)]


def put(store: BlobStore, key: str, content: bytes) -> None:
    store.put(key, io.BytesIO(content), size_bytes=len(content), media_type="application/epub+zip")


@pytest.fixture
def source(tmp_path: Path) -> LocalStore:
    store = LocalStore(tmp_path / "blobs")
    for key in KEYS:
        put(store, key, key.encode() * 1000)
    return store


@pytest.fixture
def bucket() -> Iterator[GcsStore]:
    program = find_gcs_server()
    if program is None:
        pytest.skip("there is no fake-gcs-server: copying to Cloud Storage is not tested")
    with running_gcs_server(program) as url:
        client = gcs_client(url)
        client.create_bucket("copies")
        yield GcsStore("copies", prefix="inkpost", client=client)
        client.close()


def contents(store: BlobStore) -> dict[str, bytes]:
    found = {}
    for blob in store.list():
        with store.open(blob.key) as file:
            found[blob.key] = file.read()
    return found


def test_copy_to_cloud_storage_and_back_goes_on_where_it_was(
    source: LocalStore, bucket: GcsStore, tmp_path: Path
) -> None:
    seen: list[BlobStat] = []

    def break_off(blob: BlobStat) -> None:
        seen.append(blob)
        if len(seen) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy_blobs(source, bucket, progress=break_off)
    again = copy_blobs(source, bucket, progress=seen.append)
    home = LocalStore(tmp_path / "home")
    back = copy_blobs(bucket, home, progress=lambda _blob: None)

    assert (again.there_already, again.copied, again.wrong) == (3, 3, [])
    assert back.copied == len(KEYS)
    assert contents(home) == contents(source)


def test_what_is_not_the_same_in_both_is_told(source: LocalStore) -> None:
    class Liar(MemoryStore):
        def put(self, key: str, source: BinaryIO, *, size_bytes: int, media_type: str) -> bool:
            spoilt = io.BytesIO(source.read()[:-1] + b"!")
            return super().put(key, spoilt, size_bytes=size_bytes, media_type=media_type)

    liar, other = Liar(), MemoryStore()
    put(other, KEYS[1], b"of another size")

    assert copy_blobs(source, liar, progress=lambda _blob: None).wrong == KEYS
    assert copy_blobs(source, other, progress=lambda _blob: None).wrong == [KEYS[1]]


def test_copy_is_no_second_name_of_the_same_file(source: LocalStore, tmp_path: Path) -> None:
    copy_blobs(source, LocalStore(tmp_path / "copy"), progress=lambda _blob: None)

    assert (tmp_path / "copy" / KEYS[0]).stat().st_ino != (tmp_path / "blobs" / KEYS[0]).stat().st_ino


def test_folder_has_no_links(source: BlobStore) -> None:
    assert source.link(KEYS[0], filename="Dune.epub", seconds=60) is None
    with pytest.raises(ValueError, match="no key"):
        source.link("../secret", filename="x", seconds=60)


def test_link_of_cloud_storage_is_signed_for_its_time_and_names_the_file() -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from google.cloud import storage
    from google.oauth2 import service_account

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    signer = service_account.Credentials.from_service_account_info(  # type: ignore[no-untyped-call]
        {"client_email": "inkpost@test.iam", "private_key": pem, "token_uri": "https://oauth2.invalid/token"}
    )
    client = storage.Client(project="test", credentials=signer)

    url = urlsplit(GcsStore("books", prefix="p", client=client).link(KEYS[0], filename="Düne „1“.epub", seconds=3600))

    asked = parse_qs(url.query)
    assert url.path == f"/books/p/{KEYS[0]}"
    assert asked["X-Goog-Expires"] == ["3600"]
    assert len(asked["X-Goog-Signature"][0]) == 512
    assert "filename*=UTF-8''D%C3%BCne" in asked["response-content-disposition"][0]
    client.close()


def test_link_without_a_key_to_sign_with_is_unavailable(bucket: GcsStore) -> None:
    with pytest.raises(Unavailable, match="no key to sign"):
        bucket.link(KEYS[0], filename="Dune.epub", seconds=60)
