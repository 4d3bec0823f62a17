"""An issue as files under a cap: pictures of less quality, then fewer of them, then parts; sizes are estimated.

Nothing is written to be weighed: text counts as zlib makes it, pictures as they are, since that is how they are stored.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Final

from lxml import etree

from core.news.issue import FittedPicture, Issue, Story
from core.news.pictures import refit

STORY_BYTES: Final = 1_000  # of a page beside its text: its frame, its lines in front page, contents and package
PICTURE_BYTES: Final = 240  # of a picture beside itself: two ZIP headers (APPNOTE.TXT 4.3), a line of the package
FRAME_BYTES: Final = 6_000  # of a paper without stories and cover

# Quality, most pixels of width and height: what screens of 300 dpi, of 212, of 167 show, and a thumbnail.
STEPS: Final = ((72, 1072, 1448), (60, 758, 1024), (50, 600, 800), (40, 400, 560))
SAMPLE: Final = 8  # pictures that tell how much a step saves


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """One file of an issue: all of it, or a part."""

    stories: tuple[Story, ...]
    pictures: Mapping[str, FittedPicture]
    """By URL, as they go into the file."""
    cut: frozenset[int] = frozenset()
    """Numbers of the stories whose text was too large for any file."""
    number: int = 1
    of: int = 1


def plan_volumes(issue: Issue, *, room_bytes: int | None) -> tuple[Volume, ...]:
    """The fewest volumes that the text needs, each with as many and as good pictures as there is room for.

    `room_bytes` is what a volume's stories and pictures may take of a file; None is no limit. Raises `ValueError` where
    there is not even room for the beginning of a story.
    """
    pictures = _wanted(issue.stories, issue.pictures)
    if room_bytes is None or _most(issue.stories) + _weight(pictures) <= room_bytes:
        return (Volume(stories=issue.stories, pictures=pictures),)
    stories = tuple(shortened(story, room_bytes=room_bytes) for story in issue.stories)
    cut = frozenset(own.number for own, story in zip(stories, issue.stories, strict=True) if own is not story)
    weights = [story_weight(story) for story in stories]
    groups = split(weights, [story.section for story in stories], room_bytes=room_bytes)
    return tuple(
        Volume(
            stories=stories[start:end],
            pictures=fit_pictures(stories[start:end], issue.pictures, room_bytes=room_bytes - sum(weights[start:end])),
            cut=cut & {story.number for story in stories[start:end]},
            number=number,
            of=len(groups),
        )
        for number, (start, end) in enumerate(groups, start=1)
    )


def split(weights: Sequence[int], sections: Sequence[str], *, room_bytes: int) -> list[tuple[int, int]]:
    """Bounds of the parts, in order: as few as there can be, about as large as each other, ends of sections preferred.

    No part is heavier than `room_bytes`, unless one story alone is.
    """
    fewest = _fill(weights, sections, room_bytes=room_bytes)
    even = -(-sum(weights) // len(fewest))
    for sixteenth in range(16):
        parts = _fill(weights, sections, room_bytes=even + (room_bytes - even) * sixteenth // 16)
        if len(parts) <= len(fewest):
            return parts
    return fewest


def fit_pictures(
    stories: Sequence[Story], pictures: Mapping[str, FittedPicture], *, room_bytes: int
) -> dict[str, FittedPicture]:
    """The pictures of these stories, as small as they must be; at last fewer of them, the first of a story last."""
    wanted = _wanted(stories, pictures)
    if _weight(wanted) <= room_bytes:
        return wanted
    sample = list(wanted.values())[:: max(1, len(wanted) // SAMPLE)]
    smaller = wanted
    for step in STEPS:
        share = sum(len(_at(step, each).content) for each in sample) / sum(len(each.content) for each in sample)
        if _weight(wanted) * share > room_bytes * 1.05 and step != STEPS[-1]:
            continue
        smaller = {url: _at(step, each) for url, each in wanted.items()}
        if _weight(smaller) <= room_bytes:
            return smaller
    return _fewer(stories, smaller, room_bytes=room_bytes)


def story_weight(story: Story) -> int:
    """About how many bytes its page and all that names it take in the file, rather too many than too few."""
    return _beside(story) + len(zlib.compress(story.reading.html.encode()))


def shortened(story: Story, *, room_bytes: int) -> Story:
    """The story, or as many of its first paragraphs as fit where it is alone too large."""
    if _most([story]) <= room_bytes or story_weight(story) <= room_bytes:
        return story
    blocks = _blocks(story)
    fitting, above = 0, len(blocks)
    while fitting < above - 1:
        middle = (fitting + above) // 2
        if story_weight(_with_text(story, "".join(blocks[:middle]))) <= room_bytes:
            fitting = middle
        else:
            above = middle
    if fitting:
        return _with_text(story, "".join(blocks[:fitting]))
    room = room_bytes - _beside(story) - 100
    if room <= 0:
        raise ValueError(f"{room_bytes} bytes hold no story")
    # One paragraph that is longer than a file: its beginning. Six bytes are the longest escape of one.
    beginning = story.reading.text.encode()[: room // 6].decode(errors="ignore")
    return _with_text(story, f"<p>{escape(beginning)}…</p>")


def _fill(weights: Sequence[int], sections: Sequence[str], *, room_bytes: int) -> list[tuple[int, int]]:
    bounds: list[tuple[int, int]] = []
    start, total = 0, 0
    at = 0
    while at < len(weights):
        if at > start and total + weights[at] > room_bytes:
            at = _good_end(weights, sections, start, at, room_bytes=room_bytes)
            bounds.append((start, at))
            start, total = at, 0
        total += weights[at]
        at += 1
    return [*bounds, (start, len(weights))]


def _good_end(weights: Sequence[int], sections: Sequence[str], start: int, end: int, *, room_bytes: int) -> int:
    """Where the section began that goes on at `end`, unless the part would be less than half full."""
    begin = end
    while begin > start and sections[begin - 1] == sections[end]:
        begin -= 1
    return begin if begin > start and sum(weights[start:begin]) >= room_bytes // 2 else end


def _fewer(
    stories: Sequence[Story], pictures: Mapping[str, FittedPicture], *, room_bytes: int
) -> dict[str, FittedPicture]:
    """First the first picture of each story, then the second ones, for as long as there is room."""
    kept: dict[str, FittedPicture] = {}
    for url in _by_rank(stories):
        picture = pictures.get(url)
        if picture is not None and url not in kept and (size := len(picture.content) + PICTURE_BYTES) <= room_bytes:
            kept[url] = picture
            room_bytes -= size
    return kept


def _by_rank(stories: Sequence[Story]) -> Iterator[str]:
    for rank in range(max((len(story.reading.pictures) for story in stories), default=0)):
        yield from (story.reading.pictures[rank] for story in stories if rank < len(story.reading.pictures))


def _wanted(stories: Sequence[Story], pictures: Mapping[str, FittedPicture]) -> dict[str, FittedPicture]:
    return {url: pictures[url] for story in stories for url in story.reading.pictures if url in pictures}


def _at(step: tuple[int, int, int], picture: FittedPicture) -> FittedPicture:
    quality, width, height = step
    return refit(picture, quality=quality, most_width=width, most_height=height)


def _weight(pictures: Mapping[str, FittedPicture]) -> int:
    return sum(len(picture.content) + PICTURE_BYTES for picture in pictures.values())


def _most(stories: Sequence[Story]) -> int:
    """What they weigh at most, without compressing anything."""
    return sum(_beside(story) + len(story.reading.html.encode()) for story in stories)


def _beside(story: Story) -> int:
    """The title stands on six pages, which are compressed; the rest on one or two."""
    names = (story.title, story.title, story.feed, story.section, story.url, *story.authors, *story.also_in)
    return STORY_BYTES + 2 * sum(len(name.encode()) for name in names)


def _blocks(story: Story) -> list[str]:
    try:
        root = etree.fromstring(f"<div>{story.reading.html}</div>", etree.XMLParser(huge_tree=True))
    except etree.XMLSyntaxError:
        return [f"<p>{escape(part)}</p>" for part in story.reading.text.split("\n\n")]
    return [escape(root.text or ""), *(etree.tostring(child, encoding="unicode") for child in root)]


def _with_text(story: Story, html: str) -> Story:
    kept = tuple(url for url in story.reading.pictures if escape(url) in html)
    return replace(story, reading=replace(story.reading, html=html, pictures=kept))
