"""`help`: what a reader gets for it."""

from __future__ import annotations

import pytest

from handlers._registry import load_handlers
from tests.support.reader import Reader, problem, steps


def test_overview_names_every_command(ada: Reader) -> None:
    told = str(ada.run("help"))

    assert [name for name in ada.handlers if name not in told] == []


@pytest.mark.parametrize("name", sorted(load_handlers()))
def test_every_command_has_its_own_help(ada: Reader, name: str) -> None:
    assert ada.handlers[name].SPEC.summary in str(ada.run(f"help {name}"))


def test_unknown_command_is_said(ada: Reader) -> None:
    assert problem(ada.run("help fly")).code == "command.not-found"


def test_help_of_help_is_offered_once(ada: Reader) -> None:
    assert steps(ada.run("help help")) == ["help"]
