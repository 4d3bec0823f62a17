"""Keys of addresses and titles."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.news.canonical import canonical_url, title_key

SAME = {
    "scheme": "http://example.com/story",
    "www": "https://www.example.com/story",
    "mobile host": "https://m.example.com/story",
    "AMP host": "https://amp.example.com/story",
    "upper case": "HTTPS://Example.COM/story",
    "dot at the end of the host": "https://example.com./story",
    "default port": "http://example.com:80/story",
    "port of TLS": "https://example.com:443/story",
    "slash at the end": "https://example.com/story/",
    "double slash": "https://example.com//story",
    "dot segments": "https://example.com/news/../story",
    "default page": "https://example.com/story/index.html",
    "fragment": "https://example.com/story#comments",
    "tracker": "https://example.com/story?utm_source=rss&utm_medium=feed",
    "AMP folder": "https://example.com/story/amp/",
    "AMP file": "https://example.com/story/amp",
    "AMP folder in front": "https://example.com/amp/story",
    "AMP parameter": "https://example.com/story?amp=1",
    "AMP output": "https://example.com/story?outputType=amp",
    "AMP at Google": "https://www.google.com/amp/s/example.com/story",
    "AMP at Google, AMP page": "https://www.google.co.uk/amp/s/amp.example.com/story/amp/",
    "AMP cache": "https://example-com.cdn.ampproject.org/c/s/www.example.com/story",
    "AMP cache without TLS": "https://example-com.cdn.ampproject.org/v/example.com/story?amp_js_v=0.1&usqp=mq331",
    "encoded letter": "https://example.com/%73tory",
    "user": "https://me@example.com/story",
    "blanks around": "  https://example.com/story\n",
}


@pytest.mark.parametrize("case", SAME)
def test_spellings_of_one_address_have_one_key(case: str) -> None:
    assert canonical_url(SAME[case]) == "https://example.com/story"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://example.com/story", "https://example.com/other"),
        ("https://example.com/story?id=1", "https://example.com/story?id=2"),
        ("https://example.com/Story", "https://example.com/story"),
        ("https://example.com/a%2Fb", "https://example.com/a/b"),
        ("https://example.com/?q=a%26b", "https://example.com/?q=a&b"),
        ("https://example.com:8080/story", "https://example.com/story"),
        ("https://example.com/#!/story/1", "https://example.com/#!/story/2"),
        ("https://m.com/story", "https://com/story"),
        ("https://blog.example.com/story", "https://example.com/story"),
        ("https://example.com/camp", "https://example.com/c"),
    ],
)
def test_different_articles_have_different_keys(one: str, other: str) -> None:
    assert canonical_url(one) != canonical_url(other)


def test_order_of_parameters_does_not_matter() -> None:
    assert canonical_url("https://example.com/s?b=2&a=x+y&&c=") == canonical_url("http://example.com/s?c&a=x%20y&b=2")


def test_letters_beyond_ascii_are_spelt_one_way() -> None:
    key = "https://xn--bcher-kva.example/%C3%BCber"
    assert (
        canonical_url("https://BÜCHER.example/über") == canonical_url("https://xn--bcher-kva.example/%c3%bcber") == key
    )


@pytest.mark.parametrize("url", ["mailto:a@example.com", "urn:uuid:1", "story.html", "", "http://[::1/", "http://a:b/"])
def test_what_is_no_web_address_stays_as_it_is(url: str) -> None:
    assert canonical_url(url) == url


PIECES = st.sampled_from(
    [
        *("http://", "https://", "www.", "m.", "amp.", "google.com", "example.com", "a-b.cdn.ampproject.org/c/s/"),
        *("/amp", "/amp/", "/amp/s/", "/", "//", "/../", ".", "..", "%", "%2f", "%61", "%C3%BC", "ü", "?", "&", "="),
        *("+", "#", "#!", ";a=b", ":80", ":443", ":8080", "?amp=1", "utm_source=x", "index.html", ".amp", ".amp.html"),
        *("[::1]", "@", "\u3000", "\u212a"),
    ]
)


@given(st.one_of(st.text(max_size=40), st.builds("".join, st.lists(PIECES, max_size=10)).map("https://e.com/".__add__)))
@example("https://google.com/amp/s/google.com/amp/s/www.example.com/amp/index.html/amp/")
@example("https://e.com/%")
def test_key_of_a_key_is_the_key(url: str) -> None:
    key = canonical_url(url)

    assert canonical_url(key) == key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The Café’s “new” menu!", "the cafes NEW menu"),
        ("Straße gesperrt", "STRASSE  GESPERRT"),
        ("Ｆｕｌｌ width", "full width"),
        ("Rock & roll", "Rock, roll"),
    ],
)
def test_titles_that_differ_in_spelling_only_have_one_key(one: str, other: str) -> None:
    assert title_key(one) == title_key(other)


@pytest.mark.parametrize("title", ["Dune | The Site", "Dune - The Site", "Dune – the site", "Dune: The Site"])
def test_name_of_the_known_site_is_cut_off(title: str) -> None:
    assert title_key(title, feed_title="The Site - World news") == "dune"


def test_name_of_a_site_is_not_guessed() -> None:
    assert title_key("Dune - Part Two") == title_key("Dune: part two", feed_title="The Site") == "dune part two"


def test_title_of_nothing_but_the_site_stays() -> None:
    assert title_key("The Site", feed_title="The Site") == "the site"


def test_title_without_letters_has_no_key() -> None:
    assert title_key("— ! …") == ""
