"""Links of newsletters that count who taps, in the forms that services write them."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest

from core.news.clicks import without_click_counters

TARGET = "https://stories.example/the-tide?page=2"


def encoded(text: str, *, url_safe: bool = True) -> str:
    octets = (base64.urlsafe_b64encode if url_safe else base64.b64encode)(text.encode())
    return octets.decode().rstrip("=")


SUBSTACK = f"https://substack.com/redirect/2/{encoded(json.dumps({'e': TARGET, 'p': 1, 's': 2}))}.x1y2z3"
INNER = json.dumps({"u": 1, "url": TARGET, "id": "7"}).replace("/", "\\/")  # as PHP writes it
MANDRILL = f"https://mandrillapp.com/track/click/300/stories.example?p={encoded(json.dumps({'s': 'x', 'p': INNER}))}"


@pytest.mark.parametrize(
    "link",
    [
        "https://abc.r.us-east-1.awstrack.me/L0/https:%2F%2Fstories.example%2Fthe-tide%3Fpage=2/1/0100018/9x=1",
        f"https://click.kit-mail.example/9x8y/z7/{encoded(TARGET)}",
        f"https://email.daily.example/c?u=7&url={TARGET.replace(':', '%3A').replace('/', '%2F').replace('?', '%3F')}",
        f"https://l.daily.example/redirect/{quote(encoded(TARGET, url_safe=False), safe='')}",
        SUBSTACK,
        MANDRILL,
        f"https://track.list.example/go/{encoded(SUBSTACK)}",
        f"{TARGET}&utm_source=daily&utm_medium=email",
    ],
)  # fmt: skip
def test_link_leads_where_it_says(link: str) -> None:
    assert without_click_counters(link) == TARGET


@pytest.mark.parametrize(
    "link",
    [
        "https://click.daily.example/f/a/Xy7_opaque~~/AAQ",
        "https://daily.list-manage.com/track/click?u=1&id=2&e=3",
        "https://web.example/share?url=https%3A%2F%2Fother.example%2F",
        "https://web.example/login?next=https://web.example/account",
        "mailto:editor@daily.example?subject=https://x.example/",
        "https://click.daily.example/c/https:%2F%2Flocalhost/",
        "https://[broken",
        "https://click.daily.example/" + "a" * 5000,
        "",
    ],
)
def test_link_that_does_not_say_where_it_leads_stays(link: str) -> None:
    assert without_click_counters(link) == link
