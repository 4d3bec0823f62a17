"""The process that speaks SMTP for the service: `python -m bot.intake.smtpd <descriptor>`; see `smtpd_keeper`.

The descriptor is of the socket to the service. It ends when the service goes down, as the service's own listener does,
or when no client has come for a while. When the service is killed it ends at once, for nothing more can be taken.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import signal
import socket
import sys
from collections.abc import Awaitable
from contextlib import suppress
from itertools import count
from typing import Any

from bot.intake.connection import OpenConnections
from bot.intake.received import Receipt, ReceivedMail
from bot.intake.session import SmtpService
from bot.intake.smtp_settings import open_tls
from bot.intake.smtpd_link import Answer, Ask, GoDown, Message, Question, Ready, SmtpdLink, SmtpdPlan
from bot.intake.speaker import Port, Speaker
from bot.intake.spool import SpoolFolder
from bot.logs import set_up_logs
from bot.loops import run_loop
from core.errors import Unavailable

PR_SET_PDEATHSIG = 1  # prctl(2)


class Service:
    """The service, as this process asks it."""

    def __init__(self) -> None:
        self.link = SmtpdLink(hear=self._hear, end=self._end)
        self.plan: asyncio.Future[SmtpdPlan] = asyncio.get_running_loop().create_future()
        self.is_over = asyncio.Event()
        """It goes down, or is gone."""
        self.is_gone = asyncio.Event()
        self._numbers = count()
        self._asked: dict[int, asyncio.Future[Any]] = {}

    def accept(self, mail: ReceivedMail) -> Awaitable[Receipt]:
        return self._ask("accept", mail)

    def verify(self, login: str, password: str) -> Awaitable[bool]:
        return self._ask("verify", login, password)

    def refuse_alias(self, alias: str) -> Awaitable[str | None]:
        return self._ask("refuse_alias", alias)

    async def _ask(self, ask: Ask, *arguments: Any) -> Any:
        if self.is_gone.is_set():
            raise Unavailable("the service is gone")
        number, answer = next(self._numbers), asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        self.link.send(Question(number, ask, arguments))
        return await answer

    def _hear(self, message: Message) -> None:
        match message:
            case Answer(number, value, unavailable):
                answer = self._asked.pop(number)
                if answer.done():  # its peer hung up
                    return
                if unavailable is None:
                    answer.set_result(value)
                else:
                    answer.set_exception(Unavailable(unavailable))
            case SmtpdPlan():
                self.plan.set_result(message)
            case GoDown():
                self.is_over.set()
            case _:
                raise TypeError(message)

    def _end(self) -> None:
        self.is_gone.set()
        self.is_over.set()
        self.plan.cancel()
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(Unavailable("the service is gone"))


async def serve(talk: socket.socket) -> None:
    service = Service()
    await asyncio.get_running_loop().create_unix_connection(lambda: service.link, sock=talk)
    plan = await service.plan
    set_up_logs(plan.house.logs, stream=sys.stderr, is_final=True)
    spool = SpoolFolder(plan.spool)
    spool.prepare()
    speaker = Speaker(
        SmtpService(
            plan.house,
            accept=service.accept,
            spool=spool,
            connections=OpenConnections(plan.house.settings.bounds),
            refuse_alias=service.refuse_alias,
            verify=service.verify if plan.has_logins else None,
            tls_context=open_tls(plan.house.settings),
        ),
        [Port(socket.socket(fileno=descriptor), is_tls=is_tls) for descriptor, is_tls in plan.ports],
    )
    await speaker.listen()
    service.link.send(Ready())
    gc.collect()
    gc.freeze()
    await _until_over_or_idle(service, speaker, idle_seconds=plan.idle_seconds)
    await _close(service, speaker)
    spool.close()
    service.link.close()


async def _until_over_or_idle(service: Service, speaker: Speaker, *, idle_seconds: float) -> None:
    loop = asyncio.get_running_loop()
    while not service.is_over.is_set():
        is_alone = not speaker.connections.members
        seconds = speaker.last_came_at + idle_seconds - loop.time() if is_alone else idle_seconds
        if seconds <= 0:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await service.is_over.wait()


async def _close(service: Service, speaker: Speaker) -> None:
    """As every listener does; but if the service is gone, nobody need finish a mail."""
    speaker.rest()
    for port in speaker.ports:
        port.socket.close()
    closing, gone = asyncio.create_task(speaker.close()), asyncio.create_task(service.is_gone.wait())
    await asyncio.wait({closing, gone}, return_when=asyncio.FIRST_COMPLETED)
    gone.cancel()
    for connection in list(speaker.connections.members):
        connection.abort()
    await closing


def _die_with_service() -> None:
    """Have the kernel kill this process when the service is killed, so that its port is free for the next at once.

    Where there is no such call, the end of the socket to the service is heard a moment later.
    """
    with suppress(AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main(arguments: list[str]) -> None:
    _die_with_service()
    for number in (signal.SIGINT, signal.SIGTERM):  # sent to a whole group: the service says when it is over
        signal.signal(number, signal.SIG_IGN)
    with suppress(asyncio.CancelledError):  # the service was gone before it said anything
        run_loop(serve(socket.socket(fileno=int(arguments[0]))))


if __name__ == "__main__":
    main(sys.argv[1:])
