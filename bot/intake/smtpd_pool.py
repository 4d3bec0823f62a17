"""Processes that speak SMTP for the service while many clients are connected, so that more than one core does.

The service accepts each connection and hands its socket over; the process has the dialogue and the spool, and asks the
service for what needs the database: above all to commit a whole mail, which those of all processes share. So there is
one door still, and one process that counts connections. As long as few clients are connected there are no processes.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import zlib
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

import structlog

from bot.intake.session import SmtpService
from bot.intake.smtpd_link import NOTE, Answer, Ask, Left, Message, Question, Ready, SmtpdLink, SmtpdPlan
from core.errors import Unavailable

START_AT = 4  # connections at one time: fewer the service's own process serves as fast
IDLE_SECONDS = 100.0  # without a connection to any of them; as long as Postfix keeps its own
RESTART_SECONDS = 30.0  # after one could not be started
END_SECONDS = 5.0  # beyond the grace of its mails, for an interpreter to end

log = structlog.get_logger(__name__)


class SmtpdPool:
    """Belongs to one event loop."""

    def __init__(self, service: SmtpService) -> None:
        self._service = service
        self._wanted = service.house.settings.processes
        self._smtpds: list[_Smtpd] = []
        self._starts_from = 0.0
        self._handed_over_at = 0.0
        self._is_closed = False
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, connection: socket.socket, ip: str, *, is_tls: bool) -> bool:
        """Hand an accepted connection over, if a process is there for it; else it is still the caller's."""
        connections, loop = self._service.connections, asyncio.get_running_loop()
        if len(connections.members) + connections.elsewhere >= START_AT:
            self._start_missing(loop.time())
        smtpd = self._smtpd_for(ip)
        if smtpd is None or not connections.hand_over(ip):
            return False
        self._handed_over_at = loop.time()
        if not smtpd.hand_over(connection, ip, is_tls=is_tls):
            connections.is_over_elsewhere(ip)
            return False
        connection.close()
        return True

    async def close(self) -> None:
        """Let them end as the service's own listener does, and wait for it."""
        self._is_closed = True
        for smtpd in self._smtpds:
            smtpd.end()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _smtpd_for(self, ip: str) -> _Smtpd | None:
        """The one with the least to do; but whoever is counted is counted in one place."""
        ready = [smtpd for smtpd in self._smtpds if smtpd.is_ready]
        if not ready:
            return None
        key = self._service.house.guard.client_key(ip)
        return min(ready, key=_Smtpd.load) if key is None else ready[zlib.crc32(key.encode()) % len(ready)]

    def _start_missing(self, now: float) -> None:
        if self._is_closed or now < self._starts_from:
            return
        slots = {smtpd.slot for smtpd in self._smtpds}
        for slot in range(self._wanted):
            if slot not in slots:
                self._handed_over_at = now  # they stay for a while, also if nobody comes
                smtpd = _Smtpd(slot, self._service)
                self._smtpds.append(smtpd)
                task = asyncio.create_task(self._run(smtpd), name=f"smtpd {slot}")
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _run(self, smtpd: _Smtpd) -> None:
        """One process, from its start to its end."""
        idle = asyncio.create_task(self._end_when_idle(smtpd))
        try:
            await smtpd.run()
        except Exception:  # the end of a process, and the next one is started when it is needed
            log.exception("smtpd_failed", slot=smtpd.slot)
        finally:
            idle.cancel()
            self._smtpds.remove(smtpd)
            if not smtpd.is_ended_by_us:
                self._starts_from = asyncio.get_running_loop().time() + RESTART_SECONDS

    async def _end_when_idle(self, smtpd: _Smtpd) -> None:
        while (seconds := self._seconds_to_stay()) > 0:  # noqa: ASYNC110 - time is all that is waited for
            await asyncio.sleep(seconds)
        smtpd.end()

    def _seconds_to_stay(self) -> float:
        if self._service.connections.elsewhere:
            return IDLE_SECONDS
        return self._handed_over_at + IDLE_SECONDS - asyncio.get_running_loop().time()


