"""An issue as a mail program sees it: fields, text, HTML, links, size."""

from __future__ import annotations

import email
import email.policy
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from email.message import EmailMessage
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from core.mail.outgoing import Identity
from core.mail.text import REPLY_MARKER, own_text
from core.news.excerpt import excerpt
from core.news.issue import FeedTrouble, Issue, Story
from core.news.letter import FULL_BYTES, MAX_HTML_BYTES, LetterContext, compose_letter
from core.news.values import Reading
from tests.factories.issues import make_issue, make_story

NOW = datetime(2026, 11, 23, 5, 30, tzinfo=UTC)
CONTEXT = LetterContext(
    identity=Identity(address="books@inkpost.example", name="Inkpost"),
    reference="K7Q29-FDM3X",
    now=NOW,
    user_address="anna@reader.example",
    user_name="Anna Maria Jørgensen",
    reply_address="books+s3cret@inkpost.example",
)
SENTENCE = "Nobody had read the keeper's diary since it was begun in the year 1871."


def reading(html: str, *, text: str = "") -> Reading:
    plain = text or re.sub("<[^>]*>", " ", html.replace("</p>", "\n\n")).strip()
    return Reading(html=html, text=plain, words=len(plain.split()), language="en")


def paragraphs(count: int) -> Reading:
    return reading("".join(f"<p>{number}. {SENTENCE}</p>" for number in range(count)))


STORY = Story(
    number=1,
    title="A diary of storms",
    url="https://news.example/storms",
    feed="Coast Observer",
    reading=reading(f"<p>{SENTENCE}</p>"),
    section="World",
    authors=("Anna Berg",),
    published_at=datetime(2026, 11, 22, 23, 10, tzinfo=UTC),
)
TRAINS = replace(STORY, number=2, title="Night trains", url="https://news.example/trains", feed="Züge & mehr")
ISSUE = Issue(
    identifier="urn:uuid:0",
    title="Morning paper",
    local_date=date(2026, 11, 23),
    made_at=NOW,
    timezone="Europe/Berlin",
    stories=(STORY, TRAINS),
)


def read(issue: Issue = ISSUE, *, context: LetterContext = CONTEXT) -> EmailMessage:
    return email.message_from_bytes(compose_letter(issue, context=context).head, policy=email.policy.default)


