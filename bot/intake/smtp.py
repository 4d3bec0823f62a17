"""The SMTP listener: where it listens, and when a process of its own does in its place."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable
from functools import partial

import structlog

from bot.intake.connection import OpenConnections
from bot.intake.listener import BACKLOG
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
from bot.intake.smtpd_keeper import SmtpdKeeper
from bot.intake.speaker import Port, Speaker
from bot.intake.spool import SpoolFolder

PORT_SECONDS = 10.0  # a process that spoke for a service which was killed ends a moment after it
PORT_RETRY_SECONDS = 0.1

log = structlog.get_logger(__name__)


class SmtpListener(Speaker):
    """Receives mail by SMTP: from few clients here, from many in a process of its own."""

    def __init__(
        self,
        house: SmtpHouse,
        *,
        accept: Callable[[ReceivedMail], Awaitable[Receipt]],
        spool: SpoolFolder,
        knows_alias: KnowsAlias = knows_no_alias,
        verify: Verify | None = None,
    ) -> None:
        """Reads the certificate, and raises OSError if it cannot. AUTH needs `verify`."""
        service = SmtpService(
            house,
            accept=accept,
            spool=spool,
            connections=OpenConnections(house.settings.bounds),
            refuse_alias=partial(refuse_alias, knows_alias, house.guard),
            verify=verify,
            tls_context=open_tls(house.settings),
        )
        super().__init__(service, [])
        self._keeper = SmtpdKeeper(self)

    async def start(self) -> None:
        """Listen. Raises OSError if a port is taken and stays so, and listens on none then."""
        settings = self.service.house.settings
        try:
            self.ports = await _open_when_free(settings.host, settings.port, is_tls=False)
            if settings.tls_port is not None:
                self.ports += await _open_when_free(settings.host, settings.tls_port, is_tls=True)
            await self.listen()
        except OSError:
            self._close_ports()
            raise
        log.info("smtp_listening", addresses=self.addresses)

    async def close(self) -> None:
        self.rest()
        self._close_ports()
        await asyncio.gather(super().close(), self._keeper.close())

    def _close_ports(self) -> None:
        for port in self.ports:
            port.socket.close()

    def _make_connection(self) -> SmtpConnection:
        self._keeper.note_connection()
        return super()._make_connection()


async def _open_when_free(host: str, port: int, *, is_tls: bool) -> list[Port]:
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + PORT_SECONDS
    while True:
        try:
            return await _open(host, port, is_tls=is_tls)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or loop.time() >= give_up_at:
                raise
        await asyncio.sleep(PORT_RETRY_SECONDS)


async def _open(host: str, port: int, *, is_tls: bool) -> list[Port]:
    """One for each address of the host, and of this machine where it is "". Raises OSError if one is taken."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except socket.gaierror as error:  # which names nothing
        raise OSError(f"smtp.host {host}: {error}") from error
    ports: list[Port] = []
    try:
        for family, _, _, _, address in dict.fromkeys(found):
            opened = socket.create_server((str(address[0]), int(address[1])), family=family, backlog=BACKLOG)
            ports.append(Port(opened, is_tls=is_tls))
    except OSError:
        for port_opened in ports:
            port_opened.socket.close()
        raise
    return ports
