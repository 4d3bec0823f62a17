"""Plain ASCII from any script that has a table here: for subjects and file names that every mail server takes."""

from __future__ import annotations

import unicodedata

_LATIN = {  # letters that Unicode does not decompose
    "ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ł": "l", "ħ": "h", "ı": "i", "ŋ": "ng",
    "ŧ": "t", "ĸ": "k", "ə": "e",
}  # fmt: skip
_CYRILLIC = {  # as people write it in Latin letters (BGN/PCGN, the apostrophes of the signs left out)
    "а": "a", "б": "b", "в": "v", "г": "g", "ґ": "g", "д": "d", "ђ": "dj", "ѓ": "gj", "е": "e", "ё": "yo", "є": "ye",
    "ж": "zh", "з": "z", "ѕ": "dz", "и": "i", "і": "i", "ї": "yi", "й": "y", "ј": "j", "к": "k", "л": "l", "љ": "lj",
    "м": "m", "н": "n", "њ": "nj", "о": "o", "п": "p", "р": "r", "с": "s", "т": "t", "ћ": "c", "ќ": "kj", "у": "u",
    "ў": "u", "ф": "f", "х": "kh", "ц": "ts", "ч": "ch", "џ": "dz", "ш": "sh", "щ": "shch", "ъ": "", "ы": "y", "ь": "",
    "э": "e", "ю": "yu", "я": "ya",
}  # fmt: skip
_GREEK = {
    "α": "a", "β": "v", "γ": "g", "δ": "d", "ε": "e", "ζ": "z", "η": "i", "θ": "th", "ι": "i", "κ": "k", "λ": "l",
    "μ": "m", "ν": "n", "ξ": "x", "ο": "o", "π": "p", "ρ": "r", "σ": "s", "ς": "s", "τ": "t", "υ": "y", "φ": "f",
    "χ": "ch", "ψ": "ps", "ω": "o",
}  # fmt: skip
_MARKS = {
    "‐": "-", "‑": "-", "‒": "-", "–": "-", "—": "-", "―": "-", "−": "-", "‘": "'", "’": "'", "‚": "'", "‛": "'",
    "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‹": "'", "›": "'", "·": "-", "•": "-", "×": "x",
    "ẞ": "SS", "⁄": "/",
}  # fmt: skip
_SMALL = _LATIN | _CYRILLIC | _GREEK
_CAPITAL = {small.upper(): plain.capitalize() for small, plain in _SMALL.items() if len(small.upper()) == 1}
_TABLE = str.maketrans(_MARKS | _SMALL | _CAPITAL)


def to_ascii(text: str) -> str:
    """One line of printable ASCII; accents are dropped, Cyrillic and Greek are written in Latin letters.

    What no table knows is left out, so that a title in Chinese becomes "". Blanks are single, none at the ends.
    """
    # Composed first, so that the table sees й as one letter and not as и with a breve.
    latin = unicodedata.normalize("NFKC", text).translate(_TABLE)
    decomposed = unicodedata.normalize("NFKD", latin).translate(_TABLE)
    plain = (letter if letter.isascii() else "" for letter in decomposed)
    return " ".join("".join(letter if letter.isprintable() else " " for letter in plain).split())
