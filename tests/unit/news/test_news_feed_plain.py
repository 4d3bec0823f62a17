"""The fast reader gives what feedparser gives, or nothing."""

from __future__ import annotations

from html import escape

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.news.feed import as_feed, by_feedparser
from core.news.feed_plain import read_plain
from core.news.values import ParsedFeed
from tests.corpus.manifest import corpus_folder

NAMES = (
    'xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:sy="http://purl.org/rss/1.0/modules/syndication/" xmlns:atom="http://www.w3.org/2005/Atom" '
    'xmlns:media="http://search.yahoo.com/mrss/" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd" '
    'xmlns:slash="http://purl.org/rss/1.0/modules/slash/" xmlns:wfw="http://wellformedweb.org/CommentAPI/" '
    'xmlns:own="https://example.org/ns"'
)
ATOM_NAMES = 'xmlns="http://www.w3.org/2005/Atom" xmlns:thr="http://purl.org/syndication/thread/1.0" ' + NAMES.replace(
    'xmlns:atom="http://www.w3.org/2005/Atom" ', ""
)

_texts = st.sampled_from(
    [
        "",
        "  \n ",
        "One",
        " two\n words ",
        "Tom &amp; Jerry",
        "AT&amp;amp;T &amp;lt;3",
        "&lt;p&gt;A &lt;a href='x'&gt;link&lt;/a&gt; more text&lt;/p&gt;",
        "<![CDATA[<p>raw & <b>bold</b></p>]]>",
        "mixed <![CDATA[<i>of</i>]]> two",
        "one<!-- hidden -->word",
        "one<?php x ?>word",
        "naïve — Привет 新聞",
        "naÃ¯ve",
        "&#233;&#x2014;&#150;",
        "&#147;C1&#148;",
        "\x85next",
        "a &lt;unknown&gt;tag&lt;/unknown&gt; &amp;eacute; &amp;nosuch;",
        "<b>inline</b> markup",
        "ann@example.org (Ann)",
        "Mon, 23 Nov 2026 08:00:00 +0100",
        "2026-11-23T08:00:00Z",
        "31 Feb 2026",
        "60",
        "daily",
        "de_AT",
        "17",
        "tag:example.org,2026:1",
        "https://example.org/a?x=1&amp;y=2&amp;copy;",
        "https://example.org/ä",
        "http:///example.org/x",
        "/relative",
        "javascript:x",
        "&nbsp;",
    ]
)
_plain_texts = st.sampled_from(
    [
        "",
        " One ",
        "Tom &amp; Jerry",
        "AT&amp;amp;T",
        "&lt;p&gt;x &lt;b&gt;y&lt;/b&gt;&lt;/p&gt;",
        "<![CDATA[<p>a & b</p>]]>",
        "m <![CDATA[<i>n</i>]]> o",
        "one<!-- no -->word",
        "naïve 新聞",
        "naÃ¯ve",
        "caf&#233; &#x2014;",
        "a &amp;eacute; &amp;x;",
    ]
) | st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"]), max_size=12).map(escape)
_links = st.sampled_from(["https://e.org/1", " http://e.org/?a=1&amp;b=2&amp;amp;c ", "https://e.org/ü?x=&amp;copy;y"])
_dates = st.sampled_from(["Mon, 23 Nov 2026 08:00:00 +0100", "2026-11-23T08:00:00.5Z", "2026-11-23", "soon", "", "１"])
_person = st.tuples(_plain_texts, _plain_texts).map(
    lambda both: f"<name>{both[0]}</name><uri>x</uri><email>{both[1]}</email><own:x/>"
)
_plain_rss = {
    "title": _plain_texts,
    "link": _links,
    "guid": _plain_texts | _links,
    'guid isPermaLink="false"': _plain_texts | _links,
    "description": _plain_texts,
    "content:encoded": _plain_texts,
    "dc:creator": _plain_texts,
    "author": _plain_texts,
    "category": _plain_texts,
    'category domain="d"': _plain_texts,
    "dc:subject": _plain_texts,
    "pubDate": _dates,
    "dc:date": _dates,
    "comments": _links,
    "wfw:commentRss": _links,
    "slash:comments": _plain_texts,
    "own:thing": _plain_texts,
    'own:thing a="1"': _plain_texts,
    'source url="https://e.org/"': _plain_texts,
    'enclosure url="https://e.org/a.mp3" type="audio/mpeg"': st.just(""),
    'media:content url="https://e.org/a.png" type="image/png"': st.just(""),
    'media:thumbnail url="https://e.org/a.png"': _plain_texts,
    "media:credit": _plain_texts,
    'atom:link rel="self" href="https://e.org/f"': st.just(""),
    "unknown": _plain_texts,
    "itunes:duration": _plain_texts,
    'itunes:image href="https://e.org/i"': st.just(""),
    "itunes:explicit": _plain_texts,
}
_plain_channel = {
    **{name: texts for name, texts in _plain_rss.items() if not name.startswith(("guid", "content", "author"))},
    "language": st.sampled_from(["de", "en_US", "", "klingon!"]),
    "ttl": st.sampled_from(["60", " 5 ", "x"]),
    "sy:updatePeriod": st.sampled_from(["hourly", "daily"]),
    "sy:updateFrequency": st.sampled_from(["2", "0", "x"]),
    "image": _plain_texts.map(lambda text: f"<url>u</url><title>{text}</title><link>l</link><width>3</width>"),
    "skipHours": st.just("<hour>1</hour><hour>2</hour>"),
    "generator": _plain_texts,
    "copyright": _plain_texts,
    "managingEditor": _plain_texts,
    "lastBuildDate": _dates,
}
_plain_atom = {
    **{f"title{kind}": _plain_texts for kind in ("", ' type="text"', ' type="html"')},
    **{f"summary{kind}": _plain_texts for kind in ("", ' type="html"')},
    **{f"content{kind}": _plain_texts for kind in ("", ' type="html"')},
    "id": _plain_texts | _links,
    "published": _dates,
    "updated": _dates,
    "author": _person,
    "contributor": _person,
    'category term="t" label="L"': st.just(""),
    'category term="s"': st.just(" "),
    'category label="only" scheme="s"': st.just(""),
    'link href="https://e.org/1"': st.just(""),
    'link rel="alternate" type="text/html" href="https://e.org/2?a=1&amp;b=2"': st.just(""),
    'link rel="Replies" type="application/atom+xml" href="https://e.org/3"': st.just(""),
    'link rel="alternate" type="application/pdf" href="https://e.org/4"': st.just(""),
    'link rel="self" href="https://e.org/5"': st.just(""),
    "rights": _plain_texts,
    "generator": _plain_texts,
    "subtitle": _plain_texts,
    "icon": _plain_texts,
    "thr:total": _plain_texts,
    "own:thing": _plain_texts,
    'media:thumbnail url="https://e.org/a.png"': st.just(""),
}


