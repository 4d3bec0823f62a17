"""The commands as they are understand the mails that people write."""

from __future__ import annotations

from typing import Any

import pytest

from core.mail.commands import read_commands
from core.mail.grammar import Grammar
from core.models.user import UserRole
from handlers._registry import build_grammar, load_handlers
from tests.support.command_mails import MAILS, NEWS_MAILS, is_understood, mail_of, name_of
from tests.support.reader import Reader


@pytest.fixture(scope="module")
def grammar() -> Grammar:
    return build_grammar(load_handlers())


@pytest.mark.parametrize("case", [*MAILS, *NEWS_MAILS], ids=name_of)
def test_mail_is_understood_by_the_real_commands(case: dict[str, Any], grammar: Grammar) -> None:
    found = read_commands(mail_of(case), grammar)

    assert is_understood(found, case), found


@pytest.mark.parametrize("name", sorted(load_handlers()))
def test_command_that_is_short_of_words_is_answered(ada: Reader, name: str) -> None:
    ada.user.role = UserRole.ADMINISTRATOR
    for line in (name, f"{name} x=y", f"{name} to", f"{name} #"):
        assert ada.results(line), line
