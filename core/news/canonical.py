"""The key under which two addresses, or two titles, are the same article's.

A key is compared and indexed, never fetched: it may well lead nowhere. RFC 3986 section 6 says which spellings of an
address are equal; the rest (mobile hosts, AMP) is how publishers have always done it.
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote, unquote, urlsplit

_TWIN_LABELS = frozenset({"www", "m", "mobile", "amp"})
"""Labels of hosts that show the same articles in another dress; never the last two of a host (`m.com`)."""
_AMP_VIEWER = re.compile(r"^(?:[^/]*\.)?(?:google|bing)\.[^/]+/amp/(?:s/)?(?P<page>[^/?#]+\.[^/?#]+.*)$")
_AMP_CACHE = re.compile(
    r"^[^/]+\.(?:ampproject\.(?:org|net)|bing-amp\.com)/[a-z]+/(?:s/)?(?P<page>[^/?#]+\.[^/?#]+.*)$"
)
"""developers.google.com/amp/cache/overview: `<host with dashes>.cdn.ampproject.org/c/s/<host>/<path>`."""
_AMP_ENDING = re.compile(r"(?:/amp|\.amp)(?=(?:\.html?)?$)", re.IGNORECASE)
_AMP_PARAMETER = re.compile(r"(?:amp|amp_.*|outputtype=amp|usqp(?:=.*)?)", re.IGNORECASE)
_DEFAULT_PAGE = re.compile(r"/(?:index|default)\.(?:s?html?|php|aspx?|jsp)$", re.IGNORECASE)
_PATH_SAFE = "/:@!$&'()*+,;=~-._"
_QUERY_SAFE = "/:@!$'()*,;?~-._"
_TITLE_SEPARATOR = re.compile(r"\s+[|\-–—·•:»«/]+\s+|:\s+")


def canonical_url(url: str) -> str:
    """The one spelling of an article's address; idempotent. What is no http(s) address comes back as it is."""
    key = url.strip()
    for _ in range(len(key)):  # Each round peels one wrapper (an AMP viewer around an AMP cache around a page).
        if (simpler := _simplify(key)) == key:
            break
        key = simpler
    return key


def _simplify(url: str) -> str:
    from core.news.trackers import clean_url  # Here, so that titles and fingerprints need no table of trackers.

    try:
        parts = urlsplit(clean_url(url))
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:  # A port that is no number, half an IPv6 address: as good a key as any.
        return url
    if parts.scheme not in ("http", "https") or not host:
        return url
    host = f"[{host}]" if ":" in host else _plain_host(host)
    for wrapper in (_AMP_VIEWER, _AMP_CACHE):
        if wrapped := wrapper.match(host + parts.path):
            return "https://" + wrapped["page"] + (f"?{parts.query}" if parts.query else "")
    path = _plain_path(parts.path)
    where = host if port in (None, 80, 443) else f"{host}:{port}"
    query = _plain_query(parts.query)
    # Only an application that lives in its fragment (#!/story/1) shows another article for another fragment.
    fragment = f"#{quote(unquote(parts.fragment), safe=_QUERY_SAFE)}" if parts.fragment.startswith("!") else ""
    return f"https://{where}{path}{'?' + query if query else ''}{fragment}"


def _plain_host(host: str) -> str:
    """A-labels without those that mark another dress of the same site (`en.m.wikipedia.org` is `en.wikipedia.org`)."""
    labels = unicodedata.normalize("NFKC", host).lower().split(".")
    kept = [label for at, label in enumerate(labels) if label not in _TWIN_LABELS or at >= len(labels) - 2]
    return ".".join(label if label.isascii() else "xn--" + label.encode("punycode").decode("ascii") for label in kept)


def _plain_path(path: str) -> str:
    """Percent-encoding as RFC 3986 6.2.2 has it, no dot segments, no AMP, no default page, no slash at the end."""
    segments: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del segments[-1:]
        elif segment not in ("", "."):
            segments.append(_requote(segment, safe=_PATH_SAFE))
    if len(segments) > 1 and segments[0].lower() == "amp":
        del segments[0]
    plain = "/" + "/".join(segments)
    return _AMP_ENDING.sub("", _DEFAULT_PAGE.sub("", plain)).rstrip("/")


def _plain_query(query: str) -> str:
    """The parameters that may choose the article, sorted: their order does not."""
    kept = []
    for parameter in query.split("&"):
        name, _, value = parameter.partition("=")
        plain = f"{name}={value}" if value else name
        is_amp = _AMP_PARAMETER.fullmatch(plain) or _AMP_PARAMETER.fullmatch(name)
        if name and not is_amp:
            kept.append("=".join(_requote(half.replace("+", " "), safe=_QUERY_SAFE) for half in plain.split("=", 1)))
    return "&".join(sorted(kept))


def _requote(text: str, *, safe: str) -> str:
    """One spelling of each octet. An encoded delimiter (%2F, %26) stays encoded: RFC 3986 2.2."""
    pieces = re.split(r"(%[0-9A-Fa-f]{2})", text)
    return "".join(_unreserved(piece) if at % 2 else quote(piece, safe=safe) for at, piece in enumerate(pieces))


def _unreserved(escape: str) -> str:
    letter = chr(int(escape[1:], 16))
    return letter if letter.isascii() and (letter.isalnum() or letter in "-._~") else escape.upper()


def fold(text: str) -> str:
    """Without case, accents, ligatures and widths: what two spellings of one text have in common."""
    folded = unicodedata.normalize("NFKD", text.casefold())
    if folded.isascii():
        return folded
    return folded.translate({ord(letter): None for letter in set(folded) if unicodedata.combining(letter)})


def title_key(title: str, *, feed_title: str = "") -> str:
    """The words of a title, folded, divided by single blanks; "" for one without letters, which equals nothing.

    The name of the site at its end (" | The Site") is cut off where `feed_title` says what it is: guessed, it would
    take half of "Dune - Part Two".
    """
    key = _words(title)
    cuts = list(_TITLE_SEPARATOR.finditer(title))
    names = {_words(feed_title), *(_words(name) for name in _TITLE_SEPARATOR.split(feed_title))} - {""}
    for cut in cuts:
        if _words(title[: cut.start()]) and _words(title[cut.end() :]) in names:
            return _words(title[: cut.start()])
    return key


def _words(text: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", re.sub(r"['’]", "", fold(text))))
