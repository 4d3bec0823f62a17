"""Finds the feeds of a page: what it links to (RSS Board, "RSS Autodiscovery"; HTML `link rel=alternate`), and where
feeds usually are."""

from __future__ import annotations

import codecs
import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urldefrag, urljoin, urlsplit

from core.news.feed_text import one_line, web_address

if TYPE_CHECKING:
    from lxml.html import HtmlElement

MOST_PAGE_BYTES = 2 << 20
MOST_FOUND = 20
_KINDS = {
    "application/rss+xml": "rss",
    "application/rdf+xml": "rss",
    "application/rss": "rss",
    "text/rss+xml": "rss",
    "text/rss": "rss",
    "application/x-rss+xml": "rss",
    "application/atom+xml": "atom",
    "application/atom": "atom",
    "text/atom+xml": "atom",
    "text/atom": "atom",
    "application/x.atom+xml": "atom",
    "application/x-atom+xml": "atom",
    "application/feed+json": "json",
}
_VAGUE = ("application/xml", "text/xml", "application/json", "")
"""Types that say little: WordPress links to its REST interface as `application/json`. The address must say it then."""
_LOOKS_LIKE_FEED = re.compile(
    r"(?:^|[/._-])(?:feed|feeds|rss2?|atom|rdf|index\.rdf|index\.xml)(?:\.(?:xml|rss|atom|json|php|aspx?))?/?$"
    r"|\.(?:rss|atom|rdf)$|/feeds/posts/default|feeds/videos\.xml",
    re.IGNORECASE,
)
_FEED_QUERY = re.compile(r"(?:^|&)(?:feed|format|type|output)=(?:rss2?|atom|rdf|feed|100)(?:&|$)", re.IGNORECASE)
_OF_COMMENTS = re.compile(r"\bcomments?\b|kommentare?|comentarios|commentaires", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFeed:
    """A feed that a page names."""

    url: str
    """Absolute http(s)."""
    title: str = ""
    kind: str = ""
    """`rss`, `atom`, `json`, or "" where the page does not say."""

    @property
    def is_of_comments(self) -> bool:
        return bool(_OF_COMMENTS.search(self.title) or _OF_COMMENTS.search(urlsplit(self.url).path))


def find_feeds(page: bytes, *, url: str, headers: Mapping[str, str]) -> tuple[FoundFeed, ...]:
    """The feeds that the page at `url` names in its head, or else links to: each once, comments last.

    Never raises for what a page holds; () for what is no HTML. Blocks: up to 0.1 s for the largest page.
    """
    tree = _tree(page[:MOST_PAGE_BYTES], headers.get("content-type", ""))
    if tree is None:
        return ()
    base = url
    for element in tree.iter("base"):
        if href := element.get("href"):
            base = web_address(href, base=url) or url
            break
    found = _each_once(_named(tree, base)) or _each_once(_linked(tree, base))
    return tuple(sorted(found, key=lambda feed: feed.is_of_comments))[:MOST_FOUND]


def _tree(page: bytes, content_type: str) -> HtmlElement | None:
    from lxml import etree, html

    try:
        parser = html.HTMLParser(encoding=_encoding(page, content_type))
    except LookupError:  # a codec of Python that is no charset
        parser = html.HTMLParser()
    try:
        tree: HtmlElement = html.document_fromstring(page, parser=parser)
    except (etree.LxmlError, ValueError, AssertionError):  # an empty document, or bytes that are no text
        return None
    return tree


def _encoding(page: bytes, content_type: str) -> str | None:
    """What the server says; UTF-8 if the bytes are that (a cut letter at the end is none); None: let lxml look."""
    declared = re.search(r"charset\s*=\s*[\"']?([\w.:-]+)", content_type, re.IGNORECASE)
    with contextlib.suppress(LookupError):
        if declared is not None:
            return codecs.lookup(declared[1]).name
    try:
        codecs.getincrementaldecoder("utf-8")().decode(page)
    except UnicodeDecodeError:
        return None
    return "utf-8"


def _named(tree: HtmlElement, base: str) -> Iterator[FoundFeed]:
    for link in tree.iter("link"):
        rel = (link.get("rel") or "").lower().split()
        media_type = (link.get("type") or "").split(";")[0].strip().lower()
        address = web_address(link.get("href"), base=base)
        if not address or "stylesheet" in rel or not ({"alternate", "feed"} & set(rel)):
            continue
        is_feed = media_type in _KINDS or "feed" in rel or (media_type in _VAGUE and _is_feed_like(address))
        if is_feed:
            yield FoundFeed(url=address, title=one_line(link.get("title") or ""), kind=_KINDS.get(media_type, ""))


def _linked(tree: HtmlElement, base: str) -> Iterator[FoundFeed]:
    for anchor in tree.iter("a"):
        address = web_address(anchor.get("href"), base=base)
        if address and _is_feed_like(address):
            yield FoundFeed(url=address, title=one_line(anchor.get("title") or "".join(anchor.itertext())))


def _is_feed_like(address: str) -> bool:
    parts = urlsplit(address)
    return bool(_LOOKS_LIKE_FEED.search(parts.path) or _FEED_QUERY.search(parts.query))


def _each_once(feeds: Iterator[FoundFeed]) -> list[FoundFeed]:
    by_address: dict[str, FoundFeed] = {}
    for feed in feeds:
        by_address.setdefault(urldefrag(feed.url).url, feed)
    return list(by_address.values())


_SITES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    # host, path with query, and the addresses of its feeds ({0} is the whole host, {1}... are groups of the path)
    (r"(?:www\.|m\.)?youtube\.com", r"/channel/([\w-]+)", ("https://www.youtube.com/feeds/videos.xml?channel_id={1}",)),
    (r"(?:www\.|m\.)?youtube\.com", r"/user/(\w+)", ("https://www.youtube.com/feeds/videos.xml?user={1}",)),
    (
        r"(?:www\.|m\.)?youtube\.com",
        r"/(?:playlist|watch)\?(?:.*&)?list=([\w-]+)",
        ("https://www.youtube.com/feeds/videos.xml?playlist_id={1}",),
    ),
    (r"(?:\w+\.)?reddit\.com", r"/((?:r|user|u)/[\w-]+)", ("https://www.reddit.com/{1}/.rss",)),
    (
        r"github\.com",
        r"/([\w.-]+/[\w.-]+)",
        ("https://github.com/{1}/releases.atom", "https://github.com/{1}/tags.atom"),
    ),
    (r"github\.com", r"/([\w-]+)/?$", ("https://github.com/{1}.atom",)),
    (r"gitlab\.com", r"/([\w.-]+/[\w.-]+)", ("https://gitlab.com/{1}/-/tags?format=atom",)),
    (
        r"codeberg\.org",
        r"/([\w.-]+/[\w.-]+)",
        ("https://codeberg.org/{1}/releases.rss", "https://codeberg.org/{1}.rss"),
    ),
    (r"bsky\.app", r"/profile/([\w.:-]+)", ("https://bsky.app/profile/{1}/rss",)),
    (r"medium\.com", r"/(@?[\w.-]+)", ("https://medium.com/feed/{1}",)),
    (r"dev\.to", r"/(\w+)", ("https://dev.to/feed/{1}",)),
    (r"arxiv\.org", r"/list/([\w.-]+)", ("https://rss.arxiv.org/rss/{1}",)),
    (r"stackoverflow\.com", r"/questions/tagged/([\w.+-]+)", ("https://stackoverflow.com/feeds/tag/{1}",)),
    (r"vimeo\.com", r"/(\w+)", ("https://vimeo.com/{1}/videos/rss",)),
    (r"[\w-]+\.(?:blogspot\.[a-z.]+|blogger\.com)", r"", ("https://{0}/feeds/posts/default",)),
    (r"[\w-]+\.(?:substack\.com|medium\.com|ghost\.io|wordpress\.com)", r"", ("https://{0}/feed",)),
    (r"[\w-]+\.(?:tumblr\.com|livejournal\.com)", r"", ("https://{0}/rss", "https://{0}/data/rss")),
    (r"[\w.-]+", r"/(@[\w.]+)/?$", ("https://{0}/{1}.rss",)),  # Mastodon and its kin, on any host
    (r"[\w.-]+", r"/c/([\w.@]+)/?$", ("https://{0}/feeds/c/{1}.xml",)),  # Lemmy
)
_PATHS = (
    "feed",
    "rss.xml",
    "atom.xml",
    "index.xml",
    "feed.xml",
    "rss",
    "feed.json",
    "feed.atom",
    "index.rdf",
    "?feed=rss2",
)


def likely_addresses(url: str) -> tuple[str, ...]:
    """Where the feed of a page that names none may be, the likeliest first: by its site, below it, at the root."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return ()
    host, path = parts.netloc.rpartition("@")[2].lower(), parts.path + (f"?{parts.query}" if parts.query else "")
    known = [
        template.format(host, *found.groups())
        for host_pattern, path_pattern, templates in _SITES
        if re.fullmatch(host_pattern, host) and (found := re.match(path_pattern, path))
        for template in templates
    ]
    folder = parts.path if parts.path.endswith("/") else f"{parts.path}/"
    root = f"{parts.scheme}://{host}"
    usual = [urljoin(f"{root}{place}", name) for place in dict.fromkeys((folder, "/")) for name in _PATHS]
    return tuple(address for address in dict.fromkeys([*known, *usual]) if address != url)
