"""Kind `understanding`: are mails understood as people mean them?

The mails of `tests/data/understanding.txt` through the real parser and the real grammar. Understood is a mail of which
exactly the commands are read that it means; a question back is right only where nothing else is. The confusion table
counts commands meant (rows) against commands understood (columns).
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from rich.console import Console
from rich.table import Table

from core.errors import BotError
from core.mail.commands import read_commands
from core.mail.grammar import Command, Grammar, NotUnderstood
from core.mail.parse import parse_message
from core.mail.words import fold
from core.news.schedule_words import parse_schedule, parse_until
from handlers._feeds import address_of
from handlers._registry import build_grammar, load_handlers
from handlers.digest import _UNTIL, _verb
from tests.support.letters import letter

DATA = Path(__file__).parents[1] / "data" / "understanding.txt"
LEAST = 0.99
TODAY = date(2026, 11, 23)
QUESTION, NOTHING = "?", "-"
# Forms of other commands that take something away, beside those that the grammar knows for destructive.
_DESTRUCTIVE = {("digest", "off"), ("digest", "remove"), ("kindle", "remove"), ("secret", "new"), ("secret", "revoke")}


@dataclass(frozen=True, slots=True)
class Written:
    """One mail and what it means."""

    place: int
    """Line of the file."""
    language: str
    program: str
    subject: str
    text: str
    files: tuple[str, ...]
    means: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """What was made of a mail."""

    written: Written
    found: tuple[Command | NotUnderstood, ...]
    pairs: tuple[tuple[str, str], ...]
    """Commands meant and understood, by name."""
    is_understood: bool
    wrong_acts: tuple[str, ...]
    """What would have been removed against the writer's will."""


def read_written(path: Path = DATA) -> Iterator[Written]:
    """The mails of the file. Raises `ValueError` for a block that is none."""
    lines = path.read_text("utf-8").split("\n")
    starts = [number for number, line in enumerate(lines) if line.startswith("## ")]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        _, language, program = lines[start].split()
        block = lines[start + 1 : end]
        means = tuple(line[2:].strip() for line in block if line.startswith("= "))
        (subject,) = (line.removeprefix("Subject:").strip() for line in block if line.startswith("Subject:"))
        files = tuple(line.removeprefix("Attach:").strip() for line in block if line.startswith("Attach:"))
        text = "\n".join(line for line in block if not line.startswith(("= ", "Subject:", "Attach:"))).strip()
        yield Written(start + 1, language, program, subject, text, files, means)


def read_all(folder: Path) -> Iterator[Reading]:
    """Each mail as it was understood; `folder` is for what the parser takes apart."""
    grammar = build_grammar(load_handlers())
    for number, written in enumerate(read_written()):
        raw = folder / f"{number}.eml"
        raw.write_bytes(
            letter(
                written.subject, written.text,
                language=written.language, program=written.program, files=written.files,
            )
        )  # fmt: skip
        message = parse_message(raw, work_dir=folder / f"{number}")
        yield judged(written, read_commands(message, grammar), grammar)


def judged(written: Written, found: tuple[Command | NotUnderstood, ...], grammar: Grammar) -> Reading:
    meant = [one for one in written.means if one != QUESTION]
    done = [one for one in found if isinstance(one, Command) and len(one.words) >= grammar.specs[one.name].min_words]
    asked = len(found) > len(done)
    is_understood = (
        len(meant) == len(done)
        and all(_is_meant(*pair, grammar) for pair in zip(meant, done, strict=True))
        and (bool(meant) != asked)
    )
    names = [one.split()[0] for one in meant] or [QUESTION]
    said = [one.name for one in done] or ([QUESTION] if asked else [NOTHING])
    width = max(len(names), len(said))
    pairs = tuple(zip(_filled(names, width), _filled(said, width), strict=True))
    wrong = tuple(
        one.line
        for one in done
        if _is_destructive(one, grammar) and not any(_is_meant(mean, one, grammar) for mean in meant)
    )
    return Reading(written, found, pairs, is_understood, wrong)


def _filled(names: list[str], width: int) -> list[str]:
    return [*names, *[NOTHING] * (width - len(names))]


