"""Kind `mutations`: the compiler over books of the corpus to which faults were done, 300 by their seeds.

The same table as `kindle`. A mutation is judged by what the mutated book holds: what it lost to the fault is lost.
"""

from __future__ import annotations

import os
import random
import tempfile
from pathlib import Path

from tests.corpus.kindle import compile_all, known_verdicts, report
from tests.corpus.mutate import write_mutated

COUNT = int(os.environ.get("INKPOST_TEST_MUTATIONS", "300"))
LARGEST_BYTES = 1_000_000


def run(folder: Path) -> bool:
    """Print the table; True where there is nothing to complain about."""
    clean = [file for file, said in known_verdicts(folder).items() if said.is_clean and file.endswith(".epub")]
    books = [folder / file for file in sorted(clean) if (folder / file).stat().st_size < LARGEST_BYTES]
    chance = random.Random(6)
    with tempfile.TemporaryDirectory(prefix="inkpost-mutations-") as name:
        place = Path(name)
        for seed in range(COUNT):
            source = chance.choice(books)
            write_mutated(source, place / f"{seed:04}-{source.stem[:60]}.epub", seed)
        rows = compile_all(place, sorted(path.name for path in place.iterdir()))
    wrong = [(row.file, line) for row in rows for line in row.complaints]
    report(rows, wrong)
    return not wrong
