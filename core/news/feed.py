"""Reads a feed: RSS 0.90 to 2.0, RDF, Atom 0.3 and 1.0, CDF (all by feedparser), JSON Feed 1.0 and 1.1.

Slow on hostile input: run it where it can be killed.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from xml.sax import SAXParseException

from core.errors import InkpostError
from core.i18n import N_
from core.news import feed_text as text
from core.news.feed_json import read_json_feed
from core.news.feed_plain import read_plain
from core.news.values import Entry, ParsedFeed

MOST_ENTRIES = 500
_ROOT = re.compile(rb"(?>\xef\xbb\xbf|\s|<!--.*?-->|<[?!][^<>]*>)*+<(?:\w+:)?(\w+)", re.DOTALL)
_ROOTS = {b"rss": "rss", b"rdf": "rss", b"feed": "atom", b"channel": "cdf"}  # where feedparser knows no version
_ENCODING = re.compile(rb"\s*<\?xml[^>]*?\bencoding\s*=\s*[\"']([^\"']*)", re.IGNORECASE)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
_CHARSETS = {
    b"ms-ansi": b"windows-1252",
    b"ms-arab": b"windows-1256",
    b"ms-cyrl": b"windows-1251",
    b"ms-ee": b"windows-1250",
    b"ms-greek": b"windows-1253",
    b"ms-hebr": b"windows-1255",
    b"ms-turk": b"windows-1254",
    b"winbaltrim": b"windows-1257",
    b"mac": b"macintosh",
    b"csmacintosh": b"macintosh",
}
"""Names that glibc's iconv has for charsets of Python's: feedparser would have them guessed."""
_REFERENCE = re.compile(rb"&#(?:[xX]([0-9a-fA-F]+)|([0-9]+));?")
_PERIODS = {"hourly": 3600, "daily": 86_400, "weekly": 604_800, "monthly": 2_592_000, "yearly": 31_536_000}
_LONGEST_TTL = 31_536_000  # a year: longer is a mistake
_HTML_TYPES = ("text/html", "application/xhtml+xml")
_XML_TYPES = ("application/xml", "text/xml", "application/octet-stream")  # the last: text in base64, decoded
_FIRST_BYTES = (
    (b"\x89PNG", N_("This is a picture, not a feed.")),
    (b"\xff\xd8\xff", N_("This is a picture, not a feed.")),
    (b"GIF8", N_("This is a picture, not a feed.")),
    (b"%PDF", N_("This is a PDF, not a feed.")),
    (b"PK\x03\x04", N_("This is an archive, not a feed.")),
    (b"\x1f\x8b", N_("This is a compressed file, not a feed.")),
)


class NotAFeed(InkpostError):
    """What stands at an address is no feed; `text` says in a sentence, marked for `_`, what it is instead."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def parse_feed(body: bytes, *, url: str, headers: Mapping[str, str], most_entries: int = MOST_ENTRIES) -> ParsedFeed:
    """The feed in `body`, fetched from `url` with these response headers (names in lower case).

    Raises `NotAFeed`, and nothing else, whatever the bytes are.
    """
    start = body[:1024].lstrip(b"\xef\xbb\xbf \t\r\n")
    if not start:
        raise NotAFeed(N_("There is nothing at this address: the page is empty."))
    for signature, told in _FIRST_BYTES:
        if start.startswith(signature):
            raise NotAFeed(told)
    try:
        if start.startswith(b"{"):
            found = read_json_feed(body, url=url, most_entries=most_entries)
        else:
            base = text.web_address(headers.get("content-location"), base=url) or url
            found = _read_xml(body, base=base, headers=headers, most_entries=most_entries)
    except Exception as error:  # the parsers' own bugs on the bytes of strangers: no feed that anybody can read
        raise NotAFeed(N_("This is not a feed that can be read: it is damaged.")) from error
    if found is None:
        raise NotAFeed(_what_it_is(start, body))
    return found


def _what_it_is(start: bytes, body: bytes) -> str:
    if b"<html" in body[:4096].lower() or b"<!doctype html" in start.lower():
        return N_("This is a web page, not a feed.")
    if b"<opml" in start.lower():
        return N_("This is a list of feeds (OPML), not a feed: mail it as an attachment to subscribe to all in it.")
    return N_("This is not a feed.")


