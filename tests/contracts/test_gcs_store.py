"""What the Cloud Storage adapter makes of a network that fails: the real client, a fake server, a faulty line."""

from __future__ import annotations

import http.client
import io
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

from bot.storage.gcs import GcsStore
from core.errors import Unavailable
from core.ports import BlobCorrupt
from tests.support.durable_store import DurableStore
from tests.support.gcs_server import gcs_client

KEY = "books/ab/abcdef.epub"
CONTENT = b"the whole of a book"
Fault = Callable[[str, str, bytes], bytes | None]
"""(method, path, body of the answer) -> the body to hand on, or None to hang up without an answer."""


class Line(ThreadingHTTPServer):
    """A proxy in front of the server at `url` that lets `fault` spoil its answers."""

    def __init__(self, url: str) -> None:
        super().__init__(("127.0.0.1", 0), _LineHandler)
        self.netloc = urlsplit(url).netloc
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.fault: Fault = lambda method, path, body: body


class _LineHandler(BaseHTTPRequestHandler):
    server: Line
    protocol_version = "HTTP/1.1"

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with closing(http.client.HTTPConnection(self.server.netloc)) as upstream:
            upstream.request(self.command, self.path, body, dict(self.headers.items()))
            answer = upstream.getresponse()
            answered = self.server.fault(self.command, self.path, answer.read())
        if answered is None:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "date"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answered)))
        self.end_headers()
        self.wfile.write(answered)

    do_GET = do_POST = do_PUT = do_DELETE = _forward  # noqa: N815 - names that http.server calls

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in http.server
        """Nothing: a test says itself what it saw."""


@pytest.fixture
def line(gcs_url: str) -> Iterator[Line]:
    with Line(gcs_url) as line:
        thread = threading.Thread(target=line.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield line
        line.shutdown()
        thread.join()


@pytest.fixture
def store(gcs_store: DurableStore, line: Line) -> Iterator[GcsStore]:
    """The same bucket as `gcs_store`, over the faulty line."""
    bucket = urlsplit(gcs_store.url).netloc
    with closing(gcs_client(line.url)) as client:
        yield GcsStore(bucket, prefix="in/here", client=client, retry_seconds=10)


def put(store: GcsStore, content: bytes = CONTENT) -> bool:
    return store.put(KEY, io.BytesIO(content), size_bytes=len(content), media_type="application/epub+zip")


def test_answer_to_an_upload_that_is_lost_is_no_error(store: GcsStore, line: Line) -> None:
    lost: list[str] = []

    def lose_first_upload(method: str, path: str, body: bytes) -> bytes | None:
        if method == "POST" and not lost:
            lost.append(path)
            return None
        return body

    line.fault = lose_first_upload

    put(store)

    assert lost
    with store.open(KEY) as file:
        assert file.read() == CONTENT


def test_damage_on_the_way_down_is_noticed(store: GcsStore, line: Line) -> None:
    put(store)
    line.fault = lambda _method, _path, body: body.replace(b"whole", b"whale")

    with pytest.raises(BlobCorrupt), store.open(KEY):
        pass


def test_media_type_is_kept(store: GcsStore, gcs_store: DurableStore, gcs_url: str) -> None:
    put(store)

    with closing(gcs_client(gcs_url)) as client:
        blob = client.bucket(urlsplit(gcs_store.url).netloc).get_blob(f"in/here/{KEY}")

    assert blob is not None
    assert blob.content_type == "application/epub+zip"


def test_blobs_outside_the_prefix_are_not_seen(store: GcsStore, gcs_store: DurableStore, gcs_url: str) -> None:
    bucket = urlsplit(gcs_store.url).netloc
    with closing(gcs_client(gcs_url)) as client:
        put(GcsStore(bucket, prefix="in/hereafter", client=client))

        assert list(store.list()) == []
        assert store.stat(KEY) is None


def test_server_that_does_not_answer_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    calls: list[Callable[[GcsStore], object]] = [
        put,
        lambda store: store.stat(KEY),
        lambda store: store.delete(KEY),
        lambda store: list(store.list()),
        lambda store: store.open(KEY).__enter__(),
    ]
    with closing(gcs_client(url)) as client:
        store = GcsStore("bucket", client=client, retry_seconds=0)
        for call in calls:
            with pytest.raises(Unavailable):
                call(store)


def test_bucket_that_does_not_exist_is_no_absent_blob(gcs_url: str) -> None:
    with closing(gcs_client(gcs_url)) as client:
        store = GcsStore("no-such-bucket", client=client)
        with pytest.raises(Unavailable):
            put(store)
