"""What the gateways of e-readers write back, as values: refusals, requests to confirm, the end of a sender.

Amazon says nothing of a document that it took. A refusal comes to the sending address 16 seconds to 15 minutes later,
with a code (E001, E009, E014, E999; older ones without) in the language of the account. What is not known here is
`UNKNOWN`, and is shown to its reader as it came.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Final
from urllib.parse import parse_qs, urlsplit

from core.mail.message import ParsedMessage
from core.mail.status import clean_reply

CLICK_HOURS: Final = 48  # Amazon help G98WYFZBRHWGZACA: a request is to be confirmed within 48 hours
_LONGEST_TEXT: Final = 20_000


class NoticeKind(enum.StrEnum):
    REJECTED = "rejected"
    """The gateway could not make a book of the file."""
    FORMAT = "unsupported-format"
    NO_ATTACHMENT = "no-attachment"
    TOO_LARGE = "too-large"
    UNAPPROVED = "unapproved-sender"
    """The reader has not approved the address that it came from."""
    VERIFY = "verify"
    """The reader has to confirm that they wanted it."""
    SUSPENDED = "sender-suspended"
    """The gateway takes nothing from us any more."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One notice of a gateway. Who really sent it is for the caller to find out."""

    kind: NoticeKind
    domains: tuple[str, ...]
    """Of the addresses that the gateway serves."""
    code: str = ""
    """`E999`, "" where there is none."""
    files: tuple[str, ...] = ()
    """Names of the documents that it is about, as the gateway writes them."""
    sent_at: datetime | None = None
    """When the gateway had the mail, to the minute; None where it does not say."""
    sender: str = ""
    """The address that is not approved."""
    rcpt_to: str = ""
    """The address that it was sent to, where the gateway says so."""
    link: str = ""
    """Where the reader confirms. Asking for it confirms: it is passed on and never fetched."""
    words: str = ""
    """Its text on one line."""


_KINDLE: Final = ("kindle.com", "free.kindle.com")
_AMAZON: Final = re.compile(
    r"(?:[\w-]+\.)*amazon\.(?:com|de|fr|it|es|nl|pl|se|ca|in|cn|sg|ae|co\.uk|co\.jp|com\.(?:au|br|mx|tr|be))"
)
_POCKETBOOK: Final = re.compile(r"(?:[\w-]+\.)*(?:pbsync\.com|pocketbook\.(?:ch|de|digital)|pocketbook-int\.com)")
FROM_GATEWAY: Final = re.compile(
    rf"[\w.+-]{{1,64}}@(?:{_AMAZON.pattern}|{_POCKETBOOK.pattern})(?![\w.-]*\w)", re.IGNORECASE
)
"""The address of a gateway, in the lines that mail programs put above what they forward."""
_CODE: Final = re.compile(r"\bE ?(\d{3})\b")
_FILE: Final = re.compile(
    r"[*•●]\s+([^*•●]{1,300}?\.(?:epub|mobi|azw3?|prc|pdf|docx?|rtf|txt|html?|zip|jpe?g|png|gif|bmp))(?=[\s*•●]|$)",
    re.IGNORECASE,
)
_ONE_FILE: Final = re.compile(r"unable to deliver the document (.{1,300}?\.\w{2,5}) they sent", re.IGNORECASE)
_ADDRESS: Final = re.compile(r"[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+")
_NO_DOCUMENTS: Final = re.compile(
    r"email (?:you have sent )?to ([\w.+-]{1,64}@pbsync\.com) does not contain (?:attached )?documents", re.IGNORECASE
)
"""The one mail of Send-to-PocketBook that is known word by word (issues 2434 and 3216 of janeczku/calibre-web, 1309 of
crocodilestick/Calibre-Web-Automated); it comes for EPUBs too that are taken the next time. It confirms nothing else."""
_URL: Final = re.compile(r"https://[^\s<>\"')\]]{10,2000}")
_CONFIRM: Final = "/sendtokindle/verification/"
_BY_CODE: Final = {
    "E001": NoticeKind.FORMAT,
    "E009": NoticeKind.NO_ATTACHMENT,
    "E014": NoticeKind.UNAPPROVED,
    "E999": NoticeKind.REJECTED,
}
_BY_WORDS: Final = (
    (NoticeKind.SUSPENDED, r"problem with \S+ ?account and we are unable|usage suspension|sender .{0,60}suspended"),
    (
        NoticeKind.VERIFY,
        r"verify your send to kindle|verify this request|vérifiez votre demande|bestätigen sie ihre .{0,40}kindle"
        r"|verifica (?:tu|la tua|su) (?:solicitud|richiesta)|verifique (?:a )?sua solicitação|确认您的.{0,20}kindle"
        r"|リクエストを確認",
    ),
    (
        NoticeKind.UNAPPROVED,
        r"unapproved sender|not (?:an )?approved|nicht (?:genehmigt|zugelassen|autorisiert)"
        r"|expéditeur non (?:approuv|autoris)|remitente no (?:aprobad|autorizad)|mittente non (?:approvat|autorizzat)"
        r"|remetente não (?:aprovad|autorizad)|未(?:经)?(?:认可|批准|授权)|承認されていない",
    ),
    (
        NoticeKind.NO_ATTACHMENT,
        r"did not include any attachment|no attachment|kein(?:en)? anhang|aucune pièce jointe|sin archivos? adjunt"
        r"|nessun allegato|nenhum anexo|(?:没有|不包含).{0,6}附件|添付ファイルが",
    ),
    (
        NoticeKind.TOO_LARGE,
        r"(?:exceed|larger than|too large).{0,60}\b\d+ ?mb|zu groß|trop volumineux|demasiado grande|troppo grande"
        r"|muito grande|超过.{0,12}mb|サイズが.{0,12}超え",
    ),
    (
        NoticeKind.REJECTED,
        r"could not be (?:delivered|processed)|konnten? .{0,60}nicht (?:zugestellt|gesendet|übermittelt|verarbeitet)"
        r"|n['’](?:a|ont) pas pu être|no se (?:ha |han )?p[ou]d|non è stato possibile|não (?:pôde|puderam|foi possível)"
        r"|无法发送|無法傳送|(?:配信|送信)できませんでした",
    ),
)
_PATTERNS: Final = tuple((kind, re.compile(words, re.IGNORECASE)) for kind, words in _BY_WORDS)

