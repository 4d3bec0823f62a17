"""Newsletters as articles: what a mailing list puts around a text goes, and every word of the text stays."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from core.news.newsletter import Leaving, Letter, LetterText, read_leaving, read_letter

TEXT = "The tide came in over the stones, and nobody had moved the boats since the morning of that day."
SECOND = "So the harbour master rang the bell, as his father had done in the year of the great flood."


def read(html: str = "", text: str = "", *, subject: str = "The tide") -> Letter:
    return read_letter(
        LetterText(
            message_id="<1@daily.example>", subject=subject, author_name="The Daily",
            author_address="news@daily.example", sent_at=datetime(2026, 11, 23, tzinfo=UTC), html=html, text=text,
        )
    )  # fmt: skip


def body(*blocks: str) -> str:
    return "".join(f"<p>{block}</p>" for block in (TEXT, SECOND, TEXT.replace("tide", "flood"), *blocks))


def test_article_is_the_mail_s() -> None:
    letter = read(body())

    entry = letter.entry
    assert (entry.title, entry.authors, entry.url, entry.is_stub) == ("The tide", ("The Daily",), "", False)
    assert entry.reading.text.count("\n\n") == 2
    assert letter.sender == "news@daily.example"


@pytest.mark.parametrize(
    "noise",
    [
        "View this email in your browser",
        "Having trouble viewing this email? Read it online",
        "Diese E-Mail im Browser ansehen",
        "¿No ves bien este correo? Ver en el navegador",
        "Voir la version en ligne dans votre navigateur",
        "Unsubscribe | Manage your preferences",
        "Newsletter abbestellen",
    ],
)
def test_furniture_on_top_goes_and_the_text_stays(noise: str) -> None:
    reading = read(f"<p><a href='https://daily.example/1'>{noise}</a></p>{body()}").entry.reading

    assert reading.text.startswith("The tide came in")
    assert reading.text.count("\n\n") == 2


@pytest.mark.parametrize(
    "foot",
    [
        ("You are receiving this because you signed up.", "Unsubscribe", "1 Harbour Street, London"),
        ("© 2026 The Daily. All rights reserved.", "Our mailing address is: 1 Harbour Street"),
        ("Sie erhalten diese E-Mail, weil Sie sich angemeldet haben.", "Hier abmelden", "Impressum"),
        ("Recibes este correo porque te apuntaste.", "Darse de baja"),
    ],
)
def test_footer_goes_with_all_that_stands_below_it(foot: tuple[str, ...]) -> None:
    reading = read(body(*foot)).entry.reading

    assert reading.text == read(body()).entry.reading.text


def test_text_that_speaks_of_unsubscribing_stays() -> None:
    essay = (
        "Why do people unsubscribe? We asked four hundred of them, and hardly anybody had a good word for what came to "
        "them in the morning; most had never asked for it, and some had forgotten that they had. " * 2
    )
    reading = read(f"<p>{essay}</p>{body()}").entry.reading

    assert "four hundred" in reading.text


@pytest.mark.parametrize(
    "picture",
    [
        '<img src="https://daily.example/a.png" width="1" height="1">',
        '<img src="https://daily.example/a.png" style="width:1px;height:1px">',
        '<img src="https://daily.example/a.png" style="display:none">',
        '<img src="https://daily.list-manage.com/track/open.php?u=1">',
        '<div style="display:none;max-height:0"><img src="https://daily.example/a.png">Preview</div>',
    ],
)
def test_pixels_and_what_is_hidden_go(picture: str) -> None:
    reading = read(f"{body()}{picture}").entry.reading

    assert reading.pictures == ()
    assert "Preview" not in reading.text


def test_pictures_that_are_seen_stay() -> None:
    shown = '<img src="https://daily.example/boats.jpg" width="600" style="width:100%">'

    assert read(body() + shown).entry.reading.pictures == ("https://daily.example/boats.jpg",)


def test_plain_text_has_paragraphs_and_links_without_counters() -> None:
    counted = "https://click.daily.example/c/https%3A%2F%2Fstories.example%2Ftide"
    reading = read(
        text=f"{TEXT}\nMore: {counted}.\n\n{SECOND}\n\n-- \nUnsubscribe: https://daily.example/leave"
    ).entry.reading

    assert 'href="https://stories.example/tide"' in reading.html
    assert reading.text.count("\n\n") == 1
    assert "leave" not in reading.html


@pytest.mark.parametrize("html", ["<", "<p" * 5000, "<div>" * 3000 + "x", "\x00\ud800", "<!-- x", "<table>" * 800])
def test_broken_html_is_read_as_far_as_it_can_be(html: str) -> None:
    assert read(html).entry.title == "The tide"


def test_letter_without_a_subject_is_its_sender_s() -> None:
    assert read(body(), subject=" ").entry.title == "The Daily"


@pytest.mark.parametrize(
    ("fields", "posts", "leaving"),
    [
        (["<https://a.example/1>, <mailto:x@a.example>"], ["List-Unsubscribe=One-Click"],
         Leaving(one_click_url="https://a.example/1", mailto="mailto:x@a.example")),
        (["<https://a.example/1>"], [], Leaving()),
        (["<http://a.example/1>"], ["List-Unsubscribe=One-Click"], Leaving()),
        (["<https://a.example/1>"], ["List-Unsubscribe=Yes"], Leaving()),
        (["<https://a.example/1>"], ["List-Unsubscribe=One-Click"] * 2, Leaving()),
        (["https://a.example/1"], ["List-Unsubscribe=One-Click"], Leaving()),
        (["<https://[broken>"], ["List-Unsubscribe=One-Click"], Leaving()),
    ],
)  # fmt: skip
def test_one_click_is_read_by_the_letter_of_the_rfc(fields: list[str], posts: list[str], leaving: Leaving) -> None:
    assert read_leaving(fields, posts) == leaving
