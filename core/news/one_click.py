"""What a letter's List-Unsubscribe offers: a command by mail (RFC 2369), and an address on the web (RFC 8058)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.mail.words import clean_line
from core.references import parse_reference
from core.tokens import TokenSigner

_STOP = re.compile(r"digest off .{1,200} in ([0-9A-Z]{5}-[0-9A-Z]{5})")


def stop_command(digest: str, reference: str) -> str:
    """Ends a digest. The reference is the letter's: a token of 50 bits that only who has the letter knows, and it
    names the digest whatever its name is by then."""
    return f"digest off {digest} in {reference}"


def stopped_letter(subject: str) -> str | None:
    """The reference in a subject that is `stop_command` to the letter, with nothing before or behind it; else None.

    No `Re:`: an automatic answer to a mail of ours, or a bounce of it, never has this for its subject.
    """
    found = _STOP.fullmatch(clean_line(subject))
    return parse_reference(found[1]) if found else None


@dataclass(frozen=True, slots=True)
class ClickLinks:
    """Addresses on the web that end a digest: the letter's reference, and our signature of it.

    The reference alone would do by mail, where nobody can try a million of them in an hour.
    """

    base_url: str
    signer: TokenSigner

    def url(self, reference: str) -> str:
        return f"{self.base_url}/unsubscribe/{reference}/{self.signer.make(_facts(reference))}"

    def reference(self, written: str, token: str) -> str | None:
        """The letter's reference, from the two parts of an address; None if we never made it."""
        reference = parse_reference(written)
        return reference if reference is not None and self.signer.is_about(token, _facts(reference)) else None


def _facts(reference: str) -> tuple[str, str]:
    return "unsubscribe", reference