_MONTHS: Final = {name: number for number, name in enumerate(
    ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1
)}  # fmt: skip
_AT: Final = re.compile(r"at (\d{1,2}):(\d\d) ?([AP]M)? on \w{3,9}, (\w{3})\w* (\d{1,2}), (\d{4}) GMT", re.IGNORECASE)
_AT_CHINESE: Final = re.compile(r"(\d{4})年(\d{1,2})月(\d{1,2})日 ?(\d{1,2}):(\d\d)")
_CHINA: Final = timezone(timedelta(hours=8))


def gateway_domain(message: ParsedMessage) -> str | None:
    """The domain of a gateway that a mail says it is from, which is then to be proved; None for other mails."""
    domain = message.author.address.rpartition("@")[2].lower() if message.author is not None else ""
    return domain if _AMAZON.fullmatch(domain) or _POCKETBOOK.fullmatch(domain) else None


def read_notice(message: ParsedMessage) -> Notice | None:
    """What a mail that says it is from a gateway tells of our deliveries; None if it is about something else."""
    return read_words(message.subject, message.text, html=message.html) if gateway_domain(message) else None


def read_words(subject: str, text: str, *, html: str = "") -> Notice | None:
    """The notice in a text, wherever it comes from: a gateway, or a reader who passes it on. Pure."""
    words = " ".join(text[:_LONGEST_TEXT].split())
    whole = f"{subject} {words}"
    if found := _NO_DOCUMENTS.search(whole):
        return Notice(
            kind=NoticeKind.NO_ATTACHMENT, domains=("pbsync.com",), rcpt_to=found[1].lower(), words=clean_reply(words)
        )
    link = _link(f"{text[:_LONGEST_TEXT]}\n{html[: 5 * _LONGEST_TEXT]}")
    if "kindle" not in whole.lower() and not link:
        return None
    code = f"E{found[1]}" if (found := _CODE.search(words)) else ""
    kind = NoticeKind.VERIFY if link else _BY_CODE.get(code) or _kind(whole)
    if kind is NoticeKind.UNKNOWN and not code and not _is_about_documents(whole):
        return None
    sender = _ADDRESS.search(words) if kind in (NoticeKind.UNAPPROVED, NoticeKind.SUSPENDED) else None
    return Notice(
        kind=kind,
        domains=_KINDLE,
        code=code,
        files=tuple(name.strip() for pattern in (_FILE, _ONE_FILE) for name in pattern.findall(words)),
        sent_at=_sent_at(words),
        sender=sender[0].lower() if sender is not None else "",
        link=link,
        words=clean_reply(words),
    )


def _kind(words: str) -> NoticeKind:
    return next((kind for kind, pattern in _PATTERNS if pattern.search(words)), NoticeKind.UNKNOWN)


def _is_about_documents(words: str) -> bool:
    """Whether a mail in a language that we do not know may be about what we sent: it speaks of the service by name."""
    return re.search(r"send[ -]to[ -]kindle|sendtokindle", words, re.IGNORECASE) is not None


def _link(text: str) -> str:
    """The address at Amazon that confirms a request, also where it is wrapped into one that counts the tap."""
    for url in _URL.findall(text.replace("&amp;", "&")):
        for inner in (url, *_wrapped(url)):
            if is_confirm_link(inner):
                return str(inner)
    return ""


def is_confirm_link(url: str) -> bool:
    """Whether an address is the one at Amazon that confirms a request. Nothing but the host stands between its slashes:
    browsers read `https://evil.example\\@www.amazon.com/` as one of evil.example. Pure."""
    try:
        parts = urlsplit(url)
    except ValueError:  # a host that is none
        return False
    is_amazon = parts.scheme == "https" and _AMAZON.fullmatch(parts.netloc.lower()) is not None
    return is_amazon and parts.path.startswith(_CONFIRM)


def _wrapped(url: str) -> Iterator[str]:
    try:
        for values in parse_qs(urlsplit(url).query).values():
            yield from values
    except ValueError:  # too many fields, or a host that is none
        return


def _sent_at(words: str) -> datetime | None:
    try:
        if found := _AT.search(words):
            hour, minute, half, month, day, year = found.groups()
            hours = int(hour) % 12 + 12 * (half.upper() == "PM") if half else int(hour)
            return datetime(int(year), _MONTHS[month.lower()], int(day), hours, int(minute), tzinfo=UTC)
        if found := _AT_CHINESE.search(words):
            year_, month_, day_, hour_, minute_ = map(int, found.groups())
            return datetime(year_, month_, day_, hour_, minute_, tzinfo=_CHINA).astimezone(UTC)
    except (KeyError, ValueError):
        return None
    return None
