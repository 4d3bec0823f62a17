"""`python -m tests.corpus kindle <folder>`: the compiler over every EPUB below a folder, a table, and what is wrong.

Before and after, by epubcheck; the rules that were used; harm, by a measure of its own; what a second pass would still
change. Any folder will do: a book is to come out no worse than it was, with its text and pictures, or be refused in one
clear line. Where epubcheck cannot run (it needs a JDK), that is said, and the rest is done.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from tests.corpus.epub_files import ask, is_clear
from tests.support import epubcheck
from tests.support.epubcheck import Verdict

DEFECTS = "kindle-defects"
MENDED_SHARE = 0.9  # of the single faults that are known, as issue 6 asks


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What became of one book."""

    file: str
    before: Verdict | None
    after: Verdict | None
    """Of the copy, or of the original where that is sent; None where there is neither, or no epubcheck."""
    rules: tuple[str, ...]
    harmful: tuple[str, ...]
    left: tuple[str, ...]
    harm: str
    refusal: str
    """The line, "" for none."""
    broken: str
    seconds: float
    peak_bytes: int

    @property
    def is_worse(self) -> bool:
        """What was clean is not, or what was not has more of it."""
        if self.before is None or self.after is None:
            return False
        return (self.after.fatal, self.after.errors) > (self.before.fatal, self.before.errors)

    @property
    def complaints(self) -> list[str]:
        found = [f"an exception: {self.broken.strip().splitlines()[-1]}"] if self.broken else []
        found += [f"harm: {self.harm}"] if self.harm else []
        found += [f"worse by epubcheck: {self.before} -> {self.after}"] if self.is_worse else []
        found += [f"a second pass would still change {', '.join(self.left)}"] if self.left else []
        return found + (
            [f"not one clear line: {self.refusal!r}"] if self.refusal and not is_clear(self.refusal) else []
        )


def run(folder: Path) -> bool:
    """Print the table; True where there is nothing to complain about."""
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.epub"))
    rows = compile_all(folder, files, known=known_verdicts(folder))
    wrong = [(row.file, line) for row in rows for line in row.complaints]
    wrong += _judge_defects([row for row in rows if row.file.startswith(f"{DEFECTS}/")], folder)
    report(rows, wrong)
    return not wrong


def known_verdicts(folder: Path) -> dict[str, Verdict]:
    """What the manifest says that epubcheck 5.3 said, where there is one."""
    manifest = folder / "MANIFEST.jsonl"
    rows = [json.loads(line) for line in manifest.read_text("utf-8").splitlines()] if manifest.exists() else []
    return {
        row["file"]: Verdict(said["fatal"], said["error"], said["warning"], tuple(said["ids"]))
        for row in rows
        if (said := row.get("epubcheck53")) is not None
    }


def compile_all(folder: Path, files: Sequence[str], *, known: dict[str, Verdict] | None = None) -> list[Row]:
    """A row for each file, in order. The files are compiled in processes of their own, under limits."""
    known = known or {}
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="inkpost-kindle-") as place:
        copies = {file: Path(place) / f"{number:05}" / "copy.epub" for number, file in enumerate(files)}
        told = _compiled(folder, copies)
        answers = dict(track(told, "copies", total=len(files), console=console))
        made = [file for file in files if copies[file].exists()]
        after = _checked([copies[file] for file in made], console, what="after")
        unknown = [file for file in files if file not in known and _is_judged(answers[file])]
        before = _checked([folder / file for file in unknown], console, what="before")
        verdicts_before = known | dict(zip(unknown, before, strict=False))
        verdicts_after = {file: verdicts_before.get(file) for file in files} | dict(zip(made, after, strict=False))
        return [_row(file, answers[file], verdicts_before.get(file), verdicts_after.get(file)) for file in files]


def _compiled(folder: Path, copies: dict[str, Path]) -> Iterable[tuple[str, dict[str, Any]]]:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-W", "error", "-m", "tests.corpus.epub_child"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as child:
        for file, copy in copies.items():
            copy.parent.mkdir()
            task = {"path": str(folder / file), "filename": Path(file).name, "work_dir": str(copy.parent)}
            yield file, ask(child, task | {"copy": str(copy)})
        assert child.stdin is not None
        child.stdin.close()


