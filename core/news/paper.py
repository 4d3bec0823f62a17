"""An issue as EPUBs: one, or several where one would be larger than its target takes; and single stories as books."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from core.books.drawing import draw_cover
from core.books.making import BookPlan, Chapter, Picture, make_epub
from core.i18n import _, dated
from core.news.check_paper import check_paper
from core.news.issue import FittedPicture, Issue, Story
from core.news.pages import STYLE, WORDS, colophon, front_page, long_date, page_name, plain, story_page, summary
from core.news.sizing import FRAME_BYTES, Volume, plan_volumes

CORRECTIONS: Final = 2
COVER_LINES: Final = 10
_UNDATED: Final = datetime(2000, 1, 1, tzinfo=UTC)  # what a story without a date is dated: the same each time
_ENDINGS: Final = {"image/jpeg": "jpg", "image/png": "png", "image/gif": "gif"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperPart:
    """A file of an issue."""

    path: Path
    title: str
    size_bytes: int
    stories: tuple[int, ...]
    """The numbers of those that it holds."""


def make_paper(issue: Issue, *, folder: Path, cap_bytes: int | None = None) -> tuple[PaperPart, ...]:
    """Write the issue as EPUBs of at most `cap_bytes` each, and check them. Blocks for about a second.

    The same issue makes the same files, byte for byte. Raises `ValueError` for a cap that holds no paper.
    """
    whole = Volume(stories=issue.stories, pictures={})
    cover = _cover(issue, whole)
    room = None
    if cap_bytes is not None:
        troubles = sum(len(f"{trouble.feed}{trouble.reason}".encode()) + 50 for trouble in issue.troubles)
        room = cap_bytes - FRAME_BYTES - troubles - len(cover)
    for _round in range(1 + CORRECTIONS):
        volumes = plan_volumes(issue, room_bytes=room)
        parts = tuple(
            _write(issue, volume, cover=cover if volume.of == 1 else _cover(issue, volume), folder=folder)
            for volume in volumes
        )
        excess = max(part.size_bytes for part in parts) - cap_bytes if cap_bytes is not None else 0
        if room is None or excess <= 0:
            return parts
        room -= excess + excess // 10
    raise RuntimeError(f"the sizes of a paper were estimated {excess} bytes too small, {1 + CORRECTIONS} times")


def make_story_book(
    story: Story, *, pictures: Mapping[str, FittedPicture], timezone: str, language: str, folder: Path
) -> PaperPart:
    """Write one story as a book of its own. Blocks; the same story is the same file, byte for byte."""
    dated = story.published_at or _UNDATED
    issue = Issue(
        identifier=uuid.uuid5(uuid.NAMESPACE_URL, f"inkpost:{story.url or story.title}").urn,
        title=plain(story.title) or _(WORDS["untitled"]),
        local_date=dated.astimezone(ZoneInfo(timezone)).date(),
        made_at=dated,
        timezone=timezone,
        language=story.reading.language or language,
        stories=(story,),
        pictures=pictures,
    )
    (volume,) = plan_volumes(issue, room_bytes=None)
    pictured = _named(volume)
    page = story_page(story, issue=issue, volume=volume, names={url: each.name for url, each in pictured.items()})
    host = (urlsplit(story.url).hostname or "").removeprefix("www.")
    day = long_date(issue.local_date) if story.published_at else ""
    plan = BookPlan(
        title=issue.title,
        chapters=[Chapter(_page_id(story), issue.title, page)],
        modified_at=dated,
        authors=[name for author in story.authors if (name := plain(author))]
        or [plain(story.feed) or host or "Inkpost"],
        language=issue.language,
        cover=draw_cover(issue.title, kicker=plain(story.feed), lines=[", ".join(story.authors)], footer=day),
        pictures=pictured.values(),
        identifier=issue.identifier,
        style=STYLE,
        contents_page=_page_id(story),  # a list of one is none
    )
    return _made(plan, folder / "story.epub", stories=(story.number,))


def _write(issue: Issue, volume: Volume, *, cover: bytes, folder: Path) -> PaperPart:
    pictured = _named(volume)
    plan = BookPlan(
        title=_title(issue, volume),
        chapters=list(_chapters(issue, volume, names={url: each.name for url, each in pictured.items()})),
        modified_at=issue.made_at,
        language=issue.language,
        description=" · ".join(plain(story.title) for story in volume.stories[:COVER_LINES]),
        cover=cover,
        pictures=pictured.values(),
        identifier=_identifier(issue, volume),
        dated=issue.local_date,
        style=STYLE,
        contents_page="front",
    )
    return _made(plan, folder / f"paper-{volume.number}.epub", stories=tuple(each.number for each in volume.stories))


def _made(plan: BookPlan, path: Path, *, stories: tuple[int, ...]) -> PaperPart:
    make_epub(plan, path=path)
    if problems := check_paper(path):
        raise RuntimeError(f"{len(problems)} problems in a book of ours: {'; '.join(problems[:5])}")
    return PaperPart(path=path, title=plan.title, size_bytes=path.stat().st_size, stories=stories)


def _chapters(issue: Issue, volume: Volume, *, names: Mapping[str, str]) -> Iterator[Chapter]:
    yield Chapter("front", _(WORDS["front"]), front_page(issue, volume=volume))
    stories = volume.stories
    for before, story, after in zip((None, *stories), stories, (*stories[1:], None), strict=False):
        page = story_page(story, issue=issue, volume=volume, names=names, neighbours=(before, after))
        title = plain(story.title) or _(WORDS["untitled"])
        yield Chapter(_page_id(story), title, page, section=plain(story.section))
    yield Chapter("colophon", _(WORDS["colophon"]), colophon(issue, volume=volume))


def _page_id(story: Story) -> str:
    return page_name(story).removesuffix(".xhtml")


def _named(volume: Volume) -> dict[str, Picture]:
    """The pictures as files, by the URL that the text knows them by."""
    return {
        url: Picture(f"pictures/{number}.{_ENDINGS[picture.media_type]}", picture.media_type, picture.content)
        for number, (url, picture) in enumerate(volume.pictures.items(), start=1)
    }


def _title(issue: Issue, volume: Volume) -> str:
    day = dated(issue.local_date, _("d MMMM yyyy"))
    part = _(" ({number} of {count})").format(number=volume.number, count=volume.of) if volume.of > 1 else ""
    return f"{plain(issue.title)}, {day}{part}"


def _identifier(issue: Issue, volume: Volume) -> str:
    if volume.of == 1:
        return issue.identifier
    return uuid.uuid5(uuid.NAMESPACE_URL, f"{issue.identifier}:{volume.number}/{volume.of}").urn


def _cover(issue: Issue, volume: Volume) -> bytes:
    titles = [plain(story.title) for story in volume.stories[: 1 + COVER_LINES]]
    part = f" · {_(WORDS['part']).format(volume.number, volume.of)}" if volume.of > 1 else ""
    return draw_cover(
        plain(issue.title),
        kicker=long_date(issue.local_date),
        lead=titles[0] if titles else _(WORDS["nothing"]),
        lines=titles[1:],
        footer=summary(volume.stories) + part,
    )
