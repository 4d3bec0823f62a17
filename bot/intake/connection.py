"""One connection of a line protocol that looks like SMTP: its ends, its clocks, its command loop and what bounds them.

aiosmtpd (1.4.6) brings the protocol object, STARTTLS and the small commands. The rest is ours: its command loop has
one timer for the whole of DATA, no bound on what it buffers, counts no errors, tells the peer an exception's text, and
drops the work on a mail when the peer half-closes.

A command that has nothing to wait for is obeyed where its line comes in, with neither a task nor a future: most of a
mail's dialogue is such commands, and what asyncio does to wake a task costs more than any of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from inspect import iscoroutinefunction
from ssl import SSLContext
from typing import cast

import structlog
from aiosmtpd.smtp import SMTP, TLSSetupException

from bot.intake.data import PIECE_BYTES
from core.errors import Unavailable

MAX_COMMAND_BYTES = 12_288  # RFC 4954 4: the longest command line is a response to AUTH
MAX_BUFFERS_A_LINE = 8  # a mebibyte or more; who sends a longer line than that is not going to end it
TLS_HANDSHAKE = b"\x16\x03"  # RFC 8446 5.1: spoken to a port that begins in the clear, it never ends a line
FOREIGN_VERBS = frozenset({"GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT"})  # a browser that was sent to us
LINE_TOO_LONG = "500 5.5.2 line is too long, or holds what no command may"
GOING_DOWN = "421 4.3.2 the service is going down, try again later"
_ENHANCED = {  # RFC 2034: aiosmtpd's own replies, with the status codes that we announce
    "220 Ready to start TLS": "220 2.0.0 ready to start TLS",
    "250 OK": "250 2.0.0 OK",
    "501 Syntax: RSET": "501 5.5.4 RSET takes no argument",
    "501 Syntax: STARTTLS": "501 5.5.4 STARTTLS takes no argument",
    "454 TLS not available": "454 4.7.0 TLS is not available",
    "502 EXPN not implemented": "502 5.5.1 EXPN is not implemented",
}

Later = Callable[[], Awaitable[None]]
"""The part of a command that has to wait for something."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much a connection may ask of us."""

    max_connections: int
    max_connections_per_client: int
    max_commands: int
    """In a row that bring no mail; so with errors."""
    max_errors: int
    idle_timeout_seconds: float
    mail_timeout_seconds: float
    """From the connection, or from the mail before, to the next whole mail."""


@dataclass(slots=True)
class OpenConnections:
    """The connections of a listener, on all of its ports, counted by client address."""

    bounds: Bounds
    members: set[LineConnection] = field(default_factory=set)
    by_ip: Counter[str | None] = field(default_factory=Counter)

    def admit(self, connection: LineConnection) -> bool:
        """Count a connection, which has to `leave` whatever the answer; False if it is one too many."""
        self.members.add(connection)
        self.by_ip[connection.ip] += 1
        return (
            len(self.members) <= self.bounds.max_connections
            and self.by_ip[connection.ip] <= self.bounds.max_connections_per_client
        )

    def leave(self, connection: LineConnection) -> None:
        self.members.discard(connection)
        self.by_ip[connection.ip] -= 1
        if not self.by_ip[connection.ip]:
            del self.by_ip[connection.ip]


class Goodbye(Exception):
    """Ends the connection with a last reply."""

    def __init__(self, reply: str) -> None:
        super().__init__(reply)
        self.reply = reply


class _NoHooks:
    """aiosmtpd calls hooks of a handler around each command; our commands need none."""

    def __dir__(self) -> Iterable[str]:
        return ()


