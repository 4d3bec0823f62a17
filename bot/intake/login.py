"""The dialogues of SMTP AUTH (RFC 4954): how a client says who it is. Whether that is so is checked elsewhere."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable

Ask = Callable[[str], Awaitable[str]]
"""Sends a 334 with this challenge, and returns the client's line."""

MECHANISMS = ("PLAIN", "LOGIN")


class UnknownMechanism(ValueError):
    """A mechanism that was not offered."""


async def ask_credentials(argument: str, ask: Ask) -> tuple[str, str]:
    """Login and password of `AUTH argument`. Raises `UnknownMechanism`, or ValueError for what cannot be read.

    "*" is how a client breaks the dialogue off (RFC 4954 4); it is no base64, so it raises as well.
    """
    mechanism, _, initial = argument.partition(" ")
    match mechanism.upper():
        case "PLAIN":  # RFC 4616 2: authorization identity, authentication identity, password
            answer = _decoded(initial or await ask(""))
            authorization, login, password = answer.split("\0")
            if authorization not in ("", login):
                raise ValueError("nobody may act for another")
            return login, password
        case "LOGIN":  # never a standard, but Outlook knows nothing else
            login = _decoded(initial or await ask(_encoded("Username:")))
            return login, _decoded(await ask(_encoded("Password:")))
        case _:
            raise UnknownMechanism(mechanism)


def _encoded(text: str) -> str:
    return b64encode(text.encode()).decode()


def _decoded(text: str) -> str:
    return b64decode("" if text == "=" else text, validate=True).decode("utf-8")  # RFC 4954 4: "=" is empty
