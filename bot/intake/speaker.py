"""SMTP on sockets that are open already: in the service itself, or in a process that has them from it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from bot.intake.listener import BACKLOG, Listener
from bot.intake.session import SmtpConnection, SmtpService


@dataclass(frozen=True, slots=True)
class Port:
    """An open socket. It stays open whoever listens on it, and holds the clients that come meanwhile."""

    socket: socket.socket
    is_tls: bool
    """Whether TLS begins all that is said there (RFC 8314)."""

    def __post_init__(self) -> None:
        # Whether a call waits is a mark of the open socket, not of a descriptor, and `dup` sets it anew: a copy that
        # waits for one moment would have the other process stand still in its `accept`.
        self.socket.setblocking(False)


class Speaker(Listener):
    """Accepts connections on the ports and talks on them, whenever it `listen`s."""

    def __init__(self, service: SmtpService, ports: Sequence[Port]) -> None:
        super().__init__(service.connections, grace_seconds=service.house.settings.shutdown_grace_seconds)
        self.ports = ports
        self.service = service
        self.last_came_at = asyncio.get_running_loop().time()
        """When the last client did, by the loop's clock."""

    async def listen(self) -> None:
        """Raises OSError where it cannot, and listens on none then."""
        loop = asyncio.get_running_loop()
        await self._listen(
            loop.create_server(
                self._make_connection,
                sock=port.socket.dup(),  # which the server closes
                ssl=self.service.tls_context if port.is_tls else None,
                backlog=BACKLOG,
            )
            for port in self.ports
        )

    def rest(self) -> None:
        """Accept no more, until it is to `listen` again."""
        self._stop_listening()
        self._servers.clear()

    @property
    def addresses(self) -> list[tuple[str, int]]:
        return [port.socket.getsockname()[:2] for port in self.ports]

    def _make_connection(self) -> SmtpConnection:
        loop = asyncio.get_running_loop()
        self.last_came_at = loop.time()
        return SmtpConnection(self.service, loop=loop)
