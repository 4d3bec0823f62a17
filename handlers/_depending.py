"""What a command needs of those before it in its mail: if `add` failed, `send` of that book is not tried. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from core.mail.grammar import Command, CommandSpec
from core.mail.words import fold
from core.values import Staged, StagedBook, Trust

_UNDO = "undo"


def hindrance(
    command: Command, failed: Sequence[tuple[Command, CommandSpec]], *, before: Command | None, files: Sequence[Staged]
) -> Command | None:
    """The command that failed and that this one needs, None if it may be tried.

    One that names what a failed one should have made depends on it; `undo`, on what stands right `before` it: else it
    would take back something older.
    """
    if command.name == _UNDO:
        return next((other for other, spec in failed if other is before and spec.trust is not Trust.READ), None)
    used = [_plain(name) for name in _used(command)]
    for other, spec in failed:
        made = [_plain(name) for name in _made(other, spec, files)]
        if any(words and name and (words <= name or name <= words) for words in used for name in made):
            return other
    return None


def _used(command: Command) -> Iterator[str]:
    """What a command names: a book, a feed, a device."""
    yield " ".join(command.words)
    yield " ".join(command.undivided)
    for words in command.phrases.values():
        yield " ".join(words)


def _made(command: Command, spec: CommandSpec, files: Sequence[Staged]) -> Iterator[str]:
    """What a command would have made, by the names that it gives, and by those of its mail's files."""
    if not spec.makes:
        return
    yield command.options.get("title") or command.options.get("name") or ""
    yield " ".join(command.phrases.get("as", ()))
    yield " ".join(command.words)
    if spec.takes_attachments:
        for file in files:
            yield file.filename.rpartition(".")[0]
            if isinstance(file, StagedBook):
                yield file.metadata.title


def _plain(name: str) -> frozenset[str]:
    """The words of a name, without case, accents, and what stands between them."""
    return frozenset("".join(letter if letter.isalnum() else " " for letter in fold(name)).split())
