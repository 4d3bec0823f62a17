"""A process that speaks SMTP for the service: `python -m bot.intake.smtpd <descriptor> <descriptor>`; see `smtpd_pool`.

Through the first descriptor come connections, through the second it talks with the service. It ends when the first one
does: mails on their way get their grace, as in the service. Without the service nothing more can be taken, so then it
ends at once.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import sys
from collections.abc import Awaitable
from functools import partial
from itertools import count
from typing import Any

import structlog

from bot.intake.connection import OpenConnections
from bot.intake.gate import MOST_AT_ONCE, Talks
from bot.intake.listener import Listener
from bot.intake.received import Receipt, ReceivedMail
from bot.intake.session import SmtpConnection, SmtpService
from bot.intake.smtp_settings import open_tls
from bot.intake.smtpd_link import NOTE, Answer, Ask, Left, Message, Question, Ready, SmtpdLink, SmtpdPlan
from bot.intake.spool import SpoolFolder
from bot.logs import set_up_logs
from bot.loops import run_loop
from core.errors import Unavailable

log = structlog.get_logger(__name__)


class Service:
    """The service, as this process asks it."""

    def __init__(self) -> None:
        self.link = SmtpdLink(hear=self._hear, end=self._end)
        self.plan: asyncio.Future[SmtpdPlan] = asyncio.get_running_loop().create_future()
        self.is_gone = asyncio.Event()
        self._numbers = count()
        self._asked: dict[int, asyncio.Future[Any]] = {}

    def accept(self, mail: ReceivedMail) -> Awaitable[Receipt]:
        return self._ask(Ask.ACCEPT, mail)

    def verify(self, login: str, password: str) -> Awaitable[bool]:
        return self._ask(Ask.VERIFY, login, password)

    def refuse_alias(self, alias: str) -> Awaitable[str | None]:
        return self._ask(Ask.REFUSE_ALIAS, alias)

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
            case _:
                raise TypeError(message)

    def _end(self) -> None:
        self.is_gone.set()
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(Unavailable("the service is gone"))
        if not self.plan.done():
            self.plan.cancel()


class Smtpd:
    """The connections that were handed over."""

    def __init__(self, arrivals: socket.socket, service: Service, smtp: SmtpService) -> None:
        self._arrivals = arrivals
        self._service = service
        self._tls_context = smtp.tls_context
        self._loop = asyncio.get_running_loop()
        self._talks = Talks(partial(SmtpConnection, smtp, loop=self._loop))
        self.has_ended = asyncio.Event()
        self._loop.add_reader(arrivals, self._take)

    def _take(self) -> None:
        for _ in range(MOST_AT_ONCE):
            try:
                note, descriptors, _, _ = socket.recv_fds(self._arrivals, NOTE.size, 1)
            except BlockingIOError:
                return
            except ConnectionError:
                note = b""
            if not note:
                self._loop.remove_reader(self._arrivals)
                self.has_ended.set()
                return
            number, is_tls = NOTE.unpack(note)
            self._begin(number, socket.socket(fileno=descriptors[0]), is_tls=is_tls)

    def _begin(self, number: int, connection: socket.socket, *, is_tls: bool) -> None:
        connection.setblocking(False)
        beginning = self._talks.begin(connection, self._tls_context if is_tls else None)
        beginning.add_done_callback(partial(self._begun, number))

    def _begun(self, number: int, beginning: asyncio.Task[SmtpConnection | None]) -> None:
        connection = None if beginning.cancelled() else beginning.result()
        if connection is None:
            self._service.link.send(Left(number))
        else:
            connection.task.add_done_callback(lambda _: self._service.link.send(Left(number)))


async def serve(arrivals: socket.socket, talk: socket.socket) -> None:
    service = Service()
    await asyncio.get_running_loop().create_unix_connection(lambda: service.link, sock=talk)
    plan = await service.plan
    set_up_logs(plan.house.logs, stream=sys.stderr)
    settings, spool = plan.house.settings, SpoolFolder(plan.spool)
    spool.prepare()
    connections = OpenConnections(settings.bounds)
    smtp = SmtpService(
        plan.house,
        accept=service.accept,
        spool=spool,
        connections=connections,
        refuse_alias=service.refuse_alias,
        verify=service.verify if plan.has_logins else None,
        tls_context=open_tls(settings),
    )
    smtpd = Smtpd(arrivals, service, smtp)
    gc.collect()
    gc.freeze()
    service.link.send(Ready())
    await smtpd.has_ended.wait()
    closing = asyncio.create_task(Listener(connections, grace_seconds=settings.shutdown_grace_seconds).close())
    gone = asyncio.create_task(service.is_gone.wait())
    await asyncio.wait({closing, gone}, return_when=asyncio.FIRST_COMPLETED)
    gone.cancel()
    for connection in list(connections.members):  # the service was killed
        connection.abort()
    await closing
    spool.close()
    service.link.close()


def main(arguments: list[str]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):  # sent to a whole group: the service says when it is over
        signal.signal(number, signal.SIG_IGN)
    arrivals, talk = (socket.socket(fileno=int(word)) for word in arguments)
    arrivals.setblocking(False)
    run_loop(serve(arrivals, talk))


if __name__ == "__main__":
    main(sys.argv[1:])