class _Smtpd:
    """One such process, as the service sees it."""

    def __init__(self, slot: int, service: SmtpService) -> None:
        self.slot = slot
        self.is_ready = False
        self.is_ended_by_us = False
        self._service = service
        self._numbers = count()
        self._open: dict[int, str] = {}
        """The clients' addresses, by the number of their connection."""
        self._gone = asyncio.Event()
        self._link = SmtpdLink(hear=self._hear, end=self._gone.set)
        self._answering: set[asyncio.Task[None]] = set()
        self._connections: socket.socket | None = None

    def load(self) -> int:
        """How many connections it talks on."""
        return len(self._open)

    async def run(self) -> None:
        """Until it ends. Raises OSError where it cannot be started."""
        mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        talk_mine, talk_its = socket.socketpair()
        mine.setblocking(False)
        try:
            with its, talk_its:
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "bot.intake.smtpd", str(its.fileno()), str(talk_its.fileno())),
                    stdin=DEVNULL,
                    pass_fds=(its.fileno(), talk_its.fileno()),
                )
        except BaseException:
            mine.close()
            talk_mine.close()
            raise
        self._connections = mine
        await asyncio.get_running_loop().create_unix_connection(lambda: self._link, sock=talk_mine)
        self._link.send(self._plan())
        if self.is_ended_by_us:  # while it started
            self.end()
        await self._gone.wait()
        await self._ended(process)

    def hand_over(self, connection: socket.socket, ip: str, *, is_tls: bool) -> bool:
        """False where it takes none at this moment."""
        assert self._connections is not None
        number = next(self._numbers)
        try:
            socket.send_fds(self._connections, [NOTE.pack(number, is_tls)], [connection.fileno()])
        except OSError as error:  # its queue is full, or it is just gone
            log.info("smtpd_takes_none", slot=self.slot, error=str(error))
            return False
        self._open[number] = ip
        return True

    def end(self) -> None:
        """Tell it: it hears the end of the socket that connections come through."""
        self.is_ready, self.is_ended_by_us = False, True
        if self._connections is not None:
            self._connections.close()

    def _plan(self) -> SmtpdPlan:
        spool = self._service.spool.folder / f"smtpd-{self.slot}"
        return SmtpdPlan(self._service.house, has_logins=self._service.verify is not None, spool=spool)

    def _hear(self, message: Message) -> None:
        match message:
            case Question():
                task = asyncio.create_task(self._answer(message))
                self._answering.add(task)
                task.add_done_callback(self._answering.discard)
            case Left(number):
                self._is_over(self._open.pop(number))
            case Ready():
                self.is_ready = not self.is_ended_by_us
                log.info("smtpd_ready", slot=self.slot)
            case _:
                raise TypeError(message)

    async def _answer(self, question: Question) -> None:
        ask: Callable[..., Awaitable[Any]] | None = {
            Ask.ACCEPT: self._service.accept,
            Ask.VERIFY: self._service.verify,
            Ask.REFUSE_ALIAS: self._service.refuse_alias,
        }[question.ask]
        assert ask is not None
        try:
            self._link.send(Answer(question.number, await ask(*question.arguments)))
        except Unavailable as error:
            self._link.send(Answer(question.number, None, unavailable=str(error)))
        except Exception:  # the end of a question: whatever broke, the peer is told to come again
            log.exception("smtpd_question_failed", ask=question.ask.name)
            self._link.send(Answer(question.number, None, unavailable="something failed"))

    def _is_over(self, ip: str) -> None:
        self._service.connections.is_over_elsewhere(ip)

    async def _ended(self, process: Process) -> None:
        if not self.is_ended_by_us:
            log.error("smtpd_lost", slot=self.slot, connections=len(self._open))
        self.end()
        for ip in self._open.values():
            self._is_over(ip)
        self._open.clear()
        try:
            async with asyncio.timeout(END_SECONDS):
                status = await process.wait()
        except TimeoutError:
            process.kill()
            status = await process.wait()
        log.info("smtpd_ended", slot=self.slot, status=status)
