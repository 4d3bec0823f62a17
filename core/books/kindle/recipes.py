"""The recipes themselves. Each reads one file and writes into a folder of its own; see `order.cook`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from core.books import epub
from core.books.claims import metadata
from core.books.convert import Facts, convert_to_epub
from core.books.kindle.compiler import Compiled, compile_book
from core.books.kindle.fit import half_size, open_fitted, write_parts
from core.books.kindle.harm import picture_count, text_of
from core.books.kindle.metadata import call
from core.books.kindle.order import RECIPES, Change, Dish, Fix, Made, Order
from core.books.kindle.rebuild import Label, label_of, write_rebuilt
from core.books.kindle.retypeset import plan_of
from core.books.kindle.rules import RULES, Rule
from core.books.kindle.working import Copy
from core.books.language import language_tag
from core.books.limits import BookLimits
from core.books.making import make_epub
from core.books.refusals import damaged
from core.books.word import write_docx
from core.books.zips import open_members
from core.i18n import _
from core.sizes import size_in_words
from core.values import BookFormat


def _minimal(source: Path, folder: Path, order: Order) -> Dish:
    target = folder / "copy.epub"
    rules = (*RULES, *_called(source, order))
    compiled = compile_book(source, target, filename=order.filename, limits=order.limits, rules=rules)
    files = (Made(target, BookFormat.EPUB, order.title),) if compiled.is_written else ()
    return fitted("minimal", source, files, compiled.fixes, folder, order)


def _called(source: Path, order: Order) -> tuple[Rule, ...]:
    """What a reader has changed in the library, and finds on the device: nothing where the file says the same.

    Asked as when the book came in, so that a file from which more can be read when it is mended is not worse for it.
    """
    said = metadata(epub.read(source, order.limits), filename=order.filename)
    title = order.title if order.title != said.title else ""
    authors = order.authors if order.authors != said.authors else ()
    language = order.language if order.language != said.language else ""
    if not (title or authors or language):
        return ()
    return (Rule(name="called", apply=partial(call, title=title, authors=authors, language=language)),)


def _fit(source: Path, folder: Path, order: Order) -> Dish:
    with open_members(source, order.limits, kind="EPUB") as members:
        is_salvaged = members.is_salvaged
    # Whatever the device is: a file without a directory opens nowhere.
    rules = (*(rule for rule in RULES if is_salvaged and rule.name == "directory"), *_called(source, order))
    if not rules:
        return fitted("fit", source, (), (), folder, order)
    target = folder / "copy.epub"
    compiled = compile_book(source, target, filename=order.filename, limits=order.limits, rules=rules)
    files = (Made(target, BookFormat.EPUB, order.title),) if compiled.is_written else ()
    return fitted("fit", source, files, compiled.fixes, folder, order)


def _rebuilt(source: Path, folder: Path, order: Order) -> Dish:
    compiled, path = _mended(source, folder, order)
    target = folder / "rebuilt.epub"
    with open_members(path, order.limits, kind="EPUB") as members:
        book = Copy(members)
        write_rebuilt(book, target, label=label_of(book, title=order.title, authors=order.authors))
    _mend_part(target, limits=order.limits)
    _check_text(path, target, order)
    fix = _fix("rebuilt", _("the package and the table of contents were made anew"))
    return fitted(
        "rebuilt", source, (Made(target, BookFormat.EPUB, order.title),), (*compiled.fixes, fix), folder, order
    )


def _retypeset(source: Path, folder: Path, order: Order) -> Dish:
    compiled, path = _mended(source, folder, order)
    target = folder / "retypeset.epub"
    with open_members(path, order.limits, kind="EPUB") as members:
        book = Copy(members)
        label = label_of(book, title=order.title, authors=order.authors)
        make_epub(plan_of(book, label=label, modified=label.modified), path=target)
    _check_text(path, target, order)
    fix = _fix("retypeset", _("every page was set anew, without the looks that its maker gave it"))
    return fitted(
        "retypeset", source, (Made(target, BookFormat.EPUB, order.title),), (*compiled.fixes, fix), folder, order
    )


def _docx(source: Path, folder: Path, order: Order) -> Dish:
    compiled, path = _mended(source, folder, order)
    target = folder / "copy.docx"
    budget = order.budget_bytes
    if budget is not None:
        smaller = folder / "smaller.epub"
        path = (
            smaller
            if path.stat().st_size > budget and open_fitted(path, smaller, budget_bytes=budget, limits=order.limits)
            else path
        )
    with open_members(path, order.limits, kind="EPUB") as members:
        book = Copy(members)
        label = label_of(book, title=order.title, authors=order.authors)
        write_docx(plan_of(book, label=label, modified=label.modified), target)
    if budget is not None and target.stat().st_size > budget:
        raise damaged(
            "book",
            _("as a document it is larger than the {size_in_words} that a mail may have").format(
                size_in_words=size_in_words(budget)
            ),
        )
    fix = _fix("docx", _("the book was written as a Word document"))
    return Dish("docx", RECIPES["docx"].version, (Made(target, BookFormat.DOCX, order.title),), (*compiled.fixes, fix))


def _split(source: Path, folder: Path, order: Order) -> Dish:
    """In two parts at least, so that what is refused as a whole may be taken in part."""
    compiled, path = _mended(source, folder, order)
    with open_members(path, order.limits, kind="EPUB") as members:
        half = half_size(Copy(members))
    budget = min(order.budget_bytes or half, half)
    return _in_parts("split", path, compiled.fixes, folder, replace(order, budget_bytes=budget))


def _mended(source: Path, folder: Path, order: Order) -> tuple[Compiled, Path]:
    """What the stronger recipes begin with: the gentle one's copy, or the original where it needs none."""
    target = folder / "mended.epub"
    compiled = compile_book(source, target, filename=order.filename, limits=order.limits)
    return compiled, target if compiled.is_written else source


