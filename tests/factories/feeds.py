"""Feeds as servers give them: RSS with full texts, of stories that are told apart by their seed."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from xml.sax.saxutils import escape

WORDS = re.findall(
    r"\w+",
    "harbour council engine letter winter market signal bridge garden paper morning teacher river window "
    "company school doctor village number history weather ticket museum camera factory author minister "
    "station forest island lawyer orchard compass lantern voyage kettle mirror saddle tunnel velvet anchor "
    "basket candle dragon feather glacier hammer insect jacket kitchen ladder magnet needle ocean pocket "
    "quarry ribbon silver thunder umbrella valley wagon yellow",
)


@dataclass(frozen=True, kw_only=True)
class Item:
    """One entry. `seed` makes its text: two items of one seed tell the same story."""

    guid: str
    title: str
    published_at: datetime
    link: str = ""
    seed: int | str = 0
    words: int = 180
    html: str | None = None
    """The text, instead of one that is made."""


def story_text(seed: int | str, *, words: int = 180) -> str:
    """Paragraphs of made-up sentences, the same for the same seed."""
    chance = random.Random(f"story {seed}")
    sentences: list[str] = []
    while len(" ".join(sentences).split()) < words:
        sentences.append(" ".join(chance.choice(WORDS) for _ in range(chance.randint(8, 16))).capitalize() + ".")
    paragraphs = [sentences[at : at + 4] for at in range(0, len(sentences), 4)]
    return "".join(f"<p>{' '.join(paragraph)}</p>" for paragraph in paragraphs)


def rss(items: Iterable[Item], *, title: str = "The Harbour Post", site: str = "https://harbour.test/") -> str:
    """RSS 2.0 with `content:encoded`."""
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel>'
        f"<title>{escape(title)}</title><link>{escape(site)}</link><language>en</language>"
        f"{''.join(map(_item, items))}</channel></rss>"
    )


def _item(item: Item) -> str:
    html = item.html if item.html is not None else story_text(item.seed or item.guid, words=item.words)
    link = f"<link>{escape(item.link)}</link>" if item.link else ""
    return (
        f'<item><guid isPermaLink="false">{escape(item.guid)}</guid><title>{escape(item.title)}</title>{link}'
        f"<pubDate>{format_datetime(item.published_at)}</pubDate>"
        f"<content:encoded><![CDATA[{html}]]></content:encoded></item>"
    )
