"""Scores that explain themselves, and the choice of an issue."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.news.quality import (
    FEED_SHARE,
    MOST_KEYWORDS,
    WEIGHTS,
    Feedback,
    Reason,
    Score,
    Scored,
    StoryFacts,
    Taste,
    Wish,
    choose,
    keywords,
    score,
)
from core.news.values import WORDS_A_MINUTE

GOOD = StoryFacts(
    words=1_200,
    is_original=True,
    carried_by=3,
    age=timedelta(hours=5),
    has_picture=True,
    feed="7",
    authors=("Ana Díaz",),
    title="Rust in the kernel",
)
NO_TASTE = Taste()

names = st.sampled_from(["", "1", "2", "3"])
titles = st.text(alphabet="abcd 漢字", max_size=20)
feedbacks = st.builds(
    Feedback, wish=st.sampled_from(Wish), feed=names, authors=st.lists(names, max_size=2).map(tuple), title=titles
)
facts = st.builds(
    StoryFacts,
    words=st.integers(0, 50_000),
    is_stub=st.booleans(),
    link_share=st.floats(0, 1),
    is_original=st.booleans(),
    carried_by=st.integers(1, 50),
    age=st.none() | st.timedeltas(timedelta(days=-2), timedelta(days=4_000)),
    has_picture=st.booleans(),
    feed=names,
    authors=st.lists(names, max_size=2).map(tuple),
    title=titles,
)


def taste_after(*given_feedback: Feedback) -> Taste:
    taste = Taste()
    for feedback in given_feedback:
        taste = taste.after(feedback)
    return taste


@given(facts, st.lists(feedbacks, max_size=40))
def test_reasons_add_up_to_the_value(story: StoryFacts, given_feedback: list[Feedback]) -> None:
    found = score(story, taste=taste_after(*given_feedback))

    assert sum(reason.points for reason in found.reasons) == found.value
    assert 0 <= found.value <= 100
    assert all(reason.points and reason.text.count(": ") >= 1 for reason in found.reasons)


def test_reasons_are_sentences_for_a_mail() -> None:
    assert [reason.text for reason in score(GOOD, taste=NO_TASTE).reasons] == [
        "Every story starts here: +35",
        "Full text, 1,200 words: +20",
        "Original reporting: +8",
        "In 3 of your feeds: +10",
        "5 hours old: +10",
        "With a picture: +2",
    ]


@pytest.mark.parametrize(
    "worse",
    [
        replace(GOOD, words=300),
        replace(GOOD, words=40),
        replace(GOOD, is_stub=True),
        replace(GOOD, link_share=0.6),
        replace(GOOD, is_original=False),
        replace(GOOD, carried_by=1),
        replace(GOOD, age=timedelta(days=9)),
        replace(GOOD, has_picture=False),
    ],
)
def test_each_weakness_costs_points(worse: StoryFacts) -> None:
    assert score(worse, taste=NO_TASTE).value < score(GOOD, taste=NO_TASTE).value


def test_bounds_are_a_reason_too() -> None:
    loved = taste_after(*[Feedback(wish=Wish.MORE, feed="7", authors=GOOD.authors, title=GOOD.title)] * 50)

    found = score(GOOD, taste=loved)

    assert found.value == 100
    assert found.reasons[-1].text.startswith("No story has more than 100: −")


def test_one_less_does_not_kill_a_feed() -> None:
    before = score(GOOD, taste=NO_TASTE).value

    once = score(GOOD, taste=taste_after(Feedback(wish=Wish.LESS, feed="7"))).value
    often = score(GOOD, taste=taste_after(*[Feedback(wish=Wish.LESS, feed="7")] * 20)).value

    assert 0 < before - once <= WEIGHTS.feed_taste / 4
    assert before - often > WEIGHTS.feed_taste / 2


@given(facts, st.lists(feedbacks, max_size=10), st.sampled_from(Wish))
def test_more_never_lowers_a_story_and_less_never_raises_it(
    story: StoryFacts, past: list[Feedback], wish: Wish
) -> None:
    taste = taste_after(*past)
    about_it = Feedback(wish=wish, feed=story.feed, authors=story.authors[:1], title=story.title)
    story = replace(story, authors=story.authors[:1])

    before, after = score(story, taste=taste).value, score(story, taste=taste.after(about_it)).value

    assert after >= before if wish is Wish.MORE else after <= before


def test_feedback_reaches_other_stories_about_the_same() -> None:
    taste = taste_after(*[Feedback(wish=Wish.MORE, feed="1", title="Rust and its borrow checker")] * 3)

    reasons = score(replace(GOOD, feed="2"), taste=taste).reasons

    assert Reason("You asked for more about rust: +3", 3) in reasons


def test_taste_survives_its_json() -> None:
    taste = taste_after(Feedback(wish=Wish.LESS, feed="1", authors=("Ana Díaz",), title="Über 漢字文"))

    assert Taste.from_json(taste.as_json()) == taste
    assert set(taste.keywords) == {"uber", "漢字", "字文"}


def test_remembered_keywords_are_bounded_and_strong_ones_stay() -> None:
    taste = taste_after(*[Feedback(wish=Wish.MORE, title="kernel")] * 2)
    for number in range(MOST_KEYWORDS + 50):
        taste = taste.after(Feedback(wish=Wish.LESS, title=f"word{number}"))

    assert len(taste.keywords) == MOST_KEYWORDS
    assert {"kernel", f"word{MOST_KEYWORDS + 49}"} <= set(taste.keywords)
    assert "word0" not in taste.keywords


def test_short_words_of_titles_say_nothing() -> None:
    assert keywords("The end of an era, the ÉRA of Rust") == ("rust",)


def story(number: int, value: int, *, words: int = 230, feed: str = "a", section: str = "") -> Scored:
    return Scored(id=number, score=Score(value, ()), words=words, feed=feed, section=section)


stories = st.lists(
    st.tuples(
        st.integers(0, 100), st.integers(0, 3_000), st.sampled_from("abc"), st.sampled_from(["", "World", "Tech"])
    ),
    max_size=25,
).map(lambda rows: [story(at, row[0], words=row[1], feed=row[2], section=row[3]) for at, row in enumerate(rows)])
minutes_given = st.none() | st.integers(1, 30)


@given(stories, st.integers(0, 100), st.integers(0, 12), minutes_given)
def test_choice_keeps_every_limit(offered: list[Scored], min_quality: int, most: int, minutes: int | None) -> None:
    chosen = choose(offered, min_quality=min_quality, most=most, minutes=minutes)

    assert sorted([*chosen.kept, *chosen.left_out], key=lambda one: one.id) == offered
    assert len(chosen.kept) <= most
    assert all(one.score.value >= min_quality for one in chosen.kept)
    if minutes is not None and len(chosen.kept) > 1:
        assert sum(one.words for one in chosen.kept) <= minutes * WORDS_A_MINUTE


@given(stories, st.integers(1, 12), minutes_given)
def test_best_story_always_comes_and_comes_first(offered: list[Scored], most: int, minutes: int | None) -> None:
    chosen = choose(offered, min_quality=0, most=most, minutes=minutes)

    best = max((one.score.value for one in offered), default=None)
    assert [one.score.value for one in chosen.kept[:1]] == ([] if best is None else [best])


@given(stories, st.integers(1, 12), minutes_given)
def test_no_feed_fills_an_issue_while_others_have_something(
    offered: list[Scored], most: int, minutes: int | None
) -> None:
    chosen = choose(offered, min_quality=0, most=most, minutes=minutes)

    words = sum(one.words for one in chosen.kept)
    fits = [one for one in chosen.left_out if minutes is None or one.words + words <= minutes * WORDS_A_MINUTE]
    for feed in "abc":
        of_feed = sum(one.feed == feed for one in chosen.kept)
        if of_feed > ceil(FEED_SHARE * len(chosen.kept)) and len(chosen.kept) < most:
            assert not fits


def test_second_feed_gets_its_place_among_better_stories() -> None:
    offered = [*(story(n, 90 - n) for n in range(10)), story(10, 40, feed="b"), story(11, 30, feed="c")]

    chosen = choose(offered, min_quality=0, most=5, minutes=None)

    assert {10, 11} <= {one.id for one in chosen.kept}


def test_one_feed_alone_fills_its_issue() -> None:
    assert len(choose([story(n, 50) for n in range(5)], min_quality=0, most=5, minutes=None).kept) == 5


def test_long_best_story_comes_alone() -> None:
    chosen = choose([story(1, 90, words=9_000), story(2, 80)], min_quality=0, most=9, minutes=20)

    assert [one.id for one in chosen.kept] == [1]


def test_shorter_story_takes_the_place_of_one_that_does_not_fit() -> None:
    offered = [story(1, 90, words=1_000), story(2, 80, words=5_000), story(3, 70, words=1_000)]

    chosen = choose(offered, min_quality=0, most=9, minutes=10)

    assert [one.id for one in chosen.kept] == [1, 3]
    assert [one.id for one in chosen.left_out] == [2]


@given(stories)
def test_sections_stand_in_a_row_and_fall_in_score(offered: list[Scored]) -> None:
    kept = choose(offered, min_quality=0, most=25, minutes=None).kept

    sections = [one.section for one in kept]
    runs = [section for at, section in enumerate(sections) if at == 0 or sections[at - 1] != section]
    assert len(runs) == len(set(runs))
    for section in runs:
        values = [one.score.value for one in kept if one.section == section]
        assert values == sorted(values, reverse=True)
    firsts = [next(one.score.value for one in kept if one.section == section) for section in runs]
    assert firsts == sorted(firsts, reverse=True)
