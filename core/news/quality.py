"""How good a story is for one reader, with the reasons, and which stories make an issue."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from itertools import pairwise
from math import ceil
from types import MappingProxyType

from core.i18n import _, ngettext
from core.news.canonical import fold
from core.news.values import WORDS_A_MINUTE


@dataclass(frozen=True, slots=True)
class Weights:
    """Every number of the score. A story of middling length, a day old, from one feed, comes to about 60."""

    start: int = 35
    full_text: tuple[tuple[int, int], ...] = ((2_500, 16), (600, 20), (250, 14), (80, 6), (0, -10))
    """(from so many words, points): long reads are good, very long ones a little less so."""
    stub: int = -20
    links: tuple[tuple[float, int], ...] = ((0.5, -25), (0.3, -10))
    """(from this share of the text, points)"""
    original: int = 8
    carried_by: tuple[tuple[int, int], ...] = ((5, 15), (4, 12), (3, 10), (2, 6))
    """(from so many feeds, points): what several editors chose."""
    ages: tuple[tuple[timedelta, int], ...] = (
        (timedelta(hours=6), 10),
        (timedelta(hours=24), 8),
        (timedelta(hours=48), 4),
        (timedelta(days=7), 0),
    )
    """(younger than this, points)"""
    old: int = -8
    picture: int = 2
    feed_taste: int = 20
    """At the most, either way; as the next two."""
    author_taste: int = 10
    keyword_taste: int = 15
    one_keyword_taste: int = 8


WEIGHTS = Weights()
DOUBT = 4
"""Opinions for and against that everything is thought to have had already (Laplace): one `less` moves a feed by a
fifth of `feed_taste`, four move it by half."""
MOST_KEYWORDS = 500
"""Remembered words of titles for each reader; those with the fewest opinions go first."""
FEED_SHARE = 0.4
"""Of an issue, from one feed, as long as others have something."""
_KEYWORD_LETTERS = 4
_UNSPACED_RUN = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]{2,}")


class Wish(StrEnum):
    MORE = "more"
    LESS = "less"


@dataclass(frozen=True, slots=True)
class Opinions:
    """How often a reader asked for more and for less."""

    more: int = 0
    less: int = 0

    @property
    def leaning(self) -> float:
        """-1.0 to 1.0, near 0 while there are few."""
        return (self.more - self.less) / (self.more + self.less + DOUBT)

    def after(self, wish: Wish) -> Opinions:
        return replace(self, more=self.more + 1) if wish is Wish.MORE else replace(self, less=self.less + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryFacts:
    """What the score looks at."""

    words: int
    is_stub: bool = False
    """Only the feed's teaser could be had."""
    link_share: float = 0.0
    """As `Reading.link_share`."""
    is_original: bool = False
    """Reporting of the feed's own, not a pointer to somebody else's."""
    carried_by: int = 1
    """How many of the reader's feeds have it."""
    age: timedelta | None = None
    """None where the feed gives no date."""
    has_picture: bool = False
    feed: str = ""
    """Whatever names the feed for good: its id, its address."""
    authors: tuple[str, ...] = ()
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """`more 4` or `less 4`, and what story 4 was."""

    wish: Wish
    feed: str = ""
    authors: tuple[str, ...] = ()
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taste:
    """What a reader asked for more and less of, by feed, author and word of a title."""

    feeds: Mapping[str, Opinions] = field(default_factory=lambda: MappingProxyType({}))
    authors: Mapping[str, Opinions] = field(default_factory=lambda: MappingProxyType({}))
    keywords: Mapping[str, Opinions] = field(default_factory=lambda: MappingProxyType({}))

    def after(self, feedback: Feedback) -> Taste:
        """The taste with one more opinion in it."""
        return Taste(
            feeds=_after(self.feeds, [feedback.feed] if feedback.feed else [], wish=feedback.wish),
            authors=_after(self.authors, map(fold, feedback.authors), wish=feedback.wish),
            keywords=_shortened(_after(self.keywords, keywords(feedback.title), wish=feedback.wish)),
        )

    def as_json(self) -> dict[str, dict[str, list[int]]]:
        """For a column of a row; `from_json` reads it back."""
        return {
            name: {key: [opinions.more, opinions.less] for key, opinions in opinions_by_key.items()}
            for name, opinions_by_key in (("feeds", self.feeds), ("authors", self.authors), ("keywords", self.keywords))
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Mapping[str, Sequence[int]]]) -> Taste:
        def read(name: str) -> dict[str, Opinions]:
            return {key: Opinions(more, less) for key, (more, less) in kept.get(name, {}).items()}

        return cls(feeds=read("feeds"), authors=read("authors"), keywords=read("keywords"))


