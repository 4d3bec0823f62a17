"""Hostile bytes by chance: `python -m tests.bench fuzz [--examples 10000] [--seed N] [--short]`; exit 1 on a finding.

hypothesis makes the examples, so many for each reader, and makes a finding as small as it can: mails (changed files of
the corpus, MIME trees whose parts do not fit) for the parser, lines of the grammar's words with noise for the command
reader with the real grammar, EPUBs (changed ones, hostile packages, contents, pages and entries) for `open_book` and
the compiler of copies for Kindles. Nothing may be raised but a refusal that is told to its sender, and nothing may take
long. A finding is written to a file, and is found again by its seed. The last line has the totals.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import strategies as st

from core.books.kindle.compiler import compile_book
from core.books.open import open_book
from core.errors import BotError
from core.mail.commands import read_commands
from core.mail.grammar import Grammar
from core.mail.message import ParsedMessage
from core.mail.parse import parse_message
from handlers._registry import build_grammar, load_handlers
from tests.bench._fuzz_books import books
from tests.bench._fuzz_lines import Written, lines
from tests.bench._fuzz_mails import mails

MOST_SECONDS = 20.0  # of the processor, for one example
SHORT = 100


@dataclass(frozen=True, slots=True)
class Finding:
    """What was raised by the smallest example that raises it."""

    reader: str
    words: str
    example: object


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench fuzz")
    parser.add_argument("--examples", type=int, default=10_000, help="for each reader")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--reader", choices=("mail", "commands", "epub"), help="this one alone")
    parser.add_argument("--short", action="store_true", help=f"{SHORT} examples for each reader")
    options = parser.parse_args(argv)
    started = time.monotonic()
    counts, findings = fuzz(SHORT if options.short else options.examples, seed=options.seed, only=options.reader)
    for one in findings:
        print(f"{one.reader}: {one.words}; the example is in {_kept(one)}")
    told = ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()))
    print(f"TOTAL seed {options.seed}: {told}; {len(findings)} findings in {time.monotonic() - started:.0f} s")
    return 1 if findings else 0


def fuzz(examples: int, *, seed: int, only: str | None = None) -> tuple[Counter[str], list[Finding]]:
    """What became of the examples of each reader; and what should not have come of any."""
    grammar = build_grammar(load_handlers())
    counts, findings = Counter[str](), list[Finding]()
    with tempfile.TemporaryDirectory(prefix="inkpost-fuzz-") as place:
        folder = Path(place)
        empty = parse_mail(b"From: ada@reader.test\r\n\r\n", folder)
        readers: dict[str, tuple[st.SearchStrategy[Any], Callable[[Any], str]]] = {
            "mail": (mails(), lambda raw: _read_mail(raw, folder)),
            "commands": (lines(grammar), lambda written: _read_commands(written, empty, grammar)),
            "epub": (books(), lambda book: _read_book(book, folder)),
        }
        for name, (strategy, read) in readers.items():
            if only not in (None, name):
                continue
            outcomes, finding = hunt(name, strategy, read, examples=examples, seed=seed)
            counts.update({f"{name} {outcome}": count for outcome, count in outcomes.items()})
            findings += [finding] if finding is not None else []
    return counts, findings


def hunt(
    name: str, strategy: st.SearchStrategy[Any], read: Callable[[Any], str], *, examples: int, seed: int
) -> tuple[Counter[str], Finding | None]:
    """So many examples; hypothesis ends at a finding, when it is as small as it gets."""
    outcomes = Counter[str]()
    smallest: list[Finding] = []

    @hypothesis.seed(seed)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
    )
    @given(strategy)
    def one(example: Any) -> None:
        started = time.process_time()
        try:
            outcome = read(example)
            if (seconds := time.process_time() - started) > MOST_SECONDS:
                raise AssertionError(f"took {seconds:.1f} s")
        except Exception as error:
            smallest[:] = [Finding(name, f"{type(error).__name__}: {error} at {_place(error)}", example)]
            raise
        outcomes[outcome] += 1

    try:
        one()
    except Exception as error:  # noqa: BLE001 - that none comes is what is looked for
        return outcomes, smallest[0] if smallest else Finding(name, f"{type(error).__name__}: {error}", None)
    return outcomes, None


def _place(error: Exception) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(frame.filename).name}:{frame.lineno}"


def _kept(finding: Finding) -> Path:
    with tempfile.NamedTemporaryFile(prefix=f"inkpost-finding-{finding.reader}-", delete=False) as file:
        file.write(finding.example if isinstance(finding.example, bytes) else repr(finding.example).encode())
    return Path(file.name)


# The readers -----------------------------------------------------------------------------------------------------


def parse_mail(raw: bytes, folder: Path) -> ParsedMessage:
    path, parts = folder / "mail.eml", folder / "parts"
    path.write_bytes(raw)
    try:
        return parse_message(path, work_dir=parts)
    finally:
        _clear(parts)


def _read_mail(raw: bytes, folder: Path) -> str:
    return "told of" if parse_mail(raw, folder).defects else "clean"


def _read_commands(written: Written, empty: ParsedMessage, grammar: Grammar) -> str:
    replied = ("<1@x>",) if written.is_reply else ()
    found = read_commands(replace(empty, subject=written.subject, text=written.text, in_reply_to=replied), grammar)
    if not found:
        raise AssertionError("a mail was read as nothing at all")
    return "asked back" if any(not hasattr(each, "words") for each in found) else "read"


def _read_book(book: bytes, folder: Path) -> str:
    path, work = folder / "book.epub", folder / "work"
    path.write_bytes(book)
    work.mkdir(exist_ok=True)
    try:
        try:
            open_book(path, filename=path.name, work_dir=work)
            outcome = "opened"
        except BotError:
            outcome = "refused"
        try:
            compile_book(path, work / "copy.epub", filename=path.name)
        except BotError:
            outcome += ", no copy"
        return outcome
    finally:
        _clear(work)


def _clear(folder: Path) -> None:
    for file in folder.rglob("*") if folder.is_dir() else ():
        if file.is_file():
            file.unlink()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
