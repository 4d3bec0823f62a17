"""From a feed's bytes to what is kept of it: parsed, cleaned and fingerprinted in one go, in a worker process."""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from core.news.canonical import canonical_url, title_key
from core.news.discover import FoundFeed, find_feeds
from core.news.duplicates import Fingerprint, fingerprint
from core.news.extract import extract, is_stub
from core.news.feed import NotAFeed, parse_feed
from core.news.sanitise import sanitise
from core.news.trackers import clean_url
from core.news.values import Entry, Reading

_KIND = re.compile(r"\W*\b(?:rss|atom|json|xml|feed|[\d.]+)\b\W*")
_FIRST_HEADING = re.compile(r"\s*<h([1-6])[^>]*>(.*?)</h\1>\s*", re.DOTALL)
_TAG = re.compile(r"<[^>]*>")
TEXT_BYTES = 400_000  # characters of one entry that are kept: a novel's third; more is no article


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadEntry:
    """An entry that is new, or not as it was."""

    entry_key: str
    """What tells it from others of its feed: see `core.models.Article`."""
    raw_hash: str
    url: str
    url_key: str | None
    title: str
    authors: tuple[str, ...]
    published_at: datetime | None
    reading: Reading
    is_stub: bool
    fingerprint: Fingerprint


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFeed:
    """A feed with those of its entries that were not known."""

    title: str
    site_url: str
    language: str | None
    ttl_seconds: int | None
    published: tuple[datetime, ...]
    """Of all its entries: they say how often to ask."""
    entry_count: int
    entries: tuple[ReadEntry, ...]
    """In the feed's order."""
    defects: tuple[str, ...]


def read_feed(body: bytes, *, url: str, headers: Mapping[str, str], known: frozenset[str]) -> ReadFeed:
    """The feed, its entries but those whose `raw_hash` is known. Raises `NotAFeed`."""
    feed = parse_feed(body, url=url, headers=headers)
    entries: dict[str, ReadEntry] = {}
    for entry in feed.entries:
        key, raw_hash = entry_key(entry), _raw_hash(entry)
        if raw_hash not in known and key not in entries and (entry.title or entry.content or entry.summary):
            entries[key] = _read(entry, key, raw_hash, language=entry.language or feed.language)
    return ReadFeed(
        title=feed.title,
        site_url=feed.site_url,
        language=feed.language,
        ttl_seconds=feed.ttl_seconds,
        published=tuple(entry.published_at for entry in feed.entries if entry.published_at is not None),
        entry_count=len(feed.entries),
        entries=tuple(entries.values()),
        defects=feed.defects,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What stands at an address that somebody subscribed to."""

    title: str
    is_feed: bool
    feeds: tuple[FoundFeed, ...] = ()
    """Those that a page names, its comments' left out where it has others."""


def look(body: bytes, *, url: str, headers: Mapping[str, str]) -> Looked:
    """A feed, a page with feeds, or neither. Never raises for what the bytes are."""
    try:
        return Looked(title=parse_feed(body, url=url, headers=headers, most_entries=1).title, is_feed=True)
    except NotAFeed:
        found = find_feeds(body, url=url, headers=headers)
        articles = tuple(feed for feed in found if not feed.is_of_comments)
        return Looked(title="", is_feed=False, feeds=_one_of_each(articles or found))


def _one_of_each(feeds: tuple[FoundFeed, ...]) -> tuple[FoundFeed, ...]:
    """A site that has the same feed as RSS and as Atom leaves nothing to choose: the first of each name."""
    kinds = [feed.kind for feed in feeds]
    if len(set(kinds)) < len(kinds):
        return feeds
    by_name = {_KIND.sub(" ", feed.title.lower()).strip(): feed for feed in reversed(feeds)}
    return tuple(feed for feed in feeds if feed in by_name.values())


def entry_key(entry: Entry) -> str:
    """Lower-case hex: of the entry's guid, else its address, else its title and text."""
    own = entry.guid or entry.url or f"{entry.title}\n{entry.content or entry.summary}"
    return sha256_hex(own)


def url_key(url: str) -> str | None:
    """Lower-case hex of the canonical address, the same wherever an article is pointed to; None without an address."""
    return sha256_hex(canonical_url(url)) if url else None


def sha256_hex(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _raw_hash(entry: Entry) -> str:
    """Of all that is kept of an entry as it came, so that one that is the same again costs nothing."""
    parts = (entry.guid, entry.url, entry.title, *entry.authors, entry.content, entry.summary)
    return sha256_hex("\0".join(parts))


def _read(entry: Entry, key: str, raw_hash: str, *, language: str | None) -> ReadEntry:
    source = entry.content or entry.summary
    reading = sanitise(source[:TEXT_BYTES], base_url=entry.base_url or entry.url, language=language)
    return ReadEntry(
        entry_key=key,
        raw_hash=raw_hash,
        url=clean_url(entry.url),
        url_key=url_key(entry.url),
        title=entry.title,
        authors=entry.authors,
        published_at=entry.published_at or entry.updated_at,
        reading=reading,
        is_stub=bool(entry.url) and is_stub(reading),
        fingerprint=fingerprint(reading.text, title=entry.title),
    )


def read_page(body: bytes, *, url: str, headers: Mapping[str, str]) -> ReadEntry | None:
    """The article of a web page; None if there is none to read."""
    reading = extract(body, url=url, headers=headers)
    if reading is None:
        return None
    reading = _without_title(reading)
    key = url_key(url)
    assert key is not None  # a page that was fetched has an address
    return ReadEntry(
        entry_key=key,
        raw_hash=sha256_hex(reading.html),
        url=clean_url(url),
        url_key=key,
        title=reading.title or url,
        authors=reading.authors,
        published_at=reading.published_at,
        reading=reading,
        is_stub=False,
        fingerprint=fingerprint(reading.text, title=reading.title),
    )


def _without_title(reading: Reading) -> Reading:
    """Without the headline that a page has above its text: the paper sets its own."""
    first = _FIRST_HEADING.match(reading.html)
    if first is None or title_key(html.unescape(_TAG.sub("", first[2]))) != title_key(reading.title):
        return reading
    heading, _, text = reading.text.partition("\n\n")
    if title_key(heading) != title_key(reading.title):
        return reading
    words = max(0, reading.words - len(heading.split()))
    return replace(reading, html=reading.html[first.end() :], text=text, words=words)