def _after(known: Mapping[str, Opinions], keys: Iterable[str], *, wish: Wish) -> dict[str, Opinions]:
    return {**known, **{key: known.get(key, Opinions()).after(wish) for key in keys}}


def _shortened(known: dict[str, Opinions]) -> dict[str, Opinions]:
    if len(known) <= MOST_KEYWORDS:
        return known
    newest_first = reversed(known.items())  # So that of two words with as many opinions the older one goes.
    kept = dict(sorted(newest_first, key=lambda item: -(item[1].more + item[1].less))[:MOST_KEYWORDS])
    return {key: opinions for key, opinions in known.items() if key in kept}


def keywords(title: str) -> tuple[str, ...]:
    """The words of a title that may say what it is about, each once; pairs of letters where there are no blanks."""
    folded = fold(title)
    runs = _UNSPACED_RUN.findall(folded)
    words = [word for word in re.findall(r"[^\W_]+", _UNSPACED_RUN.sub(" ", folded)) if len(word) >= _KEYWORD_LETTERS]
    return tuple(dict.fromkeys([*words, *("".join(pair) for run in runs for pair in pairwise(run))]))


@dataclass(frozen=True, slots=True)
class Reason:
    """One line of `why 3`, e.g. "Full text, 1,200 words: +20"."""

    text: str
    points: int


@dataclass(frozen=True, slots=True)
class Score:
    """`value` is 0 to 100, and the sum of the points of all reasons."""

    value: int
    reasons: tuple[Reason, ...]


def score(facts: StoryFacts, *, taste: Taste) -> Score:
    """How good a story is for this reader. The reasons with no points are left out."""
    found = [
        (_("Every story starts here"), WEIGHTS.start),
        _length(facts),
        _links(facts),
        (_("Original reporting"), WEIGHTS.original if facts.is_original else 0),
        (_("In {count} of your feeds").format(count=facts.carried_by), _from(WEIGHTS.carried_by, facts.carried_by)),
        _age(facts.age),
        (_("With a picture"), WEIGHTS.picture if facts.has_picture else 0),
        *_tastes(facts, taste),
    ]
    total = sum(points for _, points in found)
    value = min(100, max(0, total))
    bound = _("No story has more than 100") if total > 100 else _("No story has less than 0")
    found.append((bound, value - total))
    return Score(value, tuple(Reason(f"{text}: {_signed(points)}", points) for text, points in found if points))


def _length(facts: StoryFacts) -> tuple[str, int]:
    if facts.is_stub:
        return _("Only a teaser, {words}").format(words=_words(facts.words)), WEIGHTS.stub
    points = _from(WEIGHTS.full_text, facts.words)
    text = _("Full text, {words}") if points > 0 else _("Very short, {words}")
    return text.format(words=_words(facts.words)), points


def _links(facts: StoryFacts) -> tuple[str, int]:
    return _("Links are {share} of its text").format(share=f"{facts.link_share:.0%}"), _from(
        WEIGHTS.links, facts.link_share
    )


