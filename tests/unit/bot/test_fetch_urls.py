"""Every text is either a URL of the web or refused in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.fetch.guard import FetchSettings, Guard
from core.news.values import FetchFailed

GUARD = Guard(FetchSettings())
PIECES = [
    "http://",
    "https:",
    "//",
    "/",
    "@",
    ":",
    "[",
    "]",
    "::1",
    "%",
    "\\",
    "#",
    "?",
    ".",
    "127.0.0.1",
    "xn--",
    "é",
    "\ud800",
]


@given(st.one_of(st.text(), st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=3))).map("".join)))
def test_any_text_is_checked_or_refused(text: str) -> None:
    try:
        url = GUARD.checked(text)
    except FetchFailed as failure:
        code, shown = failure.code, failure.text
    else:
        code, shown = "", str(url)
        assert url.scheme in ("http", "https")
        assert url.port in (80, 443)
        assert (url.user, url.password, url.fragment) == (None, None, "")
    assert code in ("", "fetch.bad-url", "fetch.forbidden-address")
    assert shown.isprintable()


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("HTTP://Example.ORG", "http://example.org"),
        ("https://bücher.example/ü?q=ä b#top", "https://xn--bcher-kva.example/%C3%BC?q=%C3%A4+b"),
        ("https://straße.example/", "https://xn--strae-oqa.example/"),
        ("https://example.org/a%2Fb?sign=a%2Bb%3D", "https://example.org/a%2Fb?sign=a%2Bb%3D"),
    ],
)
def test_what_people_write_becomes_what_is_asked_for(text: str, meant: str) -> None:
    assert str(GUARD.checked(text)) == meant
