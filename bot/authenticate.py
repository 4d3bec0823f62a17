"""The first `Authenticator`: SMTP AUTH, listed networks and secret subaddresses. SPF, DKIM and DMARC join it later."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from sqlalchemy.orm import Session

from core.mail.authenticity import OurAddresses, is_listed
from core.mail.message import ParsedMessage
from core.models import User
from core.models.user import UserState
from core.values import Envelope, Peer, SenderVerdict, Trust

Read = Callable[[Callable[[Session], SenderVerdict]], Awaitable[SenderVerdict]]


@dataclass(frozen=True, slots=True)
class TrustSettings:
    """Whose word is taken for who wrote a mail."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """Networks whose mails are believed to be from the registered address in their From field. Only list machines that
    check their own senders; a registered address alone is believed from nowhere else."""


@dataclass(frozen=True, slots=True)
class PathAuthenticator:
    """Believes a mail for the way it came: logged in, from a listed network, or to a user's secret subaddress."""

    settings: TrustSettings
    ours: OurAddresses
    read: Read
    """Runs a function with a read-only session in a thread."""

    async def authenticate(self, message: ParsedMessage, envelope: Envelope, peer: Peer) -> SenderVerdict:
        """See `Authenticator`."""
        author = message.author
        if author is None:
            return _nobody(f"no author: {message.author_defect}")
        return await self.read(lambda session: self._judge(session, author.address, envelope, peer))

    def _judge(self, session: Session, author: str, envelope: Envelope, peer: Peer) -> SenderVerdict:
        for secret in self.ours.secrets_in(envelope.rcpt_tos):
            if (user := User.by_secret(session, secret)) is not None:
                return _somebody(user, "subaddress", "sent to the user's secret subaddress")
        if peer.auth_user is not None:
            # An account may speak for itself only, whatever its From field says (espoofer's client_a3).
            if author.lower() != peer.auth_user.lower():
                return _nobody("logged in as somebody else than the From field says")
            return _look_up(session, author, "smtp-auth", "logged in")
        if is_listed(peer.ip, self.settings.networks):
            return _look_up(session, author, "network", "from a listed network")
        return _nobody("neither logged in, nor from a listed network, nor to a secret subaddress")


@dataclass(frozen=True, slots=True)
class NetworkProver:
    """Takes the word of listed networks, which check their own senders."""

    settings: TrustSettings

    async def is_proven(self, message: ParsedMessage, path: Path, envelope: Envelope, peer: Peer) -> bool:
        """See `Prover`."""
        return message.author is not None and is_listed(peer.ip, self.settings.networks)


def _look_up(session: Session, author: str, method: str, why: str) -> SenderVerdict:
    user = User.by_address(session, author)
    return _nobody(f"{why}, but not a registered address") if user is None else _somebody(user, method, why)


def _somebody(user: User, method: str, why: str) -> SenderVerdict:
    if user.state is not UserState.ACTIVE:
        return _nobody(f"{why}, but the user is suspended")
    return SenderVerdict(user_id=user.id, trust=Trust.CHANGE, method=method, why=why)


def _nobody(why: str) -> SenderVerdict:
    return SenderVerdict(user_id=None, trust=Trust.NONE, method="none", why=why)