@st.composite
def _plain(draw: st.DrawFn, table: dict[str, st.SearchStrategy[str]]) -> str:
    names = draw(st.lists(st.sampled_from(sorted(table)), max_size=10, unique_by=lambda name: name.split()[0]))
    more = draw(st.lists(st.sampled_from([name for name in sorted(table) if name.startswith("cat")]), max_size=2))
    return "".join(f"<{name}>{draw(table[name])}</{name.split()[0]}>" for name in [*names, *more])


_attributes = st.sampled_from(
    [""] * 12
    + [
        ' isPermaLink="false"',
        ' isPermaLink="true"',
        ' IsPermalink="False"',
        ' type="html"',
        ' type="HTML"',
        ' type="text"',
        ' type="xhtml"',
        ' type="text/plain"',
        ' type="image/png"',
        ' mode="base64"',
        ' own:type="html"',
        ' domain="x"',
        ' term="t" label="L" scheme="s"',
        ' term="t"',
        ' term="T &amp; t" href="/x"',
        ' href="https://example.org/l" rel="alternate"',
        ' href="https://example.org/l"',
        ' href="https://example.org/f" rel="self"',
        ' href="https://example.org/p" type="application/pdf"',
        ' href="https://example.org/R" REL="Alternate" type="Text/HTML"',
        ' href="/l"',
        ' src="https://example.org/c"',
        ' url="https://example.org/m" length="1"',
        ' xml:base="https://other.example/"',
        ' xml:lang="fr"',
        ' lang="fr"',
        ' rdf="x"',
    ]
)
_names = st.sampled_from(
    [
        "title",
        "link",
        "guid",
        "description",
        "content:encoded",
        "pubDate",
        "pubdate",
        "author",
        "dc:creator",
        "dc:date",
        "category",
        "dc:subject",
        "comments",
        "enclosure",
        "source",
        "language",
        "dc:language",
        "ttl",
        "sy:updatePeriod",
        "sy:updateFrequency",
        "image",
        "textInput",
        "generator",
        "lastBuildDate",
        "managingEditor",
        "webMaster",
        "copyright",
        "cloud",
        "rating",
        "skipHours",
        "updated",
        "published",
        "id",
        "summary",
        "content",
        "name",
        "atom:link",
        "atom:updated",
        "atom:id",
        "atom:title",
        "itunes:author",
        "itunes:summary",
        "itunes:image",
        "itunes:keywords",
        "itunes:explicit",
        "media:content",
        "media:thumbnail",
        "media:title",
        "media:description",
        "media:group",
        "media:credit",
        "slash:comments",
        "wfw:commentRss",
        "own:thing",
        "own:title",
        "own:tags",
        "own:published_parsed",
        "authors",
        "links",
        "title_detail",
        "tags",
        "created",
        "issued",
        "modified",
        "rights",
        "subtitle",
        "contributor",
        "body",
        "fullitem",
        "abstract",
        "info",
        "url",
        "feedburner",
        "thr:total",
        "thr:in-reply-to",
        "dcterms:modified",
    ]
)


