"""Table `spelling`: the words of titles and authors under all the ways in which one slip may have them written.

A word stands under itself, under itself less any one letter, and under its consonants. Two words that one slip makes of
each other (a letter more, less, other, or two changed about) have such a key in common, so that the words like a given
one are found by a handful of exact look-ups, however many there are (Bast and Celikik's FastSS, 2007, and SymSpell do
it so). The consonants are for names that are written by ear: “Dostoyevski” and “Dostoevsky” are both “dstvsk”.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

import sqlalchemy as sa
from rapidfuzz.distance import OSA
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base, insert_for

SHORTEST: Final = 4  # letters of a word that can be misspelt; any three letters are one slip from too many others
LONGEST: Final = 40
ALIKE: Final = 0.7  # normalised: one slip in four letters, two in seven, three in ten
CANDIDATES: Final = 500  # rows that one look-up reads at most

_WORD = re.compile("(?:[^\\W_][\u0300-\u036f]*)+")
_ACCENT = re.compile("[\u0300-\u036f]")
_VOWEL = re.compile("[aeiouy]")
_REPEATED = re.compile(r"(.)\1+")


class Spelling(Base):
    """One way to miswrite a word. The table serves all users: who corrects by it looks whether the user has the word.

    A word stays when its last book goes.
    """

    __tablename__ = "spelling"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012 - SQLAlchemy's own protocol

    key: Mapped[str] = mapped_column(sa.String(LONGEST + 1), primary_key=True)
    word: Mapped[str] = mapped_column(sa.String(LONGEST), primary_key=True)
    """In lower case, with its accents: as the search index knows it."""

    @classmethod
    def learn(cls, session: Session, texts: Iterable[str]) -> None:
        """Remember the words of `texts`."""
        words = {word for text in texts for word in words_of(text) if SHORTEST <= len(word) <= LONGEST}
        own_keys = {word: folded(word) for word in words}
        known = {tuple(row) for row in session.execute(_KNOWN, {"keys": [*own_keys.values()]})} if words else set()
        new = [word for word, key in own_keys.items() if (key, word) not in known]
        if new:
            insert = insert_for(session)
            # In order: two transactions that learn the same words wait for each other once, and not crosswise.
            rows = sorted((key, word) for word in new for key in _keys(word))
            session.execute(insert(cls).on_conflict_do_nothing(), [{"key": key, "word": word} for key, word in rows])

    @classmethod
    def alike(cls, session: Session, word: str) -> list[str]:
        """Words that may be meant by `word`, which is none of them, the likeliest first."""
        if not SHORTEST <= len(word) <= LONGEST:
            return []
        query = sa.select(cls.word).distinct().where(cls.key.in_(_keys(word)), cls.word != word).limit(CANDIDATES)
        meant = folded(word)
        scores = {other: OSA.normalized_similarity(meant, folded(other)) for other in session.scalars(query)}
        alike = (other for other, score in scores.items() if score >= ALIKE)
        return sorted(alike, key=lambda other: (-scores[other], other))


_TABLE = Spelling.metadata.tables[Spelling.__tablename__]
_KNOWN = sa.select(_TABLE.c.key, _TABLE.c.word).where(_TABLE.c.key.in_(sa.bindparam("keys", expanding=True)))


def words_of(text: str) -> list[str]:
    """The words of a text in lower case. Accents stay: whether they count is the index's affair."""
    return [word.lower() for word in _WORD.findall(unicodedata.normalize("NFC", text))]


def folded_words(text: str) -> list[str]:
    """The words of a text without case and accents, for comparing."""
    return _WORD.findall(folded(text))


def folded(text: str) -> str:
    """Without case, and without the accents of Latin, Greek and Cyrillic; other scripts' marks are letters to them."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", _ACCENT.sub("", unicodedata.normalize("NFD", text.lower())))


def _keys(word: str) -> set[str]:
    word = folded(word)
    consonants = _REPEATED.sub(r"\1", word[:1] + _VOWEL.sub("", word[1:]))
    return {word, f"~{consonants}"} | {word[:place] + word[place + 1 :] for place in range(len(word))}