def _age(age: timedelta | None) -> tuple[str, int]:
    if age is None:
        return "", 0
    points = next((points for limit, points in WEIGHTS.ages if age < limit), WEIGHTS.old)
    hours = max(0, round(age / timedelta(hours=1)))
    if not hours:
        return _("Less than an hour old"), points
    if hours >= 48:
        return _("{days} days old").format(days=hours // 24), points
    return ngettext("1 hour old", "{hours} hours old", hours).format(hours=hours), points


def _tastes(facts: StoryFacts, taste: Taste) -> list[tuple[str, int]]:
    """What the reader's own feedback gives and takes."""
    feed = taste.feeds.get(facts.feed, Opinions()).leaning
    author, name = max(
        ((taste.authors.get(fold(author), Opinions()).leaning, author) for author in facts.authors),
        key=lambda one: abs(one[0]),
        default=(0.0, ""),
    )
    found = [
        (
            _("You asked for more of this feed") if feed > 0 else _("You asked for less of this feed"),
            round(WEIGHTS.feed_taste * feed),
        ),
        (_wanted_by(author).format(author=name), round(WEIGHTS.author_taste * author)),
    ]
    by_word = {word: taste.keywords[word].leaning for word in keywords(facts.title) if word in taste.keywords}
    for is_liked in (True, False):
        words = {word: leaning for word, leaning in by_word.items() if leaning and (leaning > 0) is is_liked}
        points = round(sum(WEIGHTS.one_keyword_taste * leaning for leaning in words.values()))
        bounded = min(WEIGHTS.keyword_taste, max(-WEIGHTS.keyword_taste, points))
        strongest = sorted(words, key=lambda word: -abs(words[word]))[:3]
        wanted = _("You asked for more about {words}") if points > 0 else _("You asked for less about {words}")
        found.append((wanted.format(words=", ".join(strongest)), bounded))
    return found


def _from(steps: Sequence[tuple[float, int]], amount: float) -> int:
    return next((points for least, points in steps if amount >= least), 0)


def _words(count: int) -> str:
    return ngettext("1 word", "{count} words", count).format(count=f"{count:,}")


def _wanted_by(leaning: float) -> str:
    return _("You asked for more by {author}") if leaning > 0 else _("You asked for less by {author}")


def _signed(points: int) -> str:
    return f"+{points}" if points > 0 else f"−{-points}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A story that may stand in an issue."""

    id: int
    score: Score
    words: int
    feed: str
    section: str = ""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What stands in the issue, in its order, and what its limits kept out, the best first."""

    kept: tuple[Scored, ...]
    left_out: tuple[Scored, ...]


def choose(stories: Sequence[Scored], *, min_quality: int, most: int, minutes: int | None) -> Chosen:
    """The best stories within the limits, sections in a row by the best story of each, the best first in each.

    No feed gets more than `FEED_SHARE` (rounded up) while another has a story that is good enough and fits. The
    minutes are never exceeded, except by a best story that is alone longer than them: it then comes alone.
    """
    ranked = sorted(stories, key=lambda story: -story.score.value)
    waiting = [story for story in ranked if story.score.value >= min_quality]
    words_left = float("inf") if minutes is None else float(minutes * WORDS_A_MINUTE)
    kept: list[Scored] = []
    while waiting and len(kept) < most and words_left > 0:
        fitting = waiting[:1] if not kept else [story for story in waiting if story.words <= words_left]
        if not fitting:
            break
        best = next((story for story in fitting if _leaves_room(story, kept)), fitting[0])
        waiting.remove(best)
        kept.append(best)
        words_left -= best.words
    kept.sort(key=lambda story: -story.score.value)
    sections = list(dict.fromkeys(story.section for story in kept))
    kept.sort(key=lambda story: sections.index(story.section))
    kept_ids = {story.id for story in kept}
    left_out = [story for story in ranked if story.id not in kept_ids]
    return Chosen(tuple(kept), tuple(left_out))


def _leaves_room(story: Scored, kept: Sequence[Scored]) -> bool:
    """Whether its feed keeps its share of an issue with this story in it."""
    of_feed = sum(one.feed == story.feed for one in kept)
    return of_feed < ceil(FEED_SHARE * (len(kept) + 1))
