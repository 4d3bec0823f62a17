"""`python -m tests.corpus <kind> [folder]`: exit 0 where every expectation is met, else 1; 2 for a wrong call.

`python -m tests.corpus kinds` names them.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from tests.corpus.manifest import corpus_folder


def main() -> int:
    if sys.argv[1:] == ["kinds"]:
        print(*KINDS)
        return 0
    if len(sys.argv) not in (2, 3) or sys.argv[1] not in KINDS:
        print(f"usage: python -m tests.corpus {{{','.join(KINDS)}}} [folder]", file=sys.stderr)
        return 2
    if sys.argv[1] == "understanding":  # its mails are in tests/data
        return 0 if importlib.import_module("tests.corpus.understanding").run(Path()) else 1
    folder = Path(sys.argv[2]) if len(sys.argv) == 3 else corpus_folder()
    if sys.argv[1] == "kindle" and len(sys.argv) == 3:
        return 0 if importlib.import_module("tests.corpus.kindle").run(folder) else 1  # any folder with books
    kind_folder = folder / FOLDERS.get(sys.argv[1], sys.argv[1])
    if not (kind_folder / "MANIFEST.jsonl").exists():
        print(f"There is no corpus at {folder}: set INKPOST_CORPUS to its folder.", file=sys.stderr)
        return 2
    run = importlib.import_module(f"tests.corpus.{sys.argv[1]}").run
    return 0 if run(kind_folder) else 1


KINDS = (
    "mime",
    "epub",
    "smtp",
    "feeds",
    "html",
    "duplicates",
    "security",
    "notices",
    "kindle",
    "mutations",
    "understanding",
)
FOLDERS = {"duplicates": "html", "notices": "mime", "kindle": "epub", "mutations": "epub"}
"""Where a kind reads the files of another one."""

if __name__ == "__main__":
    sys.exit(main())
