"""Feeds and pages that nobody here wrote: the short forms of `python -m tests.corpus feeds` and `html`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.corpus import feeds, html
from tests.corpus.manifest import corpus_folder, read_manifest


def folder_of(kind: str) -> Path:
    folder = corpus_folder() / kind
    if not folder.exists():
        pytest.skip(f"There is no corpus at {corpus_folder()}: set INKPOST_CORPUS to its folder.")
    return folder


def test_feeds_are_read_as_feedparser_says_and_without_exception() -> None:
    folder = folder_of("feeds")

    assert feeds.run(folder, rows=read_manifest(folder)[::9])


def test_articles_are_found_on_pages_and_nothing_active_is_left() -> None:
    assert html.run(folder_of("html"), every=8)
