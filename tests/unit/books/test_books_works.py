"""Which files are one work."""

from __future__ import annotations

import pytest

from core.books.works import work_key
from core.values import BookMetadata


def key(title: str, *authors: str) -> str:
    return work_key(BookMetadata(title=title, authors=authors))


@pytest.mark.parametrize(
    "other",
    [
        ("Dune", "Herbert, Frank"),
        ("DUNE", "FRANK HERBERT"),
        ("Dune: The Novel", "Frank Herbert"),
        ("Dune (40th Anniversary Edition)", "Frank Herbert"),
        ("Dune [Kindle]", "Frank Herbert (1920-1986)"),
        ("Dune, Revised Edition", "Herbert, Frank, 1920-1986"),
        ("Dune - A Novel", "Frank Herbert; Brian Herbert"),
        ("Dune", "Frank Herbert", "Brian Herbert"),
    ],
)
def test_two_files_of_one_work_have_one_key(other: tuple[str, ...]) -> None:
    title, *authors = other

    assert key(title, *authors) == key("Dune", "Frank Herbert")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("The Hobbit", "J.R.R. Tolkien"), ("Hobbit, The", "Tolkien, J. R. R.")),
        (("Cien años de soledad", "Gabriel García Márquez"), ("CIEN ANOS DE SOLEDAD", "Garcia Marquez, Gabriel")),
        (("Alice's Adventures", "Lewis Carroll"), ("Alice\u2019s Adventures", "Carroll, Lewis, 1832-1898")),
        (("Sandman, Vol. 2", "Neil Gaiman"), ("Sandman: Volume 2", "Neil Gaiman")),
        (("Straße", "Ä"), ("STRASSE", "ä")),
    ],
)
def test_spellings_of_one_work_have_one_key(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert key(*one) == key(*other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("Dune", "Frank Herbert"), ("Dune Messiah", "Frank Herbert")),
        (("Poems", "Emily Dickinson"), ("Poems", "Sylvia Plath")),
        (("Sandman: Volume 1", "Neil Gaiman"), ("Sandman: Volume 2", "Neil Gaiman")),
        (("1984", ""), ("1985", "")),
        (("???", ""), ("!!!", "")),
        (("戦争と平和", "トルストイ"), ("罪と罰", "トルストイ")),
    ],
)
def test_different_works_have_different_keys(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert key(*one) != key(*other)


def test_key_is_64_hex_digits() -> None:
    assert len(key("Dune")) == 64
    assert int(key("Dune"), 16)
