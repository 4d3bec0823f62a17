"""DKIM: the key that signs outgoing mail, and whether the world can find its public half."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import SecretStr

from core.ports import Dns, MailBody, RecordType

if TYPE_CHECKING:
    from core.mail.signing import DkimKey


@dataclass(frozen=True, slots=True)
class DkimSettings:
    """How outgoing mail is signed. Leave it empty if your relay signs; two signatures do no harm."""

    private_key: SecretStr = field(default_factory=lambda: SecretStr(""))
    """RSA (2,048 bits or more) or Ed25519 in PEM. `inkpost check` tells the DNS record that belongs to it."""
    selector: str = "inkpost"
    """The record stands at <selector>._domainkey.<domain>."""
    domain: str = ""
    """The domain that signs: that of `service`, or one above it; `service.domain` where empty."""

    def __post_init__(self) -> None:
        open_key(self, service_domain="localhost")


def open_key(settings: DkimSettings, *, service_domain: str) -> DkimKey | None:
    """None where none is configured. Raises `ValueError` for what is no key."""
    pem = settings.private_key.get_secret_value()
    if not pem:
        return None
    from core.mail.signing import DkimKey  # and 7 MB of cryptography, for those who have a key

    return DkimKey.from_pem(pem.encode(), domain=settings.domain or service_domain, selector=settings.selector)


def make_sign(key: DkimKey, *, clock: Callable[[], float] = time.time) -> Callable[[MailBody], MailBody]:
    """A function that signs mails. It reads the whole mail once, in pieces: for a thread."""
    from core.mail.signing import sign_body

    return lambda body: sign_body(body, key, signed_at=int(clock()))


async def record_problem(dns: Dns, key: DkimKey) -> str | None:
    """What is wrong with the key's record, or None. Raises `Unavailable`."""
    records = (await dns.ask(key.name, RecordType.TXT)).records
    wanted = key.record.partition("p=")[2]
    if any("".join(record.split()).partition("p=")[2].partition(";")[0] == wanted for record in records):
        return None
    return f"{key.name} has no such key; publish there, as TXT: {key.record}"
