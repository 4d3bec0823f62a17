"""Hostile bytes by chance: `python -m tests.bench fuzz [--examples 10000] [--seed N] [--short]`; exit 1 on a finding.

Files of the corpus, and some that are made, are cut, doubled, crossed and overwritten, and read: mails by the parser,
generated lines by the command reader with the real grammar, EPUBs by `open_book` and by the compiler of
copies for Kindles. Nothing may be raised but a refusal that is told to its sender, and nothing may take long. An
example is told by its seed and number: `--seed S --only N` runs it alone. The last line has the totals.
"""

from __future__ import annotations

import argparse
import io
import random
import sys
import tempfile
import time
import traceback
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile

from core.books.kindle.compiler import compile_book
from core.books.open import open_book
from core.errors import BotError
from core.mail.commands import read_commands
from core.mail.grammar import Grammar
from core.mail.message import ParsedMessage
from core.mail.parse import parse_message
from handlers._registry import build_grammar, load_handlers
from tests.corpus.manifest import corpus_folder
from tests.factories.books import make_epub, make_picture

MOST_SECONDS = 20.0  # of the processor, for one example
LARGEST_SEED_BYTES = 200_000
SEEDS = 300  # files of the corpus for each reader
SHARES = {"mail": 0.45, "commands": 0.45, "epub": 0.1}
"""Of the examples: a book takes a hundred times as long as a mail."""
_TOKENS = (
    b"\r\n", b"\r", b"\n", b"\0", b"\xff\xfe", b"\x80", b"--", b"=?utf-8?b?", b"?=", b"=?x?q?=00?=", b";", b"<", b">",
    b"\"",
    b"Content-Type: multipart/mixed; boundary=a\r\n", b"Content-Transfer-Encoding: uuencode\r\n", b"charset=utf-7;",
    b"name*0*=utf-8''%ff;", b"&#xD800;", b"&#0;", b"<![CDATA[", b"<!DOCTYPE x [<!ENTITY a \"b\">]>", b"../", b"#%00",
    b"href=\"\"", b"xmlns=\"\"", b"<svg>", b"id=\"one\"", b"-1", b"99999999999999999999", b"\xed\xa0\x80", b"e\xcc\x81",
)  # fmt: skip
_WORDS = (
    "\u202e", "\u0000", "#1", "1-", "99999999999999999999", "²", "٣", "\"", "“", "=", "title=", "title:", ";", "to",
    "as", "in", "\ud800", "\u200b", "İ", "ß", "ﬁ", "😀", "<", "https://",
    "http://[::1", "@", "confirm", "-", "...", ">",
    "|",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Finding:
    """What was raised, or how long it took."""

    reader: str
    number: int
    words: str


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench fuzz")
    parser.add_argument("--examples", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="the example of this number alone, with its traceback")
    parser.add_argument("--short", action="store_true", help="200 examples")
    options = parser.parse_args(argv)
    examples = 200 if options.short else options.examples
    started = time.monotonic()
    counts, findings = fuzz(examples, seed=options.seed, only=options.only)
    for one in findings:
        print(f"{one.reader} {one.number}: {one.words}")
    told = ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()))
    print(f"TOTAL seed {options.seed}: {told}; {len(findings)} findings in {time.monotonic() - started:.0f} s")
    return 1 if findings else 0


def fuzz(examples: int, *, seed: int, only: int | None = None) -> tuple[Counter[str], list[Finding]]:
    """How many examples each reader had, with what became of them; and what should not have come of any."""
    counts, findings = Counter[str](), list[Finding]()
    readers: dict[str, Callable[[random.Random, Path], str]] = {
        "mail": _Mails(_seeds("mime", (".eml", ".msg", ".txt", ".mbox"))),
        "commands": _Commands(build_grammar(load_handlers())),
        "epub": _Books(_seeds("epub", (".epub",))),
    }
    names = random.Random(seed).choices(list(SHARES), list(SHARES.values()), k=examples)
    with tempfile.TemporaryDirectory(prefix="inkpost-fuzz-") as place:
        for number, name in enumerate(names):
            if only is not None and number != only:
                continue
            started = time.process_time()
            folder = Path(place, str(number))
            folder.mkdir()
            try:
                outcome = readers[name](random.Random(f"{seed}:{number}"), folder)
                counts[f"{name} {outcome}"] += 1
            except Exception as error:  # noqa: BLE001 - that none comes is what is looked for
                findings.append(Finding(name, number, f"{type(error).__name__}: {error} at {_place(error)}"))
                if only is not None:
                    traceback.print_exc()
            if (seconds := time.process_time() - started) > MOST_SECONDS:
                findings.append(Finding(name, number, f"took {seconds:.1f} s"))
            _clear(folder)
    return counts, findings


def _place(error: Exception) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(frame.filename).name}:{frame.lineno}"


def _clear(folder: Path) -> None:
    for file in folder.rglob("*"):
        if file.is_file():
            file.unlink()


def _seeds(kind: str, suffixes: tuple[str, ...]) -> list[bytes]:
    """Small files of the corpus, the same in each run; none where there is no corpus."""
    folder = corpus_folder() / kind
    files = sorted(file for file in folder.rglob("*") if file.suffix in suffixes) if folder.is_dir() else []
    small = [file for file in files if file.stat().st_size <= LARGEST_SEED_BYTES]
    return [file.read_bytes() for file in random.Random(kind).sample(small, min(SEEDS, len(small)))]


# Mutating --------------------------------------------------------------------------------------------------------


