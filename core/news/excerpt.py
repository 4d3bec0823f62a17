"""The beginning of a story for a mail: its paragraphs, up to a size, with nothing that loads or commands anything."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from lxml.html import HtmlElement, fragment_fromstring, tostring
from markupsafe import Markup

from core.mail.compose import visible
from core.news.captions import without_captions
from core.news.issue import Story

MIN_BLOCK_BYTES = 100  # with less room left, no further paragraph is begun

_INLINE: Final = frozenset(
    "a abbr b br cite code del em i kbd mark q s samp small strong sub sup u var".split()  # noqa: SIM905  # 20 lines
)
_BLOCKS: Final = frozenset(
    "blockquote dd div dl dt h1 h2 h3 h4 h5 h6 hr li ol p pre table tbody td tfoot th thead tr ul".split()  # noqa: SIM905
)
_DROPPED_WITH_TEXT = {"figcaption", "script", "style", "template", "title"}  # no caption without its picture
_SENTENCE_END = re.compile(r"[.!?…][\"”’»)]*(?=\s)|[。！？][」』）]*")

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """A story as a mail tells it."""

    story: Story
    html: Markup
    text: str
    is_whole: bool


def excerpt(story: Story, *, text_bytes: int) -> Excerpt:
    """About the first `text_bytes` of a story's text, in UTF-8."""
    blocks = _blocks(story)
    html, is_all = _first(blocks, [_size(block) for block in blocks], text_bytes=text_bytes, shorten=_shortened)
    paragraphs = [
        paragraph.strip() for paragraph in visible(without_captions(story.reading)).split("\n\n") if paragraph.strip()
    ]
    sizes = [len(paragraph.encode()) for paragraph in paragraphs]
    text, _ = _first(paragraphs, sizes, text_bytes=text_bytes, shorten=_short)
    return Excerpt(
        story=story,
        html=Markup("\n".join(tostring(block, encoding="unicode") for block in html)),  # noqa: S704  # sanitised here
        text="\n\n".join(text),
        is_whole=is_all and not story.is_stub,
    )


def _blocks(story: Story) -> list[HtmlElement]:
    """The paragraphs, lists, tables of a story, for a mail: nothing is loaded from anywhere, every heading is of one
    size, and no link writes a mail, which could be a command in the reader's name."""
    import nh3  # a megabyte and a half, for those who have the news in a mail

    clean = nh3.clean(
        visible(story.reading.html),
        tags=set(_INLINE | _BLOCKS),
        clean_content_tags=_DROPPED_WITH_TEXT,
        attributes={"a": {"href"}, "td": {"colspan", "rowspan"}, "th": {"colspan", "rowspan"}},
        url_schemes={"http", "https"},
        link_rel=None,
    )
    root = fragment_fromstring(clean, create_parent="div")
    while len(root) == 1 and root[0].tag == "div" and not _has_loose_text(root):
        root = root[0]
    for heading in list(root.iterdescendants("h1", "h2", "h3", "h5", "h6")):
        heading.tag = "h4"
    if _has_loose_text(root):
        return [root]
    blocks = [block for block in root if block.text_content().strip() or block.tag == "hr"]
    if blocks and blocks[0].tag == "h4" and _letters(blocks[0].text_content()) == _letters(story.title):
        del blocks[0]
    return blocks


def _has_loose_text(root: HtmlElement) -> bool:
    """Whether text stands in it that is in no paragraph."""
    return any(text and text.strip() for text in (root.text, *(child.tail for child in root))) or any(
        child.tag in _INLINE for child in root
    )


def _letters(text: str) -> str:
    return re.sub(r"\W+", "", text).casefold()


def _size(block: HtmlElement) -> int:
    return len(str(block.text_content()).encode())


def _shortened(block: HtmlElement, size: int) -> HtmlElement:
    """The beginning of a block as a plain paragraph: a table or a list cut in two is none."""
    short = block.makeelement("p")
    short.text = _short(" ".join(" ".join(block.itertext()).split()), size)
    return short


def _short(text: str, size: int) -> str:
    """About `size` bytes of it, up to the end of a sentence if one is near, of a word otherwise."""
    start = text.encode()[:size].decode(errors="ignore")
    ends = [match.end() for match in _SENTENCE_END.finditer(start) if match.end() > len(start) // 2]
    if ends:
        return start[: ends[-1]].rstrip()
    return (start.rpartition(" ")[0] or start).rstrip(" ,;:-–") + " …"


def _first(
    blocks: list[T], sizes: list[int], *, text_bytes: int, shorten: Callable[[T, int], T]
) -> tuple[list[T], bool]:
    """The first blocks, about `text_bytes` of text in all; and whether these are all. What is but half as long again is
    kept whole, since nobody likes to tap for the last sentence."""
    if sum(sizes) <= text_bytes * 3 // 2:
        return blocks, True
    kept: list[T] = []
    room = text_bytes
    for block, size in zip(blocks, sizes, strict=True):
        if room < MIN_BLOCK_BYTES:
            break
        if size > room * 3 // 2:
            return [*kept, shorten(block, room)], False
        kept.append(block)
        room -= size
    return kept, False
