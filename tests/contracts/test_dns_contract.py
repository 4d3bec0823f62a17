"""What `Dns` promises, by the fake and by the resolver against a real name server; and what the resolver remembers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from bot.dns import NEGATIVE_SECONDS, DnsResolver, DnsSettings
from core.errors import Unavailable
from core.ports import Dns, DnsAnswer, RecordType
from tests.support.names import TTL, FakeDns, NameServer, Zone, name_server

LONG_TEXT = "v=spf1 " + "ip4:192.0.2.1 " * 200 + "-all"
ZONE: Zone = {
    "example.org": [("TXT", 'v=spf1 "quoted" -all'), ("TXT", "other"), ("MX", "mx.example.org"), ("A", "192.0.2.1")],
    "mx.example.org": [("A", "192.0.2.2"), ("AAAA", "2001:db8::2")],
    "long.example.org": [("TXT", LONG_TEXT)],
    "alias.example.org": [("CNAME", "mx.example.org")],
    "2.2.0.192.in-addr.arpa": [("PTR", "mx.example.org")],
    "below.empty.example.org": [("A", "192.0.2.3")],
    "silent.example.org": "TIMEOUT",
    "refused.example.org": "SERVFAIL",
}


def settings(port: int) -> DnsSettings:
    return DnsSettings(servers=("127.0.0.1",), port=port, timeout_seconds=0.2, deadline_seconds=0.3)


@pytest.fixture(params=["fake", "resolver"])
async def dns(request: pytest.FixtureRequest) -> AsyncIterator[Dns]:
    if request.param == "fake":
        yield FakeDns(ZONE)
        return
    async with name_server(ZONE) as server:
        resolver = DnsResolver(settings(server.port))
        yield resolver
        await resolver.close()


@pytest.mark.parametrize(
    ("name", "kind", "records"),
    [
        ("example.org", RecordType.TXT, ('v=spf1 "quoted" -all', "other")),
        ("EXAMPLE.org.", RecordType.MX, ("mx.example.org",)),
        ("mx.example.org", RecordType.AAAA, ("2001:db8::2",)),
        ("alias.example.org", RecordType.A, ("192.0.2.2",)),
        ("2.2.0.192.in-addr.arpa", RecordType.PTR, ("mx.example.org",)),
        ("long.example.org", RecordType.TXT, (LONG_TEXT,)),
    ],
)
async def test_records_come_as_text(dns: Dns, name: str, kind: RecordType, records: tuple[str, ...]) -> None:
    answer = await dns.ask(name, kind)

    assert (sorted(answer.records), answer.exists) == (sorted(records), True)


@pytest.mark.parametrize("name", ["mx.example.org", "empty.example.org"])
async def test_name_without_such_records_exists(dns: Dns, name: str) -> None:
    assert await dns.ask(name, RecordType.TXT) == DnsAnswer((), exists=True)


@pytest.mark.parametrize("name", ["nothing.example.org", "a" * 64 + ".example.org", "a..b", ".".join(["abc"] * 80)])
async def test_what_is_no_name_does_not_exist(dns: Dns, name: str) -> None:
    assert await dns.ask(name, RecordType.TXT) == DnsAnswer((), exists=False)


@pytest.mark.parametrize("name", ["silent.example.org", "refused.example.org"])
async def test_silence_and_refusal_say_nothing_about_the_name(dns: Dns, name: str) -> None:
    with pytest.raises(Unavailable):
        await dns.ask(name, RecordType.TXT)


class Remembering:
    """A resolver whose clock a test moves."""

    def __init__(self, server: NameServer, *, kept_answers: int = 100) -> None:
        self.now = 0.0
        self.server = server
        made = settings(server.port)
        made = DnsSettings(made.servers, made.port, 0.2, 0.3, kept_answers)
        self.resolver = DnsResolver(made, clock=lambda: self.now)

    async def asks(self, name: str) -> int:
        """How often the server has been asked when the answer is here."""
        await self.resolver.ask(name, RecordType.TXT)
        return len(self.server.asked)


async def test_answer_is_kept_for_as_long_as_it_says() -> None:
    async with name_server(ZONE) as server:
        dns = Remembering(server)

        assert [await dns.asks("example.org"), await dns.asks("Example.ORG")] == [1, 1]
        dns.now = TTL - 1
        assert await dns.asks("example.org") == 1
        dns.now = TTL + 1
        assert await dns.asks("example.org") == 2


async def test_that_a_name_is_not_there_is_kept_for_some_minutes_at_most() -> None:
    async with name_server(ZONE) as server:
        server.ttl = 86_400
        dns = Remembering(server)

        assert [await dns.asks("no.example.net"), await dns.asks("no.example.net")] == [1, 1]
        dns.now = NEGATIVE_SECONDS + 1
        assert await dns.asks("no.example.net") == 2


async def test_no_answer_is_not_kept() -> None:
    async with name_server(ZONE) as server:
        dns = Remembering(server)

        for _ in range(2):
            with pytest.raises(Unavailable):
                await dns.asks("refused.example.org")

        assert len(server.asked) >= 2


async def test_memory_is_bounded_and_forgets_the_oldest_answer() -> None:
    async with name_server(ZONE) as server:
        dns = Remembering(server, kept_answers=2)

        for name in ("example.org", "mx.example.org", "long.example.org"):
            await dns.asks(name)
        asked = len(server.asked)

        assert await dns.asks("long.example.org") == asked
        assert await dns.asks("example.org") > asked


async def test_many_who_ask_for_one_name_share_one_question() -> None:
    async with name_server(ZONE) as server:
        dns = Remembering(server)

        await asyncio.gather(*(dns.asks("example.org") for _ in range(50)))

        assert server.asked == [("example.org", "TXT")]


async def test_who_gives_up_does_not_take_the_answer_from_the_others() -> None:
    async with name_server(ZONE) as server:
        dns = Remembering(server)
        hasty = asyncio.create_task(dns.asks("example.org"))
        patient = asyncio.create_task(dns.asks("example.org"))
        await asyncio.sleep(0)

        hasty.cancel()

        assert await patient == 1
        assert hasty.cancelled()
