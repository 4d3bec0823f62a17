"""Rate limits at the edge: what one client address may do, before anything is known of who is writing."""

from __future__ import annotations

import functools
import hashlib
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, TypeVar

import structlog
from limits import RateLimitItem, parse_many
from limits.errors import StorageError
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import FixedWindowRateLimiter

from core.mail.authenticity import is_listed

T = TypeVar("T")

log = structlog.get_logger(__name__)

STORE_SECONDS = 0.05  # it is asked from the event loop, some tenths of a millisecond on a network of one's own
AWAY_SECONDS = 30.0  # for so long one that failed is not asked again
_IPV6_SITE_BITS = 64  # RFC 6177: no site has less, so whoever has one address has all of these
_KNOWN_CLIENTS = 10_000


@dataclass(frozen=True, slots=True)
class EdgeSettings:
    """What one client address may do. Rates are written as `100 per minute; 1000 per hour`, "" is no limit."""

    connections: str = "300 per minute"
    """Connections that one client address may open."""
    recipients: str = "600 per minute; 6000 per hour"
    """Recipients that one client address may name, whether they exist or not."""
    failed_logins: str = "10 per 10 minutes"
    """Wrong passwords from one client address; after them its logins wait, right or wrong."""
    requests: str = "60 per minute; 600 per hour"
    """Requests over HTTP from one client address: clicks on “unsubscribe”, where http.public_url is set."""
    mails_of_domain: str = "6000 per minute; 60000 per hour"
    """Mails from one domain in MAIL FROM, over all client addresses. Everybody can write a domain there: keep it far
    above what one client address may, so that one or a few cannot have a large provider's mail put off."""
    letters_of_address: str = "60 per hour; 300 per day"
    """Mails to one address of a newsletter, over all client addresses: enough for all that people subscribe to."""
    letter_bytes: int = 5_000_000
    """The largest mail that the address of a newsletter takes."""
    trusted_networks: tuple[IPv4Network | IPv6Network, ...] = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
    """Networks to which these rates do not apply: this machine, and the mail servers that hand mail on to us."""

    def __post_init__(self) -> None:
        for rate in (
            self.connections,
            self.recipients,
            self.failed_logins,
            self.requests,
            self.mails_of_domain,
            self.letters_of_address,
        ):
            _parse(rate)


class Counts:
    """Counts in memory, each process for itself, or in a Redis for all of them; while that is away, in memory again.
    Safe from any thread."""

    def __init__(self, store_url: str = "", *, monotonic: Callable[[], float] = time.monotonic) -> None:
        """`store_url` is a cache's, "" for memory. Connects to nothing."""
        self.store_url = store_url
        self._own = MemoryStorage()
        self._shared = _shared_storage(store_url) if store_url else None
        self._away_until = 0.0
        self._monotonic = monotonic

    def ask(self, question: Callable[[MemoryStorage | RedisStorage], T]) -> T:
        if self._shared is not None and self._monotonic() >= self._away_until:
            try:
                return question(self._shared)
            except StorageError as error:
                self._away_until = self._monotonic() + AWAY_SECONDS
                log.warning("shared limits are away", error=str(error), seconds=AWAY_SECONDS)
        return question(self._own)

    def add(self, key: str, amount: int, *, seconds: int) -> int:
        """How much stands at `key` then; it is forgotten so many seconds after it was first added to. 0 only asks."""
        return self.ask(lambda store: store.incr(key, seconds, amount) if amount else store.get(key))


class EdgeGuard:
    """See `Counts`. A window begins with a client's first hit.

    An IPv6 client counts as its /64. A client without an address (a Unix socket) is never refused.
    """

    def __init__(self, settings: EdgeSettings, counts: Counts | None = None) -> None:
        self._settings = settings
        self._counts = counts or Counts()
        self._connections = _parse(settings.connections)
        self._recipients = _parse(settings.recipients)
        self._failed_logins = _parse(settings.failed_logins)
        self._requests = _parse(settings.requests)
        self._mails_of_domain = _parse(settings.mails_of_domain)
        self._letters = _parse(settings.letters_of_address)
        self.letter_bytes = settings.letter_bytes
        self._key_of = functools.lru_cache(_KNOWN_CLIENTS)(
            functools.partial(_client_key, trusted=settings.trusted_networks)
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """For another process: the same limits, and the counts of the same Redis or its own."""
        return EdgeGuard, (self._settings, Counts(self._counts.store_url))

    def is_trusted(self, ip: str | None) -> bool:
        """Whether this is one of ours: a listed network, or a socket that only this machine has."""
        return self._key_of(ip) is None

    def may_connect(self, ip: str | None) -> bool:
        """Count a connection."""
        return self._hit(self._connections, "connect", ip)

    def may_name_recipient(self, ip: str | None) -> bool:
        """Count a recipient."""
        return self._hit(self._recipients, "rcpt", ip)

    def may_ask(self, ip: str | None) -> bool:
        """Count a request over HTTP."""
        return self._hit(self._requests, "http", ip)

    def may_mail_from(self, ip: str | None, address: str) -> bool:
        """Count a mail of the domain of a reverse-path; the null one has none."""
        domain = address.rpartition("@")[2].lower()
        if not domain or self.is_trusted(ip):
            return True
        return self._ask(lambda limits: all(limits.hit(rate, "domain", domain) for rate in self._mails_of_domain))

    def may_write_letter(self, alias: str) -> bool:
        """Count a mail to the address of a newsletter, whoever brings it."""
        key = hashlib.sha256(alias.encode()).hexdigest()[:32]  # the address is a secret, and the store may be a Redis
        return self._ask(lambda limits: all(limits.hit(rate, "letter", key) for rate in self._letters))

    def may_log_in(self, ip: str | None) -> bool:
        """Whether a password from here is looked at; counts nothing."""
        key = self._key_of(ip)
        return key is None or self._ask(
            lambda limits: all(limits.test(rate, "login", key) for rate in self._failed_logins)
        )

    def note_failed_login(self, ip: str | None) -> None:
        self._hit(self._failed_logins, "login", ip)

    def _hit(self, rates: Iterable[RateLimitItem], what: str, ip: str | None) -> bool:
        key = self._key_of(ip)
        return key is None or self._ask(lambda limits: all(limits.hit(rate, what, key) for rate in rates))

    def _ask(self, question: Callable[[FixedWindowRateLimiter], bool]) -> bool:
        return self._counts.ask(lambda store: question(FixedWindowRateLimiter(store)))


def _shared_storage(url: str) -> RedisStorage:
    return RedisStorage(
        url,
        wrap_exceptions=True,
        key_prefix="inkpost:edge",  # others may use the same Redis
        socket_timeout=STORE_SECONDS,
        socket_connect_timeout=STORE_SECONDS,
    )


def _parse(rates: str) -> tuple[RateLimitItem, ...]:
    """Raises ValueError for what is no rate."""
    return tuple(parse_many(rates)) if rates.strip() else ()


def _client_key(ip: str | None, *, trusted: Collection[IPv4Network | IPv6Network]) -> str | None:
    """What a client is counted under, or None for one that is not counted."""
    if ip is None or is_listed(ip, trusted):
        return None
    address = ip_address(ip.partition("%")[0])  # a link-local address names its interface
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return str(ip_network((address, _IPV6_SITE_BITS), strict=False))
    return str(address)
