"""The compiler beside doing nothing but unpack and pack. `python -m tests.bench compiler [--short] [folder]`

Books are those below the folder (the corpus, where there is one, else made ones). Times are of the whole: the file is
opened, every document parsed, every rule tried, the copy written and read again. The large book has 50 MB of pictures;
its peak is of a process of its own, beyond what its imports take. calibre's ebook-polish is measured where it is
installed, on a few books, since a call takes half a second.
"""

from __future__ import annotations

import argparse
import io
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from core.books.kindle.compiler import compile_book
from core.errors import BotError
from tests.corpus.manifest import corpus_folder
from tests.factories.kindle_books import PROSE, faulty, picture_of, put, sound_members

TYPICAL = (100_000, 1_000_000)  # bytes of a novel with a cover
LARGE_BYTES = 50_000_000
POLISHED = 5


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="compiler")
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--one", nargs=2, type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.one:
        return _measure_one(*options.one)
    with tempfile.TemporaryDirectory(prefix="inkpost-bench-") as name:
        place = Path(name)
        books = _books(options.folder or corpus_folder() / "epub", place, few=options.short)
        _report(books, place, large_bytes=2_000_000 if options.short else LARGE_BYTES)
    return 0


def _books(folder: Path, place: Path, *, few: bool) -> list[Path]:
    found = sorted(path for path in folder.rglob("*.epub") if "hostile" not in path.parts) if folder.is_dir() else []
    if not found:
        chapter = " ".join(f"{PROSE} {number}" for number in range(500))
        for number in range(20):
            made = faulty(put("OEBPS/one.xhtml", "Café", f"Café {chapter}"))
            found.append(place / f"made-{number}.epub")
            found[-1].write_bytes(made)
    return found[:: max(1, len(found) // 10)] if few else found


def _report(books: Sequence[Path], place: Path, *, large_bytes: int) -> None:
    compile_book(_warm(place), place / "warm-copy.epub")  # what is imported late is imported now
    table = Table("what", "books", "median", "95 %", "books/s", "MB/s", "fails", box=None)
    typical = [book for book in books if TYPICAL[0] <= book.stat().st_size <= TYPICAL[1]]
    for title, some in (("all", books), ("of 0.1 to 1 MB", typical)):
        if some:
            for name, act in (("compiler", compile_book), ("unzip and zip", _repack)):
                table.add_row(f"{name}, {title}", *_timed(some, place, act))
    if (polish := shutil.which("ebook-polish")) and typical:
        few = typical[:POLISHED]
        table.add_row(
            "ebook-polish", *_timed(few, place, lambda book, copy: _polish(polish, book, copy), time.perf_counter)
        )
    console = Console(width=140)
    console.print("processor time; ebook-polish, which is a process of its own, by the clock", markup=False)
    console.print(table)
    if not shutil.which("ebook-polish"):
        console.print("ebook-polish: SKIPPED, calibre is not installed", markup=False)
    large = place / "large.epub"
    large.write_bytes(_large_book(large_bytes))
    for fault in ("sound", "faulty"):
        if fault == "faulty":
            with zipfile.ZipFile(large) as members:
                contents = {one: members.read(one) for one in members.namelist()}
            put("OEBPS/content.opf", ">en<", ">English<")(contents)
            large.write_bytes(_stored(contents))
        command = [sys.executable, "-m", "tests.bench.compiler", "--one", str(large), str(place / f"{fault}.epub")]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        console.print(f"{large.stat().st_size / 1e6:.0f} MB book, {fault}: {said}", markup=False)


def _timed(
    books: Sequence[Path],
    place: Path,
    act: Callable[[Path, Path], object],
    clock: Callable[[], float] = time.process_time,
) -> tuple[str, ...]:
    seconds, fails = [], 0
    for number, book in enumerate(books):
        started = clock()
        try:
            act(book, place / f"{number}.epub")
        except (BotError, zipfile.BadZipFile, subprocess.CalledProcessError, RuntimeError, NotImplementedError):
            fails += 1
        seconds.append(clock() - started)
        (place / f"{number}.epub").unlink(missing_ok=True)
    total, size = sum(seconds), sum(book.stat().st_size for book in books)
    late = sorted(seconds)[len(seconds) * 95 // 100]
    return (
        str(len(books)), f"{statistics.median(seconds) * 1000:.1f} ms", f"{late * 1000:.1f} ms",
        f"{len(books) / total:.1f}", f"{size / total / 1e6:.1f}", str(fails),
    )  # fmt: skip


def _warm(place: Path) -> Path:
    path = place / "warm.epub"
    path.write_bytes(faulty(put("OEBPS/content.opf", ">en<", "><")))
    return path


def _repack(book: Path, copy: Path) -> None:
    with zipfile.ZipFile(book) as source, zipfile.ZipFile(copy, "w", zipfile.ZIP_DEFLATED) as target:
        for info in source.infolist():
            target.writestr(info.filename, source.read(info))


def _polish(program: str, book: Path, copy: Path) -> None:
    subprocess.run([program, "--upgrade-book", str(book), str(copy)], check=True, capture_output=True, timeout=120)


def _large_book(size_bytes: int) -> bytes:
    members = sound_members()
    picture = picture_of("JPEG", size=(1600, 2200))
    filling = bytes(range(256)) * 2048  # behind the end of the picture, where nobody looks
    items = []
    for number in range(size_bytes // (len(picture) + len(filling))):
        members[f"OEBPS/images/{number}.jpg"] = picture[:-2] + filling.replace(b"\xff", b"\xfe") + picture[-2:]
        items.append(f'<item id="x{number}" href="images/{number}.jpg" media-type="image/jpeg"/>')
    put("OEBPS/content.opf", "</manifest>", f"{''.join(items)}</manifest>")(members)
    return _stored(members)


def _stored(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return out.getvalue()


def _measure_one(book: Path, copy: Path) -> int:
    compile_book(_warm(copy.parent), copy.with_suffix(".warm"))
    before = _peak_kib(is_new=True)
    started = time.process_time()
    compiled = compile_book(book, copy)
    seconds = time.process_time() - started
    peak = _peak_kib()
    what = "a copy written" if compiled.is_written else "nothing to mend"
    print(f"{seconds:.2f} s, {what}, peak {peak // 1024} MB, {max(0, peak - before) // 1024} MB of them for the book")
    return 0


def _peak_kib(*, is_new: bool = False) -> int:
    """The most memory since it was last asked so (proc(5), clear_refs)."""
    if is_new:
        Path("/proc/self/clear_refs").write_text("5", "ascii")
    found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text("ascii"))
    return int(found[1]) if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