class LineConnection(SMTP):
    """The server's end of one connection. Its commands are a subclass's: methods `smtp_VERB`, as in aiosmtpd.

    Such a method is a coroutine function, or a plain one that returns what of it is for `Later`, or None.
    """

    line_length_limit = PIECE_BYTES  # aiosmtpd makes this the limit of its reader's buffer
    protocol = "ESMTP"  # what the banner says

    def __init__(
        self,
        connections: OpenConnections,
        *,
        hostname: str,
        tls_context: SSLContext | None,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(_NoHooks(), hostname=hostname, tls_context=tls_context, loop=loop)
        self.ip: str | None = None
        self._connections = connections
        self._has_spoken = False
        self._has_ended = False
        self._is_receiving = False
        self._is_stopping = False
        self._replies = bytearray()
        self._idle: asyncio.Future[Later] | None = None  # there while the command loop has nothing to do
        self._heard_at = loop.time()
        self._note_progress()

    def __dir__(self) -> Iterable[str]:
        """Nothing. aiosmtpd collects its commands with `dir` at every connection: 0.4 ms; ours are found by name."""
        return ()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called a second time when STARTTLS has succeeded: all that was said before is forgotten (RFC 3207 4.2)."""
        peername = transport.get_extra_info("peername")
        self.ip = peername[0] if isinstance(peername, tuple) else None
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._is_receiving and self._heard_at < math.inf:
            self._heard_at = self.loop.time()
        if not self._has_spoken and data.startswith(TLS_HANDSHAKE):
            self._hang_up("554 5.7.0 this port begins without TLS")
            return
        self._has_spoken = True
        super().data_received(data)
        if self._idle is not None:
            self._wake(self._idle)

    def eof_received(self) -> bool:
        """What came before the end is still obeyed: a mail whose last dot is here is stored and answered."""
        self._has_ended = True
        asyncio.StreamReaderProtocol.eof_received(self)
        if self._idle is not None:
            self._wake(self._idle)
        return not self.is_tls  # TLS cannot be closed by halves, and asyncio warns of the attempt

    @property
    def task(self) -> asyncio.Task[None]:
        """The command loop; it ends with the connection."""
        assert self._handler_coroutine is not None
        return self._handler_coroutine

    @property
    def is_tls(self) -> bool:
        return self.transport is not None and self.transport.get_extra_info("sslcontext") is not None

    def stop(self) -> None:
        """Close at once, or when the mail that is on its way has been answered."""
        self._is_stopping = True
        if not self._is_receiving and self._heard_at < math.inf:
            self._hang_up(GOING_DOWN)

    def abort(self) -> None:
        """Close without another word; a mail that is half here is dropped."""
        if self.transport is not None:
            cast(asyncio.Transport, self.transport).abort()

    def _hang_up(self, reply: str) -> None:
        """End the connection from outside of its command loop, which is cancelled when the connection is lost."""
        transport = cast(asyncio.Transport | None, self.transport)
        if transport is None or transport.is_closing():
            return
        transport.write(bytes(self._replies) + f"{reply}\r\n".encode())
        self._replies.clear()
        if transport.get_write_buffer_size():  # a peer that does not read would keep a mere close waiting for ever
            transport.abort()
        else:
            transport.close()

    def _reset_timeout(self, duration: float | None = None) -> None:
        """Called by aiosmtpd when a connection is made. The timer looks at the clock instead of being set each time."""
        self._heard_at = self.loop.time()
        if self._timeout_handle is None:
            self._timeout_cb()

    def _timeout_cb(self) -> None:
        now, idle = self.loop.time(), self._connections.bounds.idle_timeout_seconds
        if self._heard_at == math.inf:
            due = now + idle
        else:
            due = min(self._heard_at + idle, self._deadline)
        if now < due:
            self._timeout_handle = self.loop.call_at(due, self._timeout_cb)
        else:
            self._hang_up("421 4.4.2 timed out")

    @contextlib.contextmanager
    def _our_turn(self) -> Iterator[None]:
        """While the peer waits for us, its time does not run."""
        self._heard_at = math.inf
        try:
            yield
        finally:
            self._heard_at = self.loop.time()

    def _note_progress(self) -> None:
        """The peer has brought a mail, or has just come: it gets all our patience again."""
        self._commands_left = self._connections.bounds.max_commands
        self._errors_left = self._connections.bounds.max_errors
        self._deadline = self.loop.time() + self._connections.bounds.mail_timeout_seconds

    # The command loop.

    def _may_connect(self) -> bool:
        return True

    async def _handle_client(self) -> None:
        try:
            if not self._connections.admit(self) or not self._may_connect():
                raise Goodbye("421 4.7.0 too many connections from your address, try again later")
            self._reply(f"220 {self.hostname} {self.protocol} Inkpost")
            while not self._is_stopping:
                self._heard_at = self.loop.time()
                later = self._obey_what_came()
                if later is None:
                    self._idle = self.loop.create_future()
                    later = await self._idle
                await self._finish(later)
            raise Goodbye(GOING_DOWN)
        except Goodbye as goodbye:
            self._hang_up(goodbye.reply)
        except (asyncio.IncompleteReadError, ConnectionError, TLSSetupException) as error:
            log.debug("connection_lost", ip=self.ip, error=type(error).__name__)
        finally:
            self._connections.leave(self)
            if self.transport is not None:
                self.transport.close()

    def _wake(self, idle: asyncio.Future[Later]) -> None:
        """Obey what came, and have the command loop do what is left of it."""
        try:
            later = self._obey_what_came()
        except (Goodbye, asyncio.IncompleteReadError, ConnectionError) as end:
            self._idle = None
            if not idle.done():
                idle.set_exception(end)
        else:
            if later is not None:
                self._idle = None
                if not idle.done():
                    idle.set_result(later)

    def _obey_what_came(self) -> Later | None:
        """Obey the lines that are here, up to a command that has to wait for something: the rest of that is returned.

        The replies leave together (RFC 2920 3.2). Raises `Goodbye`, or `IncompleteReadError` where no more will come.
        """
        try:
            while (line := self._next_line()) is not None:
                later = self._obey_counted(line)
                if later is None and self._is_paused:
                    later = self._writer.drain
                if later is not None:
                    return later
            if len(self._buffer) > MAX_COMMAND_BYTES:
                return self._refuse_long_line
            if self._has_ended:
                raise asyncio.IncompleteReadError(bytes(self._buffer), None)
            return None
        finally:
            self._send_replies()

    @property
    def _buffer(self) -> bytearray:
        """What came and was not read. StreamReader has no other way to ask whether a line is here, and its buffer has
        this name in every Python from 3.4 to 3.14; aiosmtpd uses it in the same way."""
        buffer: bytearray = self._reader._buffer  # type: ignore[attr-defined] # not in the type's public face
        return buffer

    @property
    def _is_paused(self) -> bool:
        """Whether the peer does not read its replies."""
        return bool(self._paused)  # type: ignore[attr-defined] # asyncio's FlowControlMixin, in every Python as well

    def _next_line(self) -> bytes | None:
        """A line without its end, if a whole one is here."""
        buffer = self._buffer
        end = buffer.find(b"\n", 0, MAX_COMMAND_BYTES + 2)
        if end < 0:
            return None
        line = bytes(buffer[:end])
        del buffer[: end + 1]
        self._heard_at = self.loop.time()
        return line.rstrip(b"\r")

    def _obey_counted(self, line: bytes) -> Later | None:
        self._commands_left -= 1
        if self._commands_left < 0:
            raise Goodbye("421 4.7.0 too many commands without a mail")
        later = None
        try:
            later = self._obey(line)
        except Goodbye:
            raise
        except Exception as error:  # noqa: BLE001 - the end of a command, which is logged there
            self._reply(self._postponed(error))
        self._check_errors()
        return later

    async def _finish(self, later: Later) -> None:
        """What a command has to wait for."""
        try:
            await later()
        except (Goodbye, asyncio.IncompleteReadError, TLSSetupException):
            raise
        except Exception as error:  # noqa: BLE001 - the end of a command, which is logged there
            await self.push(self._postponed(error))
        self._check_errors()

    def _check_errors(self) -> None:
        if self._errors_left < 0:
            raise Goodbye("421 4.7.0 too many errors")

    def _postponed(self, error: Exception) -> str:
        """The reply to a command that broke on us: a fault of ours is never told, and never the peer's.

        Raises `ConnectionResetError` where nobody is left to be told.
        """
        if self.transport is None or self.transport.is_closing():
            raise ConnectionResetError from error
        if isinstance(error, Unavailable | OSError):  # an OSError: the disk, where a large mail is spooled
            log.warning("mail_postponed", ip=self.ip, reason=str(error))
        else:
            log.error("smtp_command_failed", ip=self.ip, exc_info=error)
        return "451 4.3.0 something failed here, try again later"

    async def _line(self) -> bytes:
        """The next line without its end. The wait for all of it is timed as one, so that it cannot be dripped.

        Of one that is larger than the buffer a part is returned, which is too long for any command.
        """
        part = b""
        for _ in range(MAX_BUFFERS_A_LINE):
            try:
                line = await self._reader.readuntil(b"\n")
            except asyncio.LimitOverrunError as error:
                part = await self._reader.readexactly(error.consumed)
            else:
                return part or line.rstrip(b"\r\n")
        raise Goodbye(LINE_TOO_LONG)

    async def _refuse_long_line(self) -> None:
        self._commands_left -= 1
        await self._line()
        await self.push(LINE_TOO_LONG)

    def _obey(self, line: bytes) -> Later | None:
        verb, _, argument = line.decode("utf-8", "backslashreplace").partition(" ")
        verb = verb.upper()
        if verb in FOREIGN_VERBS:
            raise Goodbye("554 5.5.1 this is a mail server")
        command = getattr(self, f"smtp_{verb}", None)
        if len(line) > MAX_COMMAND_BYTES or not argument.isprintable():
            self._reply(LINE_TOO_LONG)
        elif command is None:
            self._reply("500 5.5.1 command is not known")
        elif iscoroutinefunction(command):
            return partial(command, argument.strip())
        else:
            return cast(Later | None, command(argument.strip()))
        return None

    def _reply(self, reply: str) -> None:
        """Say it, together with the replies to what else came with the command."""
        reply = _ENHANCED.get(reply, reply)
        if reply.startswith("5"):
            self._errors_left -= 1
        self._replies += f"{reply}\r\n".encode()

    def _send_replies(self) -> None:
        if self._replies:
            self._writer.write(bytes(self._replies))
            self._replies.clear()

    async def push(self, status: str | bytes) -> None:
        """Say it now, for commands that wait; aiosmtpd's use it as well."""
        self._reply(status if isinstance(status, str) else status.decode())
        self._send_replies()
        await self._writer.drain()
