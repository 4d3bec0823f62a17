"""Links of newsletters that count who taps: where they really lead, as far as the link itself says so.

Most services keep the target to themselves; some write it into the path (Amazon SES), into a parameter, or into base64
(Substack, Mandrill, Kit). Nothing is ever asked.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote, urlsplit

from core.news.trackers import clean_url

_COUNTERS: Final = re.compile(
    r"""(?xi)(?:^|\.)(?: click s? | clk | track (?:ing|er)? | trk | links? | lnk | email s? | mail (?:ing|er)? | e | t
      | r | go | ct | cl | url\d* | elink | news (?:letter)? | info | awstrack | list-manage | mandrillapp )(?:\.|$)"""
)
_COUNTING_PATHS: Final = re.compile(
    r"(?i)/(?:click|clicks|track|tracking|redirect|redir|r|c|l0|cl0|ls|lt|ss|out|goto|link|links|e)(?:/|$|\.)"
)
_TARGET: Final = re.compile(r"https?://[^\s\"'<>\\]{4,2000}")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_=-]{16,4000}")
_LONGEST: Final = 4_000
_NESTED: Final = 2  # JSON within JSON, as Mandrill writes it


def without_click_counters(url: str) -> str:
    """Where a link leads that a newsletter's sender counts taps with; the link as it was where it does not say."""
    if len(url) > _LONGEST or not url.lower().startswith(("http://", "https://")):
        return url
    for _ in range(3):  # the list's counter around the publisher's
        if (inner := _target(url)) is None:
            break
        url = inner
    return clean_url(url)


def _target(url: str) -> str | None:
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    is_counter = bool(_COUNTERS.search(parts.hostname or "") or _COUNTING_PATHS.search(parts.path))
    for piece in _pieces(parts.path, parts.query):
        plain = unquote(piece)
        if is_counter and (found := _TARGET.match(plain)):
            return _ended(found[0], url)
        if is_counter and (found := _TARGET.search(_decoded(plain))):
            return _ended(found[0], url)
    return None


def _pieces(path: str, query: str) -> Iterator[str]:
    """The values of a query, and the segments of a path."""
    for part in re.split(r"[&;]", query):
        yield part.partition("=")[2] or part
    yield from path.split("/")


def _ended(target: str, url: str) -> str | None:
    return target if target != url and (urlsplit(target).hostname or "").count(".") else None


def _decoded(text: str) -> str:
    """What base64 in a link says, "" where it is none; JSON within it is taken out of its quotes."""
    for word in text.split("."):  # the claims of a token, which Substack makes its links of
        if _BASE64.fullmatch(word) is None:
            continue
        padded = word.rstrip("=").replace("-", "+").replace("_", "/")
        try:
            said = base64.b64decode(padded + "=" * (-len(padded) % 4), validate=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError):
            continue
        for _ in range(_NESTED):
            said = said.replace("\\/", "/").replace('\\"', '"').replace("\\\\", "\\")
        if "http" in said:
            return said
    return ""
