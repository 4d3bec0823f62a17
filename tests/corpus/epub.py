"""Kind `epub`: every file mailed to `add` over SMTP: one clear answer, nothing written outside, nobody called.

Three passes over the same files. The first opens each in a process of its own that is watched: memory, time, writes,
connections (`tests.corpus.epub_files`). The second mails each to the running service and reads the answer.
The third makes the copies for Kindles, with epubcheck before and after (`tests.corpus.kindle`). In the end the notices
that Amazon sends of books are read (`tests.corpus.notices`).
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from tests.corpus import kindle, notices
from tests.corpus.epub_files import Outcome, complaints, open_files, totals
from tests.corpus.manifest import read_manifest
from tests.support.service import Person, open_house

ANSWER_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of one mailed file."""

    file: str
    first_line: str
    """Of the answer."""
    seconds: float
    complaints: tuple[str, ...]


def run(folder: Path, *, rows: Sequence[dict[str, Any]] | None = None) -> bool:
    """Print the table and the totals; True where every expectation is met."""
    is_whole = rows is None
    rows = rows or read_manifest(folder)
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="inkpost-corpus-") as place:
        files = [row["file"] for row in rows]
        opened = open_files(folder, files, work_dir=Path(place))
        outcomes = list(track(opened, total=len(files), description="files", console=console))
    answers = asyncio.run(mail_all(folder, rows))
    wrong = [
        *((outcome.file, line) for outcome, row in zip(outcomes, rows, strict=True) for line in _judge(outcome, row)),
        *((answer.file, line) for answer in answers for line in answer.complaints),
        *((one.file, f"answered after {one.seconds:.1f} s") for one in answers if one.seconds >= ANSWER_SECONDS),
    ]
    _report(outcomes, answers, wrong)
    if not is_whole:
        return not wrong
    mails = folder.parent / "mime"
    are_notices_read = notices.run(mails) if (mails / notices.SET).is_dir() else True
    return all((kindle.run(folder), are_notices_read, not wrong))


def _judge(outcome: Outcome, row: dict[str, Any]) -> list[str]:
    return complaints(outcome, expected=str(row["expected"]))


async def mail_all(folder: Path, rows: Sequence[dict[str, Any]]) -> list[Answered]:
    """Each file in a mail of its own to a running service; a complaint about the whole counts as one more answer."""
    with tempfile.TemporaryDirectory(prefix="inkpost-corpus-") as place:
        async with open_house(Path(place)) as house:
            person = await house.person()
            console = Console(stderr=True)
            found = [await _mail(folder, row, person) for row in track(rows, description="mails", console=console)]
            await house.settle()
            if (sent := len(house.world.mails)) != len(rows):
                found.append(Answered("(all)", "", 0.0, (f"{sent} answers to {len(rows)} mails",)))
    return found


async def _mail(folder: Path, row: dict[str, Any], person: Person) -> Answered:
    path = folder / row["file"]
    content = await asyncio.to_thread(path.read_bytes)
    started = time.monotonic()
    answer = await person.asks("add", attach=[(path.name, content)])
    seconds = time.monotonic() - started
    wrong = []
    said = [line for line in answer.text.splitlines() if line.strip() and not line.startswith(("--", ">"))]
    if not any(word in said[0] for word in ("Added", "already", "added")) and path.name not in answer.text:
        wrong.append(f"the answer names neither a book nor the file: {said[0]!r}")
    return Answered(row["file"], said[0], seconds, tuple(wrong))


def _report(outcomes: Sequence[Outcome], answers: Sequence[Answered], wrong: Sequence[tuple[str, str]]) -> None:
    console = Console()
    table = Table("set", "opened", "refused", "broken", "slowest", "most memory", box=None)
    for name in sorted({outcome.file.split("/")[0] for outcome in outcomes}):
        mine = [outcome for outcome in outcomes if outcome.file.split("/")[0] == name]
        verdicts = [outcome.verdict for outcome in mine]
        table.add_row(
            name,
            *(str(verdicts.count(verdict)) for verdict in ("opened", "refused", "broken")),
            f"{max(outcome.seconds for outcome in mine):.2f} s",
            f"{max(outcome.peak_bytes for outcome in mine) >> 20} MiB",
        )
    console.print(table)
    for file, complaint in wrong:
        console.print(f"{file}: {complaint}", markup=False, soft_wrap=True)
    times = sorted(answer.seconds for answer in answers)
    console.print(
        f"TOTAL {totals(outcomes)}; {len(answers)} mailed, slowest answer {times[-1]:.1f} s; {len(wrong)} complaints",
        markup=False,
        soft_wrap=True,
    )