def _read_xml(body: bytes, *, base: str, headers: Mapping[str, str], most_entries: int) -> ParsedFeed | None:
    declared = _CHARSET.search(headers.get("content-type", ""))
    charset = declared[1] if declared else ""
    body = _with_known_charset(body)
    body = body if charset else _with_few_bad_bytes_replaced(body)
    document = read_plain(body, charset=charset, most_entries=most_entries) or by_feedparser(body, charset=charset)
    if not document["version"]:
        root = _ROOT.match(body[:4096])
        if root is None or root[1].lower() not in _ROOTS:
            return None
        document["version"] = _ROOTS[root[1].lower()]
    return as_feed(document, base=base, language=headers.get("content-language", ""), most_entries=most_entries)


def by_feedparser(body: bytes, *, charset: str) -> dict[str, Any]:
    """What feedparser makes of it. `charset` is what the server said, or "": then what the XML says, or UTF-8.

    The media type is always XML's own (RFC 7303 3): by the RFC 3023 that feedparser keeps, `text/xml` would be ASCII
    and all else a fault. No address is handed in: feedparser would resolve guids too ("1" is a permalink by default),
    and all would be new when a feed moves. Its sanitiser and resolver take 85 % of its time, and ours come after.
    """
    import feedparser

    content_type = f"application/xml; charset={charset}" if charset else "application/xml"
    settings: dict[str, Any] = {
        "response_headers": {"content-type": content_type},
        "resolve_relative_uris": False,
        "sanitize_html": False,
    }
    try:
        return feedparser.parse(io.BytesIO(body), **settings)
    except (ValueError, OverflowError):
        # feedparser 6.0.14 raises on references to no character (&#xD800;) in damaged XML. Gone when it does not.
        return feedparser.parse(io.BytesIO(_REFERENCE.sub(_no_impossible_character, body)), **settings)


def _with_known_charset(body: bytes) -> bytes:
    """The charset that the XML names by a name that Python knows."""
    declared = _ENCODING.match(body[:512])
    known = _CHARSETS.get(declared[1].lower()) if declared else None
    return body if declared is None or known is None else body[: declared.start(1)] + known + body[declared.end(1) :]


def _with_few_bad_bytes_replaced(body: bytes) -> bytes:
    """UTF-8 with a letter cut in two here and there: feedparser would have chardet guess, slowly, and take all of it
    for Windows-1252."""
    if body.isascii() or ((declared := _ENCODING.match(body[:512])) and declared[1].lower() != b"utf-8"):
        return body
    decoded = body.decode("utf-8", "replace")
    bad = decoded.count("\ufffd")
    good = len(body) - len(decoded)  # at least one byte more than letters for each that is not ASCII
    return decoded.encode() if 0 < bad < good // 4 else body


def _no_impossible_character(found: re.Match[bytes]) -> bytes:
    digits = found[1] or found[2]
    code = int(digits[:12], 16 if found[1] else 10)
    return b"" if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF else found[0]


def as_feed(document: Mapping[str, Any], *, base: str, language: str, most_entries: int) -> ParsedFeed:
    """A result of feedparser in our values."""
    about, entries = document["feed"], document["entries"]
    authors = _authors(about) if str(document["version"]).startswith("atom") else ()  # RFC 4287 4.2.1: inherited
    return ParsedFeed(
        title=_title(about),
        site_url=_link(about, base=base),
        language=text.language_tag(_value(about, "language")) or text.language_tag(language),
        kind=str(document["version"] or ""),
        ttl_seconds=_ttl_seconds(about),
        entries=tuple(_entry(entry, document, base=base, authors=authors) for entry in entries[:most_entries]),
        defects=tuple(_defects(document, most_entries=most_entries)),
    )


def _value(item: Mapping[str, Any], key: str) -> Any:
    """As it stands in the feed: `get` of feedparser's dictionary gives `published` for a missing `updated`."""
    return dict.get(item, key) if isinstance(item, dict) else None


def _title(item: Mapping[str, Any]) -> str:
    detail = _value(item, "title_detail") or {}
    value = _value(item, "title")
    return text.line_of_html(value) if detail.get("type") in _HTML_TYPES else text.one_line(value)


