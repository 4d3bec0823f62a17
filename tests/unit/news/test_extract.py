"""The article of a page: all of it, and nothing else."""

from __future__ import annotations

from core.news.extract import extract
from core.news.values import Reading
from tests.factories.feeds import story_text

LEAD = "The council decided on Tuesday that the old harbour is to be made into a garden for all."


def page(body: str, *, description: str = "") -> bytes:
    return (
        f'<html><head><title>The harbour</title><meta name="description" content="{description}"></head>'
        f"<body><main><h1>The harbour</h1>{body}</main></body></html>"
    ).encode()


def read(body: str, **more: str) -> Reading:
    found = extract(page(body, **more), url="https://harbour.test/1", headers={})
    assert found is not None
    return found


def article(inner: str = "", *, before: str = "") -> str:
    return f'{before}<article class="post">{story_text(1, words=150)}{inner}{story_text(2, words=150)}</article>'


def test_line_that_leads_to_another_article_is_left_out() -> None:
    also = '<p>Read also: <a href="/2">A bridge in Jerusalem</a></p><p>Lesen Sie auch: <a href="/3">Eine Brücke</a></p>'

    found = read(article(also))

    assert "Jerusalem" not in found.text
    assert "Brücke" not in found.text


def test_sentence_that_only_begins_like_one_stays() -> None:
    sentence = "Related work was done by the council in the years before, when the river had another mouth."

    assert sentence in read(article(f"<p>{sentence}</p>")).text


def test_article_ends_where_its_comments_begin() -> None:
    comments = "<h3>3 Comments</h3><p>You have to log in to say what you think of all that.</p>"

    found = read(f'<article class="post">{story_text(1, words=300)}{comments}</article>')

    assert "log in" not in found.text
    assert "Comments" not in found.text


def test_titles_of_other_articles_at_the_end_are_left_out() -> None:
    links = "".join(f'<li><a href="/{n}">The story of the lantern number {n}</a></li>' for n in range(5))

    found = read(f'<article class="post">{story_text(1, words=300)}<ul>{links}</ul></article>')

    assert "lantern number" not in found.text


def test_standfirst_that_the_page_names_comes_first() -> None:
    found = read(article(before=f"<header><p>{LEAD}</p></header>"), description=LEAD)

    assert found.text.startswith(LEAD)
    assert found.html.startswith("<p><em>The council")


def test_standfirst_that_is_marked_comes_first() -> None:
    assert read(article(before=f'<div class="intro-text"><p>{LEAD}</p></div>')).text.startswith(LEAD)


def test_standfirst_that_the_article_has_is_not_doubled() -> None:
    found = read(f'<article class="post"><p class="lead">{LEAD}</p>{story_text(1, words=300)}</article>')

    assert found.text.count(LEAD) == 1


def test_summary_that_stands_nowhere_on_the_page_is_not_shown() -> None:
    assert LEAD not in read(article(), description=LEAD).text


def test_list_of_links_is_an_article_where_it_is_the_most_of_it() -> None:
    links = "".join(f'<li><a href="/{n}">The story of the lantern number {n}, told again</a></li>' for n in range(40))

    found = read(f'<article class="post"><p>{story_text(1, words=60)}</p><ul>{links}</ul></article>')

    assert "lantern number 39" in found.text
