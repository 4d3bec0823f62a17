"""Splitting a line into words as people write it: quotes are optional, apostrophes are not quotes, nothing raises."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from rapidfuzz.distance import DamerauLevenshtein
from rapidfuzz.process import extractOne

COLON_LIKENESS = 0.75  # "titel" and "autor" have 0.8 and more, "tales" for "tags" 0.6
MAX_LINE = 1000  # longer than any title with all its options; what is beyond is no command

_TYPOGRAPHY = str.maketrans(
    dict.fromkeys("“”„‟«»″「」『』", '"')
    | dict.fromkeys("‘’‚‛‹›′`´", "'")
    | dict.fromkeys("‐‑‒–—―−", "-")
    | dict.fromkeys("\u00ad\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e", "")
    | dict.fromkeys("\u2060\u2066\u2067\u2068\u2069\ufeff\ufffc", "")
)
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})
# How mail programs write a link in plain text: "a@b.example<mailto:a@b.example>", "www.b.example<https://...>".
_LINK_TARGET = re.compile(r"(?<=\S)(?:\s?[<\[(]mailto:[^\s>\])]*[>\])]|<https?://[^\s>]*>)", re.IGNORECASE)
_BULLET = re.compile(r"^\s*(?:[-*•·▪◦]\s+|\d{1,2}[.)]\s+(?=[^\W\d]))")
_PIECE = re.compile(
    r"""(?P<key>[^\W\d][\w-]*)(?P<sign>\s*=|\s*:(?!//))\s*
      | "(?P<double>(?:[^"]|"")*)"(?=[\s,;:.!?)]|$)
      | '(?P<single>[^']+)'(?=[\s,;:.!?)]|$)
      | (?:(?![,;][^\W\d][\w-]*=)\S)+""",
    re.VERBOSE,
)
_BARE = re.compile(r"\S+")
_IN_QUOTES = re.compile(r'("(?:[^"]|"")*")')


KEY_SYNONYMS = {
    "titel": "title", "titulo": "title", "titre": "title", "titolo": "title", "autor": "author", "autorin": "author",
    "autora": "author", "auteur": "author", "autore": "author", "genero": "genre", "serie": "series", "reihe": "series",
    "schlagworte": "tags", "schlagwort": "tags", "etiquetas": "tags", "etiqueta": "tags", "sprache": "language",
    "idioma": "language", "lengua": "language", "langue": "language", "lingua": "language", "zeitzone": "timezone",
    "zona": "timezone", "fuseau": "timezone", "nombre": "name", "nom": "name", "nome": "name", "art": "kind",
    "tipo": "kind", "autoenvio": "autosend", "bilder": "pictures", "imagenes": "pictures", "abschnitt": "section",
    "seccion": "section", "leer": "empty", "vacio": "empty", "mindestqualitat": "min_quality", "calidad": "min_quality",
    "qualitat": "min_quality", "articulos": "max_articles", "artikel": "max_articles",
}  # fmt: skip
"""What keys are called in other languages, folded."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a line, or several in quotes. `start` and `end` are its place in the line, quotes included."""

    text: str
    start: int
    end: int
    is_quoted: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """The `title=` of `title=Dune`; `end` is where its value begins."""

    name: str
    start: int
    end: int


Piece = Word | Key


def clean_line(line: str) -> str:
    """One line of plain characters: NFKC, straight quotes and dashes, no control or invisible ones, single blanks.

    What stands in straight quotes keeps its characters: it is somebody's name, or a title as "undo" gives it back.
    """
    text = line[:MAX_LINE]
    if not (text.isascii() and text.isprintable()):
        pieces = enumerate(_IN_QUOTES.split(text))
        text = "".join(piece if number % 2 else _plain(piece) for number, piece in pieces)
        text = "".join(letter if unicodedata.category(letter) not in ("Cc", "Cs", "Co") else " " for letter in text)
    return " ".join(_LINK_TARGET.sub("", text)[:MAX_LINE].split())


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text.translate(_TYPOGRAPHY)).translate(_TYPOGRAPHY)


def strip_bullet(line: str) -> str:
    """The line without the dash or number of a list that somebody made of their commands."""
    return _BULLET.sub("", line)


def fold(text: str) -> str:
    """For comparing: no case, no accents ("Löschen" and "loschen" are one word)."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


def spellings(word: str) -> set[str]:
    """The folded forms under which a word is found: also "loeschen" for "löschen"."""
    if word.isascii():
        return {word.lower()}
    return {fold(word), fold(unicodedata.normalize("NFC", word.casefold()).translate(_UMLAUTS))}


def split(line: str, keys: Collection[str] = ()) -> list[Piece]:
    """The pieces of a cleaned line in order. In quotes, two quotes are one.

    `title=` is a key before any value if `keys` is not empty, known or not, so that a misspelt one can be told;
    `title:` and `title :` only if it is like one of `keys`, since titles have colons of their own. What stands close
    behind the sign of a key is its value: `title=E=mc2`.
    """
    pieces: list[Piece] = []
    place = 0
    while (match := _PIECE.search(line, place)) is not None:
        written = match["key"]
        is_value = (
            bool(pieces) and isinstance(pieces[-1], Key) and match.start() == place and not line[place - 1].isspace()
        )
        if written is not None and (is_value or not _is_key(written, match["sign"].strip(), keys=keys)):
            match = _BARE.match(line, match.start()) or match
            written = None
        if written is not None:
            pieces.append(Key(fold(written), match.start(), match.end()))
        else:
            pieces.append(_word(match))
        place = match.end()
    return pieces


def _is_key(written: str, sign: str, *, keys: Collection[str]) -> bool:
    return bool(keys) and (sign == "=" or nearest_key(written, keys, likeness=COLON_LIKENESS) is not None)


def nearest_key(written: str, keys: Collection[str], *, likeness: float) -> str | None:
    """The key that was meant, correctly spelt or not."""
    folded = fold(written)
    if (meant := KEY_SYNONYMS.get(folded)) is not None and meant in keys and folded not in keys:
        return meant
    scorer = DamerauLevenshtein.normalized_similarity
    near = extractOne(folded, list(keys), scorer=scorer, score_cutoff=likeness)
    return near[0] if near else None


def _word(match: re.Match[str]) -> Word:
    groups = match.groupdict()
    quoted = groups.get("double") if groups.get("double") is not None else groups.get("single")
    if quoted is not None:
        return Word(" ".join(quoted.replace('""', '"').split()), match.start(), match.end(), is_quoted=True)
    text = match[0].strip('"')
    text = text[1:-1] if text.startswith("<") and text.endswith(">") else text  # an address, or `<book>` of the usage
    return Word(text, match.start(), match.end())


def unquote(value: str) -> str:
    """A value without the quotes around it, the comma behind it, and a quote that was opened and never closed."""
    value = value.strip(" ,;")
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1].strip()
    return value.removeprefix('"').strip() if value.count('"') == 1 else value


def is_number(word: str) -> bool:
    """`2`, `#2`, `2.` and `1-3`: what stands for a thing of a numbered list."""
    return re.fullmatch(r"#?\d{1,9}[.)]?|\d{1,6}-\d{1,6}", word, re.ASCII) is not None


def texts(words: Sequence[Word]) -> tuple[str, ...]:
    """The words as written, without those that were nothing but quotes."""
    return tuple(word.text for word in words if word.text)


def as_one_word(name: str) -> str:
    """A name as a command has it: in quotes, since it may begin with a word that means something to the command."""
    return f'"{name.replace(chr(34), chr(34) * 2)}"'