def _link(item: Mapping[str, Any], *, base: str) -> str:
    found = text.web_address(_value(item, "link"), base=base)
    links = _value(item, "links") or []
    others = (text.web_address(link.get("href"), base=base) for link in links if link.get("rel") == "alternate")
    return found or next(filter(None, others), "")


def _entry(item: Mapping[str, Any], document: Mapping[str, Any], *, base: str, authors: tuple[str, ...]) -> Entry:
    url = _link(item, base=base)
    details = _details(item, text.markup if document.get("bozo") else text.cut)
    content = max(details, key=lambda detail: len(detail[0]), default=("", {}))
    others = [detail[0] for detail in details if detail[0] != content[0]]
    own_base = content[1].get("base") or ""
    # RFC 4287 leaves Atom to xml:base and the document's address; RSS has no rule, and its authors mean their page.
    usual_base = base if str(document["version"]).startswith("atom") else url or base
    return Entry(
        guid=text.identity(_value(item, "id")),
        url=url,
        title=_title(item),
        authors=_authors(item) or authors,
        published_at=_instant(item, "published") or _instant(item, "created"),
        updated_at=_instant(item, "updated"),
        content=content[0],
        base_url=text.web_address(own_base, base=base) if own_base else usual_base,
        summary=others[0] if others else "",
        language=text.language_tag(content[1].get("language") or _value(item, "language")),
        tags=_tags(item),
    )


def _instant(item: Mapping[str, Any], key: str) -> datetime | None:
    parsed, stated = _value(item, f"{key}_parsed"), _value(item, key)
    return text.instant(parsed) if parsed or not stated else text.instant_of_mail(stated)


def _details(item: Mapping[str, Any], markup: Callable[[object], str]) -> list[tuple[str, Mapping[str, Any]]]:
    """The texts of an entry as HTML, each with what feedparser knows of it: the summary first."""
    summary = _value(item, "summary")
    found = [{**(_value(item, "summary_detail") or {"type": "text/html"}), "value": summary}] if summary else []
    contents = [detail for detail in _value(item, "content") or () if isinstance(detail, Mapping)]
    if any(detail.get("value") == summary for detail in contents):
        found = []  # feedparser's copy of the content, without its type
    texts = ((_as_html(detail, markup), detail) for detail in (*found, *contents))
    return [(value, detail) for value, detail in texts if value]


def _as_html(detail: Mapping[str, Any], markup: Callable[[object], str]) -> str:
    kind = detail.get("type", "text/html")
    if kind in _HTML_TYPES:
        return markup(detail.get("value"))
    if kind == "text/plain":
        return text.markup_of_text(detail.get("value"))
    return markup(detail.get("value")) if kind in _XML_TYPES or kind.endswith("+xml") else ""  # else: a picture


def _authors(item: Mapping[str, Any]) -> tuple[str, ...]:
    found = _value(item, "authors") or []
    names = (text.line_of_html(one.get("name") or one.get("email"), most=text.MOST_NAME) for one in found)
    return text.each_once(names, most=text.MOST_NAMES)


def _tags(item: Mapping[str, Any]) -> tuple[str, ...]:
    found: Iterable[Mapping[str, Any]] = _value(item, "tags") or ()
    names = (text.line_of_html(tag.get("label") or tag.get("term"), most=text.MOST_NAME) for tag in found)
    return text.each_once(names, most=text.MOST_TAGS)


def _ttl_seconds(about: Mapping[str, Any]) -> int | None:
    """RSS 2.0 `ttl` (minutes), else RSS 1.0's syndication module: so many updates in a period."""
    try:
        if ttl := _value(about, "ttl"):
            seconds = int(ttl) * 60
        else:
            period = _PERIODS[str(_value(about, "sy_updateperiod")).strip().lower()]
            seconds = period // max(1, int(_value(about, "sy_updatefrequency") or 1))
    except (KeyError, TypeError, ValueError):
        return None
    return seconds if 0 < seconds <= _LONGEST_TTL else None


def _defects(document: Mapping[str, Any], *, most_entries: int) -> Sequence[str]:
    found = []
    error = document.get("bozo_exception")
    if isinstance(error, SAXParseException):
        found.append(f"its XML is damaged: {text.one_line(error.getMessage(), most=100)}")
    elif error is not None:
        found.append(text.one_line(str(error), most=200))
    if len(document["entries"]) > most_entries:
        found.append(f"only its first {most_entries} entries were read")
    return found
