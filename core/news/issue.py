"""An issue of the morning paper as values: what the services choose, and the EPUB and the mail are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from core.news.values import WORDS_A_MINUTE, Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedPicture:
    """A picture as e-readers show it."""

    media_type: str
    """`image/jpeg`, `image/png` or `image/gif`."""
    content: bytes
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One story of an issue."""

    number: int
    """What `more 4` and `send 4` call it: 1, 2, 3 … through the whole issue."""
    title: str
    url: str
    """Where it stands on the web; "" where its feed gives none."""
    feed: str
    """What its reader calls the feed."""
    reading: Reading
    section: str = ""
    authors: tuple[str, ...] = ()
    published_at: datetime | None = None
    also_in: tuple[str, ...] = ()
    """Other feeds of this reader that have the story too."""
    is_updated: bool = False
    """It was delivered before, and has really changed since."""
    is_stub: bool = False
    """Only the feed's teaser could be had."""
    is_wish: bool = False
    """A page that the reader put aside, of no feed of theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedTrouble:
    """A line of the colophon: a feed that gave nothing, and why."""

    feed: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """All that one digest says on one day to one reader."""

    identifier: str
    """`urn:uuid:…`, the same however often the issue is made."""
    title: str
    """What the reader calls the digest."""
    local_date: date
    made_at: datetime
    timezone: str
    language: str = "en"
    stories: tuple[Story, ...]
    """In order: sections in a row, the best first in each; the first of all is the best of all."""
    troubles: tuple[FeedTrouble, ...] = ()
    left_out: int = 0
    """Stories that the limits of the digest (quality, number, minutes) kept out."""
    pictures: Mapping[str, FittedPicture] = field(default_factory=dict)
    """By the URL that `Reading.pictures` names. One that is missing is left out of the text."""

    @property
    def sections(self) -> tuple[str, ...]:
        """The names of the sections, in order, each once; "" is the one without a name."""
        return tuple(dict.fromkeys(story.section for story in self.stories))

    @property
    def minutes(self) -> int:
        """Reading time of it all, at least 1."""
        return max(1, round(sum(story.reading.words for story in self.stories) / WORDS_A_MINUTE))