def _is_destructive(command: Command, grammar: Grammar) -> bool:
    spec = grammar.specs[command.name]
    first = command.words[0] if command.words else ""
    return spec.is_destructive or first in spec.destructive_subcommands or (command.name, first) in _DESTRUCTIVE


def _is_meant(meaning: str, command: Command, grammar: Grammar) -> bool:
    if " | " in meaning:  # either is as good
        return any(_is_meant(each, command, grammar) for each in meaning.split(" | "))
    name, _, arguments = meaning.partition(" ")
    if name != command.name:
        return False
    if name == "digest" and not arguments.startswith("@ "):
        return _act(arguments.split()) == _act(command.words)
    if name == "help" and arguments and (about := grammar.find(" ".join(command.words))) is not None:
        return about.name == arguments
    if arguments.startswith("@ "):
        try:
            return parse_schedule(" ".join(command.words), current=None).to_text() == arguments[2:]
        except BotError:
            return False
    options = [f"{key}={value}" for key, value in command.options.items()]
    behind = [word for words in command.phrases.values() for word in words]
    addresses = [one for word in command.words if (one := address_of(word)) is not None]  # "to" before one is nothing
    said = ([*(addresses or command.words), *behind, *options], [*command.undivided, *options])
    return any(sorted(_plain(" ".join(words)).split()) == sorted(_plain(arguments).split()) for words in said)


def _act(words: Sequence[str]) -> tuple[str | None, str]:
    """What `digest` does, and what is behind it; a day as a date."""
    verb, rest = _verb(words)
    if verb == "pause":
        places = [place for place, word in enumerate(rest) if fold(word) in _UNTIL]
        return verb, str(parse_until(" ".join(rest[places[0] :] if places else rest), today=TODAY))
    return verb, _plain(" ".join(rest))


def _plain(text: str) -> str:
    return " ".join(fold(text.replace("’", "'")).translate(dict.fromkeys(map(ord, '"“”„«».?!'))).split())


def run(_folder: Path) -> bool:
    """The table, a line for each mail that was not understood, and the totals."""
    with tempfile.TemporaryDirectory() as name:
        readings = list(read_all(Path(name)))
    console = Console(width=200, soft_wrap=True)
    console.print(_confusion(readings))
    for one in readings:
        if not one.is_understood:
            said = "; ".join(_shown(each) for each in one.found)
            text = f"{one.written.subject} / {one.written.text}".replace("\n", " ")
            print(f"{one.written.place}: {text[:90]!r} means {', '.join(one.written.means)}; read: {said}")
    understood = sum(one.is_understood for one in readings)
    wrong = sum(len(one.wrong_acts) for one in readings)
    asked = sum(one.pairs[0][1] == QUESTION and one.pairs[0][0] != QUESTION for one in readings)
    languages = len({one.written.language for one in readings})
    share = understood / len(readings)
    print(
        f"understanding: {len(readings)} mails in {languages} languages, {understood} understood ({share:.1%}), "
        f"{asked} asked back about without need, {wrong} wrong destructive acts"
    )
    return share >= LEAST and not wrong


def _shown(found: Command | NotUnderstood) -> str:
    if isinstance(found, NotUnderstood):
        return f"? {found.reason.value} {list(found.suggestions)}"
    return f"{found.name} {list(found.words)} {dict(found.phrases)} {dict(found.options)}"


def _confusion(readings: list[Reading]) -> Table:
    """Rows are commands meant, columns those understood; a point stands for none."""
    counts = Counter(pair for one in readings for pair in one.pairs)
    others = sorted({said for meant, said in counts if said not in (meant, QUESTION, NOTHING)})
    table = Table("meant", "mails", "right", "asked", "nothing", *others, box=None, title="meant x understood")
    for meant in sorted({meant for meant, _said in counts}):
        row = {said: count for (one, said), count in counts.items() if one == meant}
        cells = [row.get(other, 0) if other != meant else 0 for other in others]
        right, asked = row.get(meant, 0), row.get(QUESTION, 0) if meant != QUESTION else 0
        numbers = [sum(row.values()), right, asked, row.get(NOTHING, 0), *cells]
        table.add_row(meant, *(str(number) if number else "·" for number in numbers))
    return table
