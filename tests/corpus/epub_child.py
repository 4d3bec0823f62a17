"""A process that opens book files for `tests.corpus.epub_files`, each in a fork of its own under hard limits.

A line of JSON in, `{"path", "filename", "work_dir"}`; a line of JSON out, see `_open`. With `"copy"`, a path in
`work_dir`, the copy for a Kindle is made instead: see `_compile`.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
import traceback
from importlib import import_module
from pathlib import Path

from core.books.identify import identify
from core.books.kindle.compiler import compile_book
from core.books.open import READER_MODULES, open_book, unpack_archive
from core.errors import DamagedFile, RefusedFile
from core.values import OpenedBook
from tests.corpus.measure import loss, measure

MEMORY_BYTES = 512 * 1024 * 1024
TIME_SECONDS = 10
"""Both as issue 2 asks of every file of the corpus."""

_FORBIDDEN_EVENTS = ("socket.connect", "socket.sendto", "subprocess.Popen", "os.exec", "os.posix_spawn", "os.symlink")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def main() -> None:
    for module in READER_MODULES:
        import_module(module)
    for line in sys.stdin:
        print(json.dumps(_in_fork(json.loads(line))), flush=True)


def _in_fork(task: dict[str, str]) -> dict[str, object]:
    """The child's answer with its `seconds` and `peak_bytes`; `died` is the signal or status of one that had none."""
    reading, writing = os.pipe()
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _answer(task, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    _, status, usage = os.wait4(child, 0)
    measured = {"seconds": time.monotonic() - started, "peak_bytes": usage.ru_maxrss * 1024}
    return (json.loads(answer) if answer else {"died": os.waitstatus_to_exitcode(status)}) | measured


def _answer(task: dict[str, str], writing: int) -> None:
    offences: list[str] = []
    work_dir = Path(task["work_dir"])
    sys.addaudithook(lambda event, args: _watch(event, args, work_dir=work_dir, offences=offences))
    signal.alarm(TIME_SECONDS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    if "copy" in task:
        answer = _compile(Path(task["path"]), Path(task["copy"]), filename=task["filename"])
    else:
        answer = _open(Path(task["path"]), filename=task["filename"], work_dir=work_dir)
    os.write(writing, json.dumps(answer | {"offences": offences}).encode())
    os._exit(0)


def _watch(event: str, args: tuple[object, ...], *, work_dir: Path, offences: list[str]) -> None:
    """Python's audit events (PEP 578) of what no reader of a book has to do."""
    writes = event == "open" and isinstance(args[2], int) and bool(args[2] & _WRITING)
    if writes and not Path(os.fsdecode(args[0])).is_relative_to(work_dir):  # type: ignore[arg-type] # of a path
        offences.append(f"wrote {args[0]!r}")
    if event.startswith(_FORBIDDEN_EVENTS):
        offences.append(f"{event} {args!r}")


def _open(path: Path, *, filename: str, work_dir: Path) -> dict[str, object]:
    """`opened`: a line for each book; or `refused` with `code`, `text` and `fix`; or `raised`, a traceback."""
    try:
        books = [(filename, path)]
        if identify(path, filename=filename).is_archive:
            books = unpack_archive(path, filename=filename, work_dir=work_dir)
        opened = [open_book(book, filename=name, work_dir=work_dir) for name, book in books]
        return {"opened": [_describe(book) for book in opened]}
    except (DamagedFile, RefusedFile) as error:
        return {"refused": True, "code": error.code, "text": error.text, "fix": error.fix}
    except Exception:  # noqa: BLE001  # whatever it is, it is a finding
        return {"raised": traceback.format_exc()}


def _compile(path: Path, copy: Path, *, filename: str) -> dict[str, object]:
    """`rules` used, `harmful` ones taken back, `left` that a second pass would still change; else as `_open`."""
    try:
        compiled = compile_book(path, copy, filename=filename)
        again = compile_book(copy, copy.with_suffix(".again"), filename=filename) if compiled.is_written else compiled
        return {
            "rules": [fix.rule for fix in compiled.fixes],
            "harmful": [list(one) for one in compiled.harmful],
            "left": [fix.rule for fix in again.fixes] if compiled.is_written else [],
            "harm": _harm(path, copy) if compiled.is_written else "",
        }
    except (DamagedFile, RefusedFile) as error:
        return {"refused": True, "code": error.code, "text": error.text, "fix": error.fix}
    except Exception:  # noqa: BLE001  # whatever it is, it is a finding
        return {"raised": traceback.format_exc()}


def _harm(path: Path, copy: Path) -> str:
    """What the copy lost, measured here and not by the compiler: words and pictures of all chapters together.

    Only of originals whose chapters are well-formed: of others nobody can say what they hold.
    """
    before, after = measure(path), measure(copy)
    return "" if before is None or after is None else loss(before, after)


def _describe(book: OpenedBook) -> str:
    metadata = book.metadata
    return f"{book.format.value}: {metadata.title} / {', '.join(metadata.authors)} / {metadata.language}"


if __name__ == "__main__":
    main()
