"""SPF (RFC 7208) by spftrace, over our own name servers' answers."""

from __future__ import annotations

import spftrace
from spftrace import resolver as answers

from core.errors import Unavailable
from core.mail.verdict import SpfResult
from core.ports import Dns, RecordType
from core.values import Envelope, Peer

DEADLINE_SECONDS = 20.0  # RFC 7208 4.6.4 wants at least 20
MAX_QUERIES = 100  # 10 terms, each with up to 10 addresses of 10 hosts, is 1,000: nobody's honest record


class _Answers(spftrace.BaseResolver):
    """spftrace's resolver, which wants a word for what came of each question."""

    def __init__(self, dns: Dns) -> None:
        self._dns = dns

    async def _lookup(self, name: str, rtype: str) -> tuple[str, list[str]]:
        try:
            answer = await self._dns.ask(name, RecordType(rtype))
        except Unavailable:
            return answers.TIMEOUT, []
        return (answers.NOERROR if answer.exists else answers.NXDOMAIN), list(answer.records)


async def check_spf(dns: Dns, envelope: Envelope, peer: Peer) -> SpfResult:
    """Whether the client may send for the domain of MAIL FROM, or where that is null, of HELO. Never raises.

    Without a client address (IMAP, a Unix socket) there is nothing to check: `none`.
    """
    sender = envelope.mail_from or f"postmaster@{peer.helo}"
    domain = sender.rpartition("@")[2].lower()
    if peer.ip is None or not domain:
        return SpfResult()
    found = await spftrace.acheck(
        peer.ip.partition("%")[0],
        sender,
        peer.helo,
        resolver=_Answers(dns),
        time_limit=DEADLINE_SECONDS,
        max_queries=MAX_QUERIES,
        receiver="inkpost",
    )
    return SpfResult(str(found.verdict), domain)
