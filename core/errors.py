"""The one error tree. A `BotError` may be told to the user, an `Unavailable` means try again, all else is a bug."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.mail.answer import Block


class InkpostError(Exception):
    """Root of everything that we raise on purpose."""


class BotError(InkpostError):
    """What a user did that cannot be done, told to a reader on a phone.

    `text` says what is wrong, `fix` says how to mend it (a sentence, or a command to write), `code` is stable and
    machine-readable (`book.not-found`). Subclasses set the class attribute `code`; an instance may be more exact.
    `blocks` go under the text: a numbered choice, suggestions to tap.
    """

    code = "request"

    def __init__(self, text: str, *, fix: str = "", code: str | None = None, blocks: tuple[Block, ...] = ()) -> None:
        super().__init__(text)
        self.text = text
        self.fix = fix
        self.blocks = blocks
        if code is not None:
            self.code = code


class BadRequest(BotError):
    """An argument is missing or is not what the command takes."""

    code = "request.bad"


class NotFound(BotError):
    """What was named is not there, or is not the user's (the two are told alike, so that nobody can probe)."""

    code = "not-found"


class Forbidden(BotError):
    """The user may not do this."""

    code = "forbidden"


class Conflict(BotError):
    """It was done already, or stands against something that is there."""

    code = "conflict"


class TooMuch(BotError):
    """Over a limit of size, count or rate; `fix` says which, or when it opens again."""

    code = "too-much"


class DamagedFile(BotError):
    """A file that cannot be read as what it is; `text` says what is wrong with it."""

    code = "file.damaged"


class RefusedFile(BotError):
    """A file that we will not take: encrypted, hostile, or of a kind that nobody can read."""

    code = "file.refused"


class Unavailable(InkpostError):
    """A dependency does not answer: try again later. Never told to the user, never a 5yz."""
