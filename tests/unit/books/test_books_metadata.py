"""Cleaning: what a file claims becomes metadata within the library's lengths."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.books.claims import Claims, metadata, title_from
from core.books.language import language_tag
from core.books.text import clean_line, decode_text, plain_text


def test_bidi_and_control_characters_are_dropped() -> None:
    assert clean_line("a\u202egnp.exe\x00\x1b[31m\u2066b\u200f", max_length=99) == "agnp.exe[31mb"


def test_joiners_of_persian_are_kept() -> None:
    assert clean_line("می\u200cخواهم", max_length=99) == "می\u200cخواهم"


def test_lines_become_one() -> None:
    assert clean_line(" War\n  and\u2028Peace\t", max_length=99) == "War and Peace"


def test_long_line_is_cut_with_an_ellipsis() -> None:
    assert clean_line("word " * 200, max_length=20) == "word word word word…"


def test_long_claims_are_cut_to_the_lengths_of_the_library() -> None:
    found = metadata(Claims(title="t" * 999, authors=["a" * 999], genre="g" * 999, tags=["k" * 999]), filename="x")

    assert (len(found.title), len(found.authors[0]), len(found.genre or ""), len(found.tags[0])) == (500, 200, 100, 100)


@settings(max_examples=50, deadline=None)
@given(st.text(), st.text(), st.lists(st.text()), st.text(max_size=5))
def test_metadata_is_always_within_its_lengths(title: str, filename: str, texts: list[str], number: str) -> None:
    claims = Claims(
        title=title * 20,
        authors=texts,
        languages=texts,
        identifiers=[("", text) for text in texts],
        series=title,
        series_index=number,
        tags=[text * 30 for text in texts],
        description=title * 400,
    )

    found = metadata(claims, filename=filename)

    assert 1 <= len(found.title) <= 500
    assert all(1 <= len(author) <= 200 for author in found.authors)
    assert found.genre is None or 1 <= len(found.genre) <= 100
    assert all(1 <= len(tag) <= 100 for tag in found.tags)
    assert found.description is None or len(found.description) <= 4000
    assert found.language is None or len(found.language) <= 35
    lines = [found.title, *found.authors, *found.tags, found.genre or "x", found.series or "x"]
    assert all(line.replace("\u200c", "").replace("\u200d", "").isprintable() for line in lines)


@pytest.mark.parametrize(
    ("filename", "title"),
    [
        ("Moby_Dick.epub", "Moby Dick"),
        ("C:\\books\\Dune.pdf", "Dune"),
        ("война.fb2.zip", "война"),
        ("Mr. Fox", "Mr. Fox"),
        (".epub", "Untitled"),
        ("", "Untitled"),
    ],
)
def test_title_from_a_file_name(filename: str, title: str) -> None:
    assert title_from(filename) == title


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (("", "urn:isbn:978-0-441-01359-3"), ("isbn", "9780441013593")),
        (("ISBN", "0-441-01359-7"), ("isbn", "0441013597")),
        (("ISBN", "9780441013594"), None),
        (("ISBN", "no number"), None),
        (("", "urn:uuid:1234"), ("uuid", "1234")),
        (("MOBI-ASIN", "B00B7NPRY8"), ("asin", "B00B7NPRY8")),
        (("MOBI-ASIN", "0fb7a2e2-4a5c"), None),
        (("calibre", "0fb7a2e2-4a5c"), None),
        (("DOI", "10.1000/182"), ("doi", "10.1000/182")),
        (("", "http://www.gutenberg.org/11"), ("uri", "http://www.gutenberg.org/11")),
        (("", "9780441013593"), ("isbn", "9780441013593")),
        (("", "book-1"), ("id", "book-1")),
        (("", "unknown"), None),
    ],
)
def test_identifiers(written: tuple[str, str], kept: tuple[str, str] | None) -> None:
    found = metadata(Claims(identifiers=[written]), filename="x").identifiers

    assert found == ((kept,) if kept else ())


@pytest.mark.parametrize(
    ("written", "number"), [("3", 3.0), ("1.5", 1.5), ("2,5", 2.5), ("nan", None), ("9" * 9, None)]
)
def test_place_in_a_series(written: str, number: float | None) -> None:
    assert metadata(Claims(series="S", series_index=written), filename="x").series_index == number


def test_people_that_are_nobody_are_dropped() -> None:
    found = metadata(Claims(authors=["Unknown", "Jane Austen", "Jane Austen", " "]), filename="x")

    assert found.authors == ("Jane Austen",)


@pytest.mark.parametrize(
    ("written", "tag"),
    [
        ("en", "en"),
        ("EN_us", "en-US"),
        ("zh-hant-tw", "zh-Hant-TW"),
        ("eng", "en"),
        ("ger", "de"),
        ("English", "en"),
        ("Deutsch", "de"),
        ("grc", "grc"),
        ("de-1996", "de-1996"),
        ("en-x-private", "en"),
        ("us", None),
        ("und", None),
        ("", None),
        ("Unknown", None),
        ("\ud800", None),
    ],
)
def test_language(written: str, tag: str | None) -> None:
    assert language_tag(written) == tag


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252", "utf-32"])
def test_text_is_decoded(encoding: str) -> None:
    text = "Überall in der Stadt gab es Käse und Brötchen zu kaufen. " * 5

    assert decode_text(text.encode(encoding)) == text


def test_old_russian_text_is_guessed() -> None:
    text = "Никогда не разговаривайте с неизвестными, сказал он тихо. " * 5

    assert decode_text(text.encode("cp1251")) == text


def test_character_that_is_cut_in_two_is_no_reason_to_guess() -> None:
    assert decode_text("Käse".encode()[:2]) == "K"


@pytest.mark.parametrize("declared", [None, "utf-8"])
def test_a_bad_byte_is_no_reason_to_guess(declared: str | None) -> None:
    text = "Überall in der Stadt gab es Käse und Brötchen zu kaufen. " * 5

    assert decode_text(text.encode() + b"\x93" + text.encode(), declared=declared) == f"{text}\ufffd{text}"


@pytest.mark.parametrize("declared", ["utf-8", "hex", "idna", "undefined", "nonsense", "utf-16"])
def test_declared_charset_that_is_wrong_does_no_harm(declared: str) -> None:
    assert decode_text("Käse".encode("cp1252") + b" und Brot", declared=declared).endswith(" und Brot")


def test_tags_that_never_close_take_no_time() -> None:
    assert plain_text("<" * 100_000, max_length=4000)
