"""Splitting lines, and subjects without what mail programs put before them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.mail.grammar import CommandSpec, Grammar
from core.mail.subjects import read_subject, reply_subject
from core.mail.words import Key, Word, clean_line, fold, spellings, split


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("“Dune” — ‘Messiah’", "\"Dune\" - 'Messiah'"),
        ("a\u00a0b\u2003c\td", "a b c d"),
        ("du\u00adne \u202erem\u200bove", "dune remove"),
        ("ｓｅｎｄ　ｄｕｎｅ", "send dune"),
        ("a\x00b\ud800c", "a b c"),
        ("a@b.example<mailto:a@b.example>", "a@b.example"),
        ("a@b.example <mailto:a@b.example> x", "a@b.example x"),
        ("www.b.example<https://b.example/>", "www.b.example"),
        ("subscribe <https://b.example/feed>", "subscribe <https://b.example/feed>"),
    ],
)
def test_typography_becomes_plain_characters(written: str, read: str) -> None:
    assert clean_line(written) == read


@pytest.mark.parametrize(
    ("line", "keys", "pieces"),
    [
        ("don't panic", (), ["don't", "panic"]),
        ('"left hand" of', (), ["left hand", "of"]),
        ('the "left hand', (), ["the", "left", "hand"]),
        ("e=mc2", (), ["e=mc2"]),
        ("3 title=Dune", ("title",), ["3", "title=", "Dune"]),
        ("3 title = Dune", ("title",), ["3", "title=", "Dune"]),
        ("3 title:Dune", ("title",), ["3", "title=", "Dune"]),
        ("3 title : Dune", ("title",), ["3", "title=", "Dune"]),
        ("3 Dune: Messiah", ("title",), ["3", "Dune:", "Messiah"]),
        ("3 title=Dune,author=Herbert", ("title", "author"), ["3", "title=", "Dune", "author=", "Herbert"]),
        ("3 https://b.example", ("http",), ["3", "https://b.example"]),
    ],
)
def test_lines_are_split_at_blanks_quotes_and_keys(line: str, keys: tuple[str, ...], pieces: list[str]) -> None:
    found = split(line, keys)

    assert [f"{piece.name}=" if isinstance(piece, Key) else piece.text for piece in found] == pieces


@given(line=st.text(), keys=st.sampled_from([(), ("title", "author")]))
def test_splitting_never_raises_and_keeps_the_order(line: str, keys: tuple[str, ...]) -> None:
    pieces = split(clean_line(line), keys)

    places = [piece.start for piece in pieces]
    assert places == sorted(places)
    assert all(piece.start < piece.end for piece in pieces)
    assert all(isinstance(piece, Word | Key) for piece in pieces)


def test_words_are_compared_without_case_and_accents() -> None:
    assert fold("LÖSCHEN") == fold("loschen")
    assert spellings("löschen") == {"loschen", "loeschen"}


@pytest.mark.parametrize("word", ["loschen", "löschen", "LÖSCHEN", "loeschen", "lo\u0308schen"])
def test_a_command_is_found_however_its_umlaut_is_written(word: str) -> None:
    spec = CommandSpec(name="remove", summary="", usage=(), aliases=("löschen",))

    assert Grammar([spec]).find(word) is spec


def test_two_commands_with_one_word_are_refused() -> None:
    specs = [
        CommandSpec(name="remove", summary="", usage=(), aliases=("loschen",)),
        CommandSpec(name="forget", summary="", usage=(), aliases=("löschen",)),
    ]

    with pytest.raises(ValueError, match="both remove and forget claim the word 'löschen'"):
        Grammar(specs)


def test_two_commands_of_one_name_are_refused() -> None:
    specs = [CommandSpec(name="remove", summary="", usage=())] * 2

    with pytest.raises(ValueError, match="two commands are called 'remove'"):
        Grammar(specs)


@pytest.mark.parametrize(
    ("subject", "text", "kind"),
    [
        ("list", "list", ""),
        ("Re: list", "list", "reply"),
        ("RE : list", "list", "reply"),
        ("Re[2]: AW: list", "list", "reply"),
        ("Re(3): list", "list", "reply"),
        ("Re^2: list", "list", "reply"),
        ("回复：list", "list", "reply"),
        ("Antw: list", "list", "reply"),
        ("Fwd: Re: list", "list", "forward"),
        ("WG: list", "list", "forward"),
        ("转发: list", "list", "forward"),
        ("Re: Fwd: list", "list", "reply"),
        ("[EXTERNAL] Re: [books] list", "list", "reply"),
        ("[list]", "[list]", ""),
        ("react: a book", "react: a book", ""),
        ("Re list", "Re list", ""),
        ("", "", ""),
    ],
)
def test_prefixes_and_tags_are_taken_off(subject: str, text: str, kind: str) -> None:
    read = read_subject(subject)

    assert read.text == text
    assert (read.is_reply, read.is_forward) == (kind == "reply", kind == "forward")


def test_the_letters_of_a_subject_stay_as_they_are_in_the_answer() -> None:
    assert reply_subject("AW: find “Dune” – ﬁrst") == "Re: find “Dune” – ﬁrst"


@given(subject=st.text())
def test_an_answered_subject_is_one_line_with_one_re(subject: str) -> None:
    answered = reply_subject(subject)

    assert answered == "" or answered.startswith("Re: ")
    assert reply_subject(answered) == answered
    assert answered.isprintable()
