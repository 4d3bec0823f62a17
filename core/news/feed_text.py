"""The small things in a feed, made safe and bounded: a line of text, an address, a time, a language."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from time import struct_time
from urllib.parse import quote, urljoin

# All bounds are ours: far above anything that a reader would look at, far below what would hurt a row or a page.
MOST_TITLE = 400
MOST_NAME = 120
MOST_GUID = 4_000
MOST_URL = 4_000
MOST_CONTENT = 2_000_000
MOST_NAMES = 20
MOST_TAGS = 30

_MARKUP = re.compile(
    r"<!--.*?(?:-->|\Z)|<(script|style)\b.*?(?:</\1\s*>|\Z)|"
    r"</?[a-z](?:\"[^\"]*\"|'[^']*'|[^>])*+(?:>|\Z)",
    re.IGNORECASE | re.DOTALL,
)
# What XML 1.0 2.2 forbids: PostgreSQL takes no NUL, UTF-8 no surrogate, and an EPUB none of them.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[a-z0-9]{1,8}){0,4}", re.IGNORECASE)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def one_line(value: object, *, most: int = MOST_TITLE) -> str:
    """Plain text as one line without what no text holds; "" for what is no text."""
    if not isinstance(value, str):
        return ""
    line = " ".join(_FORBIDDEN.sub("", value[: most * 8]).split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def line_of_html(value: object, *, most: int = MOST_TITLE) -> str:
    """The text of a line that is HTML: tags gone, entities resolved."""
    if not isinstance(value, str):
        return ""
    if "<" in value or "&" in value:
        value = html.unescape(_MARKUP.sub("", value[: most * 8]))
    return one_line(value, most=most)


def cut(value: object) -> str:
    """HTML as it is, bounded: of a document in which an XML parser found nothing that none may hold."""
    return value[:MOST_CONTENT].strip() if isinstance(value, str) else ""


def markup(value: object) -> str:
    """HTML as it is, bounded, without what no document holds."""
    return _FORBIDDEN.sub("", value[:MOST_CONTENT]).strip() if isinstance(value, str) else ""


def markup_of_text(value: object) -> str:
    """Plain text as HTML: a paragraph for each."""
    if not isinstance(value, str) or not value.strip():
        return ""
    parts = (html.escape(part.strip(), quote=False) for part in re.split(r"\n[ \t]*\n", value[:MOST_CONTENT]))
    return markup("".join("<p>" + part.replace("\n", "<br>") + "</p>" for part in parts if part))


def web_address(value: object, *, base: str) -> str:
    """`value` as an absolute http(s) address, "" where it is none."""
    if not isinstance(value, str):
        return ""
    value = _FORBIDDEN.sub("", "".join(value.split("\n"))).strip()
    try:
        address = urljoin(base, value) if value else ""
    except ValueError:  # "Invalid IPv6 URL" and its like: no address
        return ""
    if not address.lower().startswith(("http://", "https://")) or len(address) > MOST_URL:
        return ""
    return quote(address, safe="%/:=&?~#+!$,;'@()*[]|") if " " in address or '"' in address else address


def instant(parsed: object) -> datetime | None:
    """Feedparser's nine numbers (UTC) as a time; None where there is none, or the zero of an unset clock."""
    if not isinstance(parsed, (struct_time, tuple)):
        return None
    year, month, day, hour, minute, second = parsed[:6]
    try:
        return _aware(datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC))  # RFC 3339 5.7: :60
    except (ValueError, OverflowError):
        return None


def instant_of_iso(value: object) -> datetime | None:
    """RFC 3339 as JSON Feed has it; without a zone it is taken for UTC."""
    if not isinstance(value, str):
        return None
    try:
        return _aware(datetime.fromisoformat(value.strip()))
    except (ValueError, OverflowError):
        return None


def instant_of_mail(value: object) -> datetime | None:
    """RFC 5322 as the standard library reads it: without a zone too, where feedparser 6.0.14 gives up."""
    try:
        return _aware(parsedate_to_datetime(value)) if isinstance(value, str) else None
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _aware(found: datetime) -> datetime | None:
    """In UTC, which is also what no zone is taken for; None for the zero of an unset clock."""
    found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    return found if found > _EPOCH else None


def language_tag(value: object) -> str | None:
    """A BCP 47 tag, or None for what is no tag."""
    tag = value.strip().replace("_", "-") if isinstance(value, str) else ""
    return tag if _LANGUAGE.fullmatch(tag) else None


def identity(value: object) -> str:
    """A guid as the feed has it: never shortened, since two would become one; too long a one is none."""
    guid = one_line(value, most=MOST_GUID + 1)
    return guid if len(guid) <= MOST_GUID else ""


def each_once(lines: Iterable[str], *, most: int) -> tuple[str, ...]:
    """Without "" and repetitions, in order, at most `most`."""
    return tuple(dict.fromkeys(line for line in lines if line))[:most]
