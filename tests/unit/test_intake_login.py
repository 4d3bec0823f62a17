"""The dialogues of AUTH."""

from __future__ import annotations

from base64 import b64encode

import pytest

from bot.intake.login import UnknownMechanism, ask_credentials


def encoded(text: str) -> str:
    return b64encode(text.encode()).decode()


async def credentials(argument: str, *answers: str) -> tuple[tuple[str, str], list[str]]:
    """Login and password, and the challenges that were sent."""
    challenges: list[str] = []
    waiting = list(answers)

    async def ask(challenge: str) -> str:
        challenges.append(challenge)
        return waiting.pop(0)

    return await ask_credentials(argument, ask), challenges


@pytest.mark.parametrize("identity", ["", "ann@x.example"])
async def test_plain_may_stand_in_the_command(identity: str) -> None:
    answer = encoded(f"{identity}\0ann@x.example\0pass wörd")
    assert await credentials(f"plain {answer}") == (("ann@x.example", "pass wörd"), [])


async def test_plain_is_asked_for() -> None:
    assert await credentials("PLAIN", encoded("\0ann\0pass")) == (("ann", "pass"), [""])


async def test_login_is_asked_for_in_two_steps() -> None:
    expected = [encoded("Username:"), encoded("Password:")]
    assert await credentials("LOGIN", encoded("ann"), encoded("pass")) == (("ann", "pass"), expected)


async def test_login_may_name_the_user_in_the_command() -> None:
    assert await credentials(f"LOGIN {encoded('ann')}", encoded("")) == (("ann", ""), [encoded("Password:")])


@pytest.mark.parametrize("answer", ["*", "=", "not base64!", encoded("ann\0pass"), encoded("a\0b\0c\0d"), "/w==", "é"])
async def test_what_is_no_answer_raises(answer: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - base64's, UTF-8's and our own
        await credentials("PLAIN", answer)


async def test_nobody_logs_in_for_another() -> None:
    with pytest.raises(ValueError, match="another"):
        await credentials(f"PLAIN {encoded('bob@x.example' + chr(0) + 'ann@x.example' + chr(0) + 'pass')}")


async def test_other_mechanisms_are_unknown() -> None:
    with pytest.raises(UnknownMechanism):
        await credentials("CRAM-MD5")
