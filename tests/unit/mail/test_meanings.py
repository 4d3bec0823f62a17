"""What a few words mean in reply to an answer."""

from __future__ import annotations

import pytest

from core.mail.answer import Answer, Item, Items, Problem, Result, Step, Steps
from core.mail.commands import read_commands
from core.mail.grammar import Command, Grammar, Misreading, NotUnderstood
from core.mail.meanings import meanings_of, short_word
from handlers._registry import build_grammar, load_handlers
from tests.support.command_mails import mail, told

MEANINGS = {
    "1": ["send #4 to kobo"],
    "yes": ["confirm abc"],
    "no": ["confirm no abc"],
    "more": ["list 2"],
    "undo": ["undo #7"],
}


@pytest.fixture(scope="module")
def grammar() -> Grammar:
    return build_grammar(load_handlers())


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("Yes", "yes"), ("yes, please!", "yes"), ("OK", "yes"), ("Ja, bitte", "yes"), ("Sí", "yes"), ("do it", "yes"),
        ("No.", "no"), ("Nein danke", "no"), ("don't", "no"), ("mejor no", "no"),
        ("more", "more"), ("Weiter", "more"), ("Más", "more"), ("next page please", "more"),
        ("undo", "undo"), ("Rückgängig machen", "undo"), ("deshacer", "undo"),
        ("2", "2"), ("#2", "2"), ("no. 12", "12"), ("Nummer 3", "3"), ("2.", "2"),
    ],
)  # fmt: skip
def test_short_words_of_people(line: str, word: str) -> None:
    assert short_word(line) == word


@pytest.mark.parametrize(
    "line", ["yes but not now", "send 2", "more 4", "2 to kobo", "no idea", "", "1984 by Orwell", "undo the list of it"]
)
def test_what_says_more_is_no_short_word(line: str) -> None:
    assert short_word(line) is None


@pytest.mark.parametrize(
    ("body", "means"),
    [
        ("yes", "confirm abc"),
        ("No, thanks", "confirm no abc"),
        ("more", "list 2"),
        ("undo", "undo #7"),
        ("1", "send #4 >to kobo"),
        ("2", "show 2"),
        ("send 2", "send 2"),
        ("2 to kobo", "send 2 >to kobo"),
        ("list", "list"),
    ],
)
def test_a_reply_means_what_the_mail_showed(grammar: Grammar, body: str, means: str) -> None:
    text = f"{body}\n\nSent from my iPhone\n\nOn Monday Inkpost wrote:\n> yes\n> 3\n"

    (found,) = read_commands(mail("Re: list", text, reply=True), grammar, meanings=MEANINGS)

    assert told(found) == means
    assert found.line.startswith(body.split(",")[0])


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("yes", Misreading.NOT_ASKED),
        ("nein", Misreading.NOT_ASKED),
        ("more", Misreading.NO_MORE),
        ("undo", Misreading.NOT_DONE),
    ],
)
def test_a_word_without_a_meaning_is_never_taken_for_another(grammar: Grammar, body: str, reason: Misreading) -> None:
    (found,) = read_commands(mail("Re: help", body, reply=True), grammar, meanings={})

    assert isinstance(found, NotUnderstood)
    assert found.reason is reason


def test_words_in_reply_to_a_forgotten_mail_are_told_so(grammar: Grammar) -> None:
    (found,) = read_commands(mail("Re: list", "undo", reply=True), grammar, is_too_old=True)

    assert isinstance(found, NotUnderstood)
    assert found.reason is Misreading.TOO_OLD


def test_a_fresh_mail_has_commands_only(grammar: Grammar) -> None:
    (found,) = read_commands(mail("undo"), grammar)

    assert isinstance(found, Command)
    assert told(found) == "undo"


def test_meanings_are_those_of_all_that_an_answer_says() -> None:
    books = (Item(21, "Dune", command="show #5"), Item(22, "Emma"))
    listed = Items(books, item_ids=(5, 6), more=Step("Next", "list 3", reply="more"))
    removed = Steps((Step("Undo", "undo #5", reply="undo"), Step("My books", "list")))
    again = Steps((Step("Undo", "undo #6", reply="undo"),))
    asked = Problem("confirm.needed", "?", blocks=(Steps((Step("Yes", "confirm a", reply="yes"),)),))

    results = tuple(Result("", outcome) for outcome in (Answer("a", (listed, removed)), Answer("b", (again,)), asked))

    assert meanings_of(results) == {
        "21": ["show #5"], "yes": ["confirm a"], "no": [], "more": ["list 3"], "undo": ["undo #6", "undo #5"],
    }  # fmt: skip
    assert "yes" not in meanings_of((*results, Result("", asked)))
