"""Subscription lists, read and written."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.news.opml import MOST_FEEDS, NotOpml, Opml, OpmlFeed, SkippedOutline, read_opml, write_opml
from tests.corpus.manifest import corpus_folder

MADE = datetime(2026, 11, 23, 8, tzinfo=UTC)


def listed(inner: str) -> Opml:
    return read_opml(f'<opml version="2.0"><head><title>My feeds</title></head><body>{inner}</body></opml>'.encode())


def test_the_dialects_of_readers_are_read() -> None:
    opml = listed(
        """<outline text="Tech &amp; co" title="Tech"><outline type="rss" text="A" xmlUrl="https://a.example/feed"/>
             <outline text="Deep"><outline title="B" XMLURL="http://b.example/feed"/></outline></outline>
           <outline xmlurl="feed://c.example/rss" type="RSS"/>
           <outline text="D" xmlUrl="feed:https://d.example/"><!-- x --></outline>
           <outline text="again" xmlUrl="https://a.example/feed"/>"""
    )

    assert opml.title == "My feeds"
    assert opml.feeds == (
        OpmlFeed(url="https://a.example/feed", title="A", section="Tech & co"),
        OpmlFeed(url="http://b.example/feed", title="B", section="Deep"),
        OpmlFeed(url="http://c.example/rss"),
        OpmlFeed(url="https://d.example/", title="D"),
    )


def test_what_cannot_be_subscribed_to_is_named_with_its_reason() -> None:
    opml = listed(
        """<outline text="File" xmlUrl="file:///etc/passwd"/><outline type="rss" htmlUrl="https://p.example/"/>
           <outline text="More" type="include" url="https://l.example/x.opml"/><outline xmlUrl="http://["/>"""
    )

    assert opml.feeds == ()
    assert opml.skipped == (
        SkippedOutline(name="File", reason="its address is not one of the web"),
        SkippedOutline(name="http://[", reason="its address is not one of the web"),
        SkippedOutline(name="More", reason="it is a list of its own"),
        SkippedOutline(name="https://p.example/", reason="it has a page, and no feed"),
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "koi8-r"])
def test_names_are_read_in_any_charset(encoding: str) -> None:
    body = f'<?xml version="1.0" encoding="{encoding.removesuffix("-sig")}"?><opml><body><outline text="Привет" ' + (
        'xmlUrl="https://a.example/"/></body></opml>'
    )

    assert read_opml(body.encode(encoding)).feeds[0].title == "Привет"


def test_a_list_is_read_to_a_limit() -> None:
    opml = listed("".join(f'<outline text="{n}" xmlUrl="https://{n}.example/"/>' for n in range(MOST_FEEDS + 1)))

    assert len(opml.feeds) == MOST_FEEDS
    assert opml.skipped == (
        SkippedOutline(name=str(MOST_FEEDS), reason=f"only the first {MOST_FEEDS} feeds were taken"),
    )


def test_entities_are_inert() -> None:
    opml = read_opml(
        b'<!DOCTYPE opml [<!ENTITY x SYSTEM "file:///etc/passwd">]><opml><body>'
        b'<outline text="a&x;" xmlUrl="https://a.example/"/></body></opml>'
    )

    assert "root" not in opml.feeds[0].title


@pytest.mark.parametrize(
    "body", [b"", b"opml", b"<html>opml</html>", b"\0opml", b"x" * (6 << 20), b'<rss version="2.0"/>']
)
def test_what_is_no_list_is_said(body: bytes) -> None:
    with pytest.raises(NotOpml) as refused:
        read_opml(body)

    assert refused.value.text.endswith(".")


@settings(deadline=None)
@given(st.binary(max_size=200), st.text(alphabet="<>outline/=\"' &;xmlUrlte", max_size=200))
def test_no_bytes_raise_anything_else(noise: bytes, almost: str) -> None:
    for body in (noise, b"<opml>" + noise, b"<opml><body>" + almost.encode()):
        try:
            read_opml(body)
        except NotOpml:
            continue


_words = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn", "Co"]), max_size=30).map(
    lambda text: " ".join(text.split())
)
_addresses = st.from_regex(r"https?://[a-z]{1,8}\.example/[a-zA-Z0-9?&=;/%'\"<>~é-]{0,20}", fullmatch=True)
_feeds = st.lists(
    st.builds(OpmlFeed, url=_addresses, title=_words, section=_words), unique_by=lambda feed: feed.url, max_size=8
)


@settings(deadline=None)
@given(feeds=_feeds, title=_words)
def test_a_list_reads_back_as_it_was_written(feeds: list[OpmlFeed], title: str) -> None:
    read = read_opml(write_opml(feeds, title=title, made_at=MADE))

    named = [OpmlFeed(url=feed.url, title=feed.title or feed.url, section=feed.section) for feed in feeds]
    assert sorted(read.feeds, key=lambda feed: feed.url) == sorted(named, key=lambda feed: feed.url)
    assert (read.title, read.skipped) == (title, ())


def test_real_lists_keep_their_feeds_and_folders() -> None:
    folder = corpus_folder() / "feeds" / "opml-liferea"
    if not folder.exists():
        pytest.skip(f"There is no corpus at {folder}: set INKPOST_CORPUS to its folder.")
    for path in sorted(folder.iterdir()):
        body = path.read_bytes()
        addresses = {line.split(b'"')[0].decode() for line in body.replace(b"&amp;", b"&").split(b'xmlUrl="')[1:]}

        opml = read_opml(body)

        assert {feed.url for feed in opml.feeds} == {address for address in addresses if address.startswith("http")}
        assert len(opml.skipped) == len(addresses) - len(opml.feeds)
        assert all(feed.title and "Ð" not in feed.title for feed in opml.feeds)
