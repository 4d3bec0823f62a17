"""Subscription lists: reads OPML 1.0 to 2.0 (opml.org/spec2.opml) in the dialects of feed readers, writes 2.0."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import urlsplit

from core.errors import InkpostError
from core.news.feed_text import MOST_NAME, MOST_URL, one_line

MOST_BYTES = 5 << 20
MOST_FEEDS = 2_000
_ENCODING = re.compile(rb"\A\s*<\?xml[^>]*?encoding\s*=\s*[\"']([\w.:-]+)", re.IGNORECASE)
# What may stand before the root: white space, a declaration, comments, a document type.
_ROOT = re.compile(
    rb"(?:\s++|<\?.{0,2000}?\?>|<!--.{0,2000}?-->|<!doctype[^>]{0,500}>)*+<opml[\s>]", re.IGNORECASE | re.DOTALL
)


class NotOpml(InkpostError):
    """A file is no subscription list; `text` says in a sentence for a reader what is wrong with it."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


@dataclass(frozen=True, slots=True, kw_only=True)
class OpmlFeed:
    """A feed of a list."""

    url: str
    """http(s)."""
    title: str = ""
    section: str = ""
    """The folder that it lies in, the innermost; "" at the top."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedOutline:
    """What stands in a list and cannot be subscribed to."""

    name: str
    """Its title, or its address."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Opml:
    """A list, read."""

    title: str = ""
    feeds: tuple[OpmlFeed, ...] = ()
    """In the list's order, each address once."""
    skipped: tuple[SkippedOutline, ...] = ()


def is_opml(sample: bytes) -> bool:
    """Whether a file that begins so is a list, by its root element."""
    return _ROOT.match(sample.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe")) is not None


def read_opml(body: bytes) -> Opml:
    """The list in `body`. Raises `NotOpml`, and nothing else, whatever the bytes are."""
    import listparser

    if len(body) > MOST_BYTES:
        raise NotOpml(f"This list is larger than {MOST_BYTES >> 20} MB: split it.")
    if b"opml" not in body[:4096].lower().replace(b"\0", b""):
        raise NotOpml("This is not a list of feeds (OPML).")
    try:
        # listparser reads XML with an HTML parser, which knows of no XML declaration: plain ASCII cannot be misread.
        found = listparser.parse(_decoded(body).encode("ascii", "xmlcharrefreplace"))
    except Exception as error:  # a parser's own bugs on the bytes of strangers: no list that anybody can read
        raise NotOpml("This list of feeds (OPML) is damaged.") from error
    if not str(found["version"]).startswith("opml"):
        raise NotOpml("This is not a list of feeds (OPML).")
    feeds: list[OpmlFeed] = []
    skipped: list[SkippedOutline] = []
    for outline in found["feeds"]:
        feed = _feed(outline)
        if reason := _why_not(feed.url, taken=len(feeds)):
            skipped.append(SkippedOutline(name=feed.title or feed.url, reason=reason))
        else:
            feeds.append(feed)
    for kind, reason in (("lists", "it is a list of its own"), ("opportunities", "it has a page, and no feed")):
        skipped += [
            SkippedOutline(name=_feed(outline).title or _feed(outline).url, reason=reason) for outline in found[kind]
        ]
    return Opml(title=one_line(found["meta"].get("title")), feeds=tuple(feeds), skipped=tuple(skipped[:MOST_FEEDS]))


def _decoded(body: bytes) -> str:
    if body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return body.decode("utf-16", "replace")
    declared = _ENCODING.match(body[:200])
    for encoding in ("utf-8-sig", declared[1].decode("ascii") if declared else "cp1252"):
        try:
            return body.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
    return body.decode("cp1252", "replace")


def _feed(outline: dict[str, object]) -> OpmlFeed:
    url = re.sub(r"\Afeed:(?://)?(?=https?:)", "", one_line(outline.get("url"), most=MOST_URL + 1))
    url = re.sub(r"\Afeed://", "http://", url)
    folders = outline.get("categories")
    innermost = folders[0][-1] if isinstance(folders, list) and folders and folders[0] else ""
    return OpmlFeed(url=url, title=one_line(outline.get("title")), section=one_line(innermost, most=MOST_NAME))


def _why_not(url: str, *, taken: int) -> str | None:
    try:
        parts = urlsplit(url)
        is_web = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        is_web = False
    if not is_web or len(url) > MOST_URL:
        return "its address is not one of the web"
    return f"only the first {MOST_FEEDS} feeds were taken" if taken >= MOST_FEEDS else None


def write_opml(feeds: Iterable[OpmlFeed], *, title: str, made_at: datetime) -> bytes:
    """A list that `read_opml` reads back the same: the feeds of a section in a folder of its name, in their order."""
    from lxml import etree

    root = etree.Element("opml", version="2.0")
    head, body = etree.SubElement(root, "head"), etree.SubElement(root, "body")
    etree.SubElement(head, "title").text = one_line(title)
    etree.SubElement(head, "dateCreated").text = format_datetime(made_at.astimezone(UTC), usegmt=True)
    folders = {"": body}
    for feed in feeds:
        section = one_line(feed.section, most=MOST_NAME)
        if section not in folders:
            folders[section] = etree.SubElement(body, "outline", text=section, title=section)
        name = one_line(feed.title) or feed.url
        etree.SubElement(folders[section], "outline", type="rss", text=name, title=name, xmlUrl=feed.url)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
