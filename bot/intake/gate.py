"""Listening sockets whose connections may go to another process: asyncio's own server gives none away unread."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable
from typing import Generic, TypeVar

import structlog

BACKLOG = 512  # connections that the kernel holds while we are busy; a burst of senders is not turned away
MOST_AT_ONCE = 64  # connections accepted before the loop turns to others
PAUSE_SECONDS = 1.0  # as asyncio's server has it
_OUT_OF_ROOM = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}

Connection = TypeVar("Connection", bound=asyncio.BaseProtocol)
Take = Callable[[socket.socket, str], None]
"""Called with each connection, which is its own from there on, and the address of its client."""

log = structlog.get_logger(__name__)


class Gate:
    """One listening socket. Belongs to the event loop that it is opened in, and listens until it is closed."""

    def __init__(self, listening: socket.socket, take: Take) -> None:
        self._listening = listening
        self._take = take
        self._loop = asyncio.get_running_loop()
        self._pause: asyncio.TimerHandle | None = None
        self._listen()

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        return () if self._listening.fileno() < 0 else (self._listening,)

    def close(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
        if self._listening.fileno() >= 0:
            self._loop.remove_reader(self._listening)
            self._listening.close()

    def _listen(self) -> None:
        self._loop.add_reader(self._listening, self._accept)

    def _accept(self) -> None:
        for _ in range(MOST_AT_ONCE):
            try:
                connection, address = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _OUT_OF_ROOM:
                    raise
                log.error("no connection can be accepted", error=str(error), seconds=PAUSE_SECONDS)
                self._loop.remove_reader(self._listening)
                self._pause = self._loop.call_later(PAUSE_SECONDS, self._listen)
                return
            connection.setblocking(False)
            self._take(connection, address[0])


async def open_gates(host: str, port: int, take: Take) -> list[Gate]:
    """One for each address of the host, all if it is "". Raises OSError if one is taken, and none listens then."""
    found = await asyncio.get_running_loop().getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    opened: list[socket.socket] = []
    try:
        for family, _, _, _, address in dict.fromkeys(found):
            opened.append(socket.create_server(address[:2], family=family, backlog=BACKLOG))
            opened[-1].setblocking(False)
    except OSError:
        for listening in opened:
            listening.close()
        raise
    return [Gate(listening, take) for listening in opened]


class Talks(Generic[Connection]):
    """Begins the conversations of this process, each on a socket that was accepted, here or elsewhere."""

    def __init__(self, make_connection: Callable[[], Connection]) -> None:
        self._make_connection = make_connection
        self._beginning: set[asyncio.Task[Connection | None]] = set()  # the loop holds a task only weakly

    def begin(self, connection: socket.socket, context: ssl.SSLContext | None) -> asyncio.Task[Connection | None]:
        """Inside of TLS where there is a context. Gives None where the client went before it began."""
        task = asyncio.create_task(self._begin(connection, context))
        self._beginning.add(task)
        task.add_done_callback(self._beginning.discard)
        return task

    async def _begin(self, connection: socket.socket, context: ssl.SSLContext | None) -> Connection | None:
        loop = asyncio.get_running_loop()
        try:
            _, protocol = await loop.connect_accepted_socket(self._make_connection, connection, ssl=context)
        except OSError as error:
            log.debug("connection_not_begun", error=str(error))
            connection.close()
            return None
        return protocol
