"""Names for tests: a zone as a dict, answered by a fake in memory or by a real name server on the loopback."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from core.errors import Unavailable
from core.ports import DnsAnswer, RecordType

Zone = Mapping[str, Sequence[tuple[str, str]] | str]
"""(type, text) records by lower-case name. A name that only others end with exists too. `"TIMEOUT"` is never answered,
`"SERVFAIL"` is refused."""

TTL = 300


def _silence(zone: Zone, name: str) -> str | None:
    found = zone.get(name)
    return found if isinstance(found, str) else None


def _records(zone: Zone, name: str, kind: str) -> list[str]:
    found = zone.get(name, ())
    return [] if isinstance(found, str) else [text for each, text in found if each == kind]


def _exists(zone: Zone, name: str) -> bool:
    return any(each == name or each.endswith(f".{name}") for each in zone)


@dataclass
class FakeDns:
    """See `Dns`. What was asked stands in `asked`."""

    zone: Zone
    asked: list[tuple[str, str]] = field(default_factory=list)

    async def ask(self, name: str, kind: RecordType) -> DnsAnswer:
        wanted = name.lower().rstrip(".")
        self.asked.append((wanted, kind.value))
        if not _is_name(wanted):
            return DnsAnswer(exists=False)
        for _ in range(8):
            if _silence(self.zone, wanted) is not None:
                raise Unavailable(f"no answer for {wanted}")
            records = _records(self.zone, wanted, kind.value)
            aliases = _records(self.zone, wanted, "CNAME")
            if records or not aliases:
                return DnsAnswer(tuple(records), exists=_exists(self.zone, wanted))
            wanted = aliases[0].lower().rstrip(".")
        return DnsAnswer()


def _is_name(name: str) -> bool:
    try:
        dns.name.from_text(name)
    except (dns.exception.DNSException, UnicodeError):
        return False
    return True


@dataclass
class NameServer(asyncio.DatagramProtocol):
    """A name server over UDP and TCP; long answers come over TCP, as in the world."""

    zone: Zone
    port: int = 0
    asked: list[tuple[str, str]] = field(default_factory=list)
    failures: int = 0
    """Questions that the zone has silence or SERVFAIL for."""
    ttl: int = TTL
    _transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self.answer(data)
        if answer is None or self._transport is None:
            return
        wire = answer.to_wire(max_size=65_535)
        if len(wire) > 1232:
            answer.answer.clear()
            answer.flags |= dns.flags.TC
            wire = answer.to_wire(max_size=65_535)
        self._transport.sendto(wire, addr)

    async def serve_stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            (length,) = struct.unpack("!H", await reader.readexactly(2))
            answer = self.answer(await reader.readexactly(length))
            if answer is not None:
                wire = answer.to_wire(max_size=65_535)
                writer.write(struct.pack("!H", len(wire)) + wire)
                await writer.drain()
        finally:
            writer.close()

    def answer(self, query: bytes) -> dns.message.Message | None:
        """None: silence."""
        message = dns.message.from_wire(query)
        question = message.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        answer = dns.message.make_response(message, recursion_available=True)
        silence = _silence(self.zone, name)
        self.failures += silence is not None
        if silence == "TIMEOUT":
            return None
        if silence is not None:
            answer.set_rcode(dns.rcode.SERVFAIL)
            return answer
        for place in (name, *(target.lower().rstrip(".") for target in _records(self.zone, name, "CNAME"))):
            for each in ("CNAME", kind):
                if texts := _records(self.zone, place, each):
                    wire_form = [_wire_text(each, text) for text in texts]
                    owner = dns.name.from_text(place)
                    answer.answer.append(dns.rrset.from_text(owner, self.ttl, "IN", each, *wire_form))
        if not answer.answer:
            if not _exists(self.zone, name):
                answer.set_rcode(dns.rcode.NXDOMAIN)
            soa = f"ns.{name}. hostmaster.{name}. 1 7200 3600 86400 {self.ttl}"
            answer.authority.append(dns.rrset.from_text(question.name, self.ttl, "IN", "SOA", soa))
        return answer


def _wire_text(kind: str, text: str) -> str:
    if kind == "TXT":
        escaped = [text[start : start + 200] for start in range(0, len(text), 200)] or [""]
        return " ".join('"' + part.replace("\\", "\\\\").replace('"', '\\"') + '"' for part in escaped)
    if kind == "MX":
        return f"10 {text.rstrip('.')}."
    return f"{text.rstrip('.')}." if kind in ("PTR", "CNAME") else text


@asynccontextmanager
async def name_server(zone: Zone) -> AsyncIterator[NameServer]:
    """On a free port of the loopback, the same for UDP and TCP."""
    server = NameServer(zone)
    loop = asyncio.get_running_loop()
    streams = await asyncio.start_server(server.serve_stream, "127.0.0.1", 0)
    server.port = streams.sockets[0].getsockname()[1]
    datagrams, _ = await loop.create_datagram_endpoint(lambda: server, ("127.0.0.1", server.port))
    try:
        yield server
    finally:
        datagrams.close()
        streams.close()