def mutated(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """Up to eight changes: bytes and tokens put in, parts cut out, doubled, moved, or taken of another file."""
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(data) + 1)
        until = min(len(data), at + int(chance.expovariate(1 / 64)))
        match chance.randrange(7):
            case 0:
                data = data[:at] + chance.randbytes(chance.randint(1, 4)) + data[until:]
            case 1:
                data = data[:at] + chance.choice(_TOKENS) * chance.choice((1, 1, 1, 50)) + data[at:]
            case 2:
                data = data[:at] + data[until:]
            case 3:
                data = data[:until] + data[at:until] * chance.choice((1, 2, 20)) + data[until:]
            case 4:
                begin = chance.randrange(len(other) + 1)
                data = data[:at] + other[begin : begin + chance.randint(1, 2000)] + data[at:]
            case 5:
                data = (
                    data[:at] + bytes(byte ^ (1 << chance.randrange(8)) for byte in data[at : at + 3]) + data[at + 3 :]
                )
            case _:
                data = data[: max(at, len(data) // 4)] if chance.random() < 0.3 else data
    return data


# The readers -----------------------------------------------------------------------------------------------------


class _Mails:
    def __init__(self, seeds: Sequence[bytes]) -> None:
        plain = b"From: Ada <ada@reader.test>\r\nSubject: list\r\nMessage-ID: <1@reader.test>\r\n\r\nsend 2\r\n"
        self._seeds = [*seeds, plain]

    def __call__(self, chance: random.Random, folder: Path) -> str:
        parse = parse_mail(mutated(chance.choice(self._seeds), chance.choice(self._seeds), chance), folder)
        return "told of" if parse.defects else "clean"


def parse_mail(raw: bytes, folder: Path) -> ParsedMessage:
    path = folder / "mail.eml"
    path.write_bytes(raw)
    return parse_message(path, work_dir=folder / "parts")


class _Commands:
    """A mail of lines made of the grammar's own words, of hostile ones, and of halves of both."""

    def __init__(self, grammar: Grammar) -> None:
        self._grammar = grammar
        specs = grammar.specs.values()
        said = {word for spec in specs for text in (spec.name, *spec.aliases, *spec.keys) for word in text.split()}
        self._words = [*sorted(said), *_WORDS]
        self._lines = [example.line for spec in specs for example in spec.examples]

    def __call__(self, chance: random.Random, folder: Path) -> str:
        empty = parse_mail(b"From: ada@reader.test\r\n\r\n", folder)
        text = "\n".join(self._line(chance) for _ in range(chance.choice((0, 1, 1, 2, 5, 40))))
        message = replace(
            empty, subject=self._line(chance)[:1000], text=text, in_reply_to=chance.choice(((), ("<1@x>",)))
        )
        found = read_commands(message, self._grammar)
        if not found:
            raise AssertionError("a mail was read as nothing at all")
        return "asked back" if any(not hasattr(each, "words") for each in found) else "read"

    def _line(self, chance: random.Random) -> str:
        line = (
            chance.choice(self._lines)
            if chance.random() < 0.4
            else " ".join(chance.choices(self._words, k=chance.randint(0, 9)))
        )
        for _ in range(chance.choice((0, 0, 1, 4))):
            at = chance.randrange(len(line) + 1)
            letter = chance.choice((chance.choice(_WORDS), chr(chance.randrange(0x2FFFF)), " " * 500, line))
            line = line[:at] + letter[:2000] + line[at + chance.randrange(3) :]
        return chance.choice(("", "", "", "Re: ", "Fwd: ", "> ", "AW: Re: ")) + line


class _Books:
    """Members are changed and packed again, or the file itself is, whose directory then does not fit."""

    def __init__(self, seeds: Sequence[bytes]) -> None:
        self._seeds = [*seeds, make_epub(cover=make_picture()), make_epub(text="Wörter " * 500)]

    def __call__(self, chance: random.Random, folder: Path) -> str:
        path = folder / "book.epub"
        path.write_bytes(self._book(chance))
        try:
            open_book(path, filename=path.name, work_dir=folder)
            outcome = "opened"
        except BotError:
            outcome = "refused"
        try:
            compile_book(path, folder / "copy.epub", filename=path.name)
        except BotError:
            outcome += ", no copy"
        return outcome

    def _book(self, chance: random.Random) -> bytes:
        seed, other = chance.choice(self._seeds), chance.choice(self._seeds)
        if chance.random() < 0.2:
            return mutated(seed, other, chance)
        try:
            members = dict(_members(seed))
        except (BadZipFile, zlib.error, ValueError, NotImplementedError, RuntimeError, EOFError, OSError):
            return mutated(seed, other, chance)
        texts = [name for name in members if name.endswith((".opf", ".ncx", ".xhtml", ".html", ".xml", ".css", ".svg"))]
        for name in chance.sample(texts, min(len(texts), chance.randint(1, 3))):
            members[name] = mutated(members[name], members[chance.choice(texts)], chance)
        out = io.BytesIO()
        with ZipFile(out, "w", ZIP_DEFLATED) as book:
            for name, data in members.items():
                book.writestr(name, data)
        return out.getvalue()


def _members(book: bytes) -> Iterator[tuple[str, bytes]]:
    """The first 5 MB of it: a bomb is not unpacked here."""
    left = 5_000_000
    with ZipFile(io.BytesIO(book)) as archive:
        for info in archive.infolist()[:200]:
            if info.file_size <= left and not info.is_dir():
                left -= info.file_size
                yield info.filename, archive.read(info)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