def body(message: EmailMessage, subtype: str) -> str:
    part = message.get_body((subtype,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def page(message: EmailMessage) -> LexborHTMLParser:
    return LexborHTMLParser(body(message, "html"))


def seen(message: EmailMessage) -> str:
    tree = page(message)
    for unseen in tree.css("style, title, .unseen"):
        unseen.decompose()
    text = tree.text(separator=" ").replace("\u00a0", " ")
    return " ".join(text.split())


def commands(message: EmailMessage) -> list[tuple[str, str]]:
    """What each `mailto:` link says, and the command that it writes."""
    found = []
    for link in page(message).css("a"):
        url = urlsplit(link.attributes["href"] or "")
        if url.scheme == "mailto":
            assert unquote(url.path) == CONTEXT.reply_address
            found.append((link.text(strip=True), parse_qs(url.query, strict_parsing=True)["subject"][0]))
    return found


def with_story(**changes: object) -> Issue:
    return replace(ISSUE, stories=(replace(STORY, **changes),))  # type: ignore[arg-type]  # fields of a story


# Fields ----------------------------------------------------------------------------------------------------------


def test_letter_goes_to_its_reader_and_replies_come_to_the_bot() -> None:
    message = read()

    assert message["From"] == "Inkpost <books@inkpost.example>"
    assert message["To"] == "Anna Maria Jørgensen <anna@reader.example>"
    assert message["Reply-To"].addresses[0].addr_spec == "books+s3cret@inkpost.example"
    assert message["Message-ID"] == "<K7Q29-FDM3X@inkpost.example>"
    assert message["Date"].datetime == NOW


def test_subject_is_the_digest_the_day_and_the_top_story() -> None:
    assert read()["Subject"] == "Morning paper, 23 Nov: A diary of storms"


def test_letter_that_cannot_be_delivered_comes_back() -> None:
    assert compose_letter(ISSUE, context=CONTEXT).mail_from == "books@inkpost.example"


def test_letter_says_that_it_is_automatic() -> None:
    message = read()

    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Auto-Response-Suppress"] == "All"
    assert message["X-Inkpost-Loop"] == "books@inkpost.example"


@pytest.mark.parametrize(
    ("title", "label"),
    [("Morning paper", "morning-paper"), ("Zürich: früh!", "zurich-fruh"), ("…", "issue"), ("x" * 99, "x" * 60)],
)
def test_filters_tell_digests_apart(title: str, label: str) -> None:
    assert read(replace(ISSUE, title=title))["List-Id"] == f"<{label}.digest.inkpost.example>"


def test_without_a_page_the_digest_is_ended_by_mail_alone() -> None:
    message = read(context=replace(CONTEXT, off_command="digest off tech"))

    unsubscribe = "<mailto:books@inkpost.example?subject=digest%20off%20tech>"
    assert message["List-Unsubscribe"] == unsubscribe
    assert message["List-Unsubscribe-Post"] is None


def test_with_a_page_one_click_ends_the_digest() -> None:
    message = read(context=replace(CONTEXT, unsubscribe_url="https://inkpost.example/off/abc"))

    assert message["List-Unsubscribe"].endswith("?subject=digest%20off>, <https://inkpost.example/off/abc>")
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


@pytest.mark.parametrize(
    "url", ["http://inkpost.example/off", "https://a b", "https://x>,<https://y", "https://x\r\nA: b"]
)
def test_one_click_is_for_https_addresses_only(url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        compose_letter(ISSUE, context=replace(CONTEXT, unsubscribe_url=url))


# The page --------------------------------------------------------------------------------------------------------


def test_headlines_come_first_and_lead_to_their_stories() -> None:
    tree = page(read())

    links = [(link.text(), link.attributes["href"]) for link in tree.css(".list a")]
    assert links == [("A diary of storms", "#s1"), ("Night trains", "#s2")]
    assert [story.attributes["id"] for story in tree.css(".story")] == ["s1", "s2"]


def test_story_tells_where_and_when_it_was_published_in_the_reader_s_zone() -> None:
    assert "Coast Observer · Anna Berg · 23 Nov, 00:10 · 1 min" in seen(read())


def test_story_tells_who_else_has_it_and_that_it_changed() -> None:
    text = seen(read(with_story(also_in=("Heise", "NZZ"), is_updated=True)))

    assert "Also in Heise, NZZ" in text
    assert "Updated · Coast Observer" in text


def test_every_story_has_its_commands() -> None:
    found = commands(read())

    assert [command for _, command in found if command.endswith(" 2")] == [
        "save 2",
        "send 2",
        "more 2",
        "less 2",
        "why 2",
    ]
    assert ("Stop this feed", 'unsubscribe "Züge & mehr"') in found


def test_foot_ends_the_digest_and_changes_it() -> None:
    found = commands(read(context=replace(CONTEXT, off_command="digest off tech")))

    assert found[-3:] == [
        ("Change the times", "digest"), ("Your feeds", "feeds"), ("Stop this digest", "digest off tech"),
    ]  # fmt: skip


def test_colophon_tells_what_failed_and_what_was_left_out() -> None:
    issue = replace(ISSUE, troubles=(FeedTrouble(feed="Old Blog", reason="no answer since Saturday"),), left_out=7)

    text = seen(read(issue))

    assert "Old Blog gave nothing: no answer since Saturday" in text
    assert "7 more stories did not fit" in text


def test_sections_are_named_once_each() -> None:
    issue = replace(ISSUE, stories=(STORY, TRAINS, replace(STORY, number=3, section="Culture")))

    assert [section.text() for section in page(read(issue)).css(".section")] == ["World", "Culture"]


def test_an_empty_issue_says_so() -> None:
    message = read(replace(ISSUE, stories=()))

    assert message["Subject"] == "Morning paper, 23 Nov"
    assert "Nothing new today." in seen(message)
    assert "Nothing new today." in body(message, "plain")


def test_page_is_for_phones_and_for_the_night() -> None:
    html = body(read(), "html")

    assert 'name="viewport" content="width=device-width' in html
    assert 'name="color-scheme" content="light dark"' in html
    assert "@media (prefers-color-scheme: dark)" in html


def test_nothing_of_a_page_is_loaded_or_run() -> None:
    hostile = (
        '<p onclick="x()" style="background:url(https://tracker.test/1)">Text<img src="https://tracker.test/2.gif"/></p>'
        '<script>alert(1)</script><iframe src="https://tracker.test/3"></iframe>'
        '<svg><a href="javascript:x()">a</a></svg>'
        '<figure><img src="https://tracker.test/4.jpg"/><figcaption>A caption alone</figcaption></figure>'
    )

    html = body(read(with_story(reading=reading(hostile, text="Text"))), "html")

    assert not re.search(r"tracker|<(?:img|script|iframe|svg|link|form)|javascript:|onclick|A caption alone", html)


def test_caption_goes_with_its_picture_in_both_parts() -> None:
    message = read(make_issue(1, with_pictures=True))

    for part in message.iter_parts():
        assert "No. 1" not in part.get_content()


def test_stories_of_no_section_behind_sections_are_named() -> None:
    stories = [make_story(1, section="Town"), make_story(2)]
    message = read(make_issue(stories))

    assert all("Other stories" in part.get_content() for part in message.iter_parts())


def test_a_story_writes_no_commands() -> None:
    trap = reading('<p><a href="mailto:books@inkpost.example?subject=digest%20off">more</a></p>')

    assert "books@inkpost" not in body(read(with_story(reading=trap)), "html")


def test_titles_and_names_are_no_markup() -> None:
    text = seen(read(with_story(title="<b>1 < 2 & 3</b>", feed="<i>Feed</i>", authors=("<u>A</u>",))))

    assert "1. <b>1 < 2 & 3</b> <i>Feed</i> · <u>A</u> ·" in text


def test_an_address_that_is_none_of_the_web_is_no_link() -> None:
    assert "javascript" not in body(read(with_story(url="javascript:alert(1)")), "html")


# The text --------------------------------------------------------------------------------------------------------


def test_text_part_stands_by_itself() -> None:
    text = body(read(), "plain").replace("\u00a0", " ")

    assert "Morning paper\nMonday, 23 November 2026 · 2 stories, 1 min" in text
    assert "World\n 1. A diary of storms\n 2. Night trains\n" in text
    story = f"1. A diary of storms\nCoast Observer · Anna Berg · 23 Nov, 00:10 · 1 min\n\n{SENTENCE}\n\n{STORY.url}\n"
    assert story in text
    assert "  more 4 – more like this" in text
    assert text.rstrip().endswith("reference K7Q29-FDM3X")


@pytest.mark.parametrize("subtype", ["plain", "html"])
def test_what_is_quoted_in_a_reply_is_not_read(subtype: str) -> None:
    quoted = "\n".join(f"> {line}" for line in body(read(), "plain").splitlines())

    assert own_text(f"more 2\n\n{quoted}").strip() == "more 2"
    assert REPLY_MARKER in body(read(), subtype)


def test_a_long_story_is_begun_and_leads_to_the_rest() -> None:
    text = seen(read(with_story(reading=paragraphs(40))))

    assert "Continue on the web" in text
    assert f"10. {SENTENCE}" in text
    assert "15. " not in text


def test_the_rest_of_a_long_story_is_in_the_epub_if_there_is_one() -> None:
    message = read(with_story(reading=paragraphs(40), url=""), context=replace(CONTEXT, is_on_kindle=True))

    assert "Continues in the EPUB" in seen(message)


def test_full_text_is_full() -> None:
    message = read(with_story(reading=paragraphs(200)), context=replace(CONTEXT, text_bytes=FULL_BYTES))

    assert f"199. {SENTENCE}" in seen(message)
    assert f"199. {SENTENCE}" in body(message, "plain")
    assert "Continue on" not in seen(message)


def test_headlines_alone_are_links_to_the_web() -> None:
    tree = page(read(context=replace(CONTEXT, text_bytes=0)))

    assert [link.attributes["href"] for link in tree.css(".list a")] == [STORY.url, TRAINS.url]
    assert tree.css_first(".story") is None


def test_a_teaser_leads_to_its_story() -> None:
    assert "Continue on the web" in seen(read(with_story(is_stub=True)))


def test_a_teaser_has_no_more_to_it_in_the_epub() -> None:
    message = read(with_story(is_stub=True), context=replace(CONTEXT, is_on_kindle=True))

    assert "in the EPUB" not in seen(message)


def test_a_tap_in_an_old_mail_means_its_own_story() -> None:
    found = commands(read(context=replace(CONTEXT, in_issue=" in K7Q29")))

    assert ("Save", "save 1 in K7Q29") in found


def told(html: str, *, text_bytes: int = 900) -> str:
    return str(excerpt(replace(STORY, reading=reading(html)), text_bytes=text_bytes).html)


def test_title_is_not_told_twice() -> None:
    assert told(f"<h1>A Diary of Storms</h1><p>{SENTENCE}</p>") == f"<p>{SENTENCE}</p>"


def test_headings_are_smaller_than_titles() -> None:
    assert told("<p>a</p><h1>b</h1><p>c</p>") == "<p>a</p>\n<h4>b</h4>\n<p>c</p>"


def test_paragraphs_are_found_in_their_frames() -> None:
    framed = f"<div><div>{paragraphs(40).html}</div></div>"

    assert told(framed).count("<p>") == 11


def test_text_without_paragraphs_is_kept() -> None:
    assert told("One <b>bold</b> line<br/>and another") == "<div>One <b>bold</b> line<br>and another</div>"


def test_a_paragraph_that_is_too_long_ends_with_a_sentence() -> None:
    short = told(f"<p>{(SENTENCE + ' ') * 60}</p>")

    assert short.endswith("1871.</p>")
    assert 450 < len(short) <= 910


def test_text_without_sentences_ends_with_a_word() -> None:
    assert told(f"<p>{'word ' * 600}</p>").endswith("word …</p>")


def test_a_last_sentence_is_not_worth_a_tap() -> None:
    assert excerpt(replace(STORY, reading=paragraphs(16)), text_bytes=900).is_whole


# Size ------------------------------------------------------------------------------------------------------------


def many(count: int, story: Story = STORY) -> Issue:
    return replace(ISSUE, stories=tuple(replace(story, number=number + 1) for number in range(count)))


@pytest.mark.parametrize("text_bytes", [0, 900, FULL_BYTES])
@pytest.mark.parametrize("count", [1, 20, 60, 400, 3000])
def test_no_mail_is_clipped(count: int, text_bytes: int) -> None:
    issue = many(count, replace(STORY, reading=paragraphs(120)))

    message = read(issue, context=replace(CONTEXT, text_bytes=text_bytes))

    assert len(body(message, "html").encode()) <= MAX_HTML_BYTES
    assert len(page(message).css(".list tr")) >= min(count, 20)


def test_what_does_not_fit_is_a_headline() -> None:
    message = read(many(60, replace(STORY, reading=paragraphs(30))), context=replace(CONTEXT, is_on_kindle=True))

    tree = page(message)
    stories, headlines = len(tree.css(".story")), len(tree.css(".list tr"))
    assert 10 < stories < headlines
    assert "in the EPUB" in tree.css(".list tr")[-1].text()
    assert tree.css(".list a")[-1].attributes["href"] == STORY.url
    assert len(body(message, "html").encode()) > MAX_HTML_BYTES * 3 // 4  # and the room is used


def test_a_long_story_in_full_leaves_room_for_the_others() -> None:
    issue = many(12, replace(STORY, reading=paragraphs(250)))

    tree = page(read(issue, context=replace(CONTEXT, text_bytes=FULL_BYTES)))

    told = [story.text() for story in tree.css(".story .text")]
    assert len(told) == 12
    assert f"200. {SENTENCE}" in told[0]
    assert f"200. {SENTENCE}" not in told[-1]


def test_what_is_not_even_listed_is_counted() -> None:
    message = read(many(3000))

    listed = len(page(message).css(".list tr"))
    assert f"And {3000 - listed} more." in seen(message)
    assert f"And {3000 - listed} more." in body(message, "plain")


def test_chinese_takes_no_three_bytes_a_byte() -> None:
    chinese = reading(f"<p>{'图书馆在车站设立了自动售书机。' * 600}</p>")
    mail = compose_letter(with_story(reading=chinese), context=replace(CONTEXT, text_bytes=FULL_BYTES))

    html = body(email.message_from_bytes(mail.head, policy=email.policy.default), "html")
    assert "自动售书机" in html
    assert mail.size_bytes < 3 * len(html.encode())


# Strangers -------------------------------------------------------------------------------------------------------


HOSTILE = st.text(max_size=60) | st.sampled_from(
    [
        "a\r\nBcc: x@y.example\r\n\r\nhi",
        "&#13;&#10;",
        "\r",
        "\u202egnihton",
        "<",
        "\ud800",
        "\x00",
        "é" * 300,
        "a" * 2000,
    ]
)


@settings(max_examples=40, deadline=None)
@given(HOSTILE, HOSTILE, HOSTILE)
def test_whatever_strangers_write_the_mail_is_whole(title: str, name: str, text: str) -> None:
    story = replace(
        STORY, title=title, feed=name, authors=(name,), section=name, also_in=(title,), url=f"https://a.example/{text}",
        reading=Reading(html=f"<p>{text}</p>", text=text, words=1),
    )  # fmt: skip
    issue = replace(ISSUE, title=name, stories=(story,), troubles=(FeedTrouble(feed=title, reason=text),))

    mail = compose_letter(issue, context=replace(CONTEXT, user_name=name))

    message = email.message_from_bytes(mail.head, policy=email.policy.default)
    assert set(message.keys()) == set(read().keys())
    assert message["Bcc"] is None
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e]", body(message, "plain") + body(message, "html"))
