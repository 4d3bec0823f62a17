"""JSON Feed 1.0 and 1.1 (jsonfeed.org/version/1.1). What is not of the type that it should be is taken for absent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from core.news import feed_text as text
from core.news.values import Entry, ParsedFeed


def read_json_feed(body: bytes, *, url: str, most_entries: int) -> ParsedFeed | None:
    """The feed, or None if this is JSON and no feed. Raises `ValueError` for what is no JSON, `RecursionError` for
    what is nested too deep."""
    document = json.loads(body.decode("utf-8-sig") if body.startswith(b"\xef\xbb\xbf") else body)
    if not isinstance(document, dict) or "jsonfeed.org/version/1" not in str(document.get("version")):
        return None
    items = [item for item in _list(document.get("items")) if isinstance(item, dict)]
    base = text.web_address(document.get("feed_url"), base=url) or url
    authors = _authors(document)
    return ParsedFeed(
        title=text.one_line(document.get("title")),
        site_url=text.web_address(document.get("home_page_url"), base=base),
        language=text.language_tag(document.get("language")),
        kind="json11" if str(document["version"]).rstrip("/").endswith("1.1") else "json1",
        entries=tuple(_entry(item, base=base, authors=authors) for item in items[:most_entries]),
        defects=(f"only its first {most_entries} entries were read",) if len(items) > most_entries else (),
    )


def _entry(item: Mapping[str, Any], *, base: str, authors: tuple[str, ...]) -> Entry:
    address = text.web_address(item.get("url"), base=base) or text.web_address(item.get("external_url"), base=base)
    content = text.markup(item.get("content_html")) or text.markup_of_text(item.get("content_text"))
    summary = text.markup_of_text(item.get("summary"))
    return Entry(
        guid=_id(item.get("id")),
        url=address,
        title=text.one_line(item.get("title")),
        authors=_authors(item) or authors,
        published_at=text.instant_of_iso(item.get("date_published")),
        updated_at=text.instant_of_iso(item.get("date_modified")),
        content=content or summary,
        base_url=address or base,
        summary=summary if content else "",
        language=text.language_tag(item.get("language")),
        tags=text.each_once((text.one_line(tag, most=text.MOST_NAME) for tag in _list(item.get("tags"))), most=30),
    )


def _id(value: object) -> str:
    """ "If present as a number, convert to string" (JSON Feed 1.1, items: id)."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return text.identity(str(value) if is_number else value)


def _authors(item: Mapping[str, Any]) -> tuple[str, ...]:
    """Of 1.1 `authors`, else of 1.0 `author`."""
    found = _list(item.get("authors")) or [item.get("author")]
    names = (text.one_line(one.get("name"), most=text.MOST_NAME) for one in found if isinstance(one, dict))
    return text.each_once(names, most=text.MOST_NAMES)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
