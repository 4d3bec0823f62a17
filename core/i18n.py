"""The reader's language: texts from gettext catalogues, dates and numbers by CLDR (Babel).

A text is marked where it is written, `_("Queued: {book}").format(book=…)`, and said in the language that whoever
handles a mail or a notice has set with `speaking`. What a module keeps as a constant is marked by `N_` and said by `_`
later. The catalogues are the `.po` files themselves, in `core/locale`; docs/decisions/languages.md says why.
"""

from __future__ import annotations

import gettext
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime, time
from functools import cache
from pathlib import Path
from typing import Final, TypeVar

# Babel is imported where it is first used: the processes of the sandbox say a text now and then, and need no dates.

T = TypeVar("T")

LOCALE: Final = Path(__file__).parent / "locale"
SOURCE: Final = "en"
"""The language that the texts are written in."""
LANGUAGES: Final = {"en": "English", "de": "Deutsch", "es": "Español"}
"""Those in which every text is told, by what their speakers call them."""

_TAG = re.compile(r"[a-z]{2,3}(?=$|[-_;,\s])")
_language: ContextVar[str] = ContextVar("language", default=SOURCE)


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """All that is said within is said in this language, in English where we have no such catalogue."""
    token = _language.set(language if language in LANGUAGES else SOURCE)
    try:
        yield
    finally:
        _language.reset(token)


def said_in(language: str, function: Callable[..., T], /, *args: object, **kwargs: object) -> T:
    """What the function returns or raises, said in this language: for a process that nobody has told."""
    with speaking(language):
        return function(*args, **kwargs)


def spoken() -> str:
    """The language of this moment: a key of `LANGUAGES`."""
    return _language.get()


def _(text: str) -> str:
    """The text in the language of this moment. "" stays what it is: gettext would answer with its header."""
    return _catalogue(_language.get()).gettext(text) if text else ""


def ngettext(one: str, many: str, count: int) -> str:
    """The text for so many things: `ngettext("{count} book", "{count} books", n).format(count=n)`."""
    return _catalogue(_language.get()).ngettext(one, many, count)


def pgettext(context: str, text: str) -> str:
    """A text that is the same in English for two meanings; `context` says which."""
    return _catalogue(_language.get()).pgettext(context, text)


def N_(text: str) -> str:  # noqa: N802 - gettext's own name
    """Marks a constant for the catalogues and leaves it as it is; `_` says it when it is shown."""
    return text


def all_of(text: str) -> frozenset[str]:
    """A text in each language: what may stand in a mail of somebody who writes back."""
    return frozenset(_catalogue(language).gettext(text) for language in LANGUAGES)


def dated(moment: date | datetime | time, pattern: str) -> str:
    """A moment by a CLDR pattern, which is a text of the catalogues itself: `dated(day, _("d MMM yyyy"))`.

    A datetime is shown in the zone that it has.
    """
    from babel.dates import format_date, format_datetime, format_time

    locale = _language.get()
    if isinstance(moment, datetime):
        return format_datetime(moment, pattern, tzinfo=moment.tzinfo, locale=locale)
    if isinstance(moment, time):
        return format_time(moment, pattern, locale=locale)
    return format_date(moment, pattern, locale=locale)


def decimal(number: float, *, places: int = 0) -> str:
    """`1,234.5`, with the signs of the language."""
    plain = f"{number:,.{places}f}"
    return plain if _language.get() == SOURCE else plain.translate(_signs(_language.get()))


def in_quotes(texts: Iterable[str]) -> str:
    """`“Dune”, “Emma”`, in the quotes of the language."""
    return ", ".join(_("“{text}”").format(text=text) for text in texts)


def listed(words: Sequence[str]) -> str:
    """`a, b and c`."""
    from babel.lists import format_list

    # "1, 2 and 3", as the texts of ours have it, and not "1, 2, and 3", as in America.
    locale = "en_GB" if _language.get() == SOURCE else _language.get()
    return format_list(list(words), style="standard", locale=locale)


def preferred(tags: Iterable[str]) -> str | None:
    """The first language of ours among BCP 47 tags, as a Content-Language or Accept-Language field has them."""
    for tag in tags:
        found = _TAG.match(tag.strip().lower())
        if found is not None and found[0] in LANGUAGES:
            return found[0]
    return None


@cache
def _signs(language: str) -> dict[int, str]:
    from babel.numbers import get_decimal_symbol, get_group_symbol

    return {ord(","): get_group_symbol(language), ord("."): get_decimal_symbol(language)}


@cache
def _catalogue(language: str) -> gettext.NullTranslations:
    """Read once in a process, when the language is first spoken."""
    if language == SOURCE:
        return gettext.NullTranslations()
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    with (LOCALE / f"{language}.po").open("rb") as file:
        catalogue = read_po(file, locale=language)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
