"""A mail as every intake has it, and what is known once it is on disk."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from core.values import Envelope, Peer


@dataclass(frozen=True, slots=True)
class ReceivedMail:
    """A mail as an intake has it: what the peer sent, byte for byte, and what is known of how it came."""

    intake: str
    """`smtp`, `lmtp`, `imap`, `cli`."""
    peer: Peer
    envelope: Envelope
    content: bytes | Path
    """The octets, or a spool file, which belongs to the acceptor from the call on: it deletes it."""
    size_bytes: int
    content_hash: str
    """Lower-case hex, 64 digits: the same octets have the same, others another."""
    mail_key: str
    """The same for a mail that comes again, by whatever way: `MailDigest.mail_key`."""

    @property
    def dedupe_key(self) -> str:
        """Lower-case hex, the same when the mail is brought again as it was before; then it is not taken again.

        All that its belief may rest on is in it: the way, the client, the login, for whom. A copy that somebody else
        brings first, and that nobody believes, must not keep the real one out. What two copies that are both believed
        may do together is settled when they are processed: `Inbox.take_of`.
        """
        rcpt_tos = sorted({rcpt_to.lower() for rcpt_to in self.envelope.rcpt_tos})
        way = (self.mail_key, self.intake, self.peer.ip or "", self.peer.auth_user or "", *rcpt_tos)
        if self.peer.mailbox:
            way = (*way, self.peer.mailbox)
        return hashlib.sha256("\n".join(way).encode("utf-8", "surrogateescape")).hexdigest()


@dataclass(frozen=True, slots=True)
class Receipt:
    """A mail is on disk, and its job with it. `reference` is the first one where the mail had come before."""

    reference: str
    is_duplicate: bool
