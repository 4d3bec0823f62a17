"""Who wrote a mail, and how sure that is: by the secret address, a login, a network, an upstream's word, its origin, or
the address of a mail of ours that it answers."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import TypeVar

from pydantic import SecretStr
from sqlalchemy.orm import Session

from bot.origin import OriginCheck
from core.errors import Unavailable
from core.mail.authenticity import OurAddresses, is_listed
from core.mail.message import ParsedMessage
from core.mail.results import mailbox_results, upstream_results
from core.mail.verdict import Authenticity
from core.models import User
from core.models.user import UserState
from core.tokens import MIN_KEY_BYTES, TokenSigner
from core.values import Envelope, Peer, Proof, SenderVerdict, Trust

T = TypeVar("T")

_ADDRESS = re.compile(r"[^\s<>,;:\"()]+@[^\s<>,;:\"()]+")


class OriginUnknown(Unavailable):
    """Name servers owe an answer that could make a mail authentic. The mail waits, and is not believed meanwhile."""


@dataclass(frozen=True, slots=True)
class TrustSettings:
    """Whose word is taken for who wrote a mail. docs/security.md has the table of what each proof is good for."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """Networks whose mails are believed to be from the registered address in their From field. Only list machines that
    check their own senders."""
    check_origin: bool = True
    """Check SPF, DKIM and DMARC of mails from registered addresses. It asks name servers; they must see the address of
    the real client, so switch it off where every mail comes through another server, and name that one below."""
    arc_sealers: tuple[str, ...] = ()
    """Domains of forwarders (mailing lists, alumni addresses) whose ARC seals are believed, such as `lists.example`:
    each can write in the name of everybody."""
    upstream_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """Networks of your own mail server in front of this one, whose Authentication-Results are believed. The results of
    a mail from there are looked at and nothing else."""
    upstream_authserv_id: str = ""
    """The name with which that server signs its Authentication-Results."""
    token_key: SecretStr = field(default_factory=lambda: SecretStr(""))
    """What confirmations and the addresses of replies are signed with, at least 32 characters; the same for all
    processes of one service. Where empty, a key is made in the data folder, which does for one process."""
    old_token_key: SecretStr = field(default_factory=lambda: SecretStr(""))
    """The `token_key` of before: what it signed is still good. Take it away 30 days after you have changed the key."""
    strangers_a_day: int = 100
    """How many people that nobody has invited are told so, in a day and over all: each at most once, and only if DMARC
    passes for a mail that they wrote to us. 0 tells nobody."""
    patience_hours: float = 4.0
    """How long a mail waits for name servers that do not answer. After that it is a stranger's."""

    def __post_init__(self) -> None:
        if bool(self.upstream_networks) != bool(self.upstream_authserv_id):
            raise ValueError("upstream_networks and upstream_authserv_id belong together")
        for name in ("token_key", "old_token_key"):
            if 0 < len(getattr(self, name).get_secret_value()) < MIN_KEY_BYTES:
                raise ValueError(f"{name} has at least {MIN_KEY_BYTES} characters")


def by_secret(session: Session, secrets: Iterable[str]) -> SenderVerdict | None:
    """Whose mail it is by an address that only its reader knows; None where that is nobody's. Blocks.

    It is what `ProofAuthenticator` says of such a mail, if that has an author, and can be known before it is read.
    """
    for secret in secrets:
        if (user := User.by_secret(session, secret)) is not None:
            return _somebody(user, Proof.SECRET, "sent to the user's secret subaddress")
    return None


