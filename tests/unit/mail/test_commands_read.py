"""What a mail asks for, on a table of mails as people write them and on noise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.mail.commands import MAX_COMMANDS, read_commands
from core.mail.grammar import Command, Misreading, NotUnderstood
from core.mail.message import Attachment
from core.mail.words import fold
from tests.support.command_grammar import GRAMMAR
from tests.support.command_mails import MAILS, is_understood, mail, mail_of, name_of, told

DESTRUCTIVE = {fold(word) for word in GRAMMAR.words if (spec := GRAMMAR.find(word)) and spec.is_destructive} | {
    "loesche",
    "loeschen",
}


@pytest.mark.parametrize("case", MAILS, ids=name_of)
def test_mail_is_understood_as_it_was_meant(case: dict[str, Any]) -> None:
    found = read_commands(mail_of(case), GRAMMAR)

    assert is_understood(found, case), found


def test_more_commands_than_a_mail_may_hold_are_counted_out() -> None:
    found = read_commands(mail(body="\n".join(f"send {number}" for number in range(1, 31))), GRAMMAR)

    assert [each.line for each in found[:MAX_COMMANDS]] == [f"send {number}" for number in range(1, 21)]
    assert found[MAX_COMMANDS:] == (NotUnderstood("send 21", ("send 21",), Misreading.TOO_MANY),)


def test_a_mail_is_asked_back_about_at_most_three_lines() -> None:
    found = read_commands(mail(body="\n".join(f"remvoe {number}" for number in range(1, 31))), GRAMMAR)

    assert [each.line for each in found] == ["remvoe 1", "remvoe 2", "remvoe 3"]


def test_words_are_kept_undivided_for_titles_with_prepositions() -> None:
    (command,) = read_commands(mail("send the road to wigan pier"), GRAMMAR)

    assert isinstance(command, Command)
    assert command.undivided == ("the", "road", "to", "wigan", "pier")


def test_inline_pictures_do_not_stand_for_add() -> None:
    logo = Attachment(
        filename="logo.png",
        declared_type="application/octet-stream",
        path=Path("logo.png"),
        size_bytes=1,
        sha256="0" * 64,
        format=None,
        is_inline=True,
    )

    found = read_commands(replace(mail("hello"), attachments=(logo,)), GRAMMAR)

    assert [told(each) for each in found] == ["?"]


words = st.sampled_from(
    [*GRAMMAR.words, "dune", "2", "to", "kobo", "my", "please", "title=", "author:", "a b", "don't"]
)
marks = st.sampled_from(
    ["", " ", "  ", "\n", "\u00a0", '"', "“", "’", "—", ";", ":", "=", ".", "!", "-", ">", "#", "\x00"]
)
lines = st.lists(st.one_of(words, marks, st.text(max_size=5)), max_size=12).map(" ".join)
letters = st.sampled_from("abcdefghijklmnopqrstuvwxyzäöüé'- ")


@given(
    subject=st.one_of(st.text(), lines), body=st.one_of(st.text(), lines), reply=st.booleans(), has_file=st.booleans()
)
def test_nothing_that_a_mail_holds_raises(subject: str, body: str, reply: bool, has_file: bool) -> None:
    found = read_commands(mail(subject, body, reply=reply, files=("a.epub",) if has_file else ()), GRAMMAR)

    assert 1 <= len(found) <= MAX_COMMANDS + 4
    assert all(len(each.suggestions) <= 3 for each in found if isinstance(each, NotUnderstood))
    assert all(each.name in GRAMMAR.specs for each in found if isinstance(each, Command))


@given(word=st.sampled_from(sorted(DESTRUCTIVE)), place=st.integers(0, 12), letter=letters, cut=st.integers(0, 2))
def test_a_misspelt_destructive_word_removes_nothing(word: str, place: int, letter: str, cut: int) -> None:
    place = min(place, len(word))
    slipped = (word[:place] + letter + word[place + cut :]).strip()
    first = fold(slipped).split()[0] if slipped.split() else ""

    for message in (mail(f"{slipped} dune"), mail(body=f"{slipped} dune"), mail("hello", f"{slipped} dune")):
        found = read_commands(message, GRAMMAR)
        removing = [each for each in found if isinstance(each, Command) and each.name == "remove"]
        assert not removing or first.strip("'-") in DESTRUCTIVE


@given(text=st.text(alphabet=st.one_of(letters, st.sampled_from(" \n.,!")), max_size=300))
def test_noise_removes_nothing(text: str) -> None:
    for message in (mail(text), mail(body=text), mail("hello", text, reply=True)):
        for each in read_commands(message, GRAMMAR):
            is_removing = isinstance(each, Command) and (each.name == "remove" or each.words[:1] == ("remove",))
            assert not is_removing or set(fold(each.line).split()) & DESTRUCTIVE
