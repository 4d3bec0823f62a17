"""What the service's own HTTP servers have in common: one application, one address, and an end without delay."""

from __future__ import annotations

import socket

from aiohttp import web


class WebServer:
    """One application at one address."""

    def __init__(self, app: web.Application, *, host: str, port: int) -> None:
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        self._address = host, port

    @property
    def port(self) -> int:
        """Where it really listens, once started."""
        port: int = self._runner.addresses[0][1]
        return port

    async def start(self) -> None:
        """Raises `OSError` if the port is taken, or the host is not known."""
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, *self._address).start()
        except socket.gaierror as error:  # which names nothing
            raise OSError(f"{self._address[0]}: {error}") from error

    async def close(self) -> None:
        await self._runner.cleanup()
