"""A scripted SMTP server on the loopback: keeps envelopes and bytes, and goes wrong on demand at any phase."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import enum
import re
import ssl
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage


class Phase(enum.StrEnum):
    """Where a session can go wrong."""

    CONNECT = "connect"
    EHLO = "ehlo"
    HELO = "helo"
    STARTTLS = "starttls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    UPLOAD = "upload"
    """When the first bytes of the message have come."""
    END = "end"
    """The final dot is there."""
    RSET = "rset"
    NOOP = "noop"
    QUIT = "quit"


@dataclass(frozen=True)
class Say:
    """Answer with this instead; lines by "\\n". A 421 closes the connection, as RFC 5321 3.8 has it."""

    reply: str
    then: str | None = None
    """Out of step: a second answer to the same command."""


@dataclass(frozen=True)
class Drop:
    """Close the connection without a word; at `END` the mail is not kept."""


@dataclass(frozen=True)
class KeepAndDrop:
    """At `END`: keep the mail, then close the connection without a word. The sender cannot know."""


@dataclass(frozen=True)
class Stall:
    """Say nothing and read nothing any more."""


@dataclass(frozen=True)
class Run:
    """Call something of the test's, then go on as if nothing had been scripted."""

    call: Callable[[], None]


Act = Say | Drop | KeepAndDrop | Stall | Run


@dataclass(frozen=True)
class SunkMail:
    """A mail that the sink took: the bytes as they were before the dots were stuffed."""

    mail_from: str
    rcpt_to: str
    raw: bytes
    options: tuple[str, ...]
    connection: int
    """1 for the first connection, ..."""
    is_encrypted: bool
    auth_user: str | None

    @property
    def message(self) -> EmailMessage:
        return message_from_bytes(self.raw, policy=policy.default)


