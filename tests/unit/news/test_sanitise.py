"""HTML of strangers: what is left of it, and that nothing is left of what acts."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from selectolax.lexbor import LexborHTMLParser

from core.news.sanitise import count_words, sanitise
from core.news.values import Reading
from tests.corpus.manifest import corpus_folder

BASE = "https://harbour.test/news/1"
ACTIVE = "script,style,iframe,object,embed,form,input,button,svg,math,link,meta,base,template,noscript,video,audio"


def clean(html: str, **more: str) -> Reading:
    return sanitise(html, base_url=BASE, **more)


def inner(html: str) -> str:
    return clean(html).html


def active_content(html: str) -> list[str]:
    """What an independent parser finds that could run, load or send something."""
    found = []
    for node in LexborHTMLParser(html).css("*"):
        if node.tag in ACTIVE.split(","):
            found.append(f"<{node.tag}>")
        for name, value in node.attributes.items():
            scheme = (value or "").strip().lower().partition(":")[0]
            if name.startswith("on") or name in ("style", "srcset", "formaction", "srcdoc"):
                found.append(f"{name} of <{node.tag}>")
            if name in ("href", "src") and scheme not in ("http", "https", "mailto"):
                found.append(f"{name}={value}")
    return found


@pytest.mark.parametrize(
    ("html", "left"),
    [
        ("<p>Hello <b>world</b></p>", "<p>Hello <b>world</b></p>"),
        ("Loose <i>text</i><p>and a paragraph</p>", "<p>Loose <i>text</i></p><p>and a paragraph</p>"),
        ("<h1>Title</h1><p>Text</p>", "<h2>Title</h2><p>Text</p>"),
        ("<div><div>One</div><div>Two</div></div>", "<p>One</p><p>Two</p>"),
        ("one<br><br>two", "<p>one</p><p>two</p>"),
        ("<p></p><p>\u00a0</p><p>Text</p><ul></ul><div><br></div>", "<p>Text</p>"),
        ("<ul>loose<li>a<p>b</p></ul>", "<ul><li>loose</li><li>a<p>b</p></li></ul>"),
        ("<li>alone</li>", "<p>alone</p>"),
        ("<table><tr><td>one cell</td></tr></table>", "<p>one cell</p>"),
        (
            "<table><tr><th>a<th>b<tr><td>1<td colspan=2>2</table>",
            '<table><tbody><tr><th>a</th><th>b</th></tr><tr><td>1</td><td colspan="2">2</td></tr></tbody></table>',
        ),
        ("<figcaption>alone</figcaption>", "<p>alone</p>"),
        ("<a href='#top'>Up</a>", "<p>Up</p>"),
        ("<a href='/2?utm_source=rss'>Next</a>", '<p><a href="https://harbour.test/2">Next</a></p>'),
        ("<a href='mailto:ada@reader.test'>Ada</a>", '<p><a href="mailto:ada@reader.test">Ada</a></p>'),
        ("<b><p>bold</p></b>", "<p>bold</p>"),
        ("&lt;p&gt; &amp; &quot;", '<p>&lt;p&gt; &amp; "</p>'),
        ("<pre>a\n  b</pre>", "<pre>a\n  b</pre>"),
        ("<blockquote>said</blockquote>", "<blockquote><p>said</p></blockquote>"),
        ("", ""),
    ],
)
def test_what_is_left(html: str, left: str) -> None:
    assert inner(html) == left


@pytest.mark.parametrize(
    "html",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<a href='javascript:alert(1)'>x</a>",
        "<a href='java&#10;script:alert(1)'>x</a>",
        "<img src='data:image/svg+xml;base64,PHN2Zz4='>",
        "<svg><script>alert(1)</script></svg>",
        "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
        "<form action=/steal><input name=q></form>",
        "<p style='background:url(//spy.test)'>x</p>",
        "<noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript>",
        "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
        "<base href='https://evil.test/'><a href='x'>y</a>",
    ],
)
def test_nothing_acts(html: str) -> None:
    assert active_content(inner(html)) == []


def test_picture_is_found_where_pages_hide_it() -> None:
    html = (
        "<img src='/s.gif' data-src='/a.jpg' alt=' A  harbour '>"
        "<img srcset='/b-400.jpg 400w, /b-1200.jpg 1200w, /b-3000.jpg 3000w'>"
        "<picture><source srcset='/c.webp 900w'><img alt=c></picture>"
    )

    found = clean(html)

    assert found.pictures == (
        "https://harbour.test/a.jpg",
        "https://harbour.test/b-1200.jpg",
        "https://harbour.test/c.webp",
    )
    assert 'alt="A harbour"' in found.html


def test_trackers_are_not_shown() -> None:
    html = "<p>Text</p><img src='https://feeds.feedburner.com/~r/x' ><img src=/open.gif width=1 height=1>"

    assert clean(html).pictures == ()


def test_rows_of_share_buttons_go() -> None:
    assert inner("<p>Text</p><div class='sharedaddy sd-block'><a href=/fb>Share</a></div>") == "<p>Text</p>"


def test_film_becomes_a_link_to_its_page() -> None:
    left = inner("<iframe src='//www.youtube.com/embed/abcdefghijk' title='The flood'></iframe>")

    assert left == '<p><a href="https://www.youtube.com/watch?v=abcdefghijk">Video: The flood</a></p>'


def test_text_is_in_paragraphs() -> None:
    assert clean("<p>One <b>two</b></p><ul><li>three<li>four</ul>five<br>six").text == (
        "One two\n\nthree\n\nfour\n\nfive\nsix"
    )


@pytest.mark.parametrize(("text", "words"), [("", 0), ("It's a sea-side town", 4), ("新聞を読む", 3), ("no 新聞", 2)])
def test_words_are_counted(text: str, words: int) -> None:
    assert count_words(text) == words


def test_share_of_links() -> None:
    assert clean("<a href=/a>half</a>half").link_share == pytest.approx(0.5)


@pytest.mark.parametrize(("declared", "found"), [("de-AT", "de"), ("EN", "en"), ("", None), ("x", None)])
def test_declared_language_is_two_letters(declared: str, found: str | None) -> None:
    assert clean("<p>kurz</p>", language=declared).language == found


def test_language_of_a_longer_text_is_recognised() -> None:
    text = "Der Hafen war am Morgen noch leer, und die Boote lagen still im Nebel. " * 5

    assert clean(f"<p>{text}</p>").language == "de"


@pytest.mark.parametrize(
    "html",
    ["<div>" * 100_000, "<b>" * 20_000 + "x", "<table><tr><td>" * 3_000, "<p>x" * 100_000, "<ul><li>" * 5_000],
    ids=["div", "b", "table", "p", "list"],
)
def test_bomb_is_bounded(html: str) -> None:
    started = time.process_time()

    found = clean(html)

    assert time.process_time() - started < 10
    etree.fromstring(f"<div>{found.html}</div>", etree.XMLParser(huge_tree=True))


TAGS = st.sampled_from(
    ["a", "b", "p", "div", "span", "ul", "ol", "li", "dl", "dt", "dd", "table", "tr", "td", "th", "thead", "caption"]
) | st.sampled_from(["figure", "figcaption", "img", "br", "h1", "h3", "pre", "blockquote", "q", "iframe", "picture"])


@st.composite
def fragments(draw: st.DrawFn) -> str:
    """Tags and texts in any order, closed or not."""
    parts = draw(st.lists(st.tuples(st.sampled_from(["<%s>", "</%s>"]), TAGS, st.text(max_size=5)), max_size=40))
    return "".join(form % tag + text for form, tag, text in parts)


@settings(max_examples=300)
@given(html=st.one_of(fragments(), st.text()))
def test_result_is_well_formed_quiet_and_stays_so(html: str) -> None:
    once = clean(html)

    etree.fromstring(f"<div>{once.html}</div>")
    assert active_content(once.html) == []
    assert clean(once.html).text == once.text


def test_attack_collection_has_no_effect() -> None:
    corpus = corpus_folder()
    if not corpus.exists():
        pytest.skip(f"no corpus at {corpus}")
    rows = [json.loads(line) for line in (corpus / "security" / "MANIFEST.jsonl").read_text("utf-8").splitlines()]
    files = [corpus / "security" / row["file"] for row in rows if "xss" in row["file"]]
    assert files

    for file in files:
        for attack in file.read_text("utf-8", "replace").splitlines():
            assert active_content(inner(attack)) == [], attack
