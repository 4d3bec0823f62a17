"""Keys and signatures for tests: made once, with the DNS records that publish them."""

from __future__ import annotations

import base64
import functools
from dataclasses import dataclass
from typing import Any

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

SIGNED = (b"from", b"to", b"cc", b"subject", b"date", b"message-id")


@dataclass(frozen=True)
class SigningKey:
    """`pem` is what signs, `record` is what stands in DNS."""

    pem: bytes
    record: str

    def sign(self, mail: bytes, *, domain: str, selector: str = "s1", **options: Any) -> bytes:
        """The mail with one more signature on top. `options` are dkimpy's."""
        options = {"include_headers": list(SIGNED), "canonicalize": (b"relaxed", b"relaxed"), **options}
        field = dkim.sign(mail, selector.encode(), domain.encode(), self.pem, **options)
        return field + mail

    def seal(self, mail: bytes, *, domain: str, selector: str = "s1", authserv_id: str) -> bytes:
        """The mail as a forwarder passes it on: with an ARC set over its Authentication-Results."""
        fields = dkim.arc_sign(
            mail, selector.encode(), domain.encode(), self.pem, authserv_id.encode(), include_headers=list(SIGNED)
        )
        return b"".join(fields) + mail


@functools.cache
def make_key(name: str = "", *, bits: int = 1024) -> SigningKey:
    """An RSA key; the same for the same name."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=bits)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return SigningKey(pem, f"v=DKIM1; k=rsa; p={base64.b64encode(public).decode()}")
