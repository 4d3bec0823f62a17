"""Pages and entries as they are kept: what a page says above its text, and addresses that watch nobody."""

from __future__ import annotations

from core.news.reading import ReadEntry, read_page
from tests.factories.feeds import story_text

URL = "https://harbour.test/bridge?utm_source=rss&page=2"


def read(heading: str, *, title: str = "A bridge & a gap") -> ReadEntry:
    page = (
        f"<html lang='en'><head><title>{title.replace('&', '&amp;')} | The Post</title></head><body><article>{heading}"
        f"{story_text(1, words=300)}</article></body></html>"
    )
    entry = read_page(page.encode(), url=URL, headers={"content-type": "text/html; charset=utf-8"})
    assert entry is not None
    return entry


def test_headline_above_the_text_of_a_page_is_not_set_twice() -> None:
    entry = read("<h1>A bridge &amp; a gap</h1>")

    assert entry.title == "A bridge & a gap"
    assert "bridge &amp; a gap" not in entry.reading.html
    assert not entry.reading.text.startswith("A bridge & a gap")
    assert entry.reading.text.startswith(read("").reading.text[:40])


def test_heading_that_says_something_else_stays() -> None:
    entry = read("<h1>A bridge &amp; a gap</h1><h2>How it was built</h2>")

    assert entry.reading.text.startswith("How it was built")


def test_address_is_kept_without_what_watches_its_reader() -> None:
    assert read("").url == "https://harbour.test/bridge?page=2"
