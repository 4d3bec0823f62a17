"""Feeds of every family, and bytes that are none."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.news.feed import NotAFeed, parse_feed
from core.news.values import Entry, ParsedFeed

URL = "https://example.org/news/feed"
XML = {"content-type": "application/xml"}


def parsed(body: str | bytes, **headers: str) -> ParsedFeed:
    raw = body if isinstance(body, bytes) else body.encode()
    return parse_feed(raw, url=URL, headers={name.replace("_", "-"): value for name, value in headers.items()} or XML)


def item(inner: str, *, version: str = "2.0") -> Entry:
    return parsed(
        f'<rss version="{version}" {NAMES}><channel><title>t</title><item>{inner}</item></channel></rss>'
    ).entries[0]


def atom_entry(inner: str, *, attributes: str = "") -> Entry:
    return parsed(f'<feed xmlns="http://www.w3.org/2005/Atom" {attributes}><entry>{inner}</entry></feed>').entries[0]


NAMES = (
    'xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:sy="http://purl.org/rss/1.0/modules/syndication/" xmlns:atom="http://www.w3.org/2005/Atom" '
    'xmlns:media="http://search.yahoo.com/mrss/"'
)

RSS = f"""<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" {NAMES}><channel>
<title>News &amp;amp; more</title><link>https://example.org/</link><language>de_AT</language><ttl>90</ttl>
<atom:link rel="self" href="https://example.org/feed"/>
<item>
  <title>First <b/></title><link>/a?x=1&amp;y=2</link><guid isPermaLink="false">tag:1</guid>
  <pubDate>Mon, 23 Nov 2026 08:00:00 +0100</pubDate><dc:creator>Ann</dc:creator><dc:creator>Bob</dc:creator>
  <category domain="x">Rivers</category><category>Towns</category><category>Rivers</category>
  <description>Short.</description><content:encoded><![CDATA[<p>The <a href="b">long</a> text.</p>]]></content:encoded>
