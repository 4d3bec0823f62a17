"""Rules that would do harm are taken back, alone; and a copy that is not whole is thrown away."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from core.books.kindle.compiler import Compiled, compile_book
from core.books.kindle.rules import RULES, Rule
from core.books.kindle.trees import elements, item_element, remove
from core.books.kindle.working import Copy, Patch
from tests.factories.kindle_books import ONE, OPF, faulty, put, write


def rule(apply: Callable[[Copy, Patch], None]) -> Rule:
    return Rule(name="vandal", apply=apply)


def lose_text(book: Copy, patch: Patch) -> None:
    next(elements(patch.edit(ONE), "p")).text = "gone"
    patch.tell(ONE, "a paragraph")


def lose_a_letter(book: Copy, patch: Patch) -> None:
    patch.files[ONE] = book.read(ONE).replace("Café".encode(), b"Cafe")
    patch.tell(ONE, "an accent")


def lose_a_picture(book: Copy, patch: Patch) -> None:
    remove(next(elements(patch.edit(ONE), "img")))
    patch.tell(ONE, "a picture")


def lose_the_file_of_a_picture(book: Copy, patch: Patch) -> None:
    patch.removed.add("OEBPS/images/picture.jpg")
    patch.edit(ONE)
    patch.tell(ONE, "a file")


def lose_a_chapter(book: Copy, patch: Patch) -> None:
    remove(item_element(patch.edit(OPF), "two"))
    patch.tell(OPF, "a chapter")


VANDALS = [lose_text, lose_a_letter, lose_a_picture, lose_the_file_of_a_picture, lose_a_chapter]


@pytest.mark.parametrize("vandal", VANDALS)
def test_harm_is_taken_back_and_the_rest_stays(vandal: Callable[[Copy, Patch], None], tmp_path: Path) -> None:
    source = write(tmp_path / "source.epub", faulty(put(OPF, ">en<", ">English<")))

    result = compile_book(source, tmp_path / "copy.epub", rules=(rule(vandal), *RULES))

    assert [fix.rule for fix in result.fixes] == ["language"]
    assert [name for name, _ in result.harmful] == ["vandal"]
    assert compile_book(tmp_path / "copy.epub", tmp_path / "again.epub") == Compiled(())


def test_copy_that_is_not_whole_is_thrown_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write(tmp_path / "source.epub", faulty(put(ONE, 'alt="A picture"', 'alt=""')))
    written = Copy.write

    def write_less(book: Copy, path: Path) -> None:
        patch = Patch(book)
        patch.files[ONE] = book.read(ONE).replace(b"foolishness", b"")
        patch.tell(ONE, "a fault of the writer's")
        written(book.patched(patch), path)

    monkeypatch.setattr(Copy, "write", write_less)

    result = compile_book(source, tmp_path / "copy.epub")

    assert not result.is_written
    assert not (tmp_path / "copy.epub").exists()
    assert result.harmful == (("all", "the text of the copy is another one"),)
