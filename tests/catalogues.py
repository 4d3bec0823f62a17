"""`python -m tests.catalogues`: the texts of the code into the catalogues, and what is missing there.

Texts come from `_`, `N_` and `ngettext` in the code and its templates, and from the descriptions of the commands.
Exit 0 where German and Spanish are complete, else 1.
"""

from __future__ import annotations

import string
import sys
from collections.abc import Iterator
from functools import cache
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from core.i18n import LANGUAGES, LOCALE, SOURCE
from handlers._registry import load_handlers

ROOT = Path(__file__).parents[1]
ROOMS = ("bot", "core", "handlers")
TRANSLATED = tuple(language for language in LANGUAGES if language != SOURCE)
_METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2"), ("**/templates/**.txt", "jinja2")]
_KEYWORDS = {"_": None, "N_": None, "all_of": None, "ngettext": (1, 2), "pgettext": ((1, "c"), 2)}
_OPTIONS = {"**/templates/**.html": {"encoding": "utf-8"}, "**/templates/**.txt": {"encoding": "utf-8"}}
# No dates, no names, no places in the code: nothing that two branches would both change.
_HEADER = """msgid ""
msgstr ""
"Language: {language}\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\\n"
"""


@cache
def texts() -> Catalog:
    """All that the code says, untranslated."""
    catalog = Catalog(charset="utf-8")
    for room in ROOMS:
        for _file, _line, message, _comments, context in extract_from_dir(
            ROOT / room, _METHODS, options_map=_OPTIONS, keywords=_KEYWORDS
        ):
            catalog.add(message, context=context)
    for text in _described():
        catalog.add(text)
    return catalog


def _described() -> Iterator[str]:
    """The texts of the grammar, which are told in the language of who asks for them."""
    for handler in load_handlers().values():
        spec = handler.SPEC
        yield from (spec.summary, spec.group, *(each.meaning for each in spec.examples))
        yield from filter(None, [spec.details])


def catalogue(language: str) -> Catalog:
    """A catalogue as it lies in its file."""
    with (LOCALE / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language)


def written(catalog: Catalog, language: str) -> bytes:
    """The file of a catalogue: sorted, a line for each text, no more than the texts."""
    out = BytesIO()
    write_po(out, catalog, width=0, no_location=True, omit_header=True, sort_output=True, ignore_obsolete=True)
    return _HEADER.format(language=language).encode() + b"\n" + out.getvalue()


def updated(language: str) -> Catalog:
    """The catalogue with the texts that the code has now; those that it has no more are left out."""
    path = LOCALE / f"{language}.po"
    old = catalogue(language) if path.exists() else Catalog(language)
    old.update(texts(), no_fuzzy_matching=True)
    old.obsolete.clear()
    return old


def faults(catalog: Catalog) -> Iterator[str]:
    """What is wrong with the translations, a line each."""
    for message in catalog:
        if message.id and (fault := _fault(message)):
            yield f"{fault}: {message.id!r}"


def _fault(message: Message) -> str:
    originals = [message.id] if isinstance(message.id, str) else list(message.id)
    said = [message.string] if isinstance(message.string, str) else list(message.string or ())
    if len(said) != len(originals) or not all(said):
        return "missing"
    if message.fuzzy:
        return "fuzzy"
    wanted = set().union(*map(_placeholders, originals))
    if any(_placeholders(one) - wanted for one in said) or _placeholders(originals[-1]) - _placeholders(said[-1]):
        return "other placeholders"
    return ""


def _placeholders(text: str) -> set[str]:
    try:
        return {name for _literal, name, _spec, _conversion in string.Formatter().parse(text) if name is not None}
    except ValueError:  # braces that are no placeholders
        return set()


def main() -> int:
    is_complete = True
    for language in TRANSLATED:
        catalog = updated(language)
        (LOCALE / f"{language}.po").write_bytes(written(catalog, language))
        wrong = list(faults(catalog))
        is_complete = is_complete and not wrong
        print(f"{language}: {len(catalog)} texts, {len(wrong)} to do")
        for fault in wrong:
            print(f"  {fault}")
    return 0 if is_complete else 1


if __name__ == "__main__":
    sys.exit(main())
