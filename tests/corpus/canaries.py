"""Servers on the ports that the corpus has its hostile files call: whoever resolves entities or loads links is heard.

They hear the C libraries too, of whose sockets no audit event tells.
"""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

CANARY_PORTS = (24991, 24992, 24993)
"""On loopback."""

PATIENCE_SECONDS = 120


@contextmanager
def listening(ports: Iterable[int] = CANARY_PORTS) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        yield [stack.enter_context(_listen(port)) for port in ports]


def _listen(port: int) -> socket.socket:
    """Waits while another run of this program listens there."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            listener = socket.create_server(("127.0.0.1", port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            listener.setblocking(False)
            return listener


def connections(canaries: Iterable[socket.socket]) -> list[str]:
    """Who connected since the last call."""
    return [f"connected to {canary.getsockname()[1]}" for canary in canaries if _was_called(canary)]


def _was_called(listener: socket.socket) -> bool:
    try:
        connection, _ = listener.accept()
    except BlockingIOError:
        return False
    connection.close()
    return True