@st.composite
def _elements(draw: st.DrawFn, depth: int = 0) -> str:
    name, attributes = draw(_names), draw(_attributes)
    if name in ("author", "contributor", "image", "media:group", "source") and depth == 0 and draw(st.booleans()):
        inner = "".join(
            f"<{child}>{draw(_texts)}</{child}>"
            for child in draw(
                st.lists(st.sampled_from(["name", "uri", "email", "url", "title", "link", "own:x"]), max_size=3)
            )
        )
    else:
        inner = draw(_texts)
    return f"<{name}{attributes}>{inner}</{name}>"


_inner = st.lists(_elements(), max_size=5).map("".join)
_attributes_of_items = st.sampled_from([""] * 9 + [' rdf:about="x"', ' href="/x"', ' own:etag="1"', ' xml:lang="de"'])


@st.composite
def _rss(draw: st.DrawFn, channel: st.SearchStrategy[str], item: st.SearchStrategy[str]) -> str:
    items = "".join(f"<item>{inner}</item>" for inner in draw(st.lists(item, max_size=3)))
    version = draw(st.sampled_from(["2.0", "2.0", "2.0.1", "0.92", "1.0", ""]))
    before, after = draw(channel), draw(st.just("") | _inner)
    declaration = draw(st.sampled_from(["", '<?xml version="1.0" encoding="UTF-8"?>', "<?xml version='1.0'?>"]))
    names = draw(
        st.sampled_from([NAMES] * 6 + ['xmlns:own="https://example.org/ns"', 'xmlns="http://purl.org/rss/1.0/"'])
    )
    return f'{declaration}<rss version="{version}" {names}><channel>{before}{items}{after}</channel></rss>'


