"""Who wrote a mail: the rules that need no network. The look-ups are `bot.authenticate`'s."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address

SECRET_SEPARATOR = "+"  # RFC 5233 calls what stands behind it the detail, or subaddress
REPLY_PREFIX = "r-"  # of a subaddress that is no secret, but a token: secrets have no hyphen

_READERS_OWN = re.compile(r"(.+)-[1-9]\d{0,18}")
ALIAS_MARK = "n-"
"""Begins the subaddress of a newsletter. No reader's secret has a hyphen."""
_ALIAS = re.compile(rf"(?:(?P<mailbox>[^+]+)\{SECRET_SEPARATOR})?{ALIAS_MARK}(?P<secret>[a-z2-9]{{16,32}})")


@dataclass(frozen=True, slots=True)
class OurAddresses:
    """Which addresses are ours: every local part at every domain, each with any subaddress."""

    domains: frozenset[str]
    """Lower case."""
    local_parts: frozenset[str]
    """Lower case, without subaddress: those that take commands."""
    has_readers_own: bool = False
    """Each reader has one too, with a number: `books-17`. What gateways write back comes there."""

    def owns_domain(self, addr_spec: str) -> bool:
        """Whether mail for this address is ours to take or refuse, rather than somebody else's to relay."""
        return addr_spec.rpartition("@")[2].lower() in self.domains

    def takes_commands(self, addr_spec: str) -> bool:
        """Whether this is one of our command addresses, with or without subaddress."""
        if self.alias_in(addr_spec):
            return False
        local_part = addr_spec.rpartition("@")[0].lower().partition(SECRET_SEPARATOR)[0]
        if self.has_readers_own and (own := _READERS_OWN.fullmatch(local_part)):
            local_part = own[1]
        return self.owns_domain(addr_spec) and local_part in self.local_parts

    def alias_in(self, addr_spec: str) -> str:
        """The secret of a newsletter's address: of `books+n-<secret>@`, and of `n-<secret>@` for the forms on web pages
        that take no plus; "" for any other address."""
        found = _ALIAS.fullmatch(addr_spec.rpartition("@")[0].lower())
        if found is None or not self.owns_domain(addr_spec):
            return ""
        return found["secret"] if (found["mailbox"] or "") in {"", *self.local_parts} else ""

    def aliases_in(self, rcpt_tos: Iterable[str]) -> list[str]:
        """The secrets of the newsletters' addresses that a mail was sent to, each once."""
        return list(dict.fromkeys(secret for rcpt in rcpt_tos if (secret := self.alias_in(rcpt))))

    def takes_mail(self, addr_spec: str) -> bool:
        """Whether mail for it is taken at all: commands, or letters."""
        return self.takes_commands(addr_spec) or bool(self.alias_in(addr_spec))

    def secrets_in(self, rcpt_tos: Iterable[str]) -> list[str]:
        """The subaddresses that a mail was sent to, in order, lower case, "" and tokens left out."""
        return [detail for _, detail in self._details(rcpt_tos) if not detail.startswith(REPLY_PREFIX)]

    def reply_tokens_in(self, rcpt_tos: Iterable[str]) -> list[str]:
        """The tokens of the reply addresses that a mail was sent to, in order, lower case."""
        details = (detail for _, detail in self._details(rcpt_tos))
        return [detail.removeprefix(REPLY_PREFIX) for detail in details if detail.startswith(REPLY_PREFIX)]

    def secret_address(self, rcpt_tos: Iterable[str]) -> str:
        """The first address of these with what may be a secret, as it was written; "" if there is none."""
        return next((rcpt for rcpt, detail in self._details(rcpt_tos) if not detail.startswith(REPLY_PREFIX)), "")

    def _details(self, rcpt_tos: Iterable[str]) -> Iterator[tuple[str, str]]:
        for rcpt in rcpt_tos:
            detail = rcpt.rpartition("@")[0].lower().partition(SECRET_SEPARATOR)[2]
            if detail and self.takes_commands(rcpt):
                yield rcpt, detail


def without_secret(addr_spec: str) -> str:
    """The address as it may be kept for good: `books+…@inkpost.example`, `n-…@inkpost.example`."""
    local_part, _at, domain = addr_spec.rpartition("@")
    mailbox, plus, _detail = local_part.partition(SECRET_SEPARATOR)
    if plus:
        return f"{mailbox}{plus}…@{domain}"
    return f"{ALIAS_MARK}…@{domain}" if local_part.lower().startswith(ALIAS_MARK) else addr_spec


def is_listed(ip: str | None, networks: Collection[IPv4Network | IPv6Network]) -> bool:
    """Whether a peer's address lies in one of the networks; an IPv4-mapped IPv6 address counts as its IPv4 one."""
    if ip is None or not networks:
        return False
    try:
        address = ip_address(ip.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return any((mapped or address) in network for network in networks)
