"""What is ordered of a copy, and what comes of it; the one door to the recipes, which load lxml and Pillow.

Recipes are ways from a book to a copy for a device, from the gentlest to the strongest: what a healing ladder climbs.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Final, NamedTuple, cast

from core.books.limits import DEFAULT_LIMITS, BookLimits
from core.values import BookFormat


class Change(NamedTuple):
    """One thing that a rule did, for the person whose book it is."""

    place: str
    """The file in the book, "" for the book as a whole."""
    what: str
    """A clause: "the language “English” became “en”"."""


@dataclass(frozen=True, slots=True)
class Fix:
    """What one rule changed."""

    rule: str
    changes: tuple[Change, ...]
    count: int
    """Of all changes; `changes` are the first of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is wanted of a copy."""

    title: str
    """As the library has it, and the copy: in its package, in what is made anew, and in the names of parts."""
    authors: tuple[str, ...] = ()
    language: str = ""
    """As the library has it; "" for as the book says."""
    filename: str = ""
    format: BookFormat = BookFormat.EPUB
    """Of the original."""
    budget_bytes: int | None = None
    """Of one file; None for as large as it is."""
    limits: BookLimits = DEFAULT_LIMITS


@dataclass(frozen=True, slots=True)
class Made:
    """One file for one mail."""

    path: Path
    format: BookFormat
    title: str


@dataclass(frozen=True, slots=True)
class Dish:
    """What came of it: no files where the original is as good as the copy would be."""

    recipe: str
    version: int
    files: tuple[Made, ...]
    fixes: tuple[Fix, ...]


class Recipe(NamedTuple):
    """A way to make a copy; `version` is raised with every change of it, and older copies are made anew."""

    version: int
    makes: BookFormat


RECIPES: Final = {
    "fit": Recipe(2, BookFormat.EPUB),
    "epub": Recipe(2, BookFormat.EPUB),
    "calibre": Recipe(2, BookFormat.EPUB),
    "minimal": Recipe(2, BookFormat.EPUB),
    "rebuilt": Recipe(1, BookFormat.EPUB),
    "retypeset": Recipe(1, BookFormat.EPUB),
    "docx": Recipe(1, BookFormat.DOCX),
    "split": Recipe(1, BookFormat.EPUB),
}
"""By name; in words: `words.RECIPE_WORDS`."""
LADDER: Final = ("minimal", "rebuilt", "retypeset", "docx", "split")
"""Those for Amazon, in the order in which they are tried: a refusal is answered by the next one."""


def next_form(recipe: str) -> str | None:
    """The recipe of the ladder behind this one; None for the last."""
    place = LADDER.index(recipe) + 1
    return LADDER[place] if place < len(LADDER) else None


def cook(name: str, source: Path, folder: Path, order: Order) -> Dish:
    """Make the recipe `name` of the book at `source` in the new folder `folder`. Blocks; changes no original.

    Raises a `BotError` where it cannot be done, with what is wrong and what to do instead.
    """
    return cast(Dish, import_module("core.books.kindle.recipes").COOKS[name](source, folder, order))
