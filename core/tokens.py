"""Tokens that a mail brings back to show that its writer has read one of ours: signed, and looked up by their hash."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from core.references import parse_reference

NONCE_BYTES = 10  # 80 bits, as the secret address has: nobody guesses it over SMTP
SIGNATURE_BYTES = 10  # RFC 2104 5: at least half of the hash's security is not needed against guesses by mail
MIN_KEY_BYTES = 32

_EPOCH = date(1970, 1, 1)
_REPLY = re.compile(r"(?P<reference>[0-9a-z]{10})(?P<day>[0-9a-f]{5})(?P<signature>[a-z2-7]{16})")


@dataclass(frozen=True, slots=True)
class ReplyToken:
    """What stands in the address that one mail of ours is answered at."""

    reference: str
    """Of that mail."""
    last_day: date
    """On which it is good, in UTC."""


@dataclass(frozen=True, slots=True)
class TokenSigner:
    """Makes and checks tokens. What they are about is signed and does not stand in them."""

    key: bytes = field(repr=False)
    older: tuple[bytes, ...] = field(default=(), repr=False)
    """Keys of before: what they have signed is still good, and they sign nothing any more."""

    def __post_init__(self) -> None:
        if any(len(key) < MIN_KEY_BYTES for key in (self.key, *self.older)):
            raise ValueError(f"a key for tokens has at least {MIN_KEY_BYTES} bytes")

    def make(self, facts: Sequence[str]) -> str:
        """32 letters and digits in lower case; another one each time."""
        nonce = _text(secrets.token_bytes(NONCE_BYTES))
        return nonce + _signature(self.key, (nonce, *facts))

    def secrets_of(self, facts: Sequence[str]) -> tuple[str, ...]:
        """16 letters and digits in lower case, the same for the same facts: what only who has the key can make anew.

        The first is made with the key, the others with those of before.
        """
        return tuple(_signature(key, ("", *facts)) for key in (self.key, *self.older))

    def is_about(self, token: str, facts: Sequence[str]) -> bool:
        """Whether we made this token for exactly these facts. Takes the same time whatever is wrong with it."""
        nonce, signature = token[: len(token) // 2], token[len(token) // 2 :]
        return self._has_signed(signature, (nonce, *facts))

    def make_reply(self, *, user_id: int, reference: str, last_day: date) -> str:
        """31 letters and digits in lower case, the same each time: the mail, the day, and a signature that is also
        about the user, who does not stand in it."""
        name, day = reference.replace("-", "").lower(), f"{(last_day - _EPOCH).days:05x}"
        return name + day + _signature(self.key, _reply_facts(user_id, name, day))

    def read_reply(self, token: str, *, user_id: int) -> ReplyToken | None:
        """What a token says that we made for this user; None for all others. It may be good no more."""
        found = _REPLY.fullmatch(token.lower())
        if found is None or not self._has_signed(
            found["signature"], _reply_facts(user_id, found["reference"], found["day"])
        ):
            return None
        reference = parse_reference(found["reference"])
        return ReplyToken(reference, _EPOCH + timedelta(days=int(found["day"], 16))) if reference is not None else None

    def _has_signed(self, signature: str, facts: Sequence[str]) -> bool:
        checked = [
            hmac.compare_digest(signature.encode(), _signature(key, facts).encode()) for key in (self.key, *self.older)
        ]
        return any(checked)


def _reply_facts(user_id: int, reference: str, day: str) -> tuple[str, ...]:
    return "reply", str(user_id), reference, day


def _signature(key: bytes, facts: Sequence[str]) -> str:
    # Length before text, so that what stands where cannot be moved about.
    signed = "".join(f"{len(fact)}:{fact}" for fact in facts)
    return _text(hmac.digest(key, signed.encode(), "sha256")[:SIGNATURE_BYTES])


def hash_token(token: str) -> str:
    """How a token stands in a row. It is long and random, so a plain SHA-256 is as good as a slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()


def _text(octets: bytes) -> str:
    return base64.b32encode(octets).decode("ascii").rstrip("=").lower()