@dataclass(frozen=True, slots=True)
class ProofAuthenticator:
    """See `Authenticator`. A mail is its user's by the first proof that it brings."""

    settings: TrustSettings
    ours: OurAddresses
    origin: OriginCheck
    read: Callable[[Callable[[Session], SenderVerdict]], Awaitable[SenderVerdict]]
    """Runs a function with a read-only session in a thread."""
    signer: TokenSigner
    clock: Callable[[], datetime]
    providers: Mapping[str, str] = field(default_factory=dict)
    """By the name of a mailbox that we fetch from, the authserv-id of the house that it is at."""

    async def authenticate(self, message: ParsedMessage, envelope: Envelope, peer: Peer, *, raw: Path) -> SenderVerdict:
        """Asks name servers for mails of registered addresses only: a stranger's mail costs them nothing."""
        author = message.author
        if author is None:
            return _nobody(f"no author: {message.author_defect}")
        verdict = await self.read(lambda session: self._by_path(session, author.address, envelope, peer))
        if verdict.trust is not Trust.NONE or verdict.user_id is None:
            return verdict
        found = await self._by_content(message, envelope, peer, raw, author.address)
        proof, why = found.proof, found.why
        if (proof is None or proof.trust < Proof.REPLY.trust) and self._answers_us(envelope, verdict.user_id):
            # A domain that says what to do with forgeries, and says that this is one, is believed: then the address
            # stood in a mail that its reader has shown to somebody.
            if found.is_called_forged:
                why = f"to the reply address of a mail to this user, but {why}"
            else:
                proof, why = Proof.REPLY, "sent to the reply address of a mail to this user"
        if proof is None:
            return _nobody(why)
        return replace(verdict, trust=proof.trust, method=proof.value, why=why)

    def _answers_us(self, envelope: Envelope, user_id: int) -> bool:
        """Whether the mail came to an address that is made for this user alone, and is still good."""
        today = self.clock().date()
        read = (
            self.signer.read_reply(token, user_id=user_id) for token in self.ours.reply_tokens_in(envelope.rcpt_tos)
        )
        return any(token is not None and today <= token.last_day for token in read)

    def _by_path(self, session: Session, author: str, envelope: Envelope, peer: Peer) -> SenderVerdict:
        """By the way that the mail came; with a user and no trust where its content has to be looked at."""
        if (verdict := by_secret(session, self.ours.secrets_in(envelope.rcpt_tos))) is not None:
            return verdict
        if peer.auth_user is not None:
            # An account may speak for itself only, whatever its From field says (espoofer's client_a3).
            if author.lower() != peer.auth_user.lower():
                return _nobody("logged in as somebody else than the From field says")
            return _look_up(session, author, Proof.LOGIN, "logged in")
        if is_listed(peer.ip, self.settings.networks):
            return _look_up(session, author, Proof.NETWORK, "from a listed network")
        known = User.by_address(session, author)
        if known is None:
            return replace(_nobody("not a registered address, and not to a secret subaddress"), is_stranger=True)
        if known.state is not UserState.ACTIVE:
            return _nobody("the user is suspended")
        return _verdict(known, Trust.NONE, method="none", why="")

    async def _by_content(
        self, message: ParsedMessage, envelope: Envelope, peer: Peer, raw: Path, author: str
    ) -> _Found:
        domain = author.rpartition("@")[2]
        if is_listed(peer.ip, self.settings.upstream_networks):
            return _by_upstream(message, self.settings.upstream_authserv_id, domain)
        vouched = self._by_provider(message, peer, domain)
        if not self.settings.check_origin:
            return vouched or _Found(None, "neither logged in, nor from a listed network, nor to a secret subaddress")
        try:
            found = await _check_origin(self.origin, self.ours, message, envelope, peer, raw=raw, domain=domain)
        except OriginUnknown:
            if vouched is None:
                raise
            return vouched
        # A signature that holds comes first: it tells a copy of a mail to somebody else, and the provider does not.
        return vouched if vouched is not None and not found.is_authentic else _by_origin(found)

    def _by_provider(self, message: ParsedMessage, peer: Peer, domain: str) -> _Found | None:
        """The word of the house where the mailbox is that the mail was fetched from, in place of SPF; None if none."""
        provider = self.providers.get(peer.mailbox)
        if provider is None or not _provider_vouches(message, provider, domain):
            return None
        return _Found(Proof.UPSTREAM, f"{provider}, whose mailbox it came to, says dmarc=pass for {domain}")


