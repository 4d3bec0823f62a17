"""A program that behaves like calibre's `ebook-convert`, which is not installed where these tests run.

Two paths, formats by their endings, words on stdout, status 0 or 1. What the book says decides what becomes of it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.factories.books import make_epub

_SCRIPT = """#!{python} -S
import os, pathlib, socket, subprocess, sys, time

source, target = map(pathlib.Path, sys.argv[1:])
assert (source.suffix, target.suffix) == (".mobi", ".epub"), sys.argv
assert os.getcwd() == os.environ["HOME"] == str(target.parent), "not in its folder"
text = source.read_bytes()
print("1% Converting input to HTML...", flush=True)
if b"HANGS" in text:
    child = subprocess.Popen(["/bin/sleep", "60"])
    pathlib.Path({note!r}).write_text(f"{{os.getpid()}} {{child.pid}}")
    time.sleep(60)
if b"SPINS" in text:
    while True:
        pass
if b"EATS" in text:
    bytearray(4 << 30)
if b"FILLS" in text:
    target.write_bytes(bytes(3 << 20))
if b"CALLS" in text:
    socket.socket(socket.AF_UNIX).close()  # its own processes talk to each other
    socket.socket(socket.AF_INET)
if b"TELLS" in text:
    print(sorted(os.environ))
if b"FAILS" in text:
    sys.exit("ValueError: the index of the book is cut short")
target.write_bytes(pathlib.Path({epub!r}).read_bytes())
print("Output saved to", target)
"""


def make_ebook_convert(folder: Path) -> Path:
    """The program. What hangs writes its process and its child's to `folder`/processes."""
    epub, program = folder / "made.epub", folder / "ebook-convert"
    epub.write_bytes(make_epub(title="My Novel"))
    program.write_text(_SCRIPT.format(python=sys.executable, note=str(folder / "processes"), epub=str(epub)))
    program.chmod(0o755)
    return program
