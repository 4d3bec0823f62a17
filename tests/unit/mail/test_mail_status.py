"""Replies of mail servers: cleaned, and told in plain words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.mail.status import REPLY_LENGTH, clean_reply, enhanced_status, explain


@given(st.text(max_size=2000))
def test_kept_reply_is_one_short_printable_line(text: str) -> None:
    assert clean_reply(text).isprintable()
    assert len(clean_reply(text)) <= REPLY_LENGTH


def test_reply_in_several_lines_and_scripts_is_one_line() -> None:
    assert (
        clean_reply("550 5.7.1 gesperrt für\nспам\x1b[31m\u202e nein\udcff") == "550 5.7.1 gesperrt für спам [31m nein"
    )


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        ("550 5.1.1 no such user", "5.1.1"),
        ("5.7.1 blocked", "5.7.1"),
        ("452 4.2.2", "4.2.2"),
        ("550 no such user at 5.1.1", None),
        ("550 5.1.1x", None),
        ("", None),
    ],
)
def test_enhanced_status_stands_first(reply: str, status: str | None) -> None:
    assert enhanced_status(reply) == status


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ("550 5.1.1 no such user", "does not exist"),
        ("556 5.1.10 domain does not accept mail", "does not take mail"),
        ("550 no such user", "does not exist"),
        ("552 5.2.2 over quota", "mailbox is full"),
        ("552 5.3.4 too big", "larger"),
        ("552 too big", "larger"),
        ("554 5.7.1 looks like spam", "does not let this mail through"),
        ("550 5.99.1 whatever", "does not exist"),
        ("599 whatever", "refused"),
        ("the folder is gone", "could not be handed over"),
    ],
)
def test_refusal_is_told_in_plain_words(reply: str, words: str) -> None:
    assert words in explain(reply)
