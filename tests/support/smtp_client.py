"""An SMTP client that says exactly what a test tells it to, right or wrong."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from pathlib import Path

PATIENCE_SECONDS = 60.0


class RawClient:
    """`banner` is the greeting. Replies come as text with LF between the lines of a multi-line one."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.banner = ""

    async def send(self, octets: bytes | memoryview) -> None:
        self.writer.write(octets)
        await self.writer.drain()

    async def reply(self) -> str:
        """The next reply; "" where the server has closed the connection."""
        lines: list[str] = []
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                line = (await self.reader.readline()).decode()
                if not line:
                    return "\n".join(lines)
                lines.append(line.rstrip("\r\n"))
                if line[3:4] != "-":
                    return "\n".join(lines)

    async def say(self, line: str) -> str:
        await self.send(line.encode() + b"\r\n")
        return await self.reply()

    async def rest(self) -> str:
        """Everything that still comes, up to the end of the connection."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            try:
                return (await self.reader.read()).decode().replace("\r\n", "\n")
            except ConnectionResetError:
                return ""

    def reset(self) -> None:
        """Hang up with a RST, as a crash does, instead of a FIN, behind which a reply may still be waited for."""
        at_once = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        self.writer.transport.abort()

    async def greet(self) -> str:
        return await self.say("EHLO client.example")

    async def start_mail(self, *, sender: str = "a@example.org", rcpt: str = "bot@books.example") -> str:
        """Up to the 354."""
        await self.say(f"MAIL FROM:<{sender}>")
        await self.say(f"RCPT TO:<{rcpt}>")
        return await self.say("DATA")

    async def bring(self, content: bytes, **envelope: str) -> str:
        """A whole mail, whose `content` is dot-stuffed already and ends with CRLF; the reply to it."""
        assert (await self.start_mail(**envelope)).startswith("354")
        await self.send(content + b".\r\n")
        return await self.reply()

    async def start_tls(self, trust: ssl.SSLContext, *, behind: bytes = b"") -> str:
        """STARTTLS with `behind` in the same segment; the reply to STARTTLS."""
        await self.send(b"STARTTLS\r\n" + behind)
        reply = await self.reply()
        await self.writer.start_tls(trust, server_hostname="mx.books.example")
        return reply


@contextlib.asynccontextmanager
async def connected(port: int | Path, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[RawClient]:
    """A client that has heard the banner; of a port of the loopback, or of a Unix socket."""
    name = "mx.books.example" if tls else None
    if isinstance(port, Path):
        reader, writer = await asyncio.open_unix_connection(port)
    else:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=name)
    client = RawClient(reader, writer)
    try:
        client.banner = await client.reply()
        yield client
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):  # the server was free to end it as it likes
            await writer.wait_closed()
