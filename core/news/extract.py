"""The article of a web page, without what stands around it, by trafilatura."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from core.loading import loading
from core.news.leftovers import standfirst, without_leftovers
from core.news.sanitise import sanitise
from core.news.values import Reading

MAX_PAGE_BYTES: Final = 2_000_000  # trafilatura takes 7 s for the worst 2 MB and more than 20 s for 5 MB
SHORTEST_ARTICLE: Final = 30  # words
STUB_WORDS: Final = 120
_CUT: Final = re.compile(
    r"(?:…|\.\.\.|read more|continue reading|more|weiterlesen|mehr lesen|lire la suite|leer más|»|→)\W*$", re.IGNORECASE
)


def extract(page: bytes, *, url: str, headers: Mapping[str, str]) -> Reading | None:
    """The article; None where there is none. Never raises for what the page is."""
    with loading():
        import trafilatura

    charset = re.search(r"charset\s*=\s*[\"']?([\w.:-]+)", headers.get("content-type", ""), re.IGNORECASE)
    source: bytes | str = page[:MAX_PAGE_BYTES]
    if charset is not None:
        try:
            source = page[:MAX_PAGE_BYTES].decode(charset[1], "replace")
        except LookupError:
            source = page[:MAX_PAGE_BYTES]
    try:
        html = trafilatura.extract(
            source, url=url, output_format="html", include_comments=False, include_images=True, include_links=True,
            include_tables=True, include_formatting=True,
        )  # fmt: skip
        if not html:
            return None
        about = trafilatura.extract_metadata(source, default_url=url)
        reading = sanitise(html, base_url=url, language=about.language)
        if reading.words < SHORTEST_ARTICLE:
            return None
        tree = trafilatura.load_html(source)
        lead = standfirst(tree, description=about.description or "", text=reading.text) if tree is not None else ""
        whole = lead + without_leftovers(reading.html)
    except Exception:  # noqa: BLE001 - a parser's boundary: its own faults with strange pages are no article
        return None
    if whole != reading.html:
        reading = sanitise(whole, base_url=url, language=about.language)
    authors = tuple(name.strip() for name in (about.author or "").split(";") if name.strip())
    return replace(reading, title=about.title or "", authors=authors, published_at=_date(about.date))


def is_stub(reading: Reading) -> bool:
    """Whether a feed's text is a teaser, to be fetched in full."""
    if reading.words >= 4 * STUB_WORDS:
        return False
    return reading.words < STUB_WORDS or _CUT.search(reading.text) is not None


def _date(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None
    except ValueError:
        return None