@dataclass
class SmtpSink:
    """`async with SmtpSink() as sink`, then mail to `sink.host` and `sink.port`."""

    extensions: tuple[str, ...] = ("PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")
    size_limit: int | None = None
    starttls: ssl.SSLContext | None = None
    implicit_tls: ssl.SSLContext | None = None
    passwords: dict[str, str] = field(default_factory=dict)
    host: str = "127.0.0.1"
    port: int = 0
    mails: list[SunkMail] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    """Of all connections in the order in which they came, without arguments that hold secrets."""
    connections: int = 0
    open_connections: int = 0
    _script: dict[Phase, deque[Act]] = field(default_factory=lambda: defaultdict(deque))
    _always: dict[Phase, Act] = field(default_factory=dict)
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def __aenter__(self) -> SmtpSink:
        self._server = await asyncio.start_server(
            self._connected, self.host, self.port, ssl=self.implicit_tls, limit=1 << 20
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop listening and cut every connection."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def script(self, phase: Phase, *acts: Act) -> None:
        """What happens at the next times that a session comes to `phase`, one act a time; then all is well again."""
        self._script[phase].extend(acts)

    def always(self, phase: Phase, act: Act) -> None:
        """What happens at `phase` from now on."""
        self._always[phase] = act

    def heal(self) -> None:
        """Forget everything that was scripted."""
        self._script.clear()
        self._always.clear()

    async def wait_until(self, is_so: Callable[[], bool], *, timeout_seconds: float = 60) -> None:
        """Raises `TimeoutError`. What is looked at must change with a mail, a command or a connection."""
        async with asyncio.timeout(timeout_seconds), self._changed:
            await self._changed.wait_for(is_so)

    async def wait_for_mails(self, count: int, *, timeout_seconds: float = 60) -> list[SunkMail]:
        await self.wait_until(lambda: len(self.mails) >= count, timeout_seconds=timeout_seconds)
        return self.mails

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open_connections += 1
        session = _Session(self, reader, writer, number=self.connections)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await session.run()
        except (_Over, OSError, EOFError, asyncio.CancelledError):
            pass  # that is how scripted connections end; cancelled by `close`
        finally:
            self._tasks.discard(task)
            self.open_connections -= 1
            writer.transport.abort()
            await self.changed()

    async def changed(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def next_act(self, phase: Phase) -> Act | None:
        if self._script[phase]:
            return self._script[phase].popleft()
        return self._always.get(phase)


class _Over(Exception):
    """The connection ends here."""


class _Session:
    """One connection."""

    def __init__(
        self, sink: SmtpSink, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, number: int
    ) -> None:
        self._sink = sink
        self._reader = reader
        self._writer = writer
        self._number = number
        self._auth_user: str | None = None
        self._forget_mail()

    def _forget_mail(self) -> None:
        self._mail_from: str | None = None
        self._options: tuple[str, ...] = ()
        self._rcpt_to: str | None = None

    async def run(self) -> None:
        await self._answer(Phase.CONNECT, "220 sink.example ESMTP")
        while True:
            line = (await self._reader.readuntil(b"\r\n")).decode("utf-8", "replace").rstrip("\r\n")
            verb, _, argument = line.partition(" ")
            self._sink.commands.append(line if verb.upper() != "AUTH" else "AUTH")
            await self._sink.changed()
            await self._obey(verb.upper(), argument)

    async def _obey(self, verb: str, argument: str) -> None:
        match verb:
            case "EHLO":
                await self._answer(Phase.EHLO, self._greeting())
            case "HELO":
                await self._answer(Phase.HELO, "250 sink.example")
            case "STARTTLS" if self._sink.starttls is not None:
                await self._start_tls(self._sink.starttls)
            case "AUTH":
                await self._authenticate(argument)
            case "MAIL":
                await self._mail(argument)
            case "RCPT":
                await self._rcpt(argument)
            case "DATA":
                await self._data()
            case "RSET":
                self._forget_mail()
                await self._answer(Phase.RSET, "250 2.0.0 ok")
            case "NOOP":
                await self._answer(Phase.NOOP, "250 2.0.0 ok")
            case "QUIT":
                await self._answer(Phase.QUIT, "221 2.0.0 bye")
                raise _Over
            case _:
                await self._say("502 5.5.1 not here")

    def _greeting(self) -> str:
        lines = ["sink.example", *self._sink.extensions]
        if self._sink.size_limit is not None:
            lines.append(f"SIZE {self._sink.size_limit}")
        if self._sink.starttls is not None and not self._is_encrypted:
            lines.append("STARTTLS")
        if self._sink.passwords:
            lines.append("AUTH PLAIN")
        return "\n".join(f"250 {line}" for line in lines)

    @property
    def _is_encrypted(self) -> bool:
        return self._writer.get_extra_info("sslcontext") is not None

    async def _start_tls(self, context: ssl.SSLContext) -> None:
        await self._answer(Phase.STARTTLS, "220 2.0.0 go ahead")
        await self._writer.start_tls(context)

    async def _authenticate(self, argument: str) -> None:
        _method, _, encoded = argument.partition(" ")
        _, user, password = base64.b64decode(encoded).decode().split("\0")
        if self._sink.passwords.get(user) != password:
            await self._answer(Phase.AUTH, "535 5.7.8 wrong user or password")
            return
        self._auth_user = user
        await self._answer(Phase.AUTH, "235 2.7.0 welcome")

    async def _mail(self, argument: str) -> None:
        found = re.fullmatch(r"FROM:<([^>]*)>((?: \S+)*)", argument, re.IGNORECASE)
        if found is None or self._mail_from is not None:
            await self._say("503 5.5.1 not now, or not so")
        elif self._sink.passwords and self._auth_user is None:
            await self._say("530 5.7.0 log in first")
        elif await self._answer(Phase.MAIL, "250 2.1.0 ok"):
            self._mail_from, self._options = found[1], tuple(found[2].split())

    async def _rcpt(self, argument: str) -> None:
        found = re.fullmatch(r"TO:<([^>]+)>", argument, re.IGNORECASE)
        if found is None or self._mail_from is None or self._rcpt_to is not None:
            await self._say("503 5.5.1 not now, not so, or not a second one")
        elif await self._answer(Phase.RCPT, "250 2.1.5 ok"):
            self._rcpt_to = found[1]

    async def _data(self) -> None:
        if self._rcpt_to is None or self._mail_from is None:
            await self._say("503 5.5.1 whom is it for")
            return
        if not await self._answer(Phase.DATA, "354 go ahead"):
            return
        stuffed = bytearray(b"\r\n")
        while not stuffed.endswith(b"\r\n.\r\n"):
            block = await self._reader.read(1 << 16)
            if not block:
                raise _Over
            if len(stuffed) == 2:
                await self._act(Phase.UPLOAD)
            stuffed += block
        raw = bytes(stuffed[:-3]).replace(b"\r\n..", b"\r\n.")[2:]
        mail = SunkMail(
            mail_from=self._mail_from, rcpt_to=self._rcpt_to, raw=raw, options=self._options,
            connection=self._number, is_encrypted=self._is_encrypted, auth_user=self._auth_user,
        )  # fmt: skip
        self._forget_mail()
        await self._end(mail)

    async def _end(self, mail: SunkMail) -> None:
        act = self._sink.next_act(Phase.END)
        if act is None or isinstance(act, Run | KeepAndDrop):
            self._sink.mails.append(mail)
            await self._sink.changed()
        if isinstance(act, KeepAndDrop):
            raise _Over
        if act is None or not await self._do(act):
            await self._say(f"250 2.0.0 queued as {len(self._sink.mails)}")

    async def _answer(self, phase: Phase, usual: str) -> bool:
        """Whether things go on as usual."""
        if await self._act(phase):
            return False
        await self._say(usual)
        return True

    async def _act(self, phase: Phase) -> bool:
        act = self._sink.next_act(phase)
        return act is not None and await self._do(act)

    async def _do(self, act: Act) -> bool:
        """Whether that was the answer."""
        match act:
            case Say(reply, then):
                await self._say(reply)
                if then is not None:
                    await self._say(then)
                if reply.startswith("421"):
                    raise _Over
                return True
            case Stall():
                await asyncio.Event().wait()
            case Run(call):
                call()
                return False
        raise _Over

    async def _say(self, reply: str) -> None:
        lines = reply.split("\n")
        if len(lines) > 1:
            lines = [f"{line[:3]}-{line[4:]}" for line in lines[:-1]] + lines[-1:]
        self._writer.write("".join(f"{line}\r\n" for line in lines).encode())
        with contextlib.suppress(ConnectionError):
            await self._writer.drain()
