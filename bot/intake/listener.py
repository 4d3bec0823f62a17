"""What listens: its sockets, the count of its connections, and how it stops."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Iterable

import structlog

from bot.intake.connection import OpenConnections

BACKLOG = 512  # connections that the kernel holds while we are busy; a burst of senders is not turned away

log = structlog.get_logger(__name__)


class Listener:
    """Receives mail in the running event loop. `start` it, then `close` it; neither may be called twice."""

    def __init__(self, connections: OpenConnections, *, grace_seconds: float) -> None:
        self.connections = connections
        self._grace_seconds = grace_seconds
        self._servers: list[asyncio.Server] = []

    async def _listen(self, sockets: Iterable[Awaitable[asyncio.Server]]) -> None:
        """Open them one after the other. Raises OSError if one is taken, and listens on none then."""
        logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # aiosmtpd's: it would log addresses and secrets
        try:
            for opening in sockets:
                self._servers.append(await opening)
        except OSError:
            self._stop_listening()
            raise

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where it listens: (host, port) of each socket that has them, in the order in which they were opened."""
        names = [socket.getsockname() for server in self._servers for socket in server.sockets]
        return [name[:2] for name in names if isinstance(name, tuple)]

    @property
    def is_listening(self) -> bool:
        return bool(self._servers)

    async def close(self) -> None:
        """Say 421 to everybody who is not bringing a mail, wait for the others as long as the grace lasts, and end."""
        self._stop_listening()
        members = self.connections.members
        for connection in list(members):
            connection.stop()
        await self._emptied(self._grace_seconds)
        for connection in list(members):
            log.warning("mail_cut_off", ip=connection.ip)
            connection.abort()
        await self._emptied(1.0)  # an abort needs the loop once or twice, and nobody's good will

    def _stop_listening(self) -> None:
        # Not `wait_closed`: from Python 3.12.1 on it waits for clients, who may stay as long as they please.
        for server in self._servers:
            server.close()

    async def _emptied(self, timeout_seconds: float) -> None:
        tasks = [connection.task for connection in self.connections.members]
        if tasks:
            await asyncio.wait(tasks, timeout=timeout_seconds)
