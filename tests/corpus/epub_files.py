"""Every book file of a corpus opened as the bot opens it, and what is to be said against how that went.

The corpus is a folder with a MANIFEST.jsonl of rows with `file` and `expected` (`$INKPOST_CORPUS/epub`).
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.corpus.canaries import CANARY_PORTS, connections, listening
from tests.corpus.epub_child import TIME_SECONDS

_PATIENCE_SECONDS = TIME_SECONDS + 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file."""

    file: str
    opened: tuple[str, ...]
    """A line for each book in it."""
    code: str
    """Of the refusal, "" if it was opened."""
    text: str
    fix: str
    broken: str
    """Why there is neither: a traceback, or how the process died."""
    offences: tuple[str, ...]
    """Writes outside of the work folder, connections, programs."""
    seconds: float
    peak_bytes: int

    @property
    def verdict(self) -> str:
        return "broken" if self.broken else "refused" if self.code else "opened"


def read_manifest(corpus: Path) -> list[dict[str, str]]:
    """Rows of `corpus`/MANIFEST.jsonl."""
    return [json.loads(line) for line in (corpus / "MANIFEST.jsonl").read_text("utf-8").splitlines()]


def open_files(
    corpus: Path, files: Iterable[str], *, work_dir: Path, canary_ports: Iterable[int] = CANARY_PORTS
) -> Iterator[Outcome]:
    """Open `files` of `corpus` one after the other, each in a process of its own under limits.

    `work_dir` is new and empty; what is written beside the place that a file gets inside of it is an offence.
    """
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    with ExitStack() as stack:
        canaries = stack.enter_context(listening(canary_ports))
        child = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-W", "error", "-m", "tests.corpus.epub_child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=environment,
            )
        )
        for number, file in enumerate(files):
            # Two folders deep, so that "../.." is still ours to look at.
            place = work_dir / f"{number:05}"
            (place / "inner").mkdir(parents=True)
            task = {
                "path": str(corpus / file),
                "filename": Path(file).name,
                "work_dir": str(place / "inner"),
            }
            answer = ask(child, task)
            yield _outcome(file, answer, strays=_strays(place), connected=connections(canaries))
        assert child.stdin is not None
        child.stdin.close()


def ask(child: subprocess.Popen[str], task: dict[str, str]) -> dict[str, object]:
    """The answer of `tests.corpus.epub_child` to a task. Raises `TimeoutError`."""
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(json.dumps(task) + "\n")
    child.stdin.flush()
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        if not selector.select(_PATIENCE_SECONDS):
            child.kill()
            raise TimeoutError(f"no answer about {task['path']}")
    answer: dict[str, object] = json.loads(child.stdout.readline())
    return answer


def _outcome(file: str, answer: dict[str, object], *, strays: list[str], connected: list[str]) -> Outcome:
    died = f"its process ended with {answer['died']}" if "died" in answer else ""
    offences = answer.get("offences", [])
    opened = answer.get("opened", [])
    assert isinstance(offences, list)
    assert isinstance(opened, list)
    return Outcome(
        file=file,
        opened=tuple(opened),
        code=str(answer.get("code", "")),
        text=str(answer.get("text", "")),
        fix=str(answer.get("fix", "")),
        broken=str(answer.get("raised", died)),
        offences=(*offences, *strays, *connected),
        seconds=float(str(answer["seconds"])),
        peak_bytes=int(str(answer["peak_bytes"])),
    )


def _strays(place: Path) -> list[str]:
    """What lies in the file's folder beside the one that was its own to write in."""
    return [f"wrote {path.name}" for path in place.iterdir() if path.name != "inner"]


# -- judging


_MUST_OPEN = ("accepted", "valid EPUB 3", "readable text", "repaired", "missing mimetype")
_MUST_REFUSE = {
    "refused with a clear reply: DRM": "file.drm",
    "user password needed": "file.password",
}
"""How a manifest's expectation begins -> the code of the refusal."""


def complaints(outcome: Outcome, *, expected: str) -> list[str]:
    """What is wrong with an outcome; empty if it is one clear outcome, and the one that was expected."""
    found = [*outcome.offences]
    if outcome.broken:
        return [*found, f"no clear outcome: {outcome.broken.strip().splitlines()[-1]}"]
    if outcome.code == "file.unreadable":
        # The catch-all's: true of the file, perhaps, but of our making.
        found.append(f"a parser raised what nobody foresaw: {outcome.text}")
    if outcome.code:
        found += [f"not one clear line: {line!r}" for line in (outcome.text, outcome.fix) if not is_clear(line)]
    code = next((code for start, code in _MUST_REFUSE.items() if expected.startswith(start)), "")
    if code and outcome.code != code:
        found.append(f"expected the refusal {code}, got {outcome.code or 'an opened book'}")
    if expected.startswith(_MUST_OPEN) and outcome.code:
        found.append(f"expected a book, got {outcome.code}: {outcome.text}")
    return found


def is_clear(line: str) -> bool:
    """One line that says something, and ends."""
    return line.isprintable() and line.endswith(".") and 10 < len(line) <= 250


def totals(outcomes: Iterable[Outcome]) -> str:
    """One line of totals."""
    seen = list(outcomes)
    counts = Counter(outcome.verdict for outcome in seen)
    slowest = max(seen, key=lambda outcome: outcome.seconds)
    hungriest = max(seen, key=lambda outcome: outcome.peak_bytes)
    return (
        f"{len(seen)} files: {counts['opened']} opened, {counts['refused']} refused, {counts['broken']} broken; "
        f"slowest {slowest.seconds:.2f} s ({slowest.file}), "
        f"most memory {hungriest.peak_bytes >> 20} MiB ({hungriest.file})"
    )