</item>
</channel></rss>"""


def test_an_rss_feed_is_read_whole() -> None:
    feed = parsed(RSS.replace(" <b/>", ""))

    assert feed == ParsedFeed(
        title="News & more",
        site_url="https://example.org/",
        language="de-AT",
        kind="rss20",
        ttl_seconds=5400,
        entries=(
            Entry(
                guid="tag:1",
                url="https://example.org/a?x=1&y=2",
                title="First",
                authors=("Ann", "Bob"),
                published_at=datetime(2026, 11, 23, 7, tzinfo=UTC),
                content='<p>The <a href="b">long</a> text.</p>',
                base_url="https://example.org/a?x=1&y=2",
                summary="Short.",
                tags=("Rivers", "Towns"),
            ),
        ),
    )


def test_an_atom_feed_is_read_whole() -> None:
    feed = parsed(
        """<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en"><title type="html">A &amp;lt; B</title>
        <link href="https://example.org/"/><author><name>Ann</name></author>
        <entry><title>One &lt;b></title><id>urn:1</id><link rel="alternate" href="one"/>
        <published>2026-11-23T08:00:00Z</published><updated>2026-11-24T08:00:00-02:00</updated>
        <category term="t1" label="Label"/>
        <summary>Plain &lt;text></summary>
        <content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>All of <em>it</em>, at last</p></div>
        </content>
        </entry></feed>"""
    )

    entry = feed.entries[0]
    assert (feed.title, feed.kind, feed.language, feed.site_url) == ("A < B", "atom10", "en", "https://example.org/")
    assert entry == Entry(
        guid="urn:1",
        url="https://example.org/news/one",
        title="One <b>",
        authors=("Ann",),
        published_at=datetime(2026, 11, 23, 8, tzinfo=UTC),
        updated_at=datetime(2026, 11, 24, 10, tzinfo=UTC),
        content="<p>All of <em>it</em>, at last</p>",
        base_url=URL,
        summary="<p>Plain &lt;text&gt;</p>",
        language="en",
        tags=("Label",),
    )


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ('<rss version="0.91"><channel><title>t</title><item><title>x</title></item></channel></rss>', "rss091u"),
        ('<rss version="0.92"><channel><title>t</title><item><title>x</title></item></channel></rss>', "rss092"),
        (
            '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/">'
            '<channel><title>t</title></channel><item rdf:about="urn:x"><title>x</title></item></rdf:RDF>',
            "rss10",
        ),
        (
            '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
            'xmlns="http://my.netscape.com/rdf/simple/0.9/">'
            "<channel><title>t</title></channel><item><title>x</title></item></rdf:RDF>",
            "rss090",
        ),
        (
            '<feed version="0.3" xmlns="http://purl.org/atom/ns#"><title>t</title><entry><title>x</title></entry></feed>',
            "atom03",
        ),
        ('<channel href="https://e.org/"><title>t</title><item href="/x"><title>x</title></item></channel>', "cdf"),
    ],
)
def test_every_family_is_known(body: str, kind: str) -> None:
    feed = parsed(body)

    assert (feed.kind, feed.title, [entry.title for entry in feed.entries]) == (kind, "t", ["x"])


def test_a_json_feed_is_read() -> None:
    feed = parsed(
        json.dumps(
            {
                "version": "https://jsonfeed.org/version/1.1",
                "title": "J",
                "home_page_url": "https://example.org",
                "authors": [{"name": "Ann"}],
                "items": [
                    {"id": 7, "url": "/a", "title": "A\nB", "content_text": "one < two\n\nthree", "tags": ["x", 3]},
                    {
                        "id": "8",
                        "content_html": "<p>h</p>",
                        "summary": "s",
                        "date_published": "2026-11-23T08:00:00+01:00",
                    },
                    "no item",
                ],
            }
        )
    )

    first, second = feed.entries
    assert (feed.kind, feed.title, feed.site_url) == ("json11", "J", "https://example.org")
    assert (first.guid, first.url, first.title, first.authors) == ("7", "https://example.org/a", "A B", ("Ann",))
    assert (first.content, first.tags) == ("<p>one &lt; two</p><p>three</p>", ("x",))
    assert (second.content, second.summary, second.url) == ("<p>h</p>", "<p>s</p>", "")
    assert second.published_at == datetime(2026, 11, 23, 7, tzinfo=UTC)


@settings(deadline=None, max_examples=50)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.sampled_from(["id", "items", "authors", "name", "url"]), inner)
        ),
    )
)
def test_a_json_feed_of_the_wrong_types_is_read_as_far_as_it_goes(items: object) -> None:
    body = json.dumps({"version": "https://jsonfeed.org/version/1", "title": items, "authors": items, "items": [items]})

    assert parsed(body).kind == "json1"


def test_a_guid_that_is_a_permalink_is_the_link_too() -> None:
    entry = item("<guid>https://example.org/1</guid>")

    assert (entry.guid, entry.url) == ("https://example.org/1", "https://example.org/1")


def test_a_guid_is_never_made_up() -> None:
    assert item("<link>https://example.org/1</link>").guid == ""


def test_a_guid_does_not_change_when_the_feed_moves() -> None:
    body = b'<rss version="2.0"><channel><item><guid>17</guid></item></channel></rss>'
    here, there = (parse_feed(body, url=url, headers=XML) for url in (URL, "https://elsewhere.example/x/feed"))

    assert here.entries[0].guid == there.entries[0].guid == "17"


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "mailto:a@example.org", "file:///etc/passwd", "http://[", "data:,x"]
)
def test_a_link_that_is_not_of_the_web_is_none(link: str) -> None:
    assert item(f"<link>{link}</link>").url == ""


@pytest.mark.parametrize(
    ("stated", "when"),
    [
        ("Mon, 23 Nov 2026 08:00:00 GMT", datetime(2026, 11, 23, 8, tzinfo=UTC)),
        ("Mon, 23 Nov 2026 08:00:00", datetime(2026, 11, 23, 8, tzinfo=UTC)),
        ("2026-11-23", datetime(2026, 11, 23, tzinfo=UTC)),
        ("Fri, 01 Jan 2999 00:00:00 GMT", datetime(2999, 1, 1, tzinfo=UTC)),
        ("Thu, 01 Jan 1970 00:00:00 GMT", None),
        ("Fri, 31 Feb 2026 99:00:00 GMT", None),
        ("yesterday", None),
    ],
)
def test_a_date_is_read_or_there_is_none(stated: str, when: datetime | None) -> None:
    assert item(f"<pubDate>{stated}</pubDate>").published_at == when


def test_html_in_a_title_becomes_text_and_text_stays() -> None:
    assert item("<title>&lt;b&gt;Tom&lt;/b&gt; &amp;amp; Jerry</title>").title == "Tom & Jerry"
    assert item("<title>2 &lt; 3</title>").title == "2 < 3"
    assert item('<title>&lt;img alt="a&gt;b"&gt; dog &lt;/img&gt;</title>').title == "dog"


def test_a_title_cannot_break_a_line() -> None:
    assert item("<title>One\r\nBcc: x&#10;&#x2028;Two</title>").title == "One Bcc: x Two"


def test_base_of_links_is_xml_base_else_the_article() -> None:
    own = item('<link>https://example.org/a</link><description xml:base="https://cdn.example/x/">d</description>')

    assert own.base_url == "https://cdn.example/x/"
    assert item("<link>https://example.org/a</link><description>d</description>").base_url == "https://example.org/a"
    assert atom_entry("<summary>s</summary>").base_url == URL
    assert atom_entry("<summary>s</summary>", attributes='xml:base="../b/"').base_url == "https://example.org/b/"


def test_one_text_is_content_and_no_summary() -> None:
    entry = item("<content:encoded>&lt;p>x&lt;/p></content:encoded>")

    assert (entry.content, entry.summary) == ("<p>x</p>", "")


def test_a_picture_in_an_entry_is_no_text() -> None:
    assert atom_entry('<content type="image/png">iVBORw0KGgo=</content>').content == ""


@pytest.mark.parametrize(
    ("channel", "seconds"),
    [
        ("<ttl>60</ttl>", 3600),
        ("<ttl>soon</ttl>", None),
        ("<ttl>-5</ttl>", None),
        ("<sy:updatePeriod>daily</sy:updatePeriod><sy:updateFrequency>4</sy:updateFrequency>", 21_600),
        ("<sy:updatePeriod>now and then</sy:updatePeriod>", None),
    ],
)
def test_ttl_is_read_in_seconds(channel: str, seconds: int | None) -> None:
    assert parsed(f'<rss version="2.0" {NAMES}><channel>{channel}</channel></rss>').ttl_seconds == seconds


def test_the_servers_charset_decides() -> None:
    body = '<rss version="2.0"><channel><title>Привет</title></channel></rss>'.encode("koi8-r")

    assert parsed(body, content_type="text/xml; charset=koi8-r").title == "Привет"


@pytest.mark.parametrize("headers", [{}, {"content-type": "text/xml"}, {"content-type": "text/plain"}])
def test_utf8_is_read_where_nobody_names_it(headers: dict[str, str]) -> None:
    body = '<rss version="2.0"><channel><title>naïve — Привет</title></channel></rss>'.encode()

    assert parse_feed(body, url=URL, headers=headers).title == "naïve — Привет"


def test_a_few_bad_bytes_do_not_change_the_charset() -> None:
    body = f'<rss version="2.0"><channel><title>{"naïve — Привет " * 5}</title></channel></rss>'.encode()

    assert parsed(body.replace(b"\xc3\xaf", b"\xc3", 1)).title.startswith("na\ufffdve — Привет naïve")


def test_latin_1_that_nobody_names_is_recognised() -> None:
    body = '<rss version="2.0"><channel><title>Schöne Grüße aus Köln, für alle</title></channel></rss>'.encode(
        "latin-1"
    )

    assert parsed(body).title == "Schöne Grüße aus Köln, für alle"


def test_a_wrong_content_location_is_of_no_harm() -> None:
    body = b'<feed xmlns="http://www.w3.org/2005/Atom"><entry><link href="x"/></entry></feed>'

    assert parsed(body, content_location="http://[").entries[0].url == "https://example.org/news/x"
    assert parsed(body, content_location="/other/").entries[0].url == "https://example.org/other/x"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_unicode_in_all_its_forms_is_read(encoding: str) -> None:
    body = '<?xml version="1.0"?><rss version="2.0"><channel><title>naïve</title></channel></rss>'

    assert parsed(body.encode(encoding)).title == "naïve"


def test_damaged_xml_is_read_and_said() -> None:
    feed = parsed('<rss version="2.0"><channel><title>A & B</title><item><title>x</title></item>')

    assert (feed.title, [entry.title for entry in feed.entries]) == ("A & B", ["x"])
    assert feed.defects[0].startswith("its XML is damaged: ")


def test_references_to_no_character_cost_no_feed() -> None:
    feed = parsed('<rss version="2.0"><channel><title>A &#xD800;&#1114112; & B</title></channel></rss>')

    assert feed.title == "A & B"


def test_entries_are_counted_to_a_limit() -> None:
    body = f'<rss version="2.0"><channel>{"<item><title>x</title></item>" * 30}</channel></rss>'.encode()
    feed = parse_feed(body, url=URL, headers=XML, most_entries=20)

    assert len(feed.entries) == 20
    assert feed.defects == ("only its first 20 entries were read",)


def test_a_title_of_megabytes_is_cut() -> None:
    entry = item(f"<title>{'word ' * 500_000}</title><guid>{'g' * 100_000}</guid>")

    assert len(entry.title) <= 400
    assert entry.guid == ""


def test_bombs_and_outside_entities_are_inert() -> None:
    laughs = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    declared = f'<!DOCTYPE rss [<!ENTITY e0 "ha"><!ENTITY x SYSTEM "file:///etc/passwd">{laughs}]>'

    titles = [
        parsed(f'<?xml version="1.0"?>{kind}<rss version="2.0"><channel><title>t&e9;&x;</title></channel></rss>').title
        for kind in (declared, declared.replace("<", "\n<"))
    ]

    assert not any("root:" in title for title in titles)
    assert all(len(title) < 100 for title in titles)


def test_a_deep_document_is_survived() -> None:
    feed = parsed(f'<rss version="2.0"><channel><title>t</title>{"<x>" * 20_000}')

    assert feed.title == "t"


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "There is nothing at this address: the page is empty."),
        (b" \n\xef\xbb\xbf ", "There is nothing at this address: the page is empty."),
        (b"<!DOCTYPE html><html><title>x</title></html>", "This is a web page, not a feed."),
        (b"<!-- a --><HTML><body>x", "This is a web page, not a feed."),
        (b"\x89PNG\r\n\x1a\n", "This is a picture, not a feed."),
        (b"%PDF-1.7", "This is a PDF, not a feed."),
        (b"hello", "This is not a feed."),
        (b'{"a": 1}', "This is not a feed."),
        (b'{"a": ', "This is not a feed that can be read: it is damaged."),
        (b'{"a": ' * 100_000, "This is not a feed that can be read: it is damaged."),
        (b'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"/>', "This is not a feed."),
    ],
)
def test_what_is_no_feed_is_named(body: bytes, sentence: str) -> None:
    with pytest.raises(NotAFeed) as refused:
        parsed(body)

    assert refused.value.text == sentence


@settings(deadline=None)
@given(st.binary(max_size=300) | st.text(alphabet="<>!-?&;#x/= \"'[]rsfeditmlkncha01", max_size=300).map(str.encode))
def test_no_bytes_raise_anything_else(body: bytes) -> None:
    for start in (
        b"",
        b'<rss version="2.0"><channel><item><title>',
        b'<feed xmlns="http://www.w3.org/2005/Atom"><entry>',
    ):
        try:
            parse_feed(start + body, url=URL, headers={})
        except NotAFeed:
            continue


def test_charset_by_a_name_that_python_does_not_know() -> None:
    body = '<?xml version="1.0" encoding="ms-cyrl"?><rss version="2.0"><channel><title>Гавань</title></channel></rss>'

    assert parse_feed(body.encode("windows-1251"), url="https://a.example/", headers={}).title == "Гавань"