def _check_text(source: Path, target: Path, order: Order) -> None:
    """Raises `DamagedFile` where the copy does not say what the book says."""
    with (
        open_members(source, order.limits, kind="EPUB") as before,
        open_members(target, order.limits, kind="EPUB") as after,
    ):
        old, new = Copy(before), Copy(after)
        texts, pictures = zip(*((_text(book), _pictures(book)) for book in (old, new)), strict=True)
    if texts[0] != texts[1] or pictures[0] > pictures[1]:
        raise damaged(
            "EPUB", _("it cannot be set anew without losing some of its text or pictures"), code="device.text"
        )


def _text(book: Copy) -> str:
    return "".join(text_of(book, name) for name in book.read_pages if name != book.nav)


def _pictures(book: Copy) -> int:
    return sum(picture_count(book, name) for name in book.read_pages if name != book.nav)


def fitted(
    recipe: str, source: Path, files: tuple[Made, ...], fixes: tuple[Fix, ...], folder: Path, order: Order
) -> Dish:
    """The dish within the order's budget: as it is, with smaller pictures, or in parts. Raises `TooMuch`."""
    version = RECIPES[recipe].version
    path, budget = files[0].path if files else source, order.budget_bytes
    if budget is None or path.stat().st_size <= budget:
        return Dish(recipe, version, files, fixes)
    smaller = folder / "smaller.epub"
    how = open_fitted(path, smaller, budget_bytes=budget, limits=order.limits)
    if how:
        fixes, path = (*fixes, _fix("smaller-pictures", how)), smaller
        if path.stat().st_size <= budget:
            return Dish(recipe, version, (Made(path, BookFormat.EPUB, order.title),), fixes)
    return _in_parts(recipe, path, fixes, folder, order)


def _in_parts(recipe: str, path: Path, fixes: tuple[Fix, ...], folder: Path, order: Order) -> Dish:
    assert order.budget_bytes is not None
    parts_folder = folder / "parts"
    parts_folder.mkdir()
    with open_members(path, order.limits, kind="EPUB") as members:
        book = Copy(members)
        label: Label = label_of(book, title=order.title, authors=order.authors)
        parts = write_parts(
            book,
            parts_folder,
            label=label,
            budget_bytes=order.budget_bytes,
            limits=order.limits,
            finish=partial(_mend_part, limits=order.limits),
        )
    files = tuple(Made(part, BookFormat.EPUB, title) for title, part in parts)
    said = (_fix("parts", _("the book goes in {count} parts").format(count=len(files))),) if len(files) > 1 else ()
    return Dish(recipe, RECIPES[recipe].version, files, (*fixes, *said))


def _mend_part(path: Path, *, limits: BookLimits) -> None:
    """Links that lead out of a part lead nowhere."""
    mended = path.with_suffix(".mended")
    if compile_book(path, mended, limits=limits).is_written:
        mended.replace(path)


def _epub(source: Path, folder: Path, order: Order) -> Dish:
    target = folder / "converted.epub"
    facts = Facts(title=order.title, authors=order.authors, language=language_tag(order.language))
    convert_to_epub(source, target, book_format=order.format, facts=facts, limits=order.limits)
    return _became_epub("epub", target, folder, order)


def _calibre(source: Path, folder: Path, order: Order) -> Dish:
    """`source` is what calibre, a program of its own, has made of the original before; see `bot.calibre`."""
    return _became_epub("calibre", source, folder, order)


def _became_epub(recipe: str, made: Path, folder: Path, order: Order) -> Dish:
    copy = folder / "copy.epub"
    rules = (*RULES, *_called(made, order))
    compiled = compile_book(made, copy, filename=order.filename, limits=order.limits, rules=rules)
    path = copy if compiled.is_written else made
    fix = _fix(recipe, _("the book was {kind} and became an EPUB").format(kind=order.format.value.upper()))
    return fitted(recipe, made, (Made(path, BookFormat.EPUB, order.title),), (fix,), folder, order)


def _fix(rule: str, what: str) -> Fix:
    return Fix(rule, (Change("", what),), 1)


COOKS: Final[dict[str, Callable[[Path, Path, Order], Dish]]] = {
    "fit": _fit,
    "epub": _epub,
    "calibre": _calibre,
    "minimal": _minimal,
    "rebuilt": _rebuilt,
    "retypeset": _retypeset,
    "docx": _docx,
    "split": _split,
}
"""The names are those of `order.RECIPES`."""
