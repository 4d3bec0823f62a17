"""The catalogues hold every text of the code, translated, and no other."""

from __future__ import annotations

import pytest
from babel.messages.catalog import Catalog

from core.i18n import LOCALE
from tests.catalogues import TRANSLATED, catalogue, faults, updated, written


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_text_is_translated_and_none_is_left_over(language: str) -> None:
    now = updated(language)
    assert list(faults(now)) == []
    assert written(now, language) == (LOCALE / f"{language}.po").read_bytes(), "run `make catalogues`"


def test_a_translation_that_loses_a_placeholder_is_found() -> None:
    catalog = Catalog("de")
    catalog.add("Queued: {book}", "Eingereiht")
    catalog.add(("{count} book", "{count} books"), ("ein Buch", "{count} Bücher"))
    assert list(faults(catalog)) == ["other placeholders: 'Queued: {book}'"]


def test_catalogues_are_written_one_way() -> None:
    for language in TRANSLATED:
        again = written(catalogue(language), language)
        assert again.startswith(b'msgid ""')
        assert b"#:" not in again
