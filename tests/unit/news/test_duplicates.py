"""One story once: what is the same, what only looks like it, and what has really changed."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.news.duplicates import Fingerprint, StoryIndex, content_changed, fingerprint, same_story

SYLLABLES = ("ba", "ke", "li", "mo", "nu", "ra", "se", "ti", "vo", "zu")


def prose(seed: int, *, sentences: int = 20) -> str:
    """Sentences of made-up words with names and numbers in them; the same for the same seed."""
    rng = random.Random(seed)

    def word() -> str:
        return "".join(rng.choice(SYLLABLES) for _ in range(rng.randint(1, 4)))

    def sentence() -> str:
        words = [word() for _ in range(rng.randint(8, 16))]
        words[rng.randrange(2, 7)] = word().title() + "x"
        if rng.random() < 0.4:
            words[-2] = str(rng.randint(2, 2_000))
        return " ".join(words).capitalize() + "."

    return "\n\n".join(sentence() for _ in range(sentences))


def is_found(text_a: str, text_b: str, *, title_a: str = "", title_b: str = "") -> bool:
    """Both halves: they share a key, and the exact check agrees, in either order."""
    a, b = fingerprint(text_a, title=title_a), fingerprint(text_b, title=title_b)
    same = same_story(a, b, text_a, text_b)
    assert same_story(b, a, text_b, text_a) is same
    return bool(set(a.keys) & set(b.keys)) and same


STORY = prose(1)
TITLE = "Something has happened in Mobalix again"
BOILERPLATE = " ".join(prose(2, sentences=4).split())
JAPANESE = (
    "東京都は十五日、老朽化した水道管の交換を今後五年間で二倍に増やす計画を発表した。"
    "都内では昨年、水道管の破裂による道路の冠水が相次ぎ、住民から対策を求める声が上がっていた。"
    "計画によると、対象となるのは敷設から四十年以上が過ぎた約三千キロの配水管で、費用は総額で八千億円に上る見通しだ。"
)


@pytest.mark.parametrize(
    "copy",
    [
        STORY,
        STORY.upper(),
        STORY.replace("\n\n", " ").replace(".", " —"),
        f"By our correspondent, Tuesday. {STORY} {BOILERPLATE}",
        STORY[: len(STORY) * 6 // 10],
        STORY + "\n\n" + prose(3, sentences=6),
        "\n\n".join(reversed(STORY.split("\n\n"))),
    ],
    ids=["same", "capitals", "punctuation", "wrapped", "trimmed", "updated", "moved about"],
)
def test_copy_is_the_same_story(copy: str) -> None:
    assert is_found(STORY, copy, title_a=TITLE, title_b="An editor's other headline")


def test_other_stories_are_not() -> None:
    texts = [prose(seed) for seed in range(10, 30)]

    assert not any(is_found(a, b) for a in texts for b in texts if a is not b)


def weather(seed: int) -> tuple[str, str]:
    rng = random.Random(seed)
    city, other = (rng.choice(SYLLABLES).title() + rng.choice(SYLLABLES) + "burg" for _ in range(2))
    days = ("Monday", "Tuesday", "Thursday", "Saturday")
    sentences = (
        f"The weather in {city} on {rng.choice(days)} will be dry at first, up to {rng.randint(10, 35)} degrees.",
        f"Winds from the {rng.choice(('North', 'South', 'East'))} reach {rng.randint(5, 90)} km/h in the afternoon.",
        f"In the night it cools down to {rng.randint(-9, 9)} degrees, and in {other} even to {rng.randint(-20, -10)}.",
        f"Sunrise at {rng.randint(5, 8)}:{rng.randint(10, 59)}, sunset at {rng.randint(16, 21)}:{rng.randint(10, 59)}.",
        "All data without guarantee; this text was written by a program and is not checked by the editors.",
    )
    return f"Weather: {city} on {rng.choice(days)}", " ".join(sentences)


def test_reports_from_one_form_are_different_stories() -> None:
    reports = [weather(seed) for seed in range(20)]

    for title_a, a in reports:
        assert not any(is_found(a, b, title_a=title_a, title_b=title_b) for title_b, b in reports if b != a)


def test_reports_from_one_form_are_different_stories_under_one_title() -> None:
    reports = [text for _, text in map(weather, range(20))]

    for a in reports:
        assert not any(is_found(a, b, title_a="The weather for you today", title_b="") for b in reports if b != a)


@pytest.mark.parametrize(
    ("title_a", "title_b"), [("Minister resigns", "Bridge closed"), ("", "")], ids=["other titles", "no titles"]
)
def test_short_items_with_a_long_footer_in_common_are_different_stories(title_a: str, title_b: str) -> None:
    footer = prose(5, sentences=20)
    a, b = prose(6, sentences=8) + footer, prose(7, sentences=8) + footer

    assert not is_found(a, b, title_a=title_a, title_b=title_b)


def test_item_with_two_editors_footers_is_the_same_story_under_one_title() -> None:
    a, b = STORY + prose(6, sentences=8), STORY + prose(7, sentences=8)

    assert is_found(a, b, title_a=TITLE, title_b=f"{TITLE} | The Site")


def test_copy_with_edited_words_throughout_is_the_same_story() -> None:
    words = STORY.split()
    words[::12] = ["edited"] * len(words[::12])

    assert is_found(STORY, " ".join(words))


def test_teaser_is_the_same_story_as_its_full_text() -> None:
    teaser = STORY[:400]

    assert is_found(STORY, teaser, title_a=TITLE, title_b=TITLE.upper())


def test_short_texts_need_the_same_title_or_the_same_words() -> None:
    teaser = "The minister resigned on Monday after a week of protests in the capital, her office said."
    title = "Minister resigns after protests"

    assert is_found(teaser, teaser[:-18] + ".", title_a=title, title_b=title.upper())
    assert is_found(teaser, teaser, title_a=title, title_b="Minister resigns")
    assert not is_found(teaser, teaser[:-18] + ".", title_a=title, title_b="Protests go on today")


@pytest.mark.parametrize("text", ["", "Read more", "Click here to read the rest", "Comments"])
def test_text_that_says_nothing_is_no_story(text: str) -> None:
    assert not is_found(text, text, title_a=TITLE, title_b=TITLE)
    assert fingerprint(text, title=TITLE).keys == ()


def test_text_without_blanks_is_compared_by_letters() -> None:
    edited = JAPANESE.replace("発表した", "公表した") + "都は来年度の予算案に関連の費用を盛り込む。"
    other = "大阪市は十六日、老朽化した市立図書館の建て替えを来年度から始めると発表した。" * 3

    assert is_found(JAPANESE, edited, title_a="水道管交換を倍増へ", title_b="都、水道管の交換を倍増")
    assert not is_found(JAPANESE, other)
    assert fingerprint(JAPANESE).words == pytest.approx(len(JAPANESE) / 2, rel=0.1)


@given(st.text(max_size=300), st.text(max_size=40))
def test_fingerprint_is_small_and_comes_back_from_its_signature(text: str, title: str) -> None:
    found = fingerprint(text, title=title)

    assert len(found.keys) <= 20
    assert all(-(2**63) <= key < 2**63 for key in found.keys)
    assert len(found.signature) < 400
    assert Fingerprint.load(found.signature) == found


def test_fingerprint_is_what_it_was_when_rows_were_written() -> None:
    """If this fails, signatures in rows are not comparable any more: raise `VERSION`."""
    found = fingerprint("The quick brown fox jumps over the lazy dog and runs away.", title="A fox jumps over a dog")

    assert found.words == 12
    assert (found.keys[0], found.keys[-1]) == (283677369497379, -572749425405510352)


def test_fingerprint_is_the_same_in_another_process() -> None:
    call = f"fingerprint({STORY!r}, title={TITLE!r}).signature.hex()"
    code = f"from core.news.duplicates import fingerprint; print({call})"

    others = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }

    assert others == {fingerprint(STORY, title=TITLE).signature.hex().encode() + b"\n"}


def test_signatures_of_another_version_are_compared_by_their_texts() -> None:
    found = fingerprint(STORY)
    older = Fingerprint.load(b"\x00" + found.signature[1:])

    assert same_story(found, older, STORY, STORY)
    assert not set(found.keys) & set(older.keys)


ADVERTISEMENT = (
    "Subscribe to our newsletter: the best of the week, every Sunday morning in your mailbox, from the people who make "
    "this site for you and nobody else, at no cost at all."
)
SMALL_CHANGES = {
    "nothing": STORY,
    "a typo": STORY.replace("a", "e", 1),
    "a time": "Updated 22 November 2026, 14:05\n\n" + STORY,
    "a counter": STORY + "\n\n1,234 comments 56 shares",
    "an advertisement": STORY.replace("\n\n", f"\n\n{ADVERTISEMENT}\n\n", 1),
    "spaces and quotes": STORY.replace(" ", "  ").replace("x", "x’"),
    "paragraphs moved": "\n\n".join(reversed(STORY.split("\n\n"))),
    "cut behind a paywall": STORY[:300],
}


@pytest.mark.parametrize("change", SMALL_CHANGES)
def test_small_change_is_no_update(change: str) -> None:
    assert not content_changed(STORY, SMALL_CHANGES[change])


@pytest.mark.parametrize(
    "new",
    [STORY + "\n\n" + prose(8, sentences=3), prose(8, sentences=3) + "\n\n" + STORY, prose(9), STORY[:600] + prose(8)],
    ids=["below", "above", "another text", "a new half"],
)
def test_new_paragraphs_are_an_update(new: str) -> None:
    assert content_changed(STORY, new)


def test_long_passage_about_newsletters_is_no_advertisement() -> None:
    passage = prose(8, sentences=4) + " They subscribe to a newsletter. " + prose(11, sentences=4)

    assert content_changed(STORY, f"{STORY}\n\n{passage}")


def test_teaser_that_became_a_text_is_an_update() -> None:
    assert content_changed(STORY[:200], STORY)


def test_short_text_is_changed_by_a_sentence() -> None:
    old = "The bridge is closed to all traffic until Friday because of works on its foundations."

    assert content_changed(old, old + " It will stay closed for lorries for the rest of the whole year.")
    assert not content_changed(old, old.replace("Friday", "Sunday"))


def test_index_finds_the_first_of_the_same_stories() -> None:
    index, others = StoryIndex(), [prose(seed) for seed in range(40, 60)]
    for number, text in enumerate([STORY, *others]):
        index.add(number, fingerprint(text), text)
    copy = BOILERPLATE + " " + STORY

    assert index.find(fingerprint(copy), copy) == 0
    assert index.find(fingerprint(prose(99)), prose(99)) is None
