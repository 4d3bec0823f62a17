"""Feeds found on pages and at known sites."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.news.discover import FoundFeed, find_feeds, likely_addresses

URL = "https://example.org/blog/post"


def found(page: str | bytes, **headers: str) -> list[str]:
    return [feed.url for feed in feeds(page, **headers)]


def feeds(page: str | bytes, **headers: str) -> tuple[FoundFeed, ...]:
    raw = page if isinstance(page, bytes) else page.encode()
    return find_feeds(raw, url=URL, headers={name.replace("_", "-"): value for name, value in headers.items()})


def test_the_feeds_of_the_head_are_found_in_order_with_their_names() -> None:
    page = """<!doctype html><html><head>
      <link rel="alternate" type="application/rss+xml" title="Comments" href="/comments/feed/">
      <link rel=alternate type="application/atom+xml" title="Näws &amp; more" href="atom.xml">
      <LINK REL="Alternate" TYPE="application/rss+xml; charset=utf-8" HREF="//cdn.example/rss">
      <link rel="alternate" type="application/feed+json" href="https://example.org/feed.json">
      <link rel="alternate" type="application/atom+xml" title="again" href="atom.xml#x">
    </head><body><a href="/other.rss">x</a>"""

    assert feeds(page) == (
        FoundFeed(url="https://example.org/blog/atom.xml", title="Näws & more", kind="atom"),
        FoundFeed(url="https://cdn.example/rss", title="", kind="rss"),
        FoundFeed(url="https://example.org/feed.json", title="", kind="json"),
        FoundFeed(url="https://example.org/comments/feed/", title="Comments", kind="rss"),
    )


def test_base_of_the_page_counts() -> None:
    page = '<head><base href="/en/"><link rel="alternate" type="application/rss+xml" href="feed">'

    assert found(page) == ["https://example.org/en/feed"]


@pytest.mark.parametrize(
    "link",
    [
        '<link rel="alternate stylesheet" type="application/rss+xml" href="/feed">',
        '<link rel="stylesheet" type="text/xml" href="/feed">',
        '<link rel="alternate" hreflang="de" href="/de/">',
        '<link rel="alternate" type="application/json" href="/wp-json/wp/v2/pages/2">',
        '<link rel="alternate" type="application/json+oembed" href="/oembed?url=feed">',
        '<link rel="alternate" type="application/rss+xml" href="javascript:x">',
        '<link rel="alternate" type="application/rss+xml">',
    ],
)
def test_other_links_are_no_feeds(link: str) -> None:
    assert found(f"<html><head>{link}</head></html>") == []


@pytest.mark.parametrize(
    "link",
    [
        '<link rel="feed" href="/news">',
        '<link rel="alternate" type="text/xml" href="/index.xml">',
        '<link rel="alternate" href="/?feed=rss2">',
        '<body><link rel="alternate" type="application/rss+xml" href="/x">',
    ],
)
def test_unusual_links_to_feeds_are_found(link: str) -> None:
    assert len(found(f"<html>{link}</html>")) == 1


def test_links_in_the_text_count_where_the_head_names_none() -> None:
    page = """<a href="/about">About</a> <a href="/rss.xml"><img alt=""> Our <b>feed</b></a> <a href="/feedback">x</a>
    <a href="/feeds/posts/default?alt=rss">B</a> <a href="/comments.rss">C</a>"""

    assert feeds(page)[0] == FoundFeed(url="https://example.org/rss.xml", title="Our feed", kind="")
    assert found(page)[1:] == ["https://example.org/feeds/posts/default?alt=rss", "https://example.org/comments.rss"]


def test_a_page_in_another_charset_is_read() -> None:
    page = '<meta charset=koi8-r><link rel="alternate" type="application/rss+xml" href="/f" title="Привет">'.encode(
        "koi8-r"
    )

    assert feeds(page)[0].title == "Привет"
    assert (
        feeds(page.replace(b"<meta charset=koi8-r>", b""), content_type="text/html; charset=koi8-r")[0].title
        == "Привет"
    )


@pytest.mark.parametrize(
    "page", [b"", b"   ", b"\0\0\0", b"\x89PNG\r\n\x1a\n\0", b"<!-- -->", b"<?xml version='1.0'?>"]
)
def test_what_is_no_page_has_no_feeds(page: bytes) -> None:
    assert found(page) == []


@settings(deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["", "text/html; charset=utf-16", "x; charset=none", "x; charset=zip"]))
def test_no_page_raises(page: bytes, content_type: str) -> None:
    find_feeds(page, url=URL, headers={"content-type": content_type})


@pytest.mark.parametrize(
    ("url", "first"),
    [
        ("https://www.youtube.com/channel/UC_x-1", "https://www.youtube.com/feeds/videos.xml?channel_id=UC_x-1"),
        ("https://youtube.com/playlist?list=PL1", "https://www.youtube.com/feeds/videos.xml?playlist_id=PL1"),
        ("https://old.reddit.com/r/python/top", "https://www.reddit.com/r/python/.rss"),
        ("https://github.com/a/b.c/issues", "https://github.com/a/b.c/releases.atom"),
        ("https://github.com/someone", "https://github.com/someone.atom"),
        ("https://mastodon.social/@Gargron", "https://mastodon.social/@Gargron.rss"),
        ("https://paper.substack.com/p/x", "https://paper.substack.com/feed"),
        ("https://medium.com/@ann/story-1", "https://medium.com/feed/@ann"),
        ("https://x.blogspot.co.uk/2026/", "https://x.blogspot.co.uk/feeds/posts/default"),
        ("https://arxiv.org/list/cs.AI/recent", "https://rss.arxiv.org/rss/cs.AI"),
        ("http://example.org:8080/blog", "http://example.org:8080/blog/feed"),
        ("https://user:pass@example.org", "https://example.org/feed"),
    ],
)
def test_the_likeliest_address_comes_first(url: str, first: str) -> None:
    assert likely_addresses(url)[0] == first


def test_the_root_is_tried_after_the_folder() -> None:
    addresses = likely_addresses("https://example.org/blog/")

    assert addresses.index("https://example.org/blog/rss.xml") < addresses.index("https://example.org/rss.xml")
    assert len(addresses) == len(set(addresses)) <= 24


@pytest.mark.parametrize("url", ["", "example.org", "ftp://example.org/", "mailto:a@b", "https:///x"])
def test_what_is_no_web_address_has_none(url: str) -> None:
    assert likely_addresses(url) == ()