@st.composite
def _atom(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    lang = draw(st.sampled_from(["", ' xml:lang="en_GB"', ' xml:lang=""', ' xml:base="https://x.example/"']))
    entries = "".join(f"<entry{draw(_attributes_of_items)}>{one}</entry>" for one in draw(st.lists(inner, max_size=3)))
    return f"<feed {ATOM_NAMES}{lang}>{draw(inner)}{entries}{draw(st.just('') | _inner)}</feed>"


_feeds = (
    _rss(_plain(_plain_channel), _plain(_plain_rss))
    | _atom(_plain(_plain_atom))
    | _rss(_inner, st.tuples(_plain(_plain_rss), _elements()).map("".join))
    | _atom(_inner)
)


def both(body: bytes) -> tuple[ParsedFeed, ParsedFeed] | None:
    """By the fast way and by feedparser; None where the fast way declines."""
    fast = read_plain(body, charset="", most_entries=500)
    if fast is None:
        return None
    slow = by_feedparser(body, charset="")
    here, there = (
        as_feed(document, base="https://example.org/feed", language="", most_entries=500) for document in (fast, slow)
    )
    return here, there


@settings(deadline=None, max_examples=100)
@given(_feeds)
@example('<feed xmlns="http://www.w3.org/2005/Atom"><managingEditor>One</managingEditor></feed>')
@example("<rss><channel><link>http://e.org/?b=2&amp;amp;c</link></channel></rss>")
@example("<rss><channel><image><title>i</title></image><title>t</title></channel></rss>")
def test_a_generated_feed_is_read_as_feedparser_reads_it(feed: str) -> None:
    read = both(feed.encode("utf-8", "replace"))

    assert read is None or read[0] == read[1]


def test_every_feed_of_the_corpus_is_read_as_feedparser_reads_it() -> None:
    folder = corpus_folder() / "feeds"
    if not folder.exists():
        pytest.skip(f"There is no corpus at {folder}: set INKPOST_CORPUS to its folder.")
    read = {path: both(path.read_bytes()) for path in sorted(folder.glob("*/*"))}

    assert [path.name for path, pair in read.items() if pair and pair[0] != pair[1]] == []
    assert sum(pair is not None for pair in read.values()) > len(read) // 10


PLAIN = f"""<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" {NAMES}><channel><title>News</title><atom:link href="https://example.org/f" rel="self" type="x"/>
<link>https://example.org/</link><description>All</description><language>de</language>
<sy:updatePeriod>hourly</sy:updatePeriod>
<image><url>https://example.org/i.png</url><title>Logo</title><link>https://example.org/l</link></image>
<item><title>One</title><link>https://example.org/1</link><comments>https://example.org/1#c</comments>
<dc:creator><![CDATA[Ann]]></dc:creator><pubDate>Mon, 23 Nov 2026 08:00:00 +0000</pubDate><category>x</category>
<guid isPermaLink="false">1</guid><description>Short</description>
<content:encoded><![CDATA[<p>Long</p>]]></content:encoded>
<wfw:commentRss>https://example.org/1/feed</wfw:commentRss><slash:comments>3</slash:comments>
<media:thumbnail url="https://example.org/t.png"/><own:thing a="1">x</own:thing></item></channel></rss>""".encode()
PLAIN_ATOM = f"""<feed {ATOM_NAMES} xml:lang="en-US"><title type="html">A &amp;amp; B</title><id>urn:f</id>
<link href="https://example.org/"/><link rel="self" href="https://example.org/f"/><author><name>Ann</name></author>
<entry><id>urn:1</id><title type="text">1 &lt; 2</title><link href="https://example.org/1"/><updated>2026-11-23T08:00:00Z</updated>
<author><name>Bob</name><uri>https://example.org/bob</uri></author><category term="t"/><summary>S</summary>
<content type="html">&lt;p>Long&lt;/p></content><thr:total>3</thr:total></entry></feed>""".encode()


@pytest.mark.parametrize("body", [PLAIN, PLAIN_ATOM])
def test_a_usual_feed_is_read_the_fast_way(body: bytes) -> None:
    read = both(body)

    assert read is not None
    assert read[0] == read[1]
    assert read[0].entries[0].content == "<p>Long</p>"


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("naÃ¯ve", "naïve"),
        ("AT&amp;amp;T", "AT&T"),
        ("&lt;b&gt;bold&lt;/b&gt; move", "bold move"),
        ("1 &lt; 2", "1 < 2"),
        ("o<!-- no -->n<![CDATA[e & t]]>wo", "one & two"),
    ],
)
def test_tricky_text_is_read_the_fast_way(text: str, title: str) -> None:
    read = both(PLAIN.replace(b">One<", f">{text}<".encode()))

    assert read is not None
    assert read[0] == read[1]
    assert read[0].entries[0].title == title


@pytest.mark.parametrize(
    "body",
    [
        PLAIN.replace(b"<title>One", b"<title><b/>One"),
        PLAIN.replace(b"<title>One", b"<title>Zero</title><title>One"),
        PLAIN.replace(b"<item>", b'<item xml:base="/x/">'),
        PLAIN.replace(b"<?xml version", b"<?xml  version"),
        PLAIN.replace(b"UTF-8", b"koi8-r"),
        PLAIN.replace(b"\n<rss", b"\n<!DOCTYPE rss>\n<rss"),
        PLAIN.replace(b"<own:thing", b'<own:thing xmlns:own="https://other.example/"'),
        PLAIN.replace(b"Ann", b"ann@example.org"),
        PLAIN.replace(b">x</own:thing>", b"><title>y</title></own:thing>"),
        PLAIN.replace(b"Logo", b"&#150;"),
        PLAIN[:-1],
        b"\xef\xbb\xbf" + PLAIN,
        PLAIN.replace(b"Logo", b"\xff"),
        PLAIN.replace(b"rss version", b"rdf version").replace(b"</rss", b"</rdf"),
        b"",
    ],
)
def test_what_is_not_plain_is_left_to_feedparser(body: bytes) -> None:
    assert read_plain(body, charset="", most_entries=500) is None


def test_a_charset_of_the_server_is_left_to_feedparser() -> None:
    assert read_plain(PLAIN, charset="iso-8859-1", most_entries=500) is None
