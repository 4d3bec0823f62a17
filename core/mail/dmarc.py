"""DMARC (RFC 9989): a domain's records and those above it, whose policy they are, and what is aligned."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from publicsuffixlist import PublicSuffixList

PREFIX = "_dmarc."
MAX_LABELS = 8  # RFC 9989 4.10: a longer name goes on with its last seven
POLICIES = ("none", "quarantine", "reject")

Texts = Mapping[str, Sequence[str]]
"""TXT records by name: all that stand at `_dmarc.<domain>`."""


@dataclass(frozen=True, slots=True)
class DmarcRecord:
    """One domain's record."""

    domain: str
    policy: str
    subdomain_policy: str
    nonexistent_policy: str
    strict_dkim: bool = False
    strict_spf: bool = False
    psd: str = "u"
    """`y`: a public suffix, `n`: an organisation of its own, `u`: it does not say."""

    def policy_for(self, domain: str, *, exists: bool = True) -> str:
        """`p=`, `sp=` for what is below, `np=` for what is below and does not exist (RFC 8020: NXDOMAIN)."""
        if domain == self.domain:
            return self.policy
        return self.subdomain_policy if exists else self.nonexistent_policy


def names_to_ask(domain: str) -> tuple[str, ...]:
    """Where a domain's records may stand, the nearest first: at most eight names (RFC 9989 4.10)."""
    labels = domain.split(".")
    rest = labels[1:] if len(labels) < MAX_LABELS else labels[-(MAX_LABELS - 1) :]
    return (PREFIX + domain, *(PREFIX + ".".join(rest[start:]) for start in range(len(rest))))


def policy_record(domain: str, texts: Texts) -> DmarcRecord | None:
    """The record that says what to do with mail of this domain: its own, else its organisation's."""
    found = _walk(domain, texts)
    own = next((record for record in found if record.domain == domain), None)
    if own is not None or not found:
        return own
    organisation = _organisation(domain, found)
    return next((record for record in found if record.domain == organisation), found[-1])


def is_aligned(one: str, author: str, texts: Texts, *, strict: bool) -> bool:
    """Whether two domains are one organisation's, so that what holds for the first says who wrote as the second.

    Both witnesses have to agree, the records and the public suffix list: a suffix whose owner wrote a record without
    `psd=y` would make everybody below it one organisation, and the list does not know who is apart by `psd=n`. Where
    there are no records at all, the list alone decides.
    """
    if one == author:
        return True
    if strict or organisation_by_list(one) != organisation_by_list(author):
        return False
    ours, theirs = _walk(author, texts), _walk(one, texts)
    if not ours and not theirs:
        return True
    return _organisation(author, ours) == _organisation(one, theirs)


def organisation_by_list(domain: str) -> str:
    """The organisational domain by the public suffix list; a public suffix is its own."""
    return _suffixes().privatesuffix(domain) or domain


@functools.cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()  # 50 ms, so once


def _walk(domain: str, texts: Texts) -> list[DmarcRecord]:
    """The records on the way up, the nearest first; `psd=` with `y` or `n` ends it."""
    found = []
    for name in names_to_ask(domain):
        records = [record for text in texts.get(name, ()) if (record := parse_record(name[len(PREFIX) :], text))]
        if len(records) != 1:
            continue  # RFC 9989 4.10.1: several are none
        found.append(records[0])
        if records[0].psd in ("y", "n"):
            break
    return found


def _organisation(domain: str, found: Sequence[DmarcRecord]) -> str:
    """RFC 9989 4.10.2, over what `_walk` found."""
    if not found:
        return domain
    last = found[-1]
    if last.psd == "y" and last.domain != domain:
        below = domain[: -len(last.domain) - 1].rpartition(".")[2]
        return f"{below}.{last.domain}"
    return last.domain


def parse_record(domain: str, text: str) -> DmarcRecord | None:
    """RFC 9989 4.7: None for what is no DMARC record, or one without a policy and without reports."""
    first, _, rest = text.strip().partition(";")
    name, _, version = first.partition("=")
    if (name.strip().lower(), version.strip()) != ("v", "DMARC1"):
        return None
    tags: dict[str, str] = {}
    for tag in rest.split(";"):
        key, equals, value = tag.partition("=")
        if equals:
            tags.setdefault(key.strip().lower(), value.strip())
    policy = tags.get("p", "").lower()
    if policy not in POLICIES:
        if "rua" not in tags:
            return None
        policy = "none"
    below = tags.get("sp", "").lower()
    below = below if below in POLICIES else policy
    nowhere = tags.get("np", "").lower()
    return DmarcRecord(
        domain=domain,
        policy=policy,
        subdomain_policy=below,
        nonexistent_policy=nowhere if nowhere in POLICIES else below,
        strict_dkim=tags.get("adkim", "r").lower() == "s",
        strict_spf=tags.get("aspf", "r").lower() == "s",
        psd=tags.get("psd", "u").lower(),
    )
