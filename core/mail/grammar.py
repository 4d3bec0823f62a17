"""The grammar of commands: one table, built from the handlers' own descriptions, that parsing, `help` and docs read."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from core.mail.words import as_one_word, fold, spellings
from core.values import AttachmentKind, Trust

ANY_NUMBER = 1000  # of words: no line is as long


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
    """Other words for it in any language, and phrases of at most seven words ("my books"); the longest match wins."""
    tongues: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """More of them by language; the first of each is what it is called there."""
    sayings: Mapping[str, str] = field(default_factory=dict)
    """Phrases for one form of it: `my kindle is` -> `add`."""
    prepositions: tuple[str, ...] = ()
    """Words that divide arguments: `to` in `send dune to kobo`; the words behind one land in `Command.phrases`."""
    keys: tuple[str, ...] = ()
    """Which `key=value` (also `key: value`, `key "a value"`) options it takes."""
    subcommands: tuple[str, ...] = ()
    """`kindle add|list|...`: the first word, if it is one of these, is normalised and spelling-corrected; a command's
    other words count here too (`kindle delete` where `delete` is a word for `remove`)."""
    min_words: int = 0
    """How few words make sense: a misspelt command with fewer is not run, and a line of a text with fewer is prose."""
    max_words: int = ANY_NUMBER
    """With more words than this it is not this command: `list of friends` is not `list`."""
    examples: tuple[Example, ...] = ()
    trust: Trust = Trust.READ
    """How sure we must be of the sender: docs/security.md has the table of all commands."""
    reading_words: tuple[str, ...] = ()
    """First words with which it only shows something, "" for none at all: then `Trust.READ` is enough."""
    is_destructive: bool = False
    """Never run on a guess: a typo is answered with a question."""
    question: str = ""
    """What is asked back before it is done, however sure we are of its sender; "" asks only where we are not."""
    destructive_subcommands: tuple[str, ...] = ()
    """Those of `subcommands` that are never run on a guess."""
    makes: bool = False
    """Whether it makes something that has a name: a later command of the mail that names it needs it to have worked."""
    takes_attachments: frozenset[AttachmentKind] = frozenset()
    """With which files of its mail it does something; the first command that takes a kind is what a mail with such a
    file and no command means."""
    takes_links: bool = False
    """Addresses on the lines below it are words of it."""
    takes_bare_links: bool = False
    """What a mail with nothing but links means."""
    takes_one_book: bool = False
    """Several numbers are as many commands: `remove 1, 3`, `send 1 and 2 to kobo`."""
    takes_bare_number: bool = False
    """What a number by itself means, in a reply: `2`."""
    takes_bare_phrases: bool = False
    """What a line without a command but with one of its prepositions means: `2 to kobo`, `to kobo: dune`."""
    takes_bare_words: bool = False
    """What is offered for a few words without a command."""
    group: str = "Library"
    """Heading in `help`."""
    for_administrators: bool = False
    """Others do not have it in their grammar: to them it is a word like any other."""

    def trust_for(self, words: Sequence[str], options: Mapping[str, str]) -> Trust:
        """How sure we must be of the sender for this form of it."""
        is_reading = not options and (words[0].lower() if words else "") in self.reading_words
        return Trust.READ if is_reading else self.trust


@dataclass(frozen=True, slots=True)
class Command:
    """A command that somebody wrote, split but not yet validated."""

    name: str
    """Canonical, a key of the grammar."""
    words: tuple[str, ...] = ()
    """Arguments in order, quotes removed, without options and phrases."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Key (lower case) -> value. A key with `=` that the command does not know stands here too, to be refused."""
    phrases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Preposition -> the words behind it: {"to": ("kobo",)}."""
    undivided: tuple[str, ...] = ()
    """`words` as they would be if no preposition divided them, since titles have prepositions of their own: of
    `send the road to wigan pier`, where no device is called so."""
    line: str = ""
    """As written, cleaned, for showing back."""
    is_implied: bool = False
    """Meant by what the mail holds (a file, links), and by no word of it."""
    corrected_from: str | None = None
    """The misspelt command word, where it was corrected ("lsit")."""
    corrected_to: str | None = None
    """The word that it was taken for ("list")."""
    language: str | None = None
    """Of the command word, where that is of one language alone."""

    def line_with(self, thing: str) -> str:
        """The same command for another thing, as one would write it."""
        phrases = (f"{preposition} {' '.join(words)}" for preposition, words in self.phrases.items())
        options = (f"{key}={as_one_word(value)}" for key, value in self.options.items())
        return " ".join((self.name, thing, *phrases, *options))


class Misreading(enum.StrEnum):
    """Why a line is not a command."""

    EMPTY = "empty"
    """There was nothing to read."""
    UNKNOWN = "unknown"
    """It begins with no command word."""
    UNSURE = "unsure"
    """It may mean several commands, or one that must not be guessed at."""
    WRONG_SHAPE = "wrong-shape"
    """It begins with a command word, and goes on as that command does not."""
    ASKED_BEFORE = "asked-before"
    """It is the subject of an earlier mail that this one answers, and is not done twice without being asked."""
    NOT_ASKED = "not-asked"
    """It is a yes or a no to a mail that asked nothing."""
    NO_MORE = "no-more"
    """It asks for what comes after a mail that showed all there is."""
    NOT_DONE = "not-done"
    """It takes back what a mail did that did nothing which can be taken back."""
    SOMEBODY_ELSES = "somebody-elses"
    """It came to the address at which somebody else answers a mail of ours."""
    TOO_OLD = "too-old"
    """It means something that a mail showed which is forgotten."""
    TOO_MANY = "too-many"
    """It stands behind the last command that one mail may hold."""


@dataclass(frozen=True, slots=True)
class NotUnderstood:
    """A line that should have been a command. `suggestions` are command lines, likeliest first, at most three."""

    line: str
    suggestions: tuple[str, ...] = ()
    reason: Misreading = Misreading.UNKNOWN
    command: str | None = None
    """Name of the command that it began as, where that is sure."""


class Grammar:
    """All commands by name and alias. Raises `ValueError` if two claim one word."""

    def __init__(self, specs: Iterable[CommandSpec], *, unguessed: Iterable[str] = ()) -> None:
        """`unguessed`: words that are taken for no misspelt one, such as those of commands that a reader has not."""
        self.unguessed = frozenset(map(fold, unguessed))
        self.specs: dict[str, CommandSpec] = {}
        self._by_word: dict[str, CommandSpec] = {}
        self._words: dict[str, None] = {}
        self._tongues: dict[str, str] = {}
        self._sayings: dict[str, str] = {}
        for spec in specs:
            if spec.name in self.specs:
                raise ValueError(f"two commands are called {spec.name!r}")
            self.specs[spec.name] = spec
            foreign = (word for words in spec.tongues.values() for word in words)
            for word in dict.fromkeys((spec.name, *spec.aliases, *foreign, *spec.sayings)):
                self._claim(word, spec)
            for language, words in spec.tongues.items():
                for word in words:
                    self._tongues[fold(word)] = language if fold(word) not in self._tongues else ""
            for saying, form in spec.sayings.items():
                self._sayings.update(dict.fromkeys(spellings(saying), form))

    def _claim(self, word: str, spec: CommandSpec) -> None:
        self._words[word] = None
        for spelling in spellings(word):
            other = self._by_word.setdefault(spelling, spec)
            if other is not spec:
                raise ValueError(f"both {other.name} and {spec.name} claim the word {word!r}")

    def find(self, word: str) -> CommandSpec | None:
        """The command that `word` (or a phrase, divided by single blanks) names, in any case, accents or not; None."""
        return next((self._by_word[form] for form in spellings(word) if form in self._by_word), None)

    def form_of(self, word: str) -> str:
        """What a saying stands for beside its command: `add` of "my kindle is"; "" for any other word."""
        return next((self._sayings[form] for form in spellings(word) if form in self._sayings), "")

    def language_of(self, word: str) -> str | None:
        """The language that a command word is of, None where several have it, or only the code's own English."""
        return self._tongues.get(fold(word)) or None

    @property
    def words(self) -> tuple[str, ...]:
        """Every command word and alias, as it is written."""
        return tuple(self._words)

    @property
    def folded_words(self) -> tuple[str, ...]:
        """Every spelling that `find` knows, phrases left out: what misspelt words are compared with."""
        return tuple(word for word in self._by_word if " " not in word)

    @property
    def keeper(self) -> CommandSpec | None:
        """What a mail with a book and no command means."""
        return self.keeper_of(AttachmentKind.BOOK)

    def keeper_of(self, kind: AttachmentKind) -> CommandSpec | None:
        """What a mail with such a file and no command means."""
        return next((spec for spec in self.specs.values() if kind in spec.takes_attachments), None)
