"""A mail and the books in it, read in one go: for a worker process, since each way there and back has its price."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from core.books.limits import BookLimits
from core.books.open import open_book
from core.errors import BotError
from core.i18n import SOURCE, speaking
from core.mail.language import language_of
from core.mail.message import Attachment, ParsedMessage
from core.mail.parse import parse_message
from core.values import OpenedBook


@dataclass(frozen=True, slots=True)
class Mailed:
    """A mail, and what came of opening those of its files that were opened with it."""

    message: ParsedMessage
    opened: Mapping[Path, OpenedBook | BotError] = field(default_factory=dict)
    """By where the file lies."""


def read_mailed(path: Path, *, work_dir: Path, language: str, limits: BookLimits) -> Mailed:
    """The mail in the file `path` and its books; archives stay closed. What is wrong with a book is said in `language`,
    or, where that is "", in the mail's own.

    Blocks, up to seconds for a hostile file. Raises `OSError` if a file cannot be read or written.
    """
    message = parse_message(path, work_dir=work_dir)
    books = [file for file in message.attachments if file.format is not None and not file.is_inline]
    with speaking(language or language_of(message) or SOURCE):
        return Mailed(message, {file.path: _open(file, work_dir=work_dir, limits=limits) for file in books})


def name_of(file: Attachment) -> str:
    """What its sender calls it."""
    return file.filename or f"attachment.{file.format or 'bin'}"


def _open(file: Attachment, *, work_dir: Path, limits: BookLimits) -> OpenedBook | BotError:
    try:
        return open_book(file.path, filename=name_of(file), work_dir=work_dir, limits=limits, sha256=file.sha256)
    except BotError as error:
        return error
