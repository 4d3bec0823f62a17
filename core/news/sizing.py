"""How an issue is made to fit what its target takes: paler pictures first, then fewer, then parts, then shorter texts.

Sizes are estimated (a text as it deflates, a picture as it is), so that the book is made once; what `fitting` gives
after its first value is for the rare issue whose estimate was wrong.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from core.news.issue import FittedPicture, Issue, Story
from core.news.pictures import refit

BASE_BYTES: Final = 160_000  # cover, style, contents, colophon
STORY_BYTES: Final = 1_500  # of a page beside its text: its head, its place in the contents and in the zip directory
PICTURE_BYTES: Final = 400
MARGIN: Final = 0.97  # of the cap that an estimate may fill
STEPS: Final = ((70, 1080, 1440), (55, 800, 1066), (40, 600, 800))
"""Quality, width, height of pictures that have to be smaller."""
CUT: Final = (
    "<p>[The rest of this story is too long for your e-reader’s mail. Read on at its source: the link is below.]</p>"
)


def plan_parts(issue: Issue, *, cap_bytes: int | None) -> tuple[Issue, ...]:
    """The issue in as many parts as it takes, stories in order, with pictures as small as it takes. At least one."""
    if cap_bytes is None:
        return (issue,)
    room = int(cap_bytes * MARGIN)
    for smaller in _paler(issue):
        if estimate(smaller) <= room:
            return (smaller,)
    return tuple(_split(_one_picture_each(smaller), room))


def fitting(part: Issue) -> Iterator[Issue]:
    """The part as it was planned, and then ever smaller."""
    yield part
    yield replace(part, pictures=_refitted(part, *STEPS[-1]))
    bare = replace(part, pictures={})
    yield bare
    for share in (2, 4, 8, 16, 32, 64, 128):
        longest = max((len(story.reading.html) for story in bare.stories), default=0)
        yield replace(bare, stories=tuple(_cut(story, longest // share) for story in bare.stories))


def estimate(issue: Issue) -> int:
    """Bytes of its EPUB, a little too many."""
    return BASE_BYTES + sum(_story_bytes(story, issue) for story in issue.stories)


def _story_bytes(story: Story, issue: Issue) -> int:
    pictures = (issue.pictures[url] for url in story.reading.pictures if url in issue.pictures)
    text = len(zlib.compress(story.reading.html.encode("utf-8", "replace"), 6))
    return STORY_BYTES + text + sum(len(picture.content) + PICTURE_BYTES for picture in pictures)


def _paler(issue: Issue) -> Iterator[Issue]:
    """The issue, with its pictures smaller at each step; at the end with one for each story."""
    yield issue
    smaller = issue
    for quality, width, height in STEPS:
        smaller = replace(issue, pictures=_refitted(smaller, quality, width, height))
        yield smaller
    yield _one_picture_each(smaller)


def _refitted(issue: Issue, quality: int, width: int, height: int) -> dict[str, FittedPicture]:
    return {
        url: refit(picture, quality=quality, most_width=width, most_height=height)
        for url, picture in issue.pictures.items()
    }


def _one_picture_each(issue: Issue) -> Issue:
    first = (next((url for url in story.reading.pictures if url in issue.pictures), None) for story in issue.stories)
    return replace(issue, pictures={url: issue.pictures[url] for url in first if url is not None})


def _split(issue: Issue, room: int) -> Iterator[Issue]:
    """Stories in order, as many to a part as fit; one that fits none comes without pictures, or shortened."""
    stories: list[Story] = []
    used = BASE_BYTES
    for story in issue.stories:
        size = _story_bytes(story, issue)
        if stories and used + size > room:
            yield _part(issue, stories)
            stories, used = [], BASE_BYTES
        if used + size > room:
            story = _shortened(story, lambda one: BASE_BYTES + _story_bytes(one, replace(issue, pictures={})) <= room)
            yield _part(replace(issue, pictures={}), [story])
            continue
        stories.append(story)
        used += size
    if stories:
        yield _part(issue, stories)


def _part(issue: Issue, stories: list[Story]) -> Issue:
    wanted = {url for story in stories for url in story.reading.pictures}
    pictures = {url: picture for url, picture in issue.pictures.items() if url in wanted}
    return replace(issue, stories=tuple(stories), pictures=pictures)


def _shortened(story: Story, fits: Callable[[Story], bool]) -> Story:
    """The story, halved until it fits."""
    shorter, length = story, len(story.reading.html)
    while not fits(shorter) and length > len(CUT):
        length //= 2
        shorter = _cut(story, length)
    return shorter


def _cut(story: Story, length: int) -> Story:
    """The story's first paragraphs, about so many letters of HTML, and a sentence that says so."""
    if len(story.reading.html) <= length:
        return story
    from lxml import etree

    root = etree.fromstring(f"<div>{story.reading.html}</div>", etree.XMLParser(huge_tree=True))
    kept, used = [], 0
    for element in root:
        piece = etree.tostring(element, encoding="unicode")
        if used + len(piece) > length:
            break
        kept.append(piece)
        used += len(piece)
    return replace(story, reading=replace(story.reading, html="".join([*kept, CUT])))
