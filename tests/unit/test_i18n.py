"""Texts in the reader's language."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest

from core.i18n import _, dated, decimal, listed, ngettext, preferred, speaking, spoken

NOON = datetime(2026, 11, 24, 12, 5, tzinfo=UTC)


def test_a_text_is_told_in_the_language_of_the_moment() -> None:
    with speaking("de"):
        assert _("Your settings") == "Deine Einstellungen"
        with speaking("es"):
            assert _("Your settings") == "Tus ajustes"
        assert _("Your settings") == "Deine Einstellungen"
    assert _("Your settings") == "Your settings"


def test_what_is_in_no_catalogue_is_told_as_it_is_written() -> None:
    with speaking("de"):
        assert _("No such text") == "No such text"
        assert _("") == ""
        assert ngettext("{n} such text", "{n} such texts", 2) == "{n} such texts"


@pytest.mark.parametrize("language", ["", "fr", "../de"])
def test_a_language_without_a_catalogue_is_english(language: str) -> None:
    with speaking(language):
        assert spoken() == "en"
        assert _("Your settings") == "Your settings"


def test_another_thread_speaks_its_own_language() -> None:
    said: list[str] = []
    with speaking("de"):
        thread = threading.Thread(target=lambda: said.append(_("Your settings")))
        thread.start()
        thread.join()
    assert said == ["Your settings"]


@pytest.mark.parametrize(
    ("language", "long", "short"),
    [
        ("en", "24 Nov 2026, 12:05", "Tue, 24 Nov"),
        ("de", "24. Nov. 2026, 12:05", "Di., 24 Nov."),
        ("es", "24 nov 2026, 12:05", "mar, 24 nov"),
    ],
)
def test_dates_are_written_as_in_the_language(language: str, long: str, short: str) -> None:
    with speaking(language):
        assert dated(NOON, _("d MMM yyyy, HH:mm")) == long
        assert dated(NOON.date(), "EEE, d MMM") == short


@pytest.mark.parametrize(("language", "said"), [("en", "a, b and c"), ("de", "a, b und c"), ("es", "a, b y c")])
def test_lists_are_joined_as_in_the_language(language: str, said: str) -> None:
    with speaking(language):
        assert listed(["a", "b", "c"]) == said


@pytest.mark.parametrize(
    ("tags", "language"),
    [(["de-AT"], "de"), (["fr-FR", " ES;q=0.8"], "es"), (["den"], None), (["pt-BR"], None), ([], None)],
)
def test_the_first_language_of_ours_is_preferred(tags: list[str], language: str | None) -> None:
    assert preferred(tags) == language


@pytest.mark.parametrize(("language", "told"), [("en", "1,234.6"), ("de", "1.234,6"), ("es", "1.234,6")])
def test_a_number_has_the_signs_of_the_language(language: str, told: str) -> None:
    with speaking(language):
        assert decimal(1234.56, places=1) == told
