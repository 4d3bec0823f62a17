"""An issue as an EPUB: cover, front page, a page for each story, and a colophon with what is missing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from core.books.drawing import draw_cover
from core.books.making import BookPlan, Chapter, Picture, direction_of, make_epub
from core.errors import InkpostError
from core.news.check_paper import check_paper
from core.news.issue import FittedPicture, Issue, Story
from core.news.sizing import fitting, plan_parts

HEADLINES_ON_COVER: Final = 4
STYLE: Final = """
.ways { margin-top: 2em; border-top: 1px solid #999; padding-top: 0.6em; text-align: center; font-size: 0.9em; }
ul.headlines { list-style-type: none; margin: 0; padding: 0; }
ul.headlines li { margin: 0 0 0.8em; }
figure { margin: 1em 0; }
figcaption { color: #555; font-size: 0.85em; margin-top: 0.3em; }
"""
_ENDINGS: Final = {"image/jpeg": "jpg", "image/png": "png", "image/gif": "gif"}
_IMAGE: Final = re.compile(r'<img src="([^"]*)"( alt="[^"]*")?\s*/>')
_HOLLOW_FIGURE: Final = re.compile(
    r"<figure>\s*(?:<figcaption>(?:(?!</figcaption>).)*</figcaption>)?\s*</figure>", re.DOTALL
)
_HOLLOW_PARAGRAPH: Final = re.compile(r"<p>\s*(?:<a [^>]*>\s*</a>)?\s*</p>")


class PaperDamaged(InkpostError):
    """A paper that we made is not as it must be: a bug, and nothing that leaves the house."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperPart:
    """One file of an issue: the whole of it, or as much as its target takes."""

    path: Path
    title: str
    size_bytes: int
    story_numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Labels:
    """What the paper itself says."""

    contents: str = "In this issue"
    minutes: str = "{} min read"
    by: str = "by {}"
    also_in: str = "Also in {}"
    updated: str = "Updated since you had it"
    stub: str = "The feed has only this much of it. Read on at its source."
    original: str = "Read it at {}"
    previous: str = "← Previous"
    following: str = "Next →"
    front: str = "Contents"
    colophon: str = "About this issue"
    made: str = "Made by Inkpost on {}."
    left_out: str = (
        "{} more stories were left out by the limits of this digest. To have more of them, write: "
        "digest max_articles=… or digest min_quality=…"
    )
    troubles: str = "What could not be read"
    empty: str = "There is nothing new today."
    part: str = "{} ({} of {})"


LABELS: Final = Labels()


def make_paper(issue: Issue, *, folder: Path, cap_bytes: int | None = None) -> tuple[PaperPart, ...]:
    """The issue as EPUBs of at most `cap_bytes` each: one wherever it fits. Blocks; raises `PaperDamaged`."""
    title = f"{issue.title}, {_long_date(issue.local_date)}"
    plans = plan_parts(issue, cap_bytes=cap_bytes)
    parts = []
    for number, part in enumerate(plans, start=1):
        name = title if len(plans) == 1 else LABELS.part.format(title, number, len(plans))
        path = folder / f"part-{number}.epub"
        identifier = issue.identifier if len(plans) == 1 else _part_identifier(issue.identifier, number)
        for smaller in fitting(part):
            _make(_issue_plan(smaller, title=name, identifier=identifier), path)
            if cap_bytes is None or path.stat().st_size <= cap_bytes:
                break
        parts.append(_checked(path, title=name, stories=part.stories))
    return tuple(parts)


def make_story_book(
    story: Story, *, pictures: Mapping[str, FittedPicture], timezone: str, language: str, folder: Path
) -> PaperPart:
    """One story as a book of its own. Blocks; raises `PaperDamaged`."""
    names = _picture_names(pictures)
    dated = story.published_at
    plan = BookPlan(
        title=story.title,
        authors=story.authors or (story.feed,),
        chapters=[Chapter("story", story.title, _story_body(story, names, timezone=timezone))],
        modified_at=dated or datetime.fromisoformat("2000-01-01T00:00:00+00:00"),
        language=story.reading.language or language,
        cover=draw_cover(story.title, kicker=story.feed, footer=", ".join(story.authors)),
        pictures=_used_pictures([story], pictures, names),
        style=STYLE,
    )
    path = folder / "story.epub"
    _make(plan, path)
    return _checked(path, title=story.title, stories=(story,))


def _make(plan: BookPlan, path: Path) -> None:
    path.unlink(missing_ok=True)
    make_epub(plan, path=path)


def _checked(path: Path, *, title: str, stories: Sequence[Story]) -> PaperPart:
    if faults := check_paper(path):
        raise PaperDamaged("; ".join(faults[:5]))
    return PaperPart(
        path=path,
        title=title,
        size_bytes=path.stat().st_size,
        story_numbers=tuple(story.number for story in stories),
    )


def _part_identifier(identifier: str, number: int) -> str:
    """A UUID of its own for each part, always the same."""
    import uuid

    return uuid.uuid5(uuid.UUID(identifier.removeprefix("urn:uuid:")), str(number)).urn


def _issue_plan(issue: Issue, *, title: str, identifier: str) -> BookPlan:
    names = _picture_names(issue.pictures)
    return BookPlan(
        title=title,
        chapters=list(_chapters(issue, names)),
        modified_at=issue.made_at,
        language=issue.language,
        description="; ".join(story.title for story in issue.stories[:10]),
        cover=draw_cover(
            issue.title,
            kicker=_long_date(issue.local_date),
            lines=[story.title for story in issue.stories[:HEADLINES_ON_COVER]],
            footer=LABELS.minutes.format(issue.minutes),
        ),
        pictures=_used_pictures(issue.stories, issue.pictures, names),
        identifier=identifier,
        dated=issue.local_date,
        style=STYLE,
        contents_page="front",
    )


def _chapters(issue: Issue, names: Mapping[str, str]) -> Iterator[Chapter]:
    yield Chapter("front", LABELS.contents, _front(issue))
    numbers = [story.number for story in issue.stories]
    for place, story in enumerate(issue.stories):
        before = numbers[place - 1] if place else None
        after = numbers[place + 1] if place + 1 < len(numbers) else None
        body = _story_body(story, names, timezone=issue.timezone) + _ways(before, after)
        yield Chapter(f"story-{story.number}", story.title, body, section=story.section)
    yield Chapter("colophon", LABELS.colophon, _colophon(issue))


def _front(issue: Issue) -> str:
    parts = [f"<h1>{escape(issue.title)}</h1>", f'<p class="quiet">{_long_date(issue.local_date)}</p>']
    if not issue.stories:
        parts.append(f"<p>{LABELS.empty}</p>")
    for section, stories in groupby(issue.stories, key=lambda story: story.section):
        if section:
            parts.append(f"<h2>{escape(section)}</h2>")
        parts.append(f'<ul class="headlines">{"".join(map(_headline, stories))}</ul>')
    return "".join(parts)


def _headline(story: Story) -> str:
    about = f"{story.feed} · {LABELS.minutes.format(story.reading.minutes)}"
    return (
        f'<li><a href="story-{story.number}.xhtml">{escape(story.title)}</a>'
        f'<br/><span class="quiet">{escape(about)}</span></li>'
    )


def _story_body(story: Story, names: Mapping[str, str], *, timezone: str) -> str:
    """The page of a story, without its way to the next."""
    marks = [LABELS.updated] if story.is_updated else []
    if story.also_in:
        marks.append(LABELS.also_in.format(", ".join(story.also_in)))
    if story.is_stub:
        marks.append(LABELS.stub)
    parts = [
        f"<div{_language(story)}>",
        f"<h1>{escape(story.title)}</h1>",
        f'<p class="quiet">{escape(_byline(story, timezone))}</p>',
        *(f'<p class="quiet">{escape(mark)}</p>' for mark in marks),
        _local_pictures(story.reading.html, names) or f"<p>{escape(story.title)}</p>",
    ]
    if story.url:
        host = (urlsplit(story.url).hostname or story.feed).removeprefix("www.")
        said = LABELS.original.format(f'<a href="{escape(story.url)}">{escape(host)}</a>')
        parts.append(f'<p class="quiet">{said}</p>')
    return "".join([*parts, "</div>"])


def _language(story: Story) -> str:
    """As attributes, where the story says it: it may not be the paper's."""
    language = story.reading.language
    if language is None:
        return ""
    direction = f' dir="{direction_of(language) or "ltr"}"'
    return f' lang="{language}" xml:lang="{language}"{direction}'


def _byline(story: Story, timezone: str) -> str:
    parts = [story.feed]
    if story.authors:
        parts.append(LABELS.by.format(", ".join(story.authors)))
    if story.published_at is not None:
        local = story.published_at.astimezone(ZoneInfo(timezone))
        parts.append(f"{local.day} {local:%B %Y, %H:%M}")
    parts.append(LABELS.minutes.format(story.reading.minutes))
    return " · ".join(parts)


def _ways(before: int | None, after: int | None) -> str:
    links = [
        f'<a href="story-{before}.xhtml">{LABELS.previous}</a>' if before is not None else "",
        f'<a href="front.xhtml">{LABELS.front}</a>',
        f'<a href="story-{after}.xhtml">{LABELS.following}</a>' if after is not None else "",
    ]
    return f'<p class="ways">{" · ".join(filter(None, links))}</p>'


def _colophon(issue: Issue) -> str:
    made = issue.made_at.astimezone(ZoneInfo(issue.timezone))
    parts = [f"<h1>{LABELS.colophon}</h1>", f"<p>{LABELS.made.format(f'{made.day} {made:%B %Y, %H:%M}')}</p>"]
    if issue.left_out:
        parts.append(f"<p>{LABELS.left_out.format(issue.left_out)}</p>")
    if issue.troubles:
        lines = (f"<li>{escape(trouble.feed)}: {escape(trouble.reason)}</li>" for trouble in issue.troubles)
        parts.append(f"<h2>{LABELS.troubles}</h2><ul>{''.join(lines)}</ul>")
    return "".join(parts)


def _local_pictures(html: str, names: Mapping[str, str]) -> str:
    """The text with its pictures from inside the book; one that is not there goes, and its empty figure with it."""
    import html as entities

    def shown(image: re.Match[str]) -> str:
        name = names.get(entities.unescape(image[1]))
        return f'<img src="{name}"{image[2] or " alt=" + chr(34) * 2}/>' if name is not None else ""

    localised = _IMAGE.sub(shown, html)
    if localised == html:
        return html
    return _HOLLOW_PARAGRAPH.sub("", _HOLLOW_FIGURE.sub("", localised))


def _picture_names(pictures: Mapping[str, FittedPicture]) -> dict[str, str]:
    return {
        url: f"pictures/{number}.{_ENDINGS[picture.media_type]}"
        for number, (url, picture) in enumerate(pictures.items(), start=1)
    }


def _used_pictures(
    stories: Iterable[Story], pictures: Mapping[str, FittedPicture], names: Mapping[str, str]
) -> list[Picture]:
    used = dict.fromkeys(url for story in stories for url in story.reading.pictures if url in pictures)
    return [Picture(names[url], pictures[url].media_type, pictures[url].content) for url in used]


def _long_date(day: date) -> str:
    return f"{day.day} {day:%B %Y}"
