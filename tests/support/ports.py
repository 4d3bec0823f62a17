"""Ports for servers that are started again on the one that they had."""

from __future__ import annotations

import random
import socket

FIRST, LAST = 12_000, 32_000
"""Below those that the system gives away by itself: nobody takes the port of a server that is down."""


def free_port() -> int:
    """A port of the loopback that nobody listens on just now."""
    while True:
        port = random.SystemRandom().randrange(FIRST, LAST)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port
