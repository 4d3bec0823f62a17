"""`settings`: what a reader gets for it."""

from __future__ import annotations

from core.mail.answer import Result
from core.mail.meanings import meanings_of
from tests.support.reader import Reader, facts, problem, steps


def test_time_zone_is_set_whatever_its_case(ada: Reader) -> None:
    assert facts(ada.run("settings timezone=europe/berlin"))["Time zone"].startswith("Europe/Berlin, where it is 07:00")


def test_setting_may_be_said_in_words(ada: Reader) -> None:
    assert facts(ada.run("set autosend to on"))["Autosend"] == "on"


def test_unknown_zone_is_refused_with_a_hint(ada: Reader) -> None:
    assert "Europe/Berlin" in problem(ada.run("settings timezone=Berlin")).fix


def test_hint_at_a_zone_can_be_answered_with_yes(ada: Reader) -> None:
    asked = ada.run("settings timezone=new york")

    assert meanings_of([Result("", asked)])["yes"] == ["settings timezone=America/New_York"]


def test_one_bad_setting_undoes_the_others(ada: Reader) -> None:
    assert problem(ada.run("settings name=Countess autosend=maybe")).code == "request.bad"
    assert facts(ada.run("settings"))["Name"] == "Ada"


def test_the_answer_is_in_the_language_that_was_asked_for(ada: Reader) -> None:
    assert facts(ada.run("settings language=de"))["Zeitzone"] == "UTC, dort ist es 06:00"
    assert facts(ada.run("settings language Español"))["Idioma"] == "Español"
    assert ada.user.language == "es"


def test_a_language_without_texts_is_refused(ada: Reader) -> None:
    assert problem(ada.run("settings language=Klingon")).fix == "I speak en (English), de (Deutsch), es (Español)."
    assert ada.user.language == ""


def test_a_change_can_be_taken_back(ada: Reader) -> None:
    undo, _devices = steps(ada.run('settings name="Ada L" autosend=on'))
    assert undo == 'settings name="Ada" autosend="off"'
    assert facts(ada.run(undo))["Name"] == "Ada"
    assert not ada.user.autosend


def test_zone_that_is_named_the_wrong_way_round_is_not_suggested(ada: Reader) -> None:
    refused = problem(ada.run("settings timezone=GMT+2"))

    assert "Europe/Berlin" in refused.fix
    assert steps(refused) == []
