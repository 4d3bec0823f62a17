"""Tokens that a mail brings back to show that its writer has read one of ours: signed, and looked up by their hash."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

NONCE_BYTES = 10  # 80 bits, as the secret address has: nobody guesses it over SMTP
SIGNATURE_BYTES = 10  # RFC 2104 5: at least half of the hash's security is not needed against guesses by mail
MIN_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class TokenSigner:
    """Makes and checks tokens. What they are about is signed and does not stand in them."""

    key: bytes

    def __post_init__(self) -> None:
        if len(self.key) < MIN_KEY_BYTES:
            raise ValueError(f"a key for tokens has at least {MIN_KEY_BYTES} bytes")

    def make(self, facts: Sequence[str]) -> str:
        """32 letters and digits in lower case; another one each time."""
        nonce = _text(secrets.token_bytes(NONCE_BYTES))
        return nonce + self._signature(nonce, facts)

    def is_about(self, token: str, facts: Sequence[str]) -> bool:
        """Whether we made this token for exactly these facts. Takes the same time whatever is wrong with it."""
        nonce = token[: len(token) // 2]
        return hmac.compare_digest(token.encode(), (nonce + self._signature(nonce, facts)).encode())

    def _signature(self, nonce: str, facts: Sequence[str]) -> str:
        # Length before text, so that what stands where cannot be moved about.
        signed = "".join(f"{len(fact)}:{fact}" for fact in (nonce, *facts))
        return _text(hmac.digest(self.key, signed.encode(), "sha256")[:SIGNATURE_BYTES])


def hash_token(token: str) -> str:
    """How a token stands in a row. It is long and random, so a plain SHA-256 is as good as a slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()


def _text(octets: bytes) -> str:
    return base64.b32encode(octets).decode("ascii").rstrip("=").lower()