@dataclass(frozen=True, slots=True)
class DomainProver:
    """See `Prover`: by the same proofs as for a user, but those that only users have."""

    settings: TrustSettings
    ours: OurAddresses
    origin: OriginCheck
    providers: Mapping[str, str] = field(default_factory=dict)
    """See `ProofAuthenticator`."""

    async def is_proven(self, message: ParsedMessage, path: Path, envelope: Envelope, peer: Peer) -> bool:
        if message.author is None:
            return False
        domain = message.author.address.rpartition("@")[2]
        if is_listed(peer.ip, self.settings.networks):
            return True
        if is_listed(peer.ip, self.settings.upstream_networks):
            return _by_upstream(message, self.settings.upstream_authserv_id, domain).proof is not None
        if (provider := self.providers.get(peer.mailbox)) and _provider_vouches(message, provider, domain):
            return True
        if not self.settings.check_origin:
            return False
        found = await _check_origin(self.origin, self.ours, message, envelope, peer, raw=path, domain=domain)
        return found.is_authentic

    async def passes_dmarc(self, message: ParsedMessage, path: Path, envelope: Envelope, peer: Peer) -> bool:
        """Whether it is the author's own mail by their domain's policy, and no copy of one that they wrote to others.

        Stricter than `is_proven`: who answers a stranger writes to an address that has asked for nothing. `Unavailable`
        if it cannot know now.
        """
        if message.author is None or not _is_addressed(message, self.ours):
            return False
        if is_listed(peer.ip, self.settings.networks) or is_listed(peer.ip, self.settings.upstream_networks):
            return await self.is_proven(message, path, envelope, peer)
        domain = message.author.address.rpartition("@")[2]
        if (provider := self.providers.get(peer.mailbox)) and _provider_vouches(message, provider, domain):
            return True
        if not self.settings.check_origin:
            return False
        found = await _check_origin(self.origin, self.ours, message, envelope, peer, raw=path, domain=domain)
        return found.is_authentic and found.result == "pass" and found.is_ours_to_read


async def _check_origin(
    origin: OriginCheck,
    ours: OurAddresses,
    message: ParsedMessage,
    envelope: Envelope,
    peer: Peer,
    *,
    raw: Path,
    domain: str,
) -> Authenticity:
    """Raises `OriginUnknown`."""
    found = await origin.check(
        raw,
        author_domain=domain,
        envelope=envelope,
        peer=peer,
        is_addressed_to_us=_is_addressed(message, ours),
    )
    if found.result == "temperror":
        raise OriginUnknown(found.why)
    return found


@dataclass(frozen=True, slots=True)
class _Found:
    """What the content of a mail proves, and why, or why not."""

    proof: Proof | None
    why: str
    is_called_forged: bool = False
    """The author's domain says that such a mail is to be refused, or kept from its reader."""


def _by_upstream(message: ParsedMessage, authserv_id: str, domain: str) -> _Found:
    results = upstream_results(message.headers, authserv_id)
    if results is None:
        return _Found(None, f"no Authentication-Results of {authserv_id} above the first Received field")
    if not results.passes_dmarc(domain):
        return _Found(None, f"{authserv_id} says dmarc={results.dmarc}, or of another domain than {domain}")
    return _Found(Proof.UPSTREAM, f"{authserv_id} says dmarc=pass for {domain}")


def _provider_vouches(message: ParsedMessage, authserv_id: str, domain: str) -> bool:
    results = mailbox_results(message.headers, authserv_id)
    return results is not None and results.passes_dmarc(domain)


def _by_origin(found: Authenticity) -> _Found:
    if not found.is_authentic:
        policy = f"; DMARC {found.result}" + (f", p={found.policy}" if found.policy else "")
        is_called_forged = found.result == "fail" and found.policy in ("reject", "quarantine")
        return _Found(None, found.why + policy, is_called_forged)
    why = f"{', '.join(found.aligned_by)} authenticates the From field; DMARC {found.result}"
    return _Found(Proof.SIGNED_FOR_US if found.is_ours_to_read else Proof.DOMAIN, why)


def _is_addressed(message: ParsedMessage, ours: OurAddresses) -> bool:
    fields = [*message.all_headers("To"), *message.all_headers("Cc")]
    return any(ours.takes_commands(address) for value in fields for address in _ADDRESS.findall(value))


def _look_up(session: Session, author: str, proof: Proof, why: str) -> SenderVerdict:
    user = User.by_address(session, author)
    return _nobody(f"{why}, but not a registered address") if user is None else _somebody(user, proof, why)


def _somebody(user: User, proof: Proof, why: str) -> SenderVerdict:
    if user.state is not UserState.ACTIVE:
        return _nobody(f"{why}, but the user is suspended")
    return _verdict(user, proof.trust, method=proof.value, why=why)


def _verdict(user: User, trust: Trust, *, method: str, why: str) -> SenderVerdict:
    return SenderVerdict(
        user.id, trust, method=method, why=why, is_administrator=user.is_administrator, language=user.language
    )


def _nobody(why: str) -> SenderVerdict:
    return SenderVerdict(user_id=None, trust=Trust.NONE, method="none", why=why)
