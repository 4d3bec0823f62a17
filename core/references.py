"""References: the short names of mails that people read out and type back in."""

from __future__ import annotations

import re
import secrets

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O, U to misread
LENGTH = 10  # 50 bits: a million mails a day meet by chance once in three years, and the column is unique
_LOOKALIKES = str.maketrans({"I": "1", "L": "1", "O": "0", "U": "V"})


def new_reference() -> str:
    """A random reference such as `K7Q29-FDM3X`."""
    # One call to the system for all letters: 32 divides 256, so each is as likely as another.
    letters = "".join(ALPHABET[octet % len(ALPHABET)] for octet in secrets.token_bytes(LENGTH))
    return f"{letters[:5]}-{letters[5:]}"


def parse_reference(text: str) -> str | None:
    """The reference that a person meant, however they wrote it, or None if it is none."""
    letters = re.sub(r"[^0-9A-Za-z]", "", text).upper().translate(_LOOKALIKES)
    if len(letters) != LENGTH or any(letter not in ALPHABET for letter in letters):
        return None
    return f"{letters[:5]}-{letters[5:]}"
