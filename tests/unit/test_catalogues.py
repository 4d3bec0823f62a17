"""The catalogues: what is translated is translated rightly. What is not yet, `make catalogues` tells."""

from __future__ import annotations

import pytest
from babel.messages.catalog import Catalog

from tests.catalogues import TRANSLATED, catalogue, faults, written


@pytest.mark.parametrize("language", TRANSLATED)
def test_translations_have_the_placeholders_of_their_texts(language: str) -> None:
    assert [fault for fault in faults(catalogue(language)) if not fault.startswith("missing")] == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_most_of_what_readers_meet_is_translated(language: str) -> None:
    catalog = catalogue(language)
    missing = sum(fault.startswith("missing") for fault in faults(catalog))
    assert missing < len(catalog) / 2


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
