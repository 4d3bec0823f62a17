"""The SMTP listener: where it listens, and which process talks on a connection."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from functools import partial

import structlog

from bot.intake.connection import OpenConnections
from bot.intake.gate import Talks, open_gates
from bot.intake.listener import Listener
from bot.intake.received import Receipt, ReceivedMail
from bot.intake.session import (
    KnowsAlias,
    SmtpConnection,
    SmtpHouse,
    SmtpService,
    Verify,
    knows_no_alias,
    refuse_alias,
)
from bot.intake.smtp_settings import open_tls
from bot.intake.smtpd_pool import SmtpdPool
from bot.intake.spool import SpoolFolder

log = structlog.get_logger(__name__)


class SmtpListener(Listener):
    """Receives mail by SMTP."""

    def __init__(
        self,
        house: SmtpHouse,
        *,
        accept: Callable[[ReceivedMail], Awaitable[Receipt]],
        spool: SpoolFolder,
        knows_alias: KnowsAlias = knows_no_alias,
        verify: Verify | None = None,
    ) -> None:
        """Reads the certificate, and raises OSError (`ssl.SSLError` is one) if it cannot. AUTH needs `verify`."""
        settings = house.settings
        super().__init__(OpenConnections(settings.bounds), grace_seconds=settings.shutdown_grace_seconds)
        self._settings = settings
        self._service = SmtpService(
            house,
            accept=accept,
            spool=spool,
            connections=self.connections,
            refuse_alias=partial(refuse_alias, knows_alias, house.guard),
            verify=verify,
            tls_context=open_tls(settings),
        )
        self._pool = SmtpdPool(self._service)

    async def start(self) -> None:
        """Listen. Raises OSError if a port is taken, and listens on none then."""
        talks = Talks(partial(SmtpConnection, self._service, loop=asyncio.get_running_loop()))
        ports: list[tuple[int, ssl.SSLContext | None]] = [(self._settings.port, None)]
        if self._settings.tls_port is not None:
            ports.append((self._settings.tls_port, self._service.tls_context))
        await self._listen(
            open_gates(self._settings.host, port, partial(self._take, talks, context)) for port, context in ports
        )
        log.info("smtp_listening", addresses=self.addresses)

    def _take(
        self, talks: Talks[SmtpConnection], context: ssl.SSLContext | None, connection: socket.socket, ip: str
    ) -> None:
        if not self._pool.take(connection, ip, is_tls=context is not None):
            talks.begin(connection, context)

    async def close(self) -> None:
        self._stop_listening()
        await asyncio.gather(super().close(), self._pool.close())
