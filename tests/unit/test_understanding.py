"""The corpus of mails as people write them, in the suite; `python -m tests.corpus understanding` prints it all."""

from __future__ import annotations

import pytest

from core.mail.grammar import Command
from handlers._registry import build_grammar, load_handlers
from tests.corpus.understanding import LEAST, Reading, Written, judged, read_all, read_written


@pytest.fixture(scope="module")
def readings(tmp_path_factory: pytest.TempPathFactory) -> list[Reading]:
    return list(read_all(tmp_path_factory.mktemp("mails")))


def test_there_are_enough_mails_of_enough_languages(readings: list[Reading]) -> None:
    assert len(readings) >= 300
    assert {one.written.language for one in readings} >= {"en", "de", "es", "fr", "it"}


def test_mails_are_understood_as_they_are_meant(readings: list[Reading]) -> None:
    wrong = [(one.written.place, one.pairs) for one in readings if not one.is_understood]
    assert len(wrong) <= len(readings) * (1 - LEAST), wrong


def test_nothing_is_removed_that_was_not_meant(readings: list[Reading]) -> None:
    assert [(one.written.place, one.wrong_acts) for one in readings if one.wrong_acts] == []


def test_removing_the_wrong_thing_is_a_wrong_act() -> None:
    grammar = build_grammar(load_handlers())
    written = Written(1, "en", "plain", "remove dune", "", (), ("remove dune",))
    other = judged(written, (Command("remove", ("emma",), line="remove emma"),), grammar)
    assert (other.is_understood, other.wrong_acts) == (False, ("remove emma",))


def test_each_mail_of_the_file_says_what_it_means() -> None:
    assert [one.place for one in read_written() if not one.means] == []
