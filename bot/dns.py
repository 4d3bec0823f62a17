"""Name servers, asked through dnspython: with deadlines, a bounded memory for answers, and one question at a time for
each name."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import dns.asyncresolver
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rdatatype
import dns.resolver
import structlog

from core.errors import Unavailable
from core.ports import DnsAnswer, RecordType

AT_ONCE = 64  # questions on their way; others wait for their turn
MAX_RECORDS = 100  # of one answer; SPF and DKIM look at ten
MAX_TEXT = 65_535  # characters of one answer: a DNS message holds no more (RFC 1035 4.2.2)
SHORTEST_SECONDS = 5.0  # that an answer is kept, whatever its TTL says: one mail asks for a name several times
NEGATIVE_SECONDS = 300.0  # RFC 2308 5: at most three hours; five minutes, since somebody may be setting up their domain
_UNKNOWN_TTL = 60.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DnsSettings:
    """How name servers are asked."""

    servers: tuple[str, ...] = ()
    """Addresses of the name servers; those of the system where empty. A resolver on this machine that checks DNSSEC is
    best."""
    port: int = 53
    """Their port, where `servers` is set."""
    timeout_seconds: float = 4.0
    """How long one server may take to answer."""
    deadline_seconds: float = 10.0
    """How long one question may take over all servers and tries."""
    kept_answers: int = 10_000
    """Answers that are kept in memory, until their time to live ends."""
    longest_seconds: float = 3600.0
    """How long an answer is kept at most, whatever its time to live."""


class DnsResolver:
    """See `Dns`. Failures are not kept: the next question is asked anew."""

    def __init__(self, settings: DnsSettings, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Reads the system's configuration where no servers are named; asks nothing."""
        self._settings = settings
        self._clock = clock
        self._resolver = _make_resolver(settings)
        self._kept: OrderedDict[tuple[str, RecordType], tuple[float, DnsAnswer]] = OrderedDict()
        self._asking: dict[tuple[str, RecordType], asyncio.Task[DnsAnswer]] = {}
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def ask(self, name: str, kind: RecordType) -> DnsAnswer:
        key = (name.lower().rstrip("."), kind)
        kept = self._kept.get(key)
        if kept is not None and kept[0] > self._clock():
            return kept[1]
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.create_task(self._ask(key))
            task.add_done_callback(lambda done: self._asked(key, done))
        return await asyncio.shield(task)  # others may wait for the same answer

    async def close(self) -> None:
        """Break off what is being asked."""
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _asked(self, key: tuple[str, RecordType], task: asyncio.Task[DnsAnswer]) -> None:
        self._asking.pop(key, None)
        if not task.cancelled():
            task.exception()  # whoever asked was told, if they are still there

    async def _ask(self, key: tuple[str, RecordType]) -> DnsAnswer:
        name, kind = key
        try:
            asked = dns.name.from_text(name)
        except (dns.exception.DNSException, UnicodeError):
            return DnsAnswer(exists=False)
        async with self._turns:
            answer, seconds = await self._resolve(asked, kind)
        self._keep(key, answer, seconds)
        return answer

    async def _resolve(self, name: dns.name.Name, kind: RecordType) -> tuple[DnsAnswer, float]:
        """The answer, and how long it holds."""
        try:
            found = await self._resolver.resolve(name, kind.value, raise_on_no_answer=False, search=False)
        except dns.resolver.NXDOMAIN as error:
            return DnsAnswer(exists=False), _negative_seconds(_response(error, name))
        except dns.resolver.YXDOMAIN:
            return DnsAnswer(exists=False), NEGATIVE_SECONDS  # a DNAME that makes the name too long
        except (dns.exception.DNSException, OSError) as error:
            # A timeout, a refusal by all servers, an answer that cannot be read: nothing is known of the name.
            log.info("no answer from name servers", name=name.to_text(), type=kind.value, error=type(error).__name__)
            raise Unavailable(f"no answer from name servers for {kind.value} {name}") from error
        if found.rrset is None:
            return DnsAnswer(), _negative_seconds(found.response)
        return DnsAnswer(_records(found.rrset, kind)), float(found.rrset.ttl)

    def _keep(self, key: tuple[str, RecordType], answer: DnsAnswer, seconds: float) -> None:
        seconds = min(max(seconds, SHORTEST_SECONDS), self._settings.longest_seconds)
        self._kept.pop(key, None)
        while self._kept and len(self._kept) >= self._settings.kept_answers:
            self._kept.popitem(last=False)
        self._kept[key] = (self._clock() + seconds, answer)


def _make_resolver(settings: DnsSettings) -> dns.asyncresolver.Resolver:
    try:
        resolver = dns.asyncresolver.Resolver(configure=not settings.servers)
    except dns.resolver.NoResolverConfiguration:  # a container without /etc/resolv.conf: each question will fail
        resolver = dns.asyncresolver.Resolver(configure=False)
    if settings.servers:
        resolver.nameservers = list(settings.servers)
        resolver.port = settings.port
    resolver.timeout = settings.timeout_seconds
    resolver.lifetime = settings.deadline_seconds
    resolver.retry_servfail = False
    resolver.use_edns(0, 0, 1232)  # dnsflagday.net/2020: larger answers come over TCP instead of in fragments
    return resolver


def _records(rrset: Any, kind: RecordType) -> tuple[str, ...]:
    found: list[str] = []
    size = 0
    for record in list(rrset)[:MAX_RECORDS]:
        match kind:
            case RecordType.TXT:
                text = b"".join(record.strings).decode("utf-8", "replace")  # RFC 7208 3.3: joined, without a blank
            case RecordType.MX:
                text = record.exchange.to_text(omit_final_dot=True)
            case RecordType.PTR:
                text = record.target.to_text(omit_final_dot=True)
            case _:
                text = record.address
        size += len(text)
        if size > MAX_TEXT:
            break
        found.append(text)
    return tuple(found)


def _response(error: dns.resolver.NXDOMAIN, name: dns.name.Name) -> dns.message.Message | None:
    responses: dict[dns.name.Name, dns.message.Message] = error.kwargs.get("responses", {})
    return responses.get(name)


def _negative_seconds(response: dns.message.Message | None) -> float:
    """RFC 2308 5: the smaller of the SOA record's TTL and its last field; a minute where there is none."""
    for rrset in response.authority if response is not None else ():
        if rrset.rdtype == dns.rdatatype.SOA and len(rrset):
            minimum: int = rrset[0].minimum
            return float(min(rrset.ttl, minimum, NEGATIVE_SECONDS))
    return _UNKNOWN_TTL
