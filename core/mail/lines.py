"""One line of a mail: a command, a line that should have been one, or prose."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, replace

from core.mail import phrases
from core.mail.arguments import as_number, dividers, split_arguments, without_thanks
from core.mail.grammar import Command, CommandSpec, Grammar, Misreading, NotUnderstood
from core.mail.guessing import first_three, guess, is_sure
from core.mail.order import in_order
from core.mail.words import clean_line, fold, is_number, strip_bullet

LONGEST_PHRASE = 7  # words of an alias such as "what do i have in my library"
LONGEST_GUESS = 8  # words: what is longer and begins with no command word is a sentence
LONGEST_SENTENCELESS = 14  # words of a line that gives no other sign of being a sentence

_GLUED = re.compile(r"^([^\W\d]\w*)([:,])(?=[^\s/])")
_BEHIND_WORD = re.compile(r"^(?:[\s:;,.!?]|-(?!>))+")
_QUOTED = re.compile(r'"[^"]*"')  # a title, which may be a sentence
_SENTENCE = re.compile(r"\w{3}[.!?]\s+\w")

Reading = Command | NotUnderstood | None
"""None: prose."""


class Manner(enum.Enum):
    """How ready a line is to be taken for a command, by where it stands."""

    SUBJECT = "subject"
    BODY = "body"
    REPLY = "reply"
    """The body of a reply, where a number by itself means what was listed."""
    UNDER_COMMAND = "under-command"
    """The body below a subject that is a command: mostly prose."""


@dataclass(frozen=True, slots=True)
class Named:
    """A command word at the beginning of a line. `rest` is what stands behind it."""

    spec: CommandSpec
    word: str
    rest: str


def read_line(line: str, grammar: Grammar, *, manner: Manner) -> Reading:
    """What a line means by itself. Never raises; a destructive command is read from an exact word only."""
    text = strip_bullet(clean_line(line)) if manner is not Manner.SUBJECT else clean_line(line)
    bare = without_thanks(_without_leading(_unquoted(text).lstrip("¿¡ ")), needs_pause=True)
    if not bare or phrases.PROSE.match(fold(bare)):
        return None
    bare = in_order(bare, grammar) if manner is not Manner.UNDER_COMMAND else bare
    if (named := find_command(bare, grammar)) is not None:
        return _named(named, text, grammar, manner=manner, bare=bare)
    if manner is Manner.UNDER_COMMAND:
        return None
    return (
        _number(bare, text, grammar, manner=manner)
        or _turned_round(bare, text, grammar)
        or _misspelt(bare, text, grammar)
    )


def is_silent(line: str) -> bool:
    """Whether a line is a greeting, thanks or nothing at all."""
    folded = fold(clean_line(line))
    return not folded or bool(phrases.GREETING.fullmatch(folded) or phrases.CLOSING.fullmatch(folded))


def is_closing(line: str) -> bool:
    """Whether what follows a line is no longer the text of the mail: "Best wishes,"."""
    return phrases.CLOSING.fullmatch(fold(clean_line(line))) is not None


def is_sentence(text: str) -> bool:
    """Whether a line reads as prose. Commands are short, and titles seldom have a full stop in their middle."""
    count = len(text.split())
    if count > LONGEST_SENTENCELESS and "=" not in text:
        return True
    return (count > 4 and _SENTENCE.search(text) is not None) or (count > 6 and text.endswith((".", "!", "?")))


def find_command(text: str, grammar: Grammar) -> Named | None:
    """The command word, or the longest phrase that stands for a command, at the beginning of a cleaned text."""
    words = _GLUED.sub(r"\1\2 ", text).split()
    for count in range(min(LONGEST_PHRASE, len(words)), 0, -1):
        phrase = " ".join(words[:count])
        word = phrase.rstrip(":,.!;-?") or phrase
        if (spec := grammar.find(word)) is not None:
            longer = _find_around_me(words, grammar) if count < LONGEST_PHRASE else None
            rest = _BEHIND_WORD.sub("", " ".join(words[count:]))
            return longer or Named(spec, word, f"{grammar.form_of(word)} {rest}".strip())
    return None


def _find_around_me(words: list[str], grammar: Grammar) -> Named | None:
    """`show me my books`, which is `show my books`, and not a book that is to be shown."""
    if len(words) < 3 or not _is_person(words[1]):
        return None
    behind = next(place for place in range(1, len(words) + 1) if place == len(words) or not _is_person(words[place]))
    named = find_command(" ".join([words[0], *words[behind:]]), grammar)
    return named if named is not None and " " in named.word else None


def _is_person(word: str) -> bool:
    return fold(word) in phrases.INDIRECT_OBJECTS


def fits(command: Command, spec: CommandSpec) -> bool:
    """Whether a command has as many words as it takes, and a subcommand that it knows."""
    return len(command.words) >= spec.min_words and not _overflows(command, spec)


def _unquoted(text: str) -> str:
    """A line that stands in quotes as a whole, as it was copied from a page of help."""
    return text[1:-1].strip() if len(text) > 2 and text[0] == text[-1] == '"' and text.count('"') == 2 else text


def _without_leading(text: str) -> str:
    """Without the greeting and the "could you please" before a command."""
    while (match := phrases.LEADING.match(fold(text))) and match.end():
        words = match[0].split()
        rest = text.split()[len(words) :]
        if not rest or not fold(text).startswith(" ".join(words) + " "):
            break
        text = " ".join(rest)
    return text


def _named(named: Named, line: str, grammar: Grammar, *, manner: Manner, bare: str) -> Reading:
    """A line that begins with a command word: that command, unless it goes on as no such command does."""
    spec = named.spec
    command = replace(_command(spec, named.rest, line, word=named.word), language=grammar.language_of(named.word))
    reading = _with_subcommand(command, spec, grammar)
    reads_as_prose = (
        bool(named.rest)
        and is_sentence(_QUOTED.sub("…", bare))
        and (manner is not Manner.SUBJECT or spec.is_destructive)
    )
    if manner is not Manner.SUBJECT and reads_as_prose:
        return None
    if manner is Manner.UNDER_COMMAND:
        return reading if isinstance(reading, Command) and _is_plain(reading, spec, grammar) else None
    if isinstance(reading, NotUnderstood):
        return reading
    if reads_as_prose or _overflows(reading, spec):
        return NotUnderstood(line, _nearest(spec, reading, grammar), Misreading.WRONG_SHAPE, command=spec.name)
    if spec.is_destructive and _is_vague(reading):
        quoted = f'{spec.name} "{" ".join(reading.words)}"'
        return NotUnderstood(line, (quoted,), Misreading.UNSURE, command=spec.name)
    return reading


def _overflows(command: Command, spec: CommandSpec) -> bool:
    """Whether a command has words that it has no use for."""
    unknown = bool(spec.subcommands and command.words) and command.words[0] not in spec.subcommands
    return unknown or len(command.words) > spec.max_words


def _is_plain(command: Command, spec: CommandSpec, grammar: Grammar) -> bool:
    """Whether nobody would write this line by the way. "Add" begins many a line that is not about books."""
    is_vague = spec.is_destructive and _is_vague(command)
    return fits(command, spec) and not is_vague and (spec is not grammar.keeper or bool(command.options))


def _command(spec: CommandSpec, rest: str, line: str, *, word: str) -> Command:
    arguments = split_arguments(rest, spec, word=word)
    return Command(
        name=spec.name,
        words=arguments.words,
        options=arguments.options,
        phrases=arguments.phrases,
        undivided=arguments.undivided,
        line=line,
    )


def _with_subcommand(command: Command, spec: CommandSpec, grammar: Grammar) -> Command | NotUnderstood:
    """The command with its subcommand as the grammar writes it; a destructive one is not guessed."""
    if not spec.subcommands or not command.words:
        return command
    written, others = command.words[0], command.words[1:]
    exact = fold(written)
    if exact not in spec.subcommands and (other := grammar.find(written)) is not None:
        exact = other.name
    if exact in spec.subcommands:
        return replace(command, words=(exact, *others))
    subcommands = Grammar(_as_commands(spec))
    guesses = guess(written, subcommands, shortest=2)
    if is_sure(guesses):
        meant = guesses[0].spec.name
        return replace(command, words=(meant, *others), corrected_from=written, corrected_to=meant)
    if not guesses:
        return command
    lines = (" ".join((spec.name, each.spec.name, *others)) for each in guesses)
    return NotUnderstood(command.line, first_three(lines), Misreading.UNSURE, command=spec.name)


def _as_commands(spec: CommandSpec) -> list[CommandSpec]:
    return [
        CommandSpec(name=name, summary="", usage=(), is_destructive=name in spec.destructive_subcommands)
        for name in spec.subcommands
    ]


def _is_vague(command: Command) -> bool:
    """Whether it begins as people speak of anything at all: "remove it when you are done"."""
    return '"' not in command.line and bool(command.words) and fold(command.words[0]) in phrases.VAGUE


def _nearest(spec: CommandSpec, command: Command, grammar: Grammar) -> tuple[str, ...]:
    """What may be written instead of a command that goes on as it does not."""
    guide = grammar.find("help")
    page = (f"{guide.name} {spec.name}",) if guide is not None else ()
    if spec.subcommands:
        return " ".join((spec.name, spec.subcommands[0], *command.words)), *page
    return page if spec.min_words or spec.is_destructive else (spec.name, *page)


def _number(text: str, line: str, grammar: Grammar, *, manner: Manner) -> Reading:
    """`2` and `2 to kobo`: a thing of the list that was shown."""
    text = _without_noun(without_thanks(text, needs_pause=False))
    if manner is Manner.BODY or not is_number(text.partition(" ")[0].rstrip(",:")):
        return None
    for spec in grammar.specs.values():
        command = _command(spec, text, line, word=spec.name)
        means_it = spec.takes_bare_number or (spec.takes_bare_phrases and command.phrases)
        if means_it and command.words and all(map(is_number, command.words)):
            return command
    return None


def _without_noun(text: str) -> str:
    """`3` of "number 3" and "the 3rd one"."""
    words = text.split()
    while len(words) > 1 and fold(words[0].rstrip(".")) in phrases.NUMBER_NOUNS | phrases.ARTICLES:
        words = words[1:]
    words = words[:-1] if len(words) > 1 and fold(words[-1].rstrip(".!")) == "one" else words
    return " ".join([as_number(words[0]), *words[1:]]) if words else text


def _turned_round(text: str, line: str, grammar: Grammar) -> Reading:
    """`to kobo: dune`: a preposition first, and a colon behind what it governs."""
    if ":" not in text or is_sentence(text):
        return None
    for spec in grammar.specs.values():
        if not spec.takes_bare_phrases:
            continue
        command = _command(spec, text, line, word="")
        starts_with_it = command.undivided[:1] and fold(command.undivided[0]) in dividers(spec, is_foreign=True)
        if starts_with_it and command.words and any(command.phrases.values()):
            return command
    return None


def _misspelt(text: str, line: str, grammar: Grammar) -> Reading:
    """A line whose first word is like a command word."""
    word, _, rest = text.partition(" ")
    word = word.strip(":,.!;-?\"'")
    guesses = guess(word, grammar)
    if not guesses or is_sentence(text) or (len(text.split()) > LONGEST_GUESS and "=" not in text):
        return None
    commands = [(each.spec, _command(each.spec, rest, line, word=each.spec.name)) for each in guesses]
    spec, likeliest = commands[0]
    if is_sure(guesses) and fits(likeliest, spec):
        return replace(likeliest, corrected_from=word, corrected_to=spec.name)
    fitting = [spec.name if not rest else f"{spec.name} {rest}" for spec, command in commands if fits(command, spec)]
    if not fitting:
        return None
    return NotUnderstood(line, first_three(fitting), Misreading.UNSURE)
