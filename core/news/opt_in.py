"""Mails that ask a new subscriber to confirm: the link or the code that somebody waits for, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

LONGEST_REQUEST: Final = 400  # words; a longer mail is an issue that speaks of confirming
LONGEST_LINK: Final = 2_000
_ASKS: Final = re.compile(
    r"""(?xi) \b(?: confirm | verif | activat | validat | opt[\s-]?in\b | double[\s-]opt | best[äa]e?tig | aktivier
      | freischalt | confirma | activa(?:r|ci) | valider | conferm | attiva | bevestig | bekr[äa]ft
      | potwierd | подтверд
      | complete\ your\ (?:subscription|registration|sign) | finish\ (?:subscribing|signing) )
      | (?:one[\s-]time|sign[\s-]?in|login|security)\ code | 確認 | 确认 | 確認碼 | 验证 | 驗證 | 認証"""
)
_ASKING_LINK: Final = re.compile(
    r"(?i)confirm|verif|activat|validat|opt-?in|bestaetig|best%C3%A4tig|aktivier|subscribe/|/signup/|magic|token="
)
_NOT_ASKING: Final = re.compile(r"(?i)unsubscri|opt-?out|abmeld|abbestell|cancel|privacy|preferences|report")
_CODE: Final = re.compile(
    r"(?i)(?:code|código|codigo|codice|kod|pin|passcode|コード|验证码|驗證碼|код)\b[^\n\d]{0,40}?\s*[:：]?\s*"
    r"(?P<code>\d{4,8}|\d{3}[ -]\d{3})(?!\d)"
)
_CODE_ALONE: Final = re.compile(r"^\s*(\d{4,8}|\d{3}[ -]\d{3})\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class OptIn:
    """What its reader has to open or type in; one of the two may be ""."""

    link: str
    """Byte for byte as the mail has it: opening it confirms, so it is shown and never fetched."""
    code: str


def read_opt_in(subject: str, text: str, links: Sequence[tuple[str, str]]) -> OptIn | None:
    """The request in a mail; None for an issue. `links` are labels and addresses, in order. Pure."""
    if len(text.split()) > LONGEST_REQUEST or not _ASKS.search(f"{subject}\n{text}"):
        return None
    asking = [
        (label, url)
        for label, url in links
        if url.lower().startswith(("https://", "http://"))
        and len(url) <= LONGEST_LINK
        and not _NOT_ASKING.search(label)
    ]
    labelled = next((url for label, url in asking if _ASKS.search(label)), "")
    named = next((url for _, url in asking if _ASKING_LINK.search(url) and not _NOT_ASKING.search(url)), "")
    found = _CODE.search(f"{subject}\n{text}")
    alone = _CODE_ALONE.search(text)
    code = found["code"] if found is not None else alone[1] if alone is not None else ""
    link = labelled or named or (asking[0][1] if asking and _ASKS.search(subject) and not code else "")
    return OptIn(link=link, code=code) if link or code else None