def _is_judged(answer: dict[str, Any]) -> bool:
    return "refused" not in answer and "raised" not in answer and "died" not in answer


def _checked(paths: Sequence[Path], console: Console, *, what: str) -> list[Verdict]:
    if not epubcheck.is_there():
        console.print(f"epubcheck, {what}: SKIPPED, there is no JDK or no epubcheck", markup=False)
        return []
    return list(track(epubcheck.check(paths), f"epubcheck, {what}", total=len(paths), console=console))


def _row(file: str, answer: dict[str, Any], before: Verdict | None, after: Verdict | None) -> Row:
    died = f"its process ended with {answer['died']}" if "died" in answer else ""
    return Row(
        file=file,
        before=before,
        after=after if _is_judged(answer) else None,
        rules=tuple(answer.get("rules", ())),
        harmful=tuple(name for name, _ in answer.get("harmful", ())),
        left=tuple(answer.get("left", ())),
        harm=str(answer.get("harm", "")),
        refusal=f"{answer['text']}" if "refused" in answer else "",
        broken=str(answer.get("raised", died)),
        seconds=float(answer["seconds"]),
        peak_bytes=int(answer["peak_bytes"]),
    )


def _judge_defects(rows: Sequence[Row], folder: Path) -> list[tuple[str, str]]:
    """At least nine in ten of the known single faults mended, the rest refused with the reason."""
    faulty = [row for row in rows if "control" not in row.file]
    mended = [row for row in faulty if not row.refusal and not row.broken and (row.after is None or row.after.is_clean)]
    unmended = [row for row in faulty if row not in mended and not row.refusal]
    if faulty:
        print(f"{DEFECTS}: {len(mended)} of {len(faulty)} mended, {len(faulty) - len(mended) - len(unmended)} refused")
    wrong = [(row.file, f"neither mended nor refused: {row.after}") for row in unmended]
    if faulty and len(mended) < MENDED_SHARE * len(faulty):
        wrong.append((DEFECTS, f"only {len(mended)} of {len(faulty)} are mended"))
    return wrong


def report(rows: Sequence[Row], wrong: Sequence[tuple[str, str]]) -> None:
    """The table by set, the rules by use, the complaints, the total."""
    console = Console(width=140)
    table = Table("set", "books", "clean before", "clean after", "copies", "refused", "taken back", "harm", box=None)
    for name in sorted({row.file.rpartition("/")[0] or "." for row in rows}):
        mine = [row for row in rows if (row.file.rpartition("/")[0] or ".") == name]
        table.add_row(name, *map(str, _counts(mine)))
    table.add_row("ALL", *map(str, _counts(rows)))
    console.print(table)
    rules = Counter(rule for row in rows for rule in dict.fromkeys(row.rules))
    console.print("rules: " + ", ".join(f"{rule} {count}" for rule, count in rules.most_common()), markup=False)
    for row in rows:
        if row.harmful:
            console.print(f"{row.file}: taken back: {', '.join(row.harmful)}", markup=False, soft_wrap=True)
    for file, line in wrong:
        console.print(f"{file}: {line}", markup=False, soft_wrap=True)
    worse = [row for row in rows if row.is_worse and row.before is not None and row.before.is_clean]
    slowest = max(rows, key=lambda row: row.seconds, default=None)
    console.print(
        f"TOTAL {len(rows)} books, {sum(bool(row.rules) for row in rows)} mended, "
        f"{sum(bool(row.refusal) for row in rows)} refused, {sum(bool(row.broken) for row in rows)} exceptions, "
        f"{sum(bool(row.harm) for row in rows)} harmed, {len(worse)} clean ones made worse, "
        f"slowest {slowest.seconds if slowest else 0:.1f} s; {len(wrong)} complaints",
        markup=False,
        soft_wrap=True,
    )


def _counts(rows: Sequence[Row]) -> tuple[int, ...]:
    return (
        len(rows),
        sum(row.before is not None and row.before.is_clean for row in rows),
        sum(row.after is not None and row.after.is_clean for row in rows),
        sum(bool(row.rules) for row in rows),
        sum(bool(row.refusal) for row in rows),
        sum(bool(row.harmful) for row in rows),
        sum(bool(row.harm) for row in rows),
    )
