"""Where a fetch may go: URLs, the addresses of names, and, last and always, the address of each socket.

The table of special addresses is ssrfguard's, made of IANA's registries (RFC 6890); it looks into the IPv6 forms that
carry an IPv4 address (mapped, NAT64, 6to4, Teredo). A name is looked up once for a connection, and the socket is opened
to what was looked up: there is no second answer for DNS rebinding to put in between.
"""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network

from aiohttp.abc import AbstractResolver, ResolveResult
from ssrfguard import AddressTable, BlockedAddressError, BlockedURLError, Policy
from yarl import URL

from bot.fetch.failures import ForbiddenAddress, bad_url, forbidden

WEB_PORTS = (80, 443)
LONGEST_URL = 8192  # characters; what nginx, Apache and IIS take in a request line
# A name whose server is dead holds its thread for 10 s and more (resolv.conf: 2 attempts of 5 s); asyncio's own pool,
# six threads on two cores, would be blocked by six dead names. Threads are made when they are needed.
LOOKUPS_AT_ONCE = 64
MOST_REMEMBERED = 4096  # of URLs and of addresses: a megabyte or two


@dataclass(frozen=True, slots=True)
class FetchSettings:
    """How feeds, pages and pictures are fetched from the web."""

    contact_url: str = ""
    """A page about this service and its operator; stands in the User-Agent, so that publishers can ask."""
    other_ports: tuple[int, ...] = ()
    """Ports that may be fetched from beside 80 and 443."""
    allowed_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """Networks that may be fetched from though they are private, such as 192.168.7.0/24."""
    allow_private: bool = False
    """Fetch from every address and port, private ones too: every user can then read your internal servers."""
    in_flight: int = 100
    """How many hosts are asked at a time; one host never has more than one request."""
    connect_seconds: float = 10.0
    """A host that takes longer to connect to counts as down."""
    memory_mib: int = 64
    """Memory for the larger bodies that are being read; more than that wait for each other."""


class Guard:
    """Says where a fetch may go, and remembers what it has allowed: feeds are asked again. Knows no network."""

    def __init__(self, settings: FetchSettings) -> None:
        if settings.allow_private:
            ports = frozenset(range(1, 65536))
            self._policy = Policy(denied_networks=AddressTable(()), allowed_ports=ports, max_url_length=LONGEST_URL)
        else:
            self._policy = Policy(
                allowed_networks=settings.allowed_networks,
                allowed_ports=frozenset((*WEB_PORTS, *settings.other_ports)),
                max_url_length=LONGEST_URL,
            )
        self._parsed = lru_cache(MOST_REMEMBERED)(self._parse)
        self._permits = lru_cache(MOST_REMEMBERED)(self._policy.permits_address)

    def checked(self, text: str, *, base: URL | None = None) -> URL:
        """The URL to ask for: host in A-labels, no fragment, relative to `base`. Raises `FetchFailed`.

        What is checked is what yarl made of the text, since that is what the connection will be made to.
        """
        return self._parsed(text) if base is None else self._parse(text, base=base)

    def _parse(self, text: str, *, base: URL | None = None) -> URL:
        if len(text) > LONGEST_URL:
            raise bad_url(text)
        try:
            url = URL(text) if base is None else base.join(URL(text))
            url = url.with_fragment(None)
            self._policy.check_url(str(url))
        except BlockedURLError as error:
            if isinstance(error.__cause__, BlockedAddressError):
                raise forbidden(url) from error
            raise bad_url(text) from error
        except ValueError as error:
            raise bad_url(text) from error
        return url

    def check_address(self, address: str) -> None:
        """Raises `ForbiddenAddress`. `address` is numeric, perhaps with an IPv6 zone."""
        if not self._permits(address.partition("%")[0]):
            raise ForbiddenAddress(f"{address} is not a public address")


class GuardedResolver(AbstractResolver):
    """Names by another resolver. One forbidden address forbids the name: nobody has both kinds in good faith."""

    def __init__(self, resolver: AbstractResolver, guard: Guard) -> None:
        self._resolver = resolver
        self._guard = guard

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        for place in found:
            self._guard.check_address(place["host"])
        return found

    async def close(self) -> None:
        await self._resolver.close()


class SystemResolver(AbstractResolver):
    """Names as the system has them (hosts file, nsswitch, DNS), in threads of its own."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(LOOKUPS_AT_ONCE, thread_name_prefix="lookup")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, _look_up, host, port, family)
        return [
            ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST)
            for kind, address in found
        ]

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str, port: int, family: int) -> list[tuple[int, str]]:
    found = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return [(int(kind), str(address[0])) for kind, _, _, _, address in found]
