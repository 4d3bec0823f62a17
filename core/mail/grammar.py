"""The grammar of commands: one table, built from the handlers' own descriptions, that parsing, `help` and docs read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from core.values import Trust


@dataclass(frozen=True, slots=True)
class Example:
    """A command as somebody would write it, and what it does."""

    line: str
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandSpec:
    """One command's row in the grammar. Texts are for users: plain words, no markup."""

    name: str
    summary: str
    """One line, imperative: "Send a book to your Kindle"."""
    usage: tuple[str, ...]
    """The forms it takes: `send <book> [to <device>]`."""
    details: str = ""
    """What a page of documentation says beyond the summary; paragraphs divided by empty lines."""
    aliases: tuple[str, ...] = ()
    """Other words for it, lower case; the first words of phrases too (`send to kindle` needs none)."""
    prepositions: tuple[str, ...] = ()
    """Words that divide arguments: `to` in `send dune to kobo`; the words behind one land in `Command.phrases`."""
    keys: tuple[str, ...] = ()
    """Which `key=value` (also `key: value`, `key "a value"`) options it takes."""
    subcommands: tuple[str, ...] = ()
    """`kindle add|list|...`: the first word, if it is one of these, is normalised and spelling-corrected."""
    examples: tuple[Example, ...] = ()
    trust: Trust = Trust.READ
    """How sure we must be of the sender."""
    is_destructive: bool = False
    """Never run on a guess: a typo is answered with a question."""
    takes_attachments: bool = False
    group: str = "Library"
    """Heading in `help`."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command that somebody wrote, split but not yet validated."""

    name: str
    """Canonical, a key of the grammar."""
    words: tuple[str, ...] = ()
    """Arguments in order, quotes removed, without options and phrases."""
    options: Mapping[str, str] = field(default_factory=dict)
    phrases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Preposition -> the words behind it: {"to": ("kobo",)}."""
    line: str = ""
    """As written, cleaned, for showing back."""
    corrected_from: str | None = None
    """The misspelt command word, where it was corrected ("lsit")."""


@dataclass(frozen=True, slots=True)
class NotUnderstood:
    """A line that should have been a command. `suggestions` are command lines, likeliest first, at most three."""

    line: str
    suggestions: tuple[str, ...] = ()


class Grammar:
    """All commands by name and alias. Raises `ValueError` if two claim one word."""

    def __init__(self, specs: Iterable[CommandSpec]) -> None:
        self.specs: dict[str, CommandSpec] = {}
        self._by_word: dict[str, CommandSpec] = {}
        for spec in specs:
            self.specs[spec.name] = spec
            for word in (spec.name, *spec.aliases):
                if word in self._by_word:
                    raise ValueError(f"both {self._by_word[word].name} and {spec.name} claim the word {word!r}")
                self._by_word[word] = spec

    def find(self, word: str) -> CommandSpec | None:
        """The command that `word` names, in any case, or None."""
        return self._by_word.get(word.lower())

    @property
    def words(self) -> tuple[str, ...]:
        """Every command word and alias."""
        return tuple(self._by_word)
