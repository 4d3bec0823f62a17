"""Recipes: what each makes of a book says what the book says, shows what it shows, and fits where it is to fit."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from pathlib import Path

import mammoth  # type: ignore[import-untyped] # it has no types
import pytest
from PIL import Image

from core.books.kindle.compiler import Compiled, compile_book
from core.books.kindle.fit import open_fitted
from core.books.kindle.order import LADDER, RECIPES, Dish, Order, cook
from core.books.kindle.recipes import COOKS
from core.books.kindle.words import RECIPE_WORDS
from core.books.limits import DEFAULT_LIMITS
from core.books.open import open_book
from core.errors import TooMuch
from core.values import BookFormat
from tests.factories.kindle_books import OPF, PROSE, Members, faulty, hold, put, write

ORDER = Order(title="A Tale", authors=("C. D.",), filename="tale.epub")
LONG = " ".join(f"{PROSE} {number}" for number in range(200))


def made(name: str, tmp_path: Path, content: bytes, order: Order = ORDER) -> Dish:
    source = write(tmp_path / "source.epub", content)
    folder = tmp_path / name
    folder.mkdir()
    dish = cook(name, source, folder, order)
    assert source.read_bytes() == content
    return dish


def noise(width: int, height: int) -> bytes:
    """A picture that no encoder makes small."""
    out = io.BytesIO()
    Image.effect_noise((width, height), 90).save(out, "JPEG", quality=95)
    return out.getvalue()


def _photographs(members: Members) -> None:
    """Two large pictures, one in each chapter, neither of them the cover: that would stand in every part."""
    put("OEBPS/content.opf", '<meta name="cover" content="picture"/>', "")(members)
    put("OEBPS/content.opf", ' properties="cover-image"', "")(members)
    hold("OEBPS/images/picture.jpg", noise(1300, 900))(members)
    hold("OEBPS/images/other.jpg", noise(1300, 880))(members)
    put(
        "OEBPS/content.opf", "</manifest>", '<item id="o" href="images/other.jpg" media-type="image/jpeg"/></manifest>'
    )(members)
    put("OEBPS/two.xhtml", "images/picture.jpg", "images/other.jpg")(members)


def test_ladder_goes_from_the_gentlest_to_the_strongest() -> None:
    assert LADDER == ("minimal", "rebuilt", "retypeset", "docx", "split")


@pytest.mark.parametrize("recipe", ["minimal", "fit"])
def test_copy_has_what_its_reader_says_of_the_book_and_else_what_its_maker_says(tmp_path: Path, recipe: str) -> None:
    book = faulty(
        put(
            OPF,
            "<dc:creator>C. D.</dc:creator>",
            '<dc:creator id="a">C. D.</dc:creator><meta refines="#a" property="file-as">D., C.</meta>'
            '<dc:creator id="t">T. R.</dc:creator><meta refines="#t" property="role">trl</meta>',
        )
    )
    order = replace(ORDER, title="Another – Tale", authors=("E. F.", "G. H."), language="pt-BR")

    dish = made(recipe, tmp_path, book, order)

    said = open_book(dish.files[0].path, filename="copy.epub", work_dir=tmp_path).metadata
    assert [fix.rule for fix in dish.fixes] == ["called"]
    assert (said.title, said.authors, said.language) == ("Another – Tale", ("E. F.", "G. H."), "pt-BR")
    with zipfile.ZipFile(dish.files[0].path) as archive:
        package = archive.read(OPF).decode()
    assert "T. R." in package
    assert "C. D." not in package
    assert "D., C." not in package


@pytest.mark.parametrize("recipe", ["minimal", "fit"])
@pytest.mark.parametrize("title", ["", "   ", "Untitled"])
def test_book_whose_title_is_its_files_is_not_said_to_be_called_otherwise(
    tmp_path: Path, recipe: str, title: str
) -> None:
    book = faulty(put(OPF, "<dc:title>A Tale</dc:title>", f"<dc:title>{title}</dc:title>"))

    dish = made(recipe, tmp_path, book, replace(ORDER, title="tale", language="en"))

    assert "called" not in [fix.rule for fix in dish.fixes]


def test_sound_book_needs_no_copy(tmp_path: Path) -> None:
    assert made("minimal", tmp_path, faulty()) == Dish("minimal", RECIPES["minimal"].version, (), ())


@pytest.mark.parametrize("name", ["rebuilt", "retypeset"])
def test_stronger_copies_are_sound_books(name: str, tmp_path: Path) -> None:
    dish = made(name, tmp_path, faulty(put("OEBPS/content.opf", ">en<", ">English<")))

    (file,) = dish.files
    work_dir = tmp_path / "work"
    work_dir.mkdir()
    opened = open_book(file.path, filename="x.epub", work_dir=work_dir)
    assert (opened.metadata.title, opened.metadata.authors, opened.metadata.language) == ("A Tale", ("C. D.",), "en")
    assert opened.cover_path is not None
    assert compile_book(file.path, tmp_path / "again.epub") == Compiled(())
    assert [fix.rule for fix in dish.fixes] == ["language", name]


def test_document_says_what_the_book_says(tmp_path: Path) -> None:
    (file,) = made("docx", tmp_path, faulty()).files

    assert file.format is BookFormat.DOCX
    with file.path.open("rb") as document:
        html = mammoth.convert_to_html(document).value
    assert html.count("Café – It was the best of times") == 2
    assert "<h1>Two</h1>" in html
    assert html.count("<img ") == 2


def test_book_in_parts_has_stable_titles_and_no_dead_links(tmp_path: Path) -> None:
    dish = made("split", tmp_path, faulty(put("OEBPS/one.xhtml", "Café", LONG)))

    assert [file.title for file in dish.files] == ["A Tale (1 of 2)", "A Tale (2 of 2)"]
    pages = []
    for file in dish.files:
        assert compile_book(file.path, tmp_path / "again.epub") == Compiled(())
        with zipfile.ZipFile(file.path) as archive:
            pages += [name for name in archive.namelist() if name.endswith(("one.xhtml", "two.xhtml"))]
    assert pages == ["OEBPS/one.xhtml", "OEBPS/two.xhtml"]


def test_pictures_become_smaller_before_the_book_is_split(tmp_path: Path) -> None:
    content = faulty(_photographs)

    dish = made("minimal", tmp_path, content, Order(title="A Tale", budget_bytes=len(content) // 2))

    (file,) = dish.files
    assert file.path.stat().st_size <= len(content) // 2
    assert "smaller-pictures" in [fix.rule for fix in dish.fixes]


def test_at_the_floor_of_quality_the_book_goes_in_parts(tmp_path: Path) -> None:
    source = write(tmp_path / "large.epub", faulty(_photographs))
    open_fitted(source, tmp_path / "floor.epub", budget_bytes=1, limits=DEFAULT_LIMITS)
    budget = (tmp_path / "floor.epub").stat().st_size * 7 // 10

    dish = made("minimal", tmp_path, source.read_bytes(), Order(title="A Tale", budget_bytes=budget))

    assert [file.title for file in dish.files] == ["A Tale (1 of 2)", "A Tale (2 of 2)"]
    assert all(file.path.stat().st_size <= budget for file in dish.files)


def test_what_fits_nowhere_is_told(tmp_path: Path) -> None:
    with pytest.raises(TooMuch, match="not even in parts"):
        made("minimal", tmp_path, faulty(_photographs), Order(title="A Tale", budget_bytes=5000))


def test_recipes_have_cooks_and_words() -> None:
    assert RECIPES.keys() == COOKS.keys() == RECIPE_WORDS.keys()
    assert set(LADDER) <= RECIPES.keys()
