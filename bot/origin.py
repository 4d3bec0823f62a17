"""Where a mail is from: every look-up and every signature that bears on its From field, put before the pure verdict."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bot.sandbox import Sandbox, SandboxError
from bot.spf import check_spf
from core.errors import Unavailable
from core.mail.dmarc import names_to_ask
from core.mail.signatures import Claims, Findings, check_signatures, read_claims
from core.mail.verdict import Authenticity, Evidence, candidates, judge
from core.ports import Dns, RecordType
from core.values import Envelope, Peer

SMALL_MAIL_BYTES = 256 * 1024  # hashed in a millisecond or two: a thread is cheaper than the way to another process
CHECK_SECONDS = 20.0
DEADLINE_SECONDS = 60.0
"""For all of it: DNS has its own deadlines, and a mail may ask for some thirty names."""


@dataclass(frozen=True, slots=True)
class OriginCheck:
    """Finds out whether a mail's From field is true. Asks name servers, and blocks no event loop with a large mail."""

    dns: Dns
    sandbox: Sandbox
    listed_sealers: frozenset[str] = frozenset()

    async def check(
        self, raw: Path, *, author_domain: str, envelope: Envelope, peer: Peer, is_addressed_to_us: bool
    ) -> Authenticity:
        """The verdict on the mail in `raw`. Raises `Unavailable` where a worker process or the time runs out."""
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                return await self._check(raw, author_domain, envelope, peer, is_addressed_to_us)
        except TimeoutError as error:
            raise Unavailable(f"not authenticated within {DEADLINE_SECONDS:g} s") from error

    async def signed_fields(self, raw: Path) -> tuple[frozenset[str], ...]:
        """Of each signature that holds, whoever made it: the fields that nobody can have changed or added to.

        Raises `Unavailable` where a worker process or the time runs out.
        """
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                claims = await asyncio.to_thread(read_claims, raw)
                findings = await self._check_signatures(raw, claims)
        except TimeoutError as error:
            raise Unavailable(f"no signature checked within {DEADLINE_SECONDS:g} s") from error
        return tuple(one.fields for one in findings.signatures if one.result == "pass")

    async def _check(
        self, raw: Path, author_domain: str, envelope: Envelope, peer: Peer, is_addressed_to_us: bool
    ) -> Authenticity:
        claims = await asyncio.to_thread(read_claims, raw)
        spf, findings, texts, exists = await asyncio.gather(
            check_spf(self.dns, envelope, peer),
            self._check_signatures(raw, claims),
            self._texts({author_domain}),
            self._exists(author_domain),
        )
        passed = {one.domain for one in findings.signatures if one.result in ("pass", "temperror")}
        further = await self._texts(candidates(author_domain, passed | {spf.domain} - {""}))
        records = {**texts, **further}
        return judge(
            Evidence(
                author_domain=author_domain,
                spf=spf,
                signatures=findings.signatures,
                arc=findings.arc,
                dmarc_texts={name: found for name, found in records.items() if found is not None},
                author_exists=exists,
                dmarc_failed=None in records.values(),
                listed_sealers=self.listed_sealers,
                is_addressed_to_us=is_addressed_to_us,
            )
        )

    async def _check_signatures(self, raw: Path, claims: Claims) -> Findings:
        if not claims.signatures and not claims.arc_key_names:
            return Findings()
        found = await self._ask(claims.key_names)
        keys = {name: None if texts is None else _key_record(texts) for name, texts in found.items()}
        if (await asyncio.to_thread(raw.stat)).st_size <= SMALL_MAIL_BYTES:
            return await asyncio.to_thread(check_signatures, raw, keys)
        try:
            return await self.sandbox.run(check_signatures, raw, keys, timeout_seconds=CHECK_SECONDS)
        except SandboxError as error:
            raise Unavailable(f"the signatures could not be checked: {error}") from error

    async def _texts(self, domains: Iterable[str]) -> dict[str, tuple[str, ...] | None]:
        return await self._ask({name for domain in domains for name in names_to_ask(domain)})

    async def _exists(self, domain: str) -> bool:
        """Whether a domain is a name at all (RFC 9989: as RFC 8020 has it). What is not known is taken to exist."""
        try:
            return (await self.dns.ask(domain, RecordType.A)).exists
        except Unavailable:
            return True

    async def _ask(self, names: Iterable[str]) -> dict[str, tuple[str, ...] | None]:
        """TXT records by name, None where the name servers did not answer."""
        asked = list(names)
        answers = await asyncio.gather(*map(self._ask_one, asked))
        return dict(zip(asked, answers, strict=True))

    async def _ask_one(self, name: str) -> tuple[str, ...] | None:
        try:
            return (await self.dns.ask(name, RecordType.TXT)).records
        except Unavailable:
            return None


def _key_record(texts: tuple[str, ...]) -> str:
    """RFC 6376 3.6.2.2: one record; of several, what is used is undefined, so the first that may hold a key."""
    return next((text for text in texts if "p=" in text.replace(" ", "")), "")
