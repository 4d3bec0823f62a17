"""Has a process of its own speak SMTP while many clients are connected, so that a second core has the dialogues.

The process listens on the same sockets in the service's place, and has a spool; it asks the service for what needs the
database, above all to commit a whole mail: there is one door still. Whichever of the two ends, the other listens, and
clients that wait in the queue of a socket notice nothing. As long as few are connected there is no such process.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from bot.intake.smtpd_link import Answer, Ask, GoDown, Message, Question, Ready, SmtpdLink, SmtpdPlan
from bot.intake.speaker import Speaker
from core.errors import Unavailable

SPOOL = "smtpd"  # in the service's own
IDLE_SECONDS = 100.0  # as long as Postfix keeps its own
END_SECONDS = 5.0  # for an interpreter to end, after its mails
RETRY_SECONDS = 1.0
PAUSE_SECONDS = 30.0  # after one that broke off, before the next

log = structlog.get_logger(__name__)


class SmtpdKeeper:
    """Belongs to the service's own speaker, which rests meanwhile."""

    def __init__(self, speaker: Speaker) -> None:
        self._speaker = speaker
        self._service = speaker.service
        self._running: asyncio.Task[None] | None = None
        self._link: SmtpdLink | None = None
        self._not_before = 0.0
        self._is_going_down = False
        self._answering: set[asyncio.Task[None]] = set()  # the loop holds a task only weakly

    def note_connection(self) -> None:
        """One more client has come to the service itself: start the process if it is time."""
        busy_from = self._service.house.settings.busy_connections
        if self._running is not None or self._is_going_down or not busy_from:
            return
        is_busy = len(self._service.connections.members) + 1 >= busy_from
        if is_busy and asyncio.get_running_loop().time() >= self._not_before:
            self._running = asyncio.create_task(self._run(), name="smtpd")

    async def close(self) -> None:
        """Have the process close as a listener does, and wait for its end."""
        self._is_going_down = True
        if self._link is not None:
            self._link.send(GoDown())
        if self._running is not None:
            await self._running

    async def _run(self) -> None:
        """One process, from its start to its end."""
        try:
            status = await self._start_and_wait()
        except OSError as error:
            log.error("smtpd_not_started", error=str(error))
            status = -1
        if status != 0:
            self._not_before = asyncio.get_running_loop().time() + PAUSE_SECONDS
        self._running = None

    async def _start_and_wait(self) -> int:
        """Its exit status."""
        mine, its = socket.socketpair()
        gone = asyncio.Event()
        link = SmtpdLink(hear=self._hear, end=gone.set)
        with its:
            process = await _start(its, self._speaker)
        await asyncio.get_running_loop().create_unix_connection(lambda: link, sock=mine)
        self._link = link
        link.send(self._plan())
        if self._is_going_down:
            link.send(GoDown())
        await gone.wait()
        self._link = None
        await self._listen_again()
        return await _end_of(process)

    def _plan(self) -> SmtpdPlan:
        return SmtpdPlan(
            self._service.house,
            ports=tuple((port.socket.fileno(), port.is_tls) for port in self._speaker.ports),
            has_logins=self._service.verify is not None,
            spool=self._service.spool.folder / SPOOL,
            idle_seconds=IDLE_SECONDS,
        )

    async def _listen_again(self) -> None:
        self._speaker.rest()
        while not self._is_going_down:
            try:
                await self._speaker.listen()
            except OSError as error:
                log.error("smtp_not_listening", error=str(error), seconds=RETRY_SECONDS)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    def _hear(self, message: Message) -> None:
        match message:
            case Question():
                task = asyncio.create_task(self._answer(message))
                self._answering.add(task)
                task.add_done_callback(self._answering.discard)
            case Ready():
                self._speaker.rest()
                log.info("smtpd_ready")
            case _:
                raise TypeError(message)

    async def _answer(self, question: Question) -> None:
        value, unavailable = None, None
        try:
            value = await self._ask(question.ask)(*question.arguments)
        except Unavailable as error:
            unavailable = str(error)
        except Exception:  # the end of a question: whatever broke, the peer is told to come again
            log.exception("smtpd_question_failed", ask=question.ask)
            unavailable = "it failed"
        if self._link is not None:
            self._link.send(Answer(question.number, value, unavailable=unavailable))

    def _ask(self, ask: Ask) -> Callable[..., Awaitable[Any]]:
        match ask:
            case "accept":
                return self._service.accept
            case "refuse_alias":
                return self._service.refuse_alias
            case "verify":
                assert self._service.verify is not None
                return self._service.verify


async def _start(its: socket.socket, speaker: Speaker) -> Process:
    inherited = [its.fileno(), *(port.socket.fileno() for port in speaker.ports)]
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot.intake.smtpd", str(its.fileno())), stdin=DEVNULL, pass_fds=inherited
    )


async def _end_of(process: Process) -> int:
    try:
        async with asyncio.timeout(END_SECONDS):
            status = await process.wait()
    except TimeoutError:
        process.kill()
        status = await process.wait()
    if status == 0:
        log.info("smtpd_ended")
    else:
        log.error("smtpd_lost", status=status)
    return status
