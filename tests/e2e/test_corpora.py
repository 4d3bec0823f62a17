"""Mails and books that nobody here wrote, through the whole service: two kinds of `tests.corpus` in short."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.corpus import epub, mime
from tests.corpus.manifest import corpus_folder, read_manifest

EVERY_MAIL, EVERY_BOOK = 40, 16


def corpus(kind: str) -> tuple[Path, list[dict[str, Any]]]:
    folder = corpus_folder() / kind
    if not folder.exists():
        pytest.skip(f"There is no corpus at {corpus_folder()}: set INKPOST_CORPUS to its folder.")
    return folder, read_manifest(folder)


async def test_mails_have_one_answer_or_a_silence_with_a_reason() -> None:
    folder, rows = corpus("mime")
    mails = [row for row in rows if row.get("facts")][::EVERY_MAIL]

    outcomes = await mime.put_through(folder, mails)

    assert {one.file: one.complaints for one in outcomes if one.complaints} == {}
    assert {"answered", "silent"} <= {one.result for one in outcomes}


async def test_books_have_one_clear_answer_each() -> None:
    folder, rows = corpus("epub")

    answers = await epub.mail_all(folder, rows[::EVERY_BOOK])

    assert {one.file: one.complaints for one in answers if one.complaints} == {}
    assert len({one.first_line for one in answers}) > 5
